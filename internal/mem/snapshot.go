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
	n := &Snapshot{
		frames: slices.Clone(s.frames), allocs: slices.Clone(s.allocs),
		hash: s.hash, hashing: s.hashing, processes: copyProcesses(nil, s.processes),
	}
	for i := range s.regions {
		n.regions[i] = slices.Clone(s.regions[i].ptes)
	}
	s.begin(n)
	return n
}

// begin notes that the contents are those of a snapshot.
func (s *Space) begin(n *Snapshot) {
	s.last, s.dirty, s.edits, s.recoded = n, s.dirty[:0], s.edits[:0], false
	s.changes++
}

// Restore brings the contents of a snapshot back. Pages written since the
// snapshot was taken or last restored are recycled. n must be a snapshot of
// this space. It costs what was changed since then, and more only if another
// snapshot was taken or restored in between.
func (s *Space) Restore(n *Snapshot) {
	for _, fr := range s.dirty {
		s.spare = append(s.spare, s.frames[fr].data)
	}
	if s.recoded || n != s.last || slices.Contains(s.executed[min(len(n.frames), len(s.executed)):], true) {
		s.codes++
	}
	if n == s.last {
		s.takeBack(n)
	} else {
		s.frames = append(s.frames[:0], n.frames...)
		for i := range s.regions {
			s.regions[i].ptes = append(s.regions[i].ptes[:0], n.regions[i]...)
		}
	}
	s.allocs = append(s.allocs[:0], n.allocs...)
	s.hash, s.hashing, s.processes = n.hash, n.hashing, copyProcesses(s.processes, n.processes)
	s.begin(n)
}

// takeBack undoes what happened to pages since n was taken or restored.
func (s *Space) takeBack(n *Snapshot) {
	for _, fr := range s.dirty {
		if int(fr) < len(n.frames) {
			s.frames[fr] = n.frames[fr]
		}
	}
	clear(s.frames[len(n.frames):])
	s.frames = s.frames[:len(n.frames)]
	for i := range s.regions {
		s.regions[i].ptes = s.regions[i].ptes[:len(n.regions[i])]
	}
	for _, e := range s.edits {
		if before := n.regions[e.region]; e.page < len(before) {
			s.regions[e.region].ptes[e.page] = before[e.page]
		}
	}
}
