package explore

import (
	"slices"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// Reduced is a search through all schedules that runs only one of those that
// differ in the order of independent steps: dynamic partial-order reduction
// with source sets and sleep sets (Abdulla et al. 2014). It needs no
// fingerprints of states; what it needs is to know what each step touches
// (kernel.Steps). Processes are the processors and the events.
//
// After each run it looks for pairs of steps that conflict and that nothing
// else orders. The later one, with what leads to it, has to come first in some
// run: a step that begins that is added to the decision before the earlier one.
type Reduced struct {
	Runs int // bound on runs, 0: none
	Stop func() bool
	New  func(*Discovery)

	every bool // decide at every access to memory
}

// Run searches. While it runs it learns which memory is shared; when that
// grows it begins again, as Systematic does.
func (c Reduced) Run(subject Subject) *CampaignReport {
	s := &reduced{Reduced: c, subject: subject, learner: newLearner(), found: discoveries{New: c.New}}
	for s.pass() {
	}
	s.report.Discoveries = s.found.list
	s.report.Pairs, s.report.Visible = len(s.learner.pairs), s.learner.visible.Len()
	return &s.report
}

type reduced struct {
	Reduced
	subject Subject
	learner *learner
	watch   kernel.Watch
	steps   kernel.Steps
	found   discoveries
	report  CampaignReport

	path  []node
	depth int
	// Of the present run: the alternatives that need not be tried now, and how many
	// steps have been looked at for that.
	asleep []sleeper
	looked int
	cut    bool // everything was asleep
	// The processes that could have made the last step instead, the node of that
	// decision (-1: there was none), and those that could not make the next one.
	offers []choice.Process
	offer  int
	lost   []loss
}

// sleeper is a process whose next step was tried before, and what it touches:
// until a step comes that conflicts with it, trying it again shows nothing new.
type sleeper struct {
	choice.Process
	touches []kernel.Touch
}

// loss is a process that the step of a decision took its chance away from.
type loss struct {
	choice.Process
	node int
}

// node is a decision of the present run.
type node struct {
	step   bool // which process goes on; otherwise every alternative is tried
	of     []choice.Process
	state  []tried
	asleep []sleeper // on arrival
	taken  int
	index  int // of the step that it begins
	// touches are what the steps touched that were tried, by alternative.
	touches [][]kernel.Touch
}

type tried uint8

const (
	notNeeded tried = iota
	needed
	done
)

// pass runs schedules until none is left that is needed, and reports whether a
// new pass is necessary.
func (s *reduced) pass() (again bool) {
	s.path = s.path[:0]
	for more := true; more; more = s.backtrack() {
		if s.Runs > 0 && s.report.Runs == s.Runs || s.Stop != nil && s.Stop() {
			return false
		}
		if s.run() {
			return true
		}
	}
	s.report.Complete = s.report.Bounded == 0
	return false
}

// run makes one run and reports whether the visible set grew.
func (s *reduced) run() (grew bool) {
	s.depth, s.asleep, s.looked, s.offer, s.cut = 0, nil, 0, -1, false
	s.offers, s.lost = s.offers[:0], s.lost[:0]
	s.steps.Reset()
	s.watch = kernel.Watch{Records: s.watch.Records[:0], Visible: s.learner.visible, Steps: &s.steps, Enough: s.enough}
	if s.every {
		s.watch.Visible = nil
	}
	keeper := &choice.Keeper{Source: s}
	v := s.subject.Run(keeper, &s.watch)
	s.report.count(&v, keeper)
	for _, f := range v.Findings {
		s.found.add(f, s.report.Runs-1, "reduced", keeper.Schedule)
	}
	if _, grew = s.learner.run(s.watch.Records); grew && !s.every {
		return true
	}
	s.path = s.path[:s.depth]
	s.keepTouches()
	if !s.cut {
		s.lose(nil) // the run is over
	}
	s.reverse()
	return false
}

// Choose implements choice.Source.
func (s *reduced) Choose(p *choice.Point) int {
	if s.depth == len(s.path) {
		s.path = append(s.path, s.newNode(p))
	}
	n := &s.path[s.depth]
	if len(n.of) != len(p.Alternatives) {
		panic("BUG: a run is not a function of its choices")
	}
	s.depth++
	if n.step {
		n.index = len(s.steps.List)
		s.fallAsleep(n)
		s.offer, s.offers = s.depth-1, slices.Delete(append(s.offers[:0], n.of...), n.taken, n.taken+1)
	}
	return n.taken
}

// newNode begins a decision with the first alternative that is not asleep.
func (s *reduced) newNode(p *choice.Point) node {
	k := len(p.Alternatives)
	n := node{step: p.Kind == choice.Step, state: make([]tried, k), touches: make([][]kernel.Touch, k)}
	for i := range p.Alternatives {
		a := &p.Alternatives[i]
		n.of = append(n.of, a.Process())
		if !n.step {
			n.state[i] = needed
		}
	}
	if n.step {
		n.asleep = slices.Clone(s.asleep)
		n.taken = slices.IndexFunc(n.of, func(p choice.Process) bool { return !n.sleeps(p) })
	}
	n.state[n.taken] = done
	return n
}

func (n *node) sleeps(p choice.Process) bool {
	return slices.ContainsFunc(n.asleep, func(s sleeper) bool { return s.Process == p })
}

// fallAsleep: what was tried at a node before needs not be tried behind it, as
// long as nothing conflicts.
func (s *reduced) fallAsleep(n *node) {
	s.asleep = slices.Clone(n.asleep)
	for i, p := range n.of {
		if i != n.taken && n.state[i] == done {
			s.asleep = append(s.asleep, sleeper{p, n.touches[i]})
		}
	}
	s.looked = n.index
}

// enough wakes what conflicts with the steps that were made, and reports whether
// everything that could go on is asleep. It notes alternatives that are gone.
func (s *reduced) enough(alts []choice.Alternative) bool {
	for ; s.looked < len(s.steps.List); s.looked++ {
		step, touches := &s.steps.List[s.looked], s.steps.Of(s.looked)
		s.asleep = slices.DeleteFunc(s.asleep, func(p sleeper) bool {
			return p.Process == step.Process || conflict(p.touches, touches)
		})
	}
	s.lose(alts)
	for i := range alts {
		p := alts[i].Process()
		if !slices.ContainsFunc(s.asleep, func(s sleeper) bool { return s.Process == p }) {
			return false
		}
	}
	s.cut = true
	return true
}

// lose notes the processes that could make a step before the last one, but
// cannot now: the other order is another run.
func (s *reduced) lose(alts []choice.Alternative) {
	for _, p := range s.offers {
		if s.offer >= 0 && !slices.ContainsFunc(alts, func(a choice.Alternative) bool { return p == a.Process() }) {
			s.lost = append(s.lost, loss{p, s.offer})
		}
	}
	s.offer, s.offers = -1, s.offers[:0]
	for i := range alts {
		s.offers = append(s.offers, alts[i].Process())
	}
}

func conflict(a, b []kernel.Touch) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Conflicts(y) {
				return true
			}
		}
	}
	return false
}

// keepTouches remembers what the steps of this run touched that were decided.
func (s *reduced) keepTouches() {
	for i := range s.path {
		n := &s.path[i]
		if !n.step || n.index >= len(s.steps.List) {
			continue
		}
		for _, t := range s.steps.Of(n.index) {
			if !slices.Contains(n.touches[n.taken], t) {
				n.touches[n.taken] = append(n.touches[n.taken], t)
			}
		}
	}
}

// backtrack prepares the next run; it returns false after the last one.
func (s *reduced) backtrack() bool {
	for i := len(s.path) - 1; i >= 0; i-- {
		n := &s.path[i]
		if next := slices.Index(n.state, needed); next >= 0 {
			n.taken, n.state[next] = next, done
			s.path = s.path[:i+1]
			return true
		}
	}
	return false
}

// Independent is Plain that leaves out runs that differ in the order of
// independent steps only. The program runs on the machine.
func Independent(p Program, m *kernel.Machine, runs int) *Report {
	subject := &programSubject{program: p, m: m, count: map[string]int{}}
	rep := Reduced{Runs: runs, every: true}.Run(subject)
	m.Watch(nil)
	r := &Report{Runs: rep.Runs, Complete: rep.Complete}
	if !r.Complete {
		r.Why = "a bound was reached"
	}
	for key, n := range subject.count {
		r.Outcomes = append(r.Outcomes, Outcome{Key: key, Count: n})
	}
	r.sort()
	return r
}

// programSubject makes a program a subject: what counts are its outcomes.
type programSubject struct {
	program Program
	m       *kernel.Machine
	count   map[string]int
}

func (s *programSubject) Run(source choice.Source, watch *kernel.Watch) Verdict {
	s.m.Watch(watch)
	r := s.program(source, nil)
	if !r.Pruned && !r.Bounded {
		s.count[r.Outcome]++
	}
	return Verdict{Pruned: r.Pruned, Bounded: r.Bounded}
}
