package kernel

import "slices"

// Spot is an access to memory in a run: an activation and the number of the
// operation in it.
type Spot struct{ Activation, Op uint32 }

// Look is what the code that made an access was doing.
type Look struct {
	Stack []string // activations and routines, innermost first
	Locks []string // that it held: spin locks and mutexes
}

// look notes what the thread is doing, if somebody wants to know it of this
// access.
func (t *Thread) look(w *Watch, r *Record) {
	spot := Spot{r.Activation, r.Op}
	if slices.Contains(w.Spots, spot) {
		if w.Looks == nil {
			w.Looks = map[Spot]Look{}
		}
		w.Looks[spot] = Look{t.stackText(), t.locksText()}
	}
}

// locksText names the locks that the running code holds, and the code under it.
func (t *Thread) locksText() []string {
	var list []string
	for i := range t.m.held {
		if h := &t.m.held[i]; h.thread == t.id {
			name := t.m.NameOf(h.addr)
			if h.kind != frameworkLock {
				name = h.kind.String() + " " + name
			}
			list = append(list, name)
		}
	}
	return list
}
