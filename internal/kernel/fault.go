package kernel

import (
	"slices"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/trace"
)

// Faults are things that go wrong around the driver, as part of a search: the
// source of choices decides whether and when. By default nothing goes wrong.
type Faults struct {
	// Allocations can fail, once for each routine of the driver in a run.
	Allocations bool
	// Events are what else can happen at any time; their default is not to.
	Events Environment
	// Timers expire, and waits time out, up to a clock tick early or late.
	Timers bool
}

// SetFaults says what can go wrong from now on; the zero Faults is nothing.
func (m *Machine) SetFaults(f Faults) { m.faults = f }

// Injected returns how many things have gone wrong so far because a search
// decided so.
func (m *Machine) Injected() int { return m.injected }

// allocationFails decides whether an allocation by the driver fails.
func (t *Thread) allocationFails() bool {
	m, site := t.m, t.Caller()
	if !m.faults.Allocations || slices.Contains(m.failed, site) {
		return false
	}
	m.alts = append(m.alts[:0], choice.Alternative{ID: 0}, choice.Alternative{ID: 1})
	if m.choose(choice.Fault, m.alts) == 0 {
		return false
	}
	m.failed = append(m.failed, site)
	m.injected++
	if m.Trace.On() {
		m.Record(t.cpu, trace.Event{Kind: trace.Note, Name: "fault", Text: "the allocation fails"})
	}
	return true
}

// faultEvents appends what could go wrong now. Where nothing else could happen,
// time passes first.
func (m *Machine) faultEvents(alts []choice.Alternative) []choice.Alternative {
	if m.faults.Events == nil {
		return alts
	}
	m.events = m.faults.Events.Enabled(m.events[:0])
	if len(m.events) > 0 && len(alts) == 0 {
		alts = append(alts, choice.Alternative{Event: true, ID: timeEvent})
	}
	for _, e := range m.events {
		alts = append(alts, choice.Alternative{Event: true, ID: faultEvent | e})
	}
	return alts
}
