package dirql

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// races returns the data races of a run as findings. Those of a processor with
// itself are left out: the accesses are single instructions there.
func (r *rig) races(records []kernel.Record) []Finding {
	var list []Finding
	for _, c := range r.detector.Find(records) {
		if c.OneProcessor {
			continue
		}
		a, b := &c.First, &c.Second
		f := Finding{Title: "data race", Rule: "data race", Clause: "IRQL-14", Processor: int(b.CPU), IRQL: b.IRQL, Time: b.Time,
			Activation: b.Activation,
			Text: fmt.Sprintf("%s: %s, and %s, and nothing orders the two: no lock that both hold, no DPC, event or work item that leads "+
				"from one to the other", r.m.MemoryText(b.Addr), r.accessText(records, a), r.accessText(records, b)),
			identity: r.raceIdentity(a, b)}
		f.Source, f.Line = r.sourceLine(b.PC)
		list = append(list, f)
	}
	return list
}

// raceIdentity tells data races apart: two routines and what they both use. The
// same two at other instructions are the same mistake.
func (r *rig) raceIdentity(a, b *kernel.Record) string {
	routine := func(pc uint64) string {
		name, _, _ := strings.Cut(r.m.NameOf(pc), "+0x")
		return name
	}
	return fmt.Sprintf("data race|%s|%s|%s", r.m.PlaceText(b.Addr), routine(min(a.PC, b.PC)), routine(max(a.PC, b.PC)))
}

// accessText describes an access for people.
func (r *rig) accessText(records []kernel.Record, a *kernel.Record) string {
	verb := map[kernel.RecordKind]string{kernel.RecordRead: "reads", kernel.RecordWrite: "writes", kernel.RecordLocked: "updates"}[a.Kind]
	who := fmt.Sprintf("#%d", a.Activation)
	for i := range records {
		if b := &records[i]; b.Kind == kernel.RecordBegin && b.Activation == a.Activation {
			who += " " + r.m.BeginText(b)
			break
		}
	}
	return fmt.Sprintf("%s, on processor %d at %s, %s %d bytes in %s", who, a.CPU, trace.LevelName(a.IRQL), verb, a.Size, r.m.NameOf(a.PC))
}
