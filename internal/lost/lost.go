// Package lost finds, in the record of a run, what an ISR took from the device
// and nobody got to see.
//
//   - Lost work: an ISR left something in memory for a DPC or work item and queued
//     none, and the run has ended at rest without anybody looking there. That the
//     memory is for DPCs is known from the run itself: one of them took something
//     out of it before.
//   - Lost event: an ISR stored what it had read from a device register, a later
//     ISR stored something else over it, nobody had read it in between, and a DPC
//     or work item reads that memory later.
//
// Both look at what happened in this run, unlike a data race, which could happen in
// another one. Read detector.go first; place.go has what is remembered of memory.
package lost

import "github.com/dirql/dirql/internal/kernel"

// Rules of losses.
const (
	Work  = "lost work"
	Event = "lost event"
)

// Loss is something that was lost.
type Loss struct {
	Rule  string
	Write kernel.Record // of the ISR
	Over  kernel.Record // of an event: the write over it
}

// Find returns what was lost in a run, each pair of instructions once, in the
// order in which it became clear. rest is the machine if the run has ended at
// rest, nil otherwise: then work can still be done.
func Find(records []kernel.Record, rest *kernel.Machine) []Loss {
	d := &detector{activations: map[uint32]*activation{}, places: map[uint64][]*place{}, seen: map[[2]uint64]bool{}}
	for i := range records {
		d.record(&records[i])
	}
	if rest != nil {
		d.atRest(rest)
	}
	return d.losses
}
