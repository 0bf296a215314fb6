package dirql

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/lost"
)

// lostWakeup is the rule of a device that waits in vain.
const lostWakeup = "lost wakeup"

// lost returns what was lost in the phases that have just ended.
func (r *rig) lost() (list []Finding) {
	if r.watch == nil {
		return nil
	}
	var rest *kernel.Machine
	if r.m.AtRest() && r.refused == "" {
		rest = r.m
	}
	for _, l := range lost.Find(r.watch.Records, rest) {
		list = append(list, r.loss(&l))
	}
	if rest != nil && len(list) == 0 { // else that is why the device waits
		list = r.unannounced()
	}
	return list
}

// loss is the finding that an ISR has lost something: at its write, or at the one
// over it.
func (r *rig) loss(l *lost.Loss) Finding {
	at, clause := &l.Write, "DPC-29"
	where, write := r.m.MemoryText(l.Write.Addr, uint64(l.Write.Size)), r.accessText(r.watch.Records, &l.Write)
	text := fmt.Sprintf("%s: %s, queues no DPC and no work item, and returns TRUE. DPCs or work items have taken what is there, but the "+
		"run has ended at rest and none looks there any more. Queue the DPC each time", where, write)
	if l.Rule == lost.Event {
		at, clause = &l.Over, "QD-5"
		text = fmt.Sprintf("%s: %s, the 0x%X that it has read from the device, and %s, now 0x%X, before anybody has read it; later a DPC "+
			"or a work item reads there. Let the ISR add to what is there, and the DPC take all", where, write, l.Write.Value,
			r.accessText(r.watch.Records, at), at.Value)
	}
	place := r.m.PlaceOf(at.Addr, uint64(at.Size))
	f := Finding{Title: l.Rule + ": " + place.Kind, Rule: l.Rule, Clause: clause, Text: text, Processor: int(at.CPU), IRQL: at.IRQL, Time: at.Time,
		Activation: at.Activation, identity: l.Rule + "|" + place.Kind, variant: l.Rule + " in " + r.routineAt(at.PC)}
	f.Source, f.Line = r.sourceLine(at.PC)
	return f
}

// unannounced is the finding that the device has something for the driver that no
// interrupt will tell of.
func (r *rig) unannounced() []Finding {
	what := r.slot.Function.Unannounced()
	if what == "" {
		return nil
	}
	name := r.slot.Function.Info().Name
	return []Finding{{Title: lostWakeup, Rule: lostWakeup, Clause: "INT-6", Processor: -1, Time: r.m.Now(),
		Text: fmt.Sprintf("device %s waits for the driver, and the driver for an interrupt: %s. Acknowledge, or enable, before the last look",
			name, what),
		identity: lostWakeup + "|" + name, variant: lostWakeup}}
}
