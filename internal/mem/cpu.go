package mem

// What a processor needs beyond Load and Store: the bytes of a page, so that
// it can keep them in a translation buffer for as long as nothing else runs.

// zeros stands for pages that were never written.
var zeros [PageSize]byte

// PageFor returns the bytes of the page at addr and its protection if the
// access is allowed. For Store they are this space's own: the page is copied
// first where a snapshot shares it, and Copies changes. The bytes are valid
// until something else changes the space (a store through another path that
// copies the page, Restore, Snapshot, Unmap, Free); do not write to those that
// were returned for Load or Fetch, nor, with the fingerprint on, to any.
func (s *Space) PageFor(addr uint64, a Access) (*[PageSize]byte, Prot, Fault) {
	p, f := s.page(addr, a)
	if f.Kind != NoFault {
		return nil, 0, f
	}
	if a == Store {
		return s.writable(p.frame), p.prot, f
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

// Copies counts the pages that got bytes of their own since the last Snapshot
// or Restore: if it has changed, pointers from PageFor may be stale.
func (s *Space) Copies() int { return len(s.dirty) }

// Hashing reports whether the fingerprint is kept: stores must then go through
// Store or Write.
func (s *Space) Hashing() bool { return s.hashing }

// NewAt returns an empty address space in which region r begins at base: tests
// that compare with the host's processor need the host's addresses.
func NewAt(r Region, base uint64) *Space {
	s := New()
	s.regions[r].base = base
	return s
}
