package explore

import (
	"fmt"

	"github.com/dirql/dirql/internal/choice"
)

// The strategies of the random search. Each run has one; all are functions of
// the seed and of what earlier runs taught.

// strategy answers the questions of one run.
type strategy interface {
	choice.Source
	String() string
}

// strategyFor deals the strategies out: 40% remaining work, 25% PCT, 20% POS,
// 10% plain random walk, 5% PCT at every access.
func strategyFor(run int, rng *choice.Rand, e *estimates) (s strategy, everyAccess bool) {
	switch n := run % 20; {
	case n%5 == 0 || n%5 == 2: // 8
		return &remaining{rng: rng, e: e, done: map[uint32]float64{}}, false
	case n == 19: // 1
		return newPCT(rng, 3, e.decisionsEverywhere), true
	case n%5 == 1 || n == 4: // 5
		return newPCT(rng, 2+n%3, e.decisions), false
	case n%5 == 3: // 4
		return &pos{rng: rng, priority: map[uint32]uint64{}}, false
	}
	return &walk{rng}, false // 2
}

// polling reports whether the processor that asks has made so many steps in a
// row that it may wait for another one; the default is then the other one.
func polling(p *choice.Point) bool {
	if p.Kind != choice.Step || p.Alternatives[0].Event || int(p.Alternatives[0].ID) == p.CPU {
		return false
	}
	for i := range p.Alternatives {
		if a := &p.Alternatives[i]; !a.Event && int(a.ID) == p.CPU {
			return true
		}
	}
	return false
}

// faultRate is how seldom something goes wrong that can.
const faultRate = 16

// deviceRates are how seldom a device does something else than it usually does,
// by run: a driver gets nowhere with hardware that never answers as expected.
var deviceRates = [...]int{2, 32, 8, 128}

// seldom is a strategy for a run on hardware that is unusual now and then.
type seldom struct {
	strategy
	rng  *choice.Rand
	rate int
}

func (s *seldom) Choose(p *choice.Point) int {
	if p.Kind == choice.Device && s.rng.IntN(s.rate) != 0 {
		return 0
	}
	return s.strategy.Choose(p)
}

// other decides what is no step: anything is as likely, only faults are rare.
func other(rng *choice.Rand, p *choice.Point) int {
	if p.Kind == choice.Fault && rng.IntN(faultRate) != 0 {
		return 0
	}
	return rng.IntN(len(p.Alternatives))
}

// walk takes each alternative with equal probability.
type walk struct{ rng *choice.Rand }

func (w *walk) Choose(p *choice.Point) int {
	if p.Kind != choice.Step {
		return other(w.rng, p)
	}
	return w.rng.IntN(len(p.Alternatives))
}

func (w *walk) String() string { return "walk" }

// estimates are running means over the runs so far.
type estimates struct {
	decisions           float64 // per run
	decisionsEverywhere float64 // per run that decides at every access
	events              float64 // free events per run
	work                map[uint64]float64
}

func newEstimates() *estimates {
	return &estimates{decisions: 50, decisionsEverywhere: 200, events: 1, work: map[uint64]float64{}}
}

// learn moves a mean towards a new value.
func learn(mean *float64, v float64) { *mean += (v - *mean) / 8 }

// remaining is a random walk that is nearly uniform over whole schedules: each
// processor is chosen in proportion to the work that its activation has still
// to do, and events are spread over what remains of the run.
type remaining struct {
	rng    *choice.Rand
	e      *estimates
	done   map[uint32]float64 // decisions by activation
	events float64
	w      []float64
}

func (r *remaining) Choose(p *choice.Point) int {
	if p.Kind != choice.Step {
		return other(r.rng, p)
	}
	if polling(p) {
		return 0
	}
	r.w = r.w[:0]
	slots := 0.0
	for i := range p.Alternatives {
		a := &p.Alternatives[i]
		w := 0.0
		if !a.Event {
			w = max(r.e.work[a.Class]-r.done[a.Activation], 1)
			slots += w
		}
		r.w = append(r.w, w)
	}
	events := max(r.e.events-r.events, 1)
	for i := range p.Alternatives {
		if p.Alternatives[i].Event {
			r.w[i] = max(events*max(slots, 1)/(events+slots), 1e-3)
		}
	}
	n := pickWeighted(r.rng, r.w)
	if a := &p.Alternatives[n]; a.Event {
		r.events++
	} else {
		r.done[a.Activation]++
	}
	return n
}

func (r *remaining) String() string { return "remaining work" }

// pickWeighted returns an index with probability in proportion to its weight.
func pickWeighted(rng *choice.Rand, w []float64) int {
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	x := rng.Float64() * sum
	for i, v := range w {
		if x -= v; x < 0 {
			return i
		}
	}
	return len(w) - 1
}

// pct is probabilistic concurrency testing (Burckhardt et al. 2010): activations
// and events have random priorities, the highest one steps, and at depth-1
// random decisions the highest one falls below all others.
type pct struct {
	rng      *choice.Rand
	depth    int
	priority map[uint64]uint64
	changes  []int // decisions at which priorities change, as many as depth-1
	step     int
	lowest   uint64 // the next priority below all others
}

func newPCT(rng *choice.Rand, depth int, decisions float64) *pct {
	s := &pct{rng: rng, depth: depth, priority: map[uint64]uint64{}, lowest: 1 << 20}
	for range depth - 1 {
		s.changes = append(s.changes, rng.IntN(max(int(decisions*1.2), 2)))
	}
	return s
}

func (s *pct) Choose(p *choice.Point) int {
	if p.Kind != choice.Step {
		return other(s.rng, p)
	}
	best := s.best(p)
	for _, at := range s.changes {
		if at == s.step {
			s.demote(&p.Alternatives[best])
			best = s.best(p)
		}
	}
	s.step++
	if polling(p) && int(p.Alternatives[best].ID) == p.CPU && !p.Alternatives[best].Event {
		s.demote(&p.Alternatives[best])
		best = s.best(p)
	}
	return best
}

func (s *pct) best(p *choice.Point) int {
	best := 0
	for i := range p.Alternatives {
		if s.of(&p.Alternatives[i]) > s.of(&p.Alternatives[best]) {
			best = i
		}
	}
	return best
}

func (s *pct) demote(a *choice.Alternative) {
	s.lowest--
	s.priority[entity(a)] = s.lowest
}

func (s *pct) of(a *choice.Alternative) uint64 {
	k := entity(a)
	v, ok := s.priority[k]
	if !ok {
		v = 1<<20 + s.rng.Uint64N(1<<40)
		s.priority[k] = v
	}
	return v
}

// entity is what has a priority: an activation or an event; an idle processor.
func entity(a *choice.Alternative) uint64 {
	switch {
	case a.Event:
		return 1<<32 | uint64(a.ID)
	case a.Activation == 0:
		return 2<<32 | uint64(a.ID)
	}
	return uint64(a.Activation)
}

func (s *pct) String() string { return fmt.Sprintf("PCT %d", s.depth) }

// pos is partial order sampling (Yuan et al. 2018): pending operations have
// random priorities, and one that conflicts with what was just done gets a new
// one.
type pos struct {
	rng      *choice.Rand
	priority map[uint32]uint64 // by activation; events by id with a bit set
}

func (s *pos) key(a *choice.Alternative) uint32 {
	if a.Event || a.Activation == 0 {
		return 1<<31 | a.ID
	}
	return a.Activation
}

func (s *pos) of(a *choice.Alternative) uint64 {
	v, ok := s.priority[s.key(a)]
	if !ok {
		v = s.rng.Uint64()
		s.priority[s.key(a)] = v
	}
	return v
}

func (s *pos) Choose(p *choice.Point) int {
	if p.Kind != choice.Step {
		return other(s.rng, p)
	}
	if polling(p) {
		return 0
	}
	best := 0
	for i := range p.Alternatives {
		if s.of(&p.Alternatives[i]) > s.of(&p.Alternatives[best]) {
			best = i
		}
	}
	done := &p.Alternatives[best]
	for i := range p.Alternatives {
		if a := &p.Alternatives[i]; i == best || !a.Event && !done.Event && a.Operation.Conflicts(done.Operation) {
			delete(s.priority, s.key(a))
		}
	}
	return best
}

func (s *pos) String() string { return "POS" }

// mutant follows a schedule that reached something new for a while, and then
// another strategy.
type mutant struct {
	follow choice.Follow
	cut    int
	then   strategy
}

func (m *mutant) Choose(p *choice.Point) int {
	if len(m.follow.Used) < m.cut {
		return m.follow.Choose(p)
	}
	return m.then.Choose(p)
}

func (m *mutant) String() string { return "mutation, then " + m.then.String() }
