package mem

// Region names a part of the kernel address space. Addresses resemble those of
// Windows x64 so that a developer recognises them in a report.
type Region int

// The regions, each with room for 2^20 pages or more.
const (
	PagedPool    Region = iota // 0xFFFFA000_00000000
	SystemMaps                 // 0xFFFFD000_00000000: mapped device registers, MDL mappings
	NonPagedPool               // 0xFFFFE000_00000000
	Images                     // 0xFFFFF800_00000000: loaded drivers
	Stacks                     // 0xFFFFF880_00000000
	SharedUser                 // 0xFFFFF780_00000000: the page of system data that drivers read directly
	numRegions
)

var regionBase = [numRegions]uint64{
	0xFFFFA000_00000000, 0xFFFFD000_00000000, 0xFFFFE000_00000000,
	0xFFFFF800_00000000, 0xFFFFF880_00000000, 0xFFFFF780_00000000,
}

// physicalBase is the physical address of frame 0: low memory below it is
// left to firmware, as on a PC, so that physical address 0 is never valid.
const physicalBase = 0x100000

// region is a stretch of page table entries that grows at its end; pages that
// were given up stay unmapped and are not handed out again (special pool).
type region struct {
	base uint64
	ptes []pte
}

// RegionAt returns the region whose pages hold addr, and whether there is one.
func (s *Space) RegionAt(addr uint64) (Region, bool) {
	if i := s.regionOf[place(addr)]; s.In(i, addr) {
		return i, true
	}
	return 0, false
}

// place is the part of an address by which the bases of regions differ.
func place(addr uint64) int { return int(addr>>39) & (places - 1) }

const places = 512

// entry returns the page table entry at addr, or nil.
func (s *Space) entry(addr uint64) *pte {
	r := &s.regions[s.regionOf[place(addr)]]
	if n := (addr - r.base) >> pageShift; n < uint64(len(r.ptes)) {
		return &r.ptes[n]
	}
	if addr < UserEnd { // and in no region that NewAt put there
		return s.userEntry(addr)
	}
	return nil
}

// edit is an entry of a region that was changed in place.
type edit struct {
	region Region
	page   int
}

// edit returns the entry of the page at addr, of which there is one, for a change.
func (s *Space) edit(addr uint64) *pte {
	s.changes++
	i := s.regionOf[place(addr)]
	r := &s.regions[i]
	n := (addr - r.base) >> pageShift
	if n >= uint64(len(r.ptes)) {
		return s.userEntry(addr)
	}
	s.edits = append(s.edits, edit{i, int(n)})
	if r.ptes[n].prot&Exec != 0 {
		s.recode()
	}
	return &r.ptes[n]
}

// Map appends n pages with memory behind them to a region and returns the
// address of the first one.
func (s *Space) Map(r Region, n int, prot Prot) uint64 {
	return s.appendPages(r, n, func(va uint64) pte { return pte{frame: s.newFrame(va), prot: prot} })
}

// MapDevice appends n pages of device registers to a region; accesses fault
// with DevicePage.
func (s *Space) MapDevice(r Region, n int) uint64 {
	return s.appendPages(r, n, func(uint64) pte { return pte{frame: -1, prot: Read | Write | Device} })
}

// MapPhysical appends the pages of physical memory that hold [pa, pa+n) to a
// region: a second view of the same memory. It returns 0 if there is no such
// memory.
func (s *Space) MapPhysical(r Region, pa uint64, n int, prot Prot) uint64 {
	if n <= 0 || !s.eachPhysical(pa, n, func(int32, uint64, int, int) {}) {
		return 0
	}
	count := int((pa+uint64(n)-1)>>pageShift-pa>>pageShift) + 1
	fr := int32((pa - physicalBase) >> pageShift)
	base := s.appendPages(r, count, func(uint64) pte {
		fr++
		return pte{frame: fr - 1, prot: prot | View}
	})
	return base + pa&(PageSize-1)
}

// Unmap takes the n pages at addr away; the addresses are not used again.
func (s *Space) Unmap(addr uint64, n int) {
	for i := range n {
		at := addr + uint64(i)<<pageShift
		if p := s.entry(at); p != nil && *p != (pte{frame: -1}) {
			*s.edit(at) = pte{frame: -1}
			s.markUnmapped(at &^ (PageSize - 1))
		}
	}
}

func (s *Space) markUnmapped(page uint64) {
	if page < UserEnd {
		page = userHome(s.current, page)
	}
	s.mark(markUnmap, page, 0)
}

// In reports whether an address belongs to the part of a region that is or was
// mapped.
func (s *Space) In(r Region, addr uint64) bool {
	reg := &s.regions[r]
	return (addr-reg.base)>>pageShift < uint64(len(reg.ptes))
}

func (s *Space) appendPages(r Region, n int, page func(va uint64) pte) uint64 {
	reg := &s.regions[r]
	addr := reg.base + uint64(len(reg.ptes))<<pageShift
	for i := range n {
		va := addr + uint64(i)<<pageShift
		p := page(va)
		reg.ptes = append(reg.ptes, p)
		s.mark(markMap, va, uint64(uint32(p.frame))<<8|uint64(p.prot))
	}
	return addr
}

// Home returns an address that all views of one byte of memory share: that of a
// mapping or a buffer of an application is where the memory was first put, the
// latter with the number of the process in it. Any other address is its own
// home.
func (s *Space) Home(addr uint64) uint64 {
	if !IsUser(addr) && !s.In(SystemMaps, addr) {
		return addr
	}
	p := s.entry(addr)
	if p == nil || p.frame < 0 {
		return addr
	}
	return s.frames[p.frame].home + addr&(PageSize-1)
}

// Physical returns the physical address behind addr.
func (s *Space) Physical(addr uint64) (pa uint64, ok bool) {
	p := s.entry(addr)
	if p == nil || p.frame < 0 {
		return 0, false
	}
	return physicalBase + uint64(p.frame)<<pageShift + addr&(PageSize-1), true
}

// ReadPhysical copies memory at physical address pa into p, as a bus master
// does. It reports false, and copies nothing, where there is no memory.
func (s *Space) ReadPhysical(pa uint64, p []byte) bool {
	return s.eachPhysical(pa, len(p), func(fr int32, off uint64, from, n int) {
		if d := s.frames[fr].data; d != nil {
			copy(p[from:from+n], d[off:])
		} else {
			clear(p[from : from+n])
		}
	})
}

// WritePhysical copies p to physical address pa: see ReadPhysical.
func (s *Space) WritePhysical(pa uint64, p []byte) bool {
	return s.eachPhysical(pa, len(p), func(fr int32, off uint64, from, n int) {
		s.writeFrame(fr, off, p[from:from+n])
	})
}

func (s *Space) eachPhysical(pa uint64, n int, do func(fr int32, off uint64, from, n int)) bool {
	end := physicalBase + uint64(len(s.frames))<<pageShift
	if pa < physicalBase || pa > end || uint64(n) > end-pa {
		return false
	}
	for from := 0; from < n; {
		at := pa + uint64(from)
		off := at & (PageSize - 1)
		k := min(n-from, int(PageSize-off))
		do(int32((at-physicalBase)>>pageShift), off, from, k)
		from += k
	}
	return true
}
