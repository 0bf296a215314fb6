package mem

// maxRegionPages is how far MapImage lets the image region grow.
const maxRegionPages = 1 << 20

// MapImage maps n pages for a driver image into the region Images and returns
// the address of the first one: at addr, or behind what is there if addr is 0.
// It reports false if addr is not the start of a page in the unused end of the
// region, or if there is no room. An unmapped page follows each image, and
// unmapped pages fill the gap in front of it.
//
// The gap costs a page table entry per page in every snapshot: a base far away
// from the others makes a search slower.
func (s *Space) MapImage(addr uint64, n int, prot Prot) (uint64, bool) {
	used := len(s.regions[Images].ptes)
	first := used
	if addr != 0 {
		page := (addr - s.regions[Images].base) >> pageShift
		if addr&(PageSize-1) != 0 || page < uint64(used) || page >= maxRegionPages {
			return 0, false
		}
		first = int(page)
	}
	if n <= 0 || n >= maxRegionPages-first {
		return 0, false
	}
	hole := func(uint64) pte { return pte{frame: -1} }
	s.appendPages(Images, first-used, hole)
	at := s.Map(Images, n, prot)
	s.appendPages(Images, 1, hole)
	return at, true
}

// SetProt changes the protection of the n pages at addr that are mapped and
// have memory behind them; other pages are left alone. What a processor keeps
// of these pages (PageFor) is stale afterwards.
func (s *Space) SetProt(addr uint64, n int, prot Prot) {
	for i := range n {
		at := (addr + uint64(i)<<pageShift) &^ (PageSize - 1)
		p := s.entry(at)
		if p == nil || p.frame < 0 || p.prot&^View == prot {
			continue
		}
		s.markProt(at, p)
		p = s.edit(at)
		p.prot = prot | p.prot&View
		s.recode()
		s.markProt(at, p)
	}
}

// markProt puts what appendPages marked for a page into the fingerprint, or
// takes it out again.
func (s *Space) markProt(at uint64, p *pte) {
	s.mark(markMap, at, uint64(uint32(p.frame))<<8|uint64(p.prot))
}
