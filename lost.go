package dirql

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/lost"
)

// watched returns the findings of the detectors that look at the record of a run.
func (r *rig) watched(records []kernel.Record) []Finding {
	return append(r.races(records), r.losses...)
}

// lost returns what was lost in the phases that have just ended.
func (r *rig) lost() (list []Finding) {
	if r.watch == nil {
		return nil
	}
	var rest *kernel.Machine
	if r.m.AtRest() && r.refused == "" {
		rest = r.m
	}
	records := r.watch.Records
	for _, l := range lost.Find(records, rest) {
		switch l.Rule {
		case lost.Work:
			list = append(list, r.lostWork(records, &l))
		case lost.Event:
			list = append(list, r.lostEvent(records, &l))
		}
	}
	if rest != nil && len(list) == 0 { // else that is why the device waits
		list = append(list, r.lostWakeup()...)
	}
	return list
}

func (r *rig) lostWork(records []kernel.Record, l *lost.Loss) Finding {
	w := &l.Write
	return r.loss(l, w, lostWorkClause, fmt.Sprintf("%s: %s, queues no DPC and no work item, and returns TRUE. DPCs or work items have taken "+
		"what is there, but the run has ended at rest and none looks at it any more. Queue the DPC each time", r.m.MemoryText(w.Addr),
		r.accessText(records, w)))
}

func (r *rig) lostEvent(records []kernel.Record, l *lost.Loss) Finding {
	w, over := &l.Write, &l.Over
	return r.loss(l, over, lostEventClause, fmt.Sprintf("%s: %s, the 0x%X that it has read from the device, and %s, now 0x%X, before anybody has read it; "+
		"later a DPC or a work item reads there. Let the ISR add to what is there, and the DPC take all", r.m.MemoryText(w.Addr),
		r.accessText(records, w), w.Value, r.accessText(records, over), over.Value))
}

// Clauses of what is lost.
const (
	lostWorkClause   = "DPC-29"
	lostEventClause  = "QD-5"
	lostWakeupClause = "INT-6"
)

// loss is a finding at an access.
func (r *rig) loss(l *lost.Loss, at *kernel.Record, clause, text string) Finding {
	f := Finding{Title: l.Rule, Rule: l.Rule, Clause: clause, Text: text, Processor: int(at.CPU), IRQL: at.IRQL, Time: at.Time,
		Activation: at.Activation, identity: fmt.Sprintf("%s|%s|%s", l.Rule, r.m.PlaceText(at.Addr), r.routineAt(at.PC))}
	f.Source, f.Line = r.sourceLine(at.PC)
	return f
}

// lostWakeup is the finding that the device has something for the driver that no
// interrupt will announce.
func (r *rig) lostWakeup() []Finding {
	what := r.slot.Function.Unannounced()
	if what == "" {
		return nil
	}
	name := r.slot.Function.Info().Name
	return []Finding{{Title: lostWakeupRule, Rule: lostWakeupRule, Clause: lostWakeupClause, Processor: -1, Time: r.m.Now(),
		Text:     fmt.Sprintf("device %s waits for the driver, and the driver for an interrupt: %s. Acknowledge, or enable, before the last look", name, what),
		identity: lostWakeupRule + "|" + name}}
}

// lostWakeupRule is the rule of a device that waits in vain.
const lostWakeupRule = "lost wakeup"
