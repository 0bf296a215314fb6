package dirql

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/race"
	"github.com/dirql/dirql/internal/trace"
)

// races returns the data races of a run as findings. Those of a processor with
// itself are left out: the accesses are single instructions there.
func (r *rig) races(records []kernel.Record) []Finding {
	var list []Finding
	for _, c := range race.Find(records) {
		if c.OneProcessor {
			continue
		}
		a, b := &c.First, &c.Second
		place := r.m.PlaceOf(common(a, b))
		f := Finding{Title: "data race: " + place.Kind, Rule: "data race", Clause: "IRQL-14", Processor: int(b.CPU), IRQL: b.IRQL, Time: b.Time,
			Activation: b.Activation,
			Text: fmt.Sprintf("%s: %s, and %s, and nothing orders the two: no lock that both hold, no DPC, event or work item that leads "+
				"from one to the other", r.m.MemoryText(common(a, b)), r.accessText(records, a), r.accessText(records, b)),
			identity: "data race|" + place.Kind, variant: r.raceVariant(a, b)}
		f.Source, f.Line = r.sourceLine(b.PC)
		list = append(list, f)
	}
	return list
}

// common returns the bytes that two accesses share.
func common(a, b *kernel.Record) (addr, size uint64) {
	addr = max(a.Addr, b.Addr)
	return addr, min(a.Addr+uint64(a.Size), b.Addr+uint64(b.Size)) - addr
}

// raceVariant says between which routines a race is.
func (r *rig) raceVariant(a, b *kernel.Record) string {
	routine := func(pc uint64) string {
		name, _, _ := strings.Cut(r.m.NameOf(pc), "+0x")
		return name
	}
	first, second := routine(min(a.PC, b.PC)), routine(max(a.PC, b.PC))
	if first == second {
		return "data race of " + first + " with itself"
	}
	return "data race of " + first + " and " + second
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
