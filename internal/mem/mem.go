// Package mem is the one memory of the simulated machine: everything that
// driver code can see lives here, at Windows-like kernel addresses.
//
// Read Space first, then region.go for where things lie, alloc.go for pool
// blocks, snapshot.go for copy on write.
//
// Rules that hold inside: a page is reached through its page table entry only;
// a page that belongs to a snapshot is copied before its first write; nothing
// here knows about processors, IRQL or devices. Accesses report what is wrong
// with them as a Fault; the kernel decides what that means (a bug check, a
// finding, a device register).
package mem

import "encoding/binary"

// PageSize is the size of a page in bytes.
const PageSize = 4096

const pageShift = 12

// Prot says what may be done with a page.
type Prot uint8

// Page protection bits.
const (
	Read     Prot = 1 << iota
	Write         // data may be stored
	Exec          // instructions may be fetched
	Pageable      // not resident for sure: no touch at DISPATCH_LEVEL or above (IRQL-10)
	Device        // no memory behind it: loads and stores go to a device register
	Private       // used by one activation only (its stack): accesses are no visible operations
	View          // the memory has other addresses, too (MapPhysical)
)

// Access is the kind of a memory access.
type Access uint8

// Kinds of access, with the values that bug checks 0xA and 0xD1 use for
// parameter 3.
const (
	Load  Access = 0
	Store Access = 1
	Fetch Access = 8
)

func (a Access) String() string {
	switch a {
	case Load:
		return "read"
	case Store:
		return "write"
	}
	return "execute"
}

// FaultKind says why an access is not possible.
type FaultKind uint8

// Reasons for a fault.
const (
	NoFault      FaultKind = iota
	NotPresent             // nothing is mapped there
	NotCanonical           // bits 63 to 47 differ
	ReadOnly               // store to a page without Write
	NoExecute              // fetch from a page without Exec
	Freed                  // the block that was there has been freed (special pool)
	BeyondBlock            // the guard page behind a block (special pool)
	DevicePage             // no fault: a device register, ask the device
)

func (k FaultKind) String() string {
	return [...]string{"none", "nothing is mapped there", "not a canonical address",
		"the page is read-only", "the page is not executable", "the block was freed",
		"beyond the end of the block", "device register"}[k]
}

// Fault describes an access that could not be done. The zero Fault is success.
type Fault struct {
	Kind   FaultKind
	Access Access
	Addr   uint64 // first address that faults
}

// pte is a page table entry.
type pte struct {
	frame int32 // index into Space.frames; -1: no page
	alloc int32 // index into Space.allocs of the block that owns or owned the page; 0: none
	prot  Prot
	guard bool // the page behind a block
	freed bool
}

// frame is a physical page. data nil reads as zeros.
type frame struct {
	data   *[PageSize]byte
	shared bool   // part of a snapshot: copy before the first write
	home   uint64 // see Home
}

// Space is a simulated address space with the physical memory below it. The
// zero Space is not usable; call New.
type Space struct {
	frames  []frame
	regions [numRegions]region

	regionOf [places]Region // by place; any where there is none

	allocs  []Alloc // index 0 is unused
	dirty   []int32 // frames that stopped being shared since the last snapshot or restore
	spare   []*[PageSize]byte
	hash    Hash
	hashing bool

	last     *Snapshot // that was taken or restored last
	edits    []edit    // page table entries changed in place since then
	changes  uint64    // see Changes
	codes    uint64    // see Codes
	recoded  bool      // Codes changed since last
	executed []bool    // frames that code was fetched from, ever

	processes [][]pte // user.go: pages of each process
	current   Process // whose addresses are meant
}

// New returns an empty address space.
func New() *Space {
	s := &Space{allocs: make([]Alloc, 1)}
	for i := range s.regions {
		s.setBase(Region(i), regionBase[i])
	}
	return s
}

func (s *Space) setBase(r Region, base uint64) {
	s.regions[r].base = base
	s.regionOf[place(base)] = r
}

// Load reads size bytes (1, 2, 4 or 8), little endian.
func (s *Space) Load(addr uint64, size int) (uint64, Fault) {
	if addr&(PageSize-1)+uint64(size) <= PageSize {
		p, f := s.page(addr, Load)
		if f.Kind != NoFault {
			return 0, f
		}
		return load(s.frames[p.frame].data, addr&(PageSize-1), size), Fault{}
	}
	var b [8]byte
	f := s.Read(addr, b[:size])
	return binary.LittleEndian.Uint64(b[:]), f
}

// Store writes the low size bytes (1, 2, 4 or 8) of v, little endian.
func (s *Space) Store(addr uint64, size int, v uint64) Fault {
	if addr&(PageSize-1)+uint64(size) <= PageSize {
		p, f := s.page(addr, Store)
		if f.Kind != NoFault {
			return f
		}
		s.storeFrame(p.frame, addr&(PageSize-1), size, v)
		return Fault{}
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return s.Write(addr, b[:size])
}

// Read copies len(p) bytes at addr into p.
func (s *Space) Read(addr uint64, p []byte) Fault {
	return s.each(addr, len(p), Load, func(fr int32, off uint64, from, n int) {
		if d := s.frames[fr].data; d != nil {
			copy(p[from:from+n], d[off:])
		} else {
			clear(p[from : from+n])
		}
	})
}

// Write copies p to addr. Either all of it is written or nothing.
func (s *Space) Write(addr uint64, p []byte) Fault {
	return s.each(addr, len(p), Store, func(fr int32, off uint64, from, n int) {
		s.writeFrame(fr, off, p[from:from+n])
	})
}

// Check reports whether n bytes at addr could be accessed.
func (s *Space) Check(addr uint64, n int, a Access) Fault {
	return s.each(addr, n, a, nil)
}

// Prot returns the protection of the page at addr, 0 where nothing is mapped.
func (s *Space) Prot(addr uint64) Prot {
	if p := s.entry(addr); p != nil && p.frame >= 0 && !p.freed {
		return p.prot
	}
	return 0
}

// each calls do for every piece of [addr, addr+n) that lies in one page, after
// it has made sure that all of them can be accessed.
func (s *Space) each(addr uint64, n int, a Access, do func(fr int32, off uint64, from, n int)) Fault {
	for pass := 0; pass < 2; pass++ {
		for from := 0; from < n; {
			at := addr + uint64(from)
			p, f := s.page(at, a)
			if f.Kind != NoFault {
				return f
			}
			off := at & (PageSize - 1)
			k := min(n-from, int(PageSize-off))
			if pass == 1 {
				do(p.frame, off, from, k)
			}
			from += k
		}
		if do == nil {
			break
		}
	}
	return Fault{}
}

// page returns the entry of the page at addr if the access is allowed.
func (s *Space) page(addr uint64, a Access) (*pte, Fault) {
	p := s.entry(addr)
	switch {
	case p == nil && addr>>47 != 0 && addr>>47 != 1<<17-1:
		return nil, Fault{NotCanonical, a, addr}
	case p == nil:
		return nil, Fault{NotPresent, a, addr}
	case p.guard:
		return p, Fault{BeyondBlock, a, addr}
	case p.freed:
		return p, Fault{Freed, a, addr}
	case p.prot&Device != 0:
		return p, Fault{DevicePage, a, addr}
	case p.frame < 0:
		return nil, Fault{NotPresent, a, addr}
	case a == Store && p.prot&Write == 0:
		return p, Fault{ReadOnly, a, addr}
	case a == Fetch && p.prot&Exec == 0:
		return p, Fault{NoExecute, a, addr}
	}
	return p, Fault{}
}

// LoadAnyway and StoreAnyway do the access that Load and Store refused with
// Freed or BeyondBlock: what happens without special pool (VER-7).
func (s *Space) LoadAnyway(addr uint64, size int) uint64 {
	p := s.entry(addr)
	if p == nil || p.frame < 0 || addr&(PageSize-1)+uint64(size) > PageSize {
		return 0
	}
	return load(s.frames[p.frame].data, addr&(PageSize-1), size)
}

// StoreAnyway: see LoadAnyway.
func (s *Space) StoreAnyway(addr uint64, size int, v uint64) {
	p := s.entry(addr)
	if p == nil || addr&(PageSize-1)+uint64(size) > PageSize {
		return
	}
	if p.frame < 0 {
		p = s.edit(addr)
		p.frame = s.newFrame(addr &^ (PageSize - 1))
		s.mark(markAlloc, addr&^(PageSize-1), uint64(p.frame))
	}
	s.storeFrame(p.frame, addr&(PageSize-1), size, v)
}

func load(d *[PageSize]byte, off uint64, size int) uint64 {
	if d == nil {
		return 0
	}
	switch size {
	case 1:
		return uint64(d[off])
	case 2:
		return uint64(binary.LittleEndian.Uint16(d[off:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(d[off:]))
	}
	return binary.LittleEndian.Uint64(d[off:])
}

func (s *Space) storeFrame(fr int32, off uint64, size int, v uint64) {
	d := s.writable(fr)
	s.unhash(fr, d, off, size)
	switch size {
	case 1:
		d[off] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(d[off:], uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(d[off:], uint32(v))
	default:
		binary.LittleEndian.PutUint64(d[off:], v)
	}
	s.unhash(fr, d, off, size)
}

func (s *Space) writeFrame(fr int32, off uint64, p []byte) {
	d := s.writable(fr)
	s.unhash(fr, d, off, len(p))
	copy(d[off:], p)
	s.unhash(fr, d, off, len(p))
}

// writable returns the bytes of a frame, private to this space.
func (s *Space) writable(fr int32) *[PageSize]byte {
	f := &s.frames[fr]
	if int(fr) < len(s.executed) && s.executed[fr] {
		s.recode()
	}
	if f.data != nil && !f.shared {
		return f.data
	}
	s.changes++
	var d *[PageSize]byte
	if n := len(s.spare); n > 0 {
		d, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		d = new([PageSize]byte)
	}
	if f.data != nil {
		*d = *f.data
	} else {
		*d = [PageSize]byte{}
	}
	f.data, f.shared = d, false
	s.dirty = append(s.dirty, fr)
	return d
}

func (s *Space) newFrame(home uint64) int32 {
	s.frames = append(s.frames, frame{home: home})
	return int32(len(s.frames) - 1)
}
