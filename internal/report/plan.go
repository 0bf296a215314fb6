package report

import (
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/trace"
)

// plan says which events get a row of their own.
type plan struct {
	events []trace.Event
	next   []int // next event of the same processor, len(events) if none
	prev   []int // previous one, -1 if none
	hidden []bool
	fold   []int // of a call: the event of its return if both fit one row, else 0
	queued []int // of a folded call: the event of the DPC that it queued, else 0
}

func newPlan(events []trace.Event, verbose bool) *plan {
	n := len(events)
	p := &plan{events: events, next: make([]int, n), prev: make([]int, n), hidden: make([]bool, n),
		fold: make([]int, n), queued: make([]int, n)}
	p.link()
	if !verbose {
		for i := range events {
			p.hide(i)
		}
	}
	for i := range events {
		if events[i].Kind == trace.Call && !p.hidden[i] {
			p.foldCall(i, verbose)
		}
	}
	return p
}

// link finds the neighbours of each event on its processor.
func (p *plan) link() {
	last := make([]int, 1) // by processor + 1: index + 1 of its last event
	for i := range p.events {
		c := cpuOf(&p.events[i]) + 1
		if c >= len(last) {
			last = append(last, make([]int, c+1-len(last))...)
		}
		p.prev[i], p.next[i] = last[c]-1, len(p.events)
		if last[c] > 0 {
			p.next[last[c]-1] = i
		}
		last[c] = i + 1
	}
}

// cpuOf returns the processor of an event, -1 if it is none.
func cpuOf(e *trace.Event) int { return max(int(e.CPU), -1) }

// kindAt returns the kind of an event, if there is one at that index.
func (p *plan) kindAt(i int) (trace.Kind, bool) {
	if i < 0 || i >= len(p.events) {
		return 0, false
	}
	return p.events[i].Kind, true
}

// hide hides an event that tells nothing that its neighbours do not tell.
func (p *plan) hide(i int) {
	switch e := &p.events[i]; e.Kind {
	case trace.Call:
		if r := p.next[i]; isGetter(e.Name) && p.returnsAt(i, r) {
			p.hidden[i], p.hidden[r] = true, true
		}
	case trace.IRQL:
		p.hidden[i] = p.impliedLevel(i)
	case trace.Pending:
		p.hidden[i] = e.Text == "" && p.takenAtOnce(i)
	case trace.EOI:
		p.hidden[i] = e.Text == ""
	case trace.Dequeue:
		k, ok := p.kindAt(p.next[i])
		p.hidden[i] = ok && k == trace.Start // which names the DPC
	}
}

// impliedLevel tells whether a change of the IRQL belongs to what comes next
// (an interrupt, a DPC) or to the end of what came before.
func (p *plan) impliedLevel(i int) bool {
	if k, ok := p.kindAt(p.next[i]); ok {
		switch k {
		case trace.Accept, trace.Start, trace.Dequeue, trace.Timer, trace.EOI:
			return true
		}
	}
	k, ok := p.kindAt(p.prev[i])
	return ok && (k == trace.End || k == trace.EOI)
}

// takenAtOnce tells whether a pending vector is accepted before anything else
// happens. A call may begin: an interrupt is taken before a visible operation,
// which is inside the call.
func (p *plan) takenAtOnce(i int) bool {
	calls := 0
	for j := i + 1; j < len(p.events) && p.events[j].CPU == p.events[i].CPU; j++ {
		switch e := &p.events[j]; e.Kind {
		case trace.IRQL:
		case trace.Call:
			if calls++; calls > 1 {
				return false
			}
		default:
			return e.Kind == trace.Accept && e.Name == p.events[i].Name
		}
	}
	return false
}

// returnsAt tells whether event r is the return of call i.
func (p *plan) returnsAt(i, r int) bool {
	if r >= len(p.events) {
		return false
	}
	a, b := &p.events[i], &p.events[r]
	return b.Kind == trace.Return && b.CPU == a.CPU && b.Act == a.Act && b.Name == a.Name
}

// foldCall puts a call and its return into one row if nothing that has a row
// happened between, on any processor. In the default view the call may have
// changed the IRQL of its processor and put one DPC into its queue: the row
// says so.
func (p *plan) foldCall(i int, verbose bool) {
	queued := 0
	for j := i + 1; j < len(p.events); j++ {
		if p.hidden[j] {
			continue
		}
		e := &p.events[j]
		switch {
		case p.returnsAt(i, j):
			p.foldInto(i, j, queued)
			return
		case verbose || e.CPU != p.events[i].CPU || e.Act != p.events[i].Act:
			return
		case e.Kind == trace.IRQL:
		case e.Kind == trace.Queue && queued == 0:
			queued = j
		default:
			return
		}
	}
}

// foldInto folds a call with its return and with the DPC that was queued
// between, if any. Another processor can put one into this queue, too; a call
// that queues and returns TRUE has put one into some queue, so if there is
// only one it is that.
func (p *plan) foldInto(call, back, queued int) {
	if e := &p.events[back]; queued != 0 && (!queues(e.Name) || e.ValueKind != trace.Bool || e.Value&0xFF == 0) {
		return
	}
	p.fold[call], p.queued[call] = back, queued
	for j := call + 1; j <= back; j++ {
		if k := p.events[j].Kind; k == trace.IRQL && p.events[j].CPU == p.events[call].CPU || j == back || j == queued {
			p.hidden[j] = true
		}
	}
}

// queues tells whether a routine puts a DPC into a queue.
func queues(name string) bool {
	return name == "KeInsertQueueDpc" || name == "WdfInterruptQueueDpcForIsr" || name == "WdfDpcEnqueue"
}

// plainGetters only tell the driver something.
var plainGetters = []string{"KeGetCurrentIrql", "KeGetCurrentProcessorNumber", "KeGetCurrentProcessorNumberEx",
	"KeGetCurrentProcessorIndex", "KeGetCurrentThread", "PsGetCurrentThread", "PsGetCurrentProcess",
	"WdfDeviceWdmGetDeviceObject"}

// isGetter tells whether a routine only tells the driver something: a routine
// of the list, or WdfInterruptGetDevice and its like.
func isGetter(name string) bool {
	if slices.Contains(plainGetters, name) {
		return true
	}
	rest, ok := strings.CutPrefix(name, "Wdf")
	if !ok {
		return false
	}
	_, what, ok := strings.Cut(rest, "Get")
	return ok && what != "" && what[0] >= 'A' && what[0] <= 'Z'
}
