package mem

// ByteSet is a set of bytes of memory. The zero ByteSet is empty; so is nil, for
// reading.
type ByteSet struct {
	pages    map[uint64]*PageBytes // by number
	granules int
}

// PageBytes has a bit for each byte of a page.
type PageBytes [PageSize / granule]uint8

// granule is the size of the cells in which a ByteSet is counted.
const granule = 8

// Add puts size bytes at addr into the set and reports whether it grew.
func (s *ByteSet) Add(addr uint64, size uint32) (grew bool) {
	if s.pages == nil {
		s.pages = map[uint64]*PageBytes{}
	}
	for g, mask := range cells(addr, size) {
		p := s.pages[g/PageSize]
		if p == nil {
			p = &PageBytes{}
			s.pages[g/PageSize] = p
		}
		b := &p[g%PageSize/granule]
		if *b == 0 {
			s.granules++
		}
		grew = grew || *b|mask != *b
		*b |= mask
	}
	return grew
}

// Has reports whether one of size bytes at addr is in the set.
func (s *ByteSet) Has(addr uint64, size uint32) bool {
	if last := addr + uint64(size) - 1; size <= maxHas && size > 0 && addr/PageSize == last/PageSize {
		return s.Page(addr).Has(addr, uint8(size))
	}
	for g, mask := range cells(addr, size) {
		if p := s.Page(g); p != nil && p[g%PageSize/granule]&mask != 0 {
			return true
		}
	}
	return false
}

// Len returns the number of 8-byte cells in the set.
func (s *ByteSet) Len() int {
	if s == nil {
		return 0
	}
	return s.granules
}

// Page returns the bytes of the set in the page at addr, nil if there are none.
// What is not nil goes on to be those when the set grows.
func (s *ByteSet) Page(addr uint64) *PageBytes {
	if s == nil {
		return nil
	}
	return s.pages[addr/PageSize]
}

// maxHas is the largest size for PageBytes.Has.
const maxHas = 16

// Has reports whether one of size bytes (1 to 16) at an address of the page is in
// the set. They may go beyond the page; those do not count.
func (p *PageBytes) Has(addr uint64, size uint8) bool {
	if p == nil {
		return false
	}
	at := addr % PageSize / granule
	bits := uint32(p[at])
	if at+1 < uint64(len(p)) {
		bits |= uint32(p[at+1]) << 8
	}
	if at+2 < uint64(len(p)) {
		bits |= uint32(p[at+2]) << 16
	}
	return bits>>(addr%granule)&(1<<size-1) != 0
}

// cells yields the addresses of the cells of a range, with a bit for each of their
// bytes that is in it.
func cells(addr uint64, size uint32) func(yield func(uint64, uint8) bool) {
	return func(yield func(uint64, uint8) bool) {
		for left := uint64(size); left > 0; {
			n := min(granule-addr%granule, left)
			if !yield(addr-addr%granule, uint8((1<<n-1)<<(addr%granule))) {
				return
			}
			addr, left = addr+n, left-n
		}
	}
}
