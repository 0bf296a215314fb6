// Package race finds data races in the record of a run: two accesses to the
// same byte, at least one of them a write, that nothing orders.
//
// It follows FastTrack (Flanagan and Freund, 2009) with vector clocks over
// slots instead of threads. A slot is what can only run one after the other: a
// thread, a work item, or one processor at one IRQL, for its ISRs and DPCs.
// Being interrupted orders nothing. Raising the IRQL does: a processor and
// level act as a lock that an ISR or DPC of that level holds while it runs, and
// that code which raised the IRQL holds until it lowers it. Read detector.go
// first; clock.go has the vector clocks, shadow.go what is remembered of memory.
package race

import (
	"github.com/dirql/dirql/internal/kernel"
)

// Race is a pair of accesses that nothing orders.
type Race struct {
	First, Second kernel.Record // in the order in which they happened in this run
	// OneProcessor: both happened on one processor, one at a higher IRQL than
	// the other. Each is a single instruction there: only their order can differ.
	OneProcessor bool
	// Lost, of one processor: the second access stores what was made of a value that
	// was read before the first one, whose write is lost.
	Lost bool
}

// Find returns the races of one run.
func Find(records []kernel.Record) []Race { return new(Detector).Find(records) }

// Find returns the races of a run, one for each pair of instructions and place,
// in the order of their second accesses; of a pair that meets in many places
// some.
func (d *Detector) Find(records []kernel.Record) []Race {
	d.reset()
	d.records = records
	for i := range records {
		d.record(i)
	}
	return d.races
}
