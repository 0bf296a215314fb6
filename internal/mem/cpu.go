package mem

// What a processor needs beyond Load and Store: the bytes of a page, so that
// it can keep them in a translation buffer for as long as nothing else runs.

// zeros stands for pages that were never written.
var zeros [PageSize]byte

// PageFor returns the bytes of the page at addr and its protection if the
// access is allowed. For Store they are this space's own: the page is copied
// first where a snapshot shares it. The bytes are valid until Changes changes; do
// not write to those that were returned for Load or Fetch, nor, with the
// fingerprint on, to any, nor again where it changed Codes.
func (s *Space) PageFor(addr uint64, a Access) (*[PageSize]byte, Prot, Fault) {
	p, f := s.page(addr, a)
	if f.Kind != NoFault {
		return nil, 0, f
	}
	switch a {
	case Store:
		return s.writable(p.frame), p.prot, f
	case Fetch:
		s.execute(p.frame)
	}
	if d := s.frames[p.frame].data; d != nil {
		return d, p.prot, f
	}
	return &zeros, p.prot, f
}

// ProtFor returns the protection of the page at addr if the access is allowed,
// and changes nothing.
func (s *Space) ProtFor(addr uint64, a Access) (Prot, Fault) {
	p, f := s.page(addr, a)
	if f.Kind != NoFault {
		return 0, f
	}
	return p.prot, f
}

// Changes counts everything after which what PageFor and ProtFor said about the
// kernel's addresses may be wrong, except that there is more memory.
func (s *Space) Changes() uint64 { return s.changes }

// Codes counts everything after which the bytes of executable pages from which
// code was fetched, or whether it can be fetched there, may be others.
func (s *Space) Codes() uint64 { return s.codes }

// execute notes that code is fetched from a frame.
func (s *Space) execute(fr int32) {
	if n := int(fr) + 1 - len(s.executed); n > 0 {
		s.executed = append(s.executed, make([]bool, n)...)
	}
	s.executed[fr] = true
}

func (s *Space) recode() {
	s.codes++
	s.recoded = true
}

// Hashing reports whether the fingerprint is kept: stores must then go through
// Store or Write.
func (s *Space) Hashing() bool { return s.hashing }

// NewAt returns an empty address space in which region r begins at base: tests
// that compare with the host's processor need the host's addresses.
func NewAt(r Region, base uint64) *Space {
	s := New()
	s.setBase(r, base)
	return s
}
