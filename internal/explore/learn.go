package explore

import (
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// learner draws from the accesses of each run which memory is shared, so that
// it matters when it is accessed, and which pairs of accesses have met.
type learner struct {
	visible *kernel.VisibleSet
	pairs   map[pair]struct{}
	cells   mem.Table[cell] // of the present run, by 8-byte granule
}

// cell is what a run did with a granule.
type cell struct {
	activation uint32
	shared     bool // more than one activation
	written    bool
	last       int32 // the last write: one more than its number; 0: none
}

// pair is a write and an access of another activation that follows it.
type pair struct {
	writer, reader uint64 // program counters
	sameCPU        bool
	level          int8 // reader above (1), at (0) or below (-1) the writer's IRQL
	write          bool // the second one is a write as well
}

func newLearner() *learner {
	return &learner{visible: &kernel.VisibleSet{}, pairs: map[pair]struct{}{}}
}

// run takes the records of a run in and returns how many pairs are new, and
// whether the visible set grew.
func (l *learner) run(records []kernel.Record) (news int, grew bool) {
	l.cells.Clear()
	before := len(l.pairs)
	for i := range records {
		a := &records[i]
		if !a.Kind.Access() {
			continue
		}
		for g := a.Addr >> 3; g <= (a.Addr+uint64(max(a.Size, 1))-1)>>3; g++ {
			if l.access(g, records, i) {
				grew = l.visible.Add(g<<3, 8) || grew
			}
		}
	}
	return len(l.pairs) - before, grew
}

// access notes an access to a granule and reports whether the granule is
// shared and written.
func (l *learner) access(g uint64, records []kernel.Record, i int) bool {
	a := &records[i]
	c, fresh := l.cells.At(g)
	if fresh {
		*c = cell{activation: a.Activation}
	}
	c.shared = c.shared || a.Activation != c.activation
	if c.last != 0 {
		if w := &records[c.last-1]; w.Activation != a.Activation {
			l.pairs[pair{w.PC, a.PC, w.CPU == a.CPU, compare(a.IRQL, w.IRQL), writes(a)}] = struct{}{}
		}
	}
	if writes(a) {
		c.written, c.last = true, int32(i+1)
	}
	return c.shared && c.written
}

// writes reports whether an access writes.
func writes(a *kernel.Record) bool { return a.Kind != kernel.RecordRead }

func compare(a, b uint8) int8 {
	switch {
	case a > b:
		return 1
	case a < b:
		return -1
	}
	return 0
}

// counter keeps count of the decisions of a run, for the estimates.
type counter struct {
	source choice.Source
	steps  map[uint32]float64 // decisions by activation
	class  map[uint32]uint64
	order  []uint32 // activations in order of their first decision
	events float64
	asked  float64
}

func newCounter(s choice.Source) *counter {
	return &counter{source: s, steps: map[uint32]float64{}, class: map[uint32]uint64{}}
}

// Choose implements choice.Source.
func (c *counter) Choose(p *choice.Point) int {
	n := c.source.Choose(p)
	if p.Kind != choice.Step {
		return n
	}
	c.asked++
	a := &p.Alternatives[n]
	if a.Event {
		c.events++
		return n
	}
	if _, ok := c.class[a.Activation]; !ok {
		c.class[a.Activation] = a.Class
		c.order = append(c.order, a.Activation)
	}
	c.steps[a.Activation]++
	return n
}

// teach moves the estimates towards what the run had.
func (c *counter) teach(e *estimates, everywhere bool) {
	if everywhere {
		learn(&e.decisionsEverywhere, c.asked)
		return
	}
	learn(&e.decisions, c.asked)
	learn(&e.events, c.events)
	for _, act := range c.order {
		mean := e.work[c.class[act]]
		learn(&mean, c.steps[act])
		e.work[c.class[act]] = mean
	}
}
