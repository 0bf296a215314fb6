package explore

import (
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// Bounds limit the schedules of a systematic search. A negative number is no
// bound.
type Bounds struct {
	// Preemptions: another processor goes on although the one that made the last
	// step could.
	Preemptions int
	// Interrupts: an event comes although a processor could make a step.
	Interrupts int
}

// Unbounded are the bounds of an exhaustive search.
var Unbounded = Bounds{-1, -1}

// Systematic is a search through all schedules within bounds, depth first.
//
// Data races are found from the order of the events of a run, not from a state:
// where states are merged, one could stay hidden that only another way to the
// same state would show. So at each state in which two processors are about to
// make accesses that race, a run is added that makes them one after the other.
type Systematic struct {
	Bounds Bounds
	Runs   int // bound on runs, 0: none
	// Everything: states that were met before are gone through again, with all
	// that follows from them. Without it they are not: equal states have equal
	// futures.
	Everything bool
	Stop       func() bool
	New        func(*Discovery)
}

// Run searches. While it runs it learns which memory is shared; when that
// grows it begins again, so that the last pass decided at all of it.
func (c Systematic) Run(subject Subject) *CampaignReport {
	s := &systematic{Systematic: c, subject: subject, learner: newLearner(), found: discoveries{New: c.New}, raced: map[[2]uint64]bool{}}
	for {
		switch s.pass() {
		case passGrew:
			continue
		case passComplete:
			s.report.Complete = s.report.Bounded == 0
			s.report.States = s.states
		}
		s.report.Discoveries = s.found.list
		s.report.Pairs, s.report.Visible = len(s.learner.pairs), s.learner.visible.Len()
		return &s.report
	}
}

type systematic struct {
	Systematic
	subject Subject
	learner *learner
	watch   kernel.Watch
	found   discoveries
	states  int                // of the present pass
	raced   map[[2]uint64]bool // pairs of instructions that runs were added for
	report  CampaignReport
}

type passEnd uint8

const (
	passComplete passEnd = iota
	passGrew             // the visible set did
	passStopped
)

// pass runs all schedules, or until the visible set has grown.
func (s *systematic) pass() passEnd {
	d := &boundedDepthFirst{bounds: s.Bounds, seen: map[stateAndBudget]struct{}{}, met: s.raced}
	for more := true; more; more = d.backtrack() {
		if s.Systematic.Runs > 0 && s.report.Runs == s.Systematic.Runs || s.Stop != nil && s.Stop() {
			return passStopped
		}
		d.depth, d.spent = 0, Bounds{}
		if s.run(d, d.visited) {
			return passGrew // states depend on what is visible: begin anew
		}
		s.states = len(d.seen)
		for _, m := range d.meetings {
			if !s.raced[m.pair] {
				s.raced[m.pair] = true
				s.run(m, nil)
			}
		}
		d.meetings = d.meetings[:0]
	}
	return passComplete
}

// run makes one run and reports whether the visible set grew.
func (s *systematic) run(source choice.Source, visited func(kernel.State) bool) (grew bool) {
	keeper := &choice.Keeper{Source: source}
	s.watch.Records, s.watch.Visible, s.watch.Visited = s.watch.Records[:0], s.learner.visible, visited
	if s.Everything {
		s.watch.Visited = nil
	}
	v := s.subject.Run(keeper, &s.watch)
	s.report.count(&v, keeper)
	for _, f := range v.Findings {
		s.found.add(f, s.report.Runs-1, "systematic", keeper.Schedule)
	}
	_, grew = s.learner.run(s.watch.Records)
	return grew
}

// meeting is a run up to a state in which two processors are about to make
// accesses that race, which then lets them do so, and goes on the default way.
type meeting struct {
	pair  [2]uint64 // the instructions
	path  []int     // to the state
	cpus  [2]uint32
	depth int
}

// Choose implements choice.Source.
func (m *meeting) Choose(p *choice.Point) int {
	n := m.depth
	m.depth++
	switch {
	case n < len(m.path):
		return m.path[n]
	case n < len(m.path)+2:
		for i := range p.Alternatives {
			if a := &p.Alternatives[i]; !a.Event && a.ID == m.cpus[n-len(m.path)] {
				return i
			}
		}
	}
	return 0
}

// meet notes the pairs of alternatives that race.
func (d *boundedDepthFirst) meet(p *choice.Point) {
	if p.Kind != choice.Step {
		return
	}
	for i := range p.Alternatives {
		for j := range i {
			a, b := &p.Alternatives[i], &p.Alternatives[j]
			if a.Event || b.Event || !a.Operation.Races(b.Operation) {
				continue
			}
			pair := [2]uint64{min(a.Operation.PC, b.Operation.PC), max(a.Operation.PC, b.Operation.PC)}
			if d.met[pair] {
				continue
			}
			m := &meeting{pair: pair, cpus: [2]uint32{a.ID, b.ID}}
			for k := range d.depth {
				m.path = append(m.path, d.path[k].taken)
			}
			d.meetings = append(d.meetings, m)
		}
	}
}

// boundedDepthFirst is depthFirst that leaves out what costs too much.
type boundedDepthFirst struct {
	bounds Bounds
	path   []boundedBranch
	depth  int
	spent  Bounds // on the way to depth
	seen   map[stateAndBudget]struct{}

	met      map[[2]uint64]bool // pairs of instructions of meetings that were had
	meetings []*meeting         // of the present run
}

// stateAndBudget is what decides which schedules are still to come.
type stateAndBudget struct {
	state kernel.State
	spent Bounds
}

// visited says whether a state that is met beyond the prefix is known.
func (d *boundedDepthFirst) visited(h kernel.State) bool {
	if d.depth < len(d.path) {
		return false // on the way to where the last run branched
	}
	k := stateAndBudget{h, d.bounds.matter(d.spent)}
	_, known := d.seen[k]
	d.seen[k] = struct{}{}
	return known
}

// boundedBranch is a decision: what was taken, of which alternatives.
type boundedBranch struct {
	taken int
	costs []cost
	spent Bounds // before
}

type cost uint8

const (
	free cost = iota
	aPreemption
	anInterrupt
)

// Choose implements choice.Source.
func (d *boundedDepthFirst) Choose(p *choice.Point) int {
	if d.depth == len(d.path) {
		d.meet(p)
		d.path = append(d.path, boundedBranch{costs: costs(p), spent: d.spent})
	}
	b := &d.path[d.depth]
	if len(b.costs) != len(p.Alternatives) {
		panic("BUG: a run is not a function of its choices")
	}
	d.depth++
	d.spent = b.spent.plus(b.costs[b.taken])
	return b.taken
}

// backtrack prepares the next run; it returns false after the last one.
func (d *boundedDepthFirst) backtrack() bool {
	d.path = d.path[:d.depth]
	for n := len(d.path) - 1; n >= 0; n-- {
		b := &d.path[n]
		for b.taken++; b.taken < len(b.costs); b.taken++ {
			if d.bounds.allow(b.spent.plus(b.costs[b.taken])) {
				d.path = d.path[:n+1]
				return true
			}
		}
	}
	return false
}

// Meter passes questions on and adds up what the answers cost.
type Meter struct {
	Source choice.Source
	Spent  Bounds
}

// Choose implements choice.Source.
func (m *Meter) Choose(p *choice.Point) int {
	n := m.Source.Choose(p)
	if n != 0 {
		m.Spent = m.Spent.plus(costs(p)[n])
	}
	return n
}

func (b Bounds) plus(c cost) Bounds {
	switch c {
	case aPreemption:
		b.Preemptions++
	case anInterrupt:
		b.Interrupts++
	}
	return b
}

// matter returns what was spent of what is bounded.
func (b Bounds) matter(spent Bounds) Bounds {
	if b.Preemptions < 0 {
		spent.Preemptions = 0
	}
	if b.Interrupts < 0 {
		spent.Interrupts = 0
	}
	return spent
}

func (b Bounds) allow(spent Bounds) bool {
	return (b.Preemptions < 0 || spent.Preemptions <= b.Preemptions) && (b.Interrupts < 0 || spent.Interrupts <= b.Interrupts)
}

// costs tells what the alternatives of a point cost. The default is free.
func costs(p *choice.Point) []cost {
	list := make([]cost, len(p.Alternatives))
	if p.Kind != choice.Step {
		return list
	}
	asker, busy := false, false
	for i := range p.Alternatives {
		if a := &p.Alternatives[i]; !a.Event {
			busy, asker = true, asker || int(a.ID) == p.CPU
		}
	}
	for i := 1; i < len(list); i++ {
		switch a := &p.Alternatives[i]; {
		case a.Event && busy:
			list[i] = anInterrupt
		case !a.Event && asker && int(a.ID) != p.CPU:
			list[i] = aPreemption
		}
	}
	return list
}
