package litmus

import "slices"

// relation collects how pairs of runs lie to each other: what the source rel of a component gives. The first of a pair
// is the one that started first.
type relation struct {
	seen   uint8   // set of after, overlap, inside
	over   [2]bool // a run of the first, of the second object has returned
	active []activeRun
}

// activeRun is a run that has not returned.
type activeRun struct {
	second bool // of the second object of the source
	run    int  // number of the run, by start
	cpu    int
}

// relationNames are the relations, in the order in which an outcome names them.
var relationNames = [...]Value{"after", "overlap", "inside"}

const (
	runAfter = 1 << iota
	runOverlap
	runInside
)

// started notes the start of a run. two says that only runs of different objects are pairs.
func (r *relation) started(a activeRun, two bool) {
	if r.over[0] && (!two || a.second) || r.over[1] && (!two || !a.second) {
		r.seen |= runAfter
	}
	r.active = append(r.active, a)
}

// ended notes the end of a run: runs that started after it and are active overlap it, and it lay inside those that
// started before it.
func (r *relation) ended(a activeRun, two bool) {
	at := slices.Index(r.active, a)
	for i, o := range r.active {
		switch {
		case i == at || two && o.second == a.second:
		case i < at:
			r.seen |= runInside
		default:
			r.seen |= runOverlap
		}
	}
	r.active = slices.Delete(r.active, at, at+1)
	r.over[number(a.second)] = true
}

// value returns each relation that a pair had, once.
func (r *relation) value() Value {
	var list []Value
	for i, name := range relationNames {
		if r.seen>>i&1 != 0 {
			list = append(list, name)
		}
	}
	if list == nil {
		return None
	}
	return Seq(list...)
}

func (r *relation) appendState(b []byte) []byte {
	b = append(b, r.seen|number8(r.over[0])<<3|number8(r.over[1])<<4, byte(len(r.active)))
	for _, a := range r.active {
		b = append(b, byte(a.cpu)<<1|number8(a.second))
	}
	return b
}

// gap finds out whether code below DISPATCH_LEVEL ran on a processor between two consecutive runs there: what the
// source between of a component gives.
type gap struct {
	run    int // the last run by start, 0: none
	cpu    int
	over   bool   // it has returned
	steps  uint64 // kernel.Machine.LowSteps of its processor when it returned
	thread bool   // the answer
}

// started notes the start of a run, with what LowSteps of its processor is then; so does ended.
func (g *gap) started(run, cpu int, steps uint64) {
	g.thread = g.thread || g.run != 0 && g.cpu == cpu && g.over && g.steps != steps
	g.run, g.cpu, g.over = run, cpu, false
}

func (g *gap) ended(run int, steps uint64) {
	if g.run == run {
		g.over, g.steps = true, steps
	}
}

func (g *gap) value() Value {
	if g.thread {
		return "thread"
	}
	return None
}

// appendState appends the state, where steps is what LowSteps of its processor is now.
func (g *gap) appendState(b []byte, steps uint64) []byte {
	if g.thread {
		return append(b, 1) // the rest does not matter any more
	}
	return append(b, number8(g.run != 0)<<1|number8(g.over)<<2|number8(g.over && g.steps != steps)<<3, byte(g.cpu))
}
