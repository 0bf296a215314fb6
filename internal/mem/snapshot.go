package mem

import "slices"

// Snapshot is a frozen copy of a Space: the pages are shared, the tables
// copied.
type Snapshot struct {
	frames  []frame
	regions [numRegions][]pte
	allocs  []Alloc
	hash    Hash
	hashing bool

	processes [][]pte
}

// Snapshot freezes the present contents.
func (s *Space) Snapshot() *Snapshot {
	for i := range s.frames {
		s.frames[i].shared = true
	}
	s.dirty = s.dirty[:0]
	n := &Snapshot{
		frames: slices.Clone(s.frames), allocs: slices.Clone(s.allocs),
		hash: s.hash, hashing: s.hashing, processes: cloneProcesses(s.processes),
	}
	for i := range s.regions {
		n.regions[i] = slices.Clone(s.regions[i].ptes)
	}
	return n
}

// Restore brings the contents of a snapshot back. Pages written since the
// snapshot was taken or last restored are recycled. n must be a snapshot of
// this space.
func (s *Space) Restore(n *Snapshot) {
	for _, fr := range s.dirty {
		s.spare = append(s.spare, s.frames[fr].data)
	}
	s.dirty = s.dirty[:0]
	s.frames = append(s.frames[:0], n.frames...)
	s.allocs = append(s.allocs[:0], n.allocs...)
	for i := range s.regions {
		s.regions[i].ptes = append(s.regions[i].ptes[:0], n.regions[i]...)
	}
	s.hash, s.hashing, s.processes = n.hash, n.hashing, cloneProcesses(n.processes)
}
