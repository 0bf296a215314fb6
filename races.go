package dirql

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/race"
	"github.com/dirql/dirql/internal/trace"
)

// Access is one of the two accesses of a data race.
type Access struct {
	Text      string // "#5 DPC edu!EduEvtInterruptDpc, on processor 1 at DISPATCH_LEVEL, writes 4 bytes in edu!EduEvtInterruptDpc+0xD2"
	Processor int
	IRQL      uint8
	Locks     []string // that were held: spin locks and mutexes
	Stack     []string // activations and routines, innermost first

	spot kernel.Spot
}

// dataRace is the rule of data races.
const dataRace = "data race"

// races returns the data races of a run as findings: what tells them apart.
// describe adds the rest.
func (r *rig) races(list []race.Race) []Finding {
	var findings []Finding
	for i := range list {
		c := &list[i]
		place, class := r.m.PlaceOf(common(&c.First, &c.Second)), dataRace
		if c.OneProcessor && !c.Lost {
			class = "unordered accesses"
		}
		findings = append(findings, Finding{Title: class + ": " + place.Kind, Rule: class, Clause: "IRQL-14", Minor: class != dataRace,
			identity: class + "|" + place.Kind, variant: r.raceVariant(class, &c.First, &c.Second)})
	}
	return findings
}

// describe adds to the finding of a data race what is for people.
func (r *rig) describe(f *Finding, c *race.Race, records []kernel.Record) {
	why := "nothing orders the two: no lock that both hold, no DPC, event or work item that leads from one to the other"
	switch {
	case c.Lost:
		why = "this stores what it made of the value before: the first write is lost"
	case c.OneProcessor:
		why = "nothing orders the two. Each is a single instruction, and they are on one processor: neither can come in the middle of the other"
	}
	a, b := &c.First, &c.Second
	f.Accesses = []Access{r.access(records, a), r.access(records, b)}
	f.Text = fmt.Sprintf("%s: %s, and %s, and %s", r.m.MemoryText(common(a, b)), f.Accesses[0].Text, f.Accesses[1].Text, why)
	f.Processor, f.IRQL, f.Time, f.Activation = int(b.CPU), b.IRQL, b.Time, b.Activation
	f.Source, f.Line = r.sourceLine(b.PC)
}

func (r *rig) access(records []kernel.Record, a *kernel.Record) Access {
	return Access{Text: r.accessText(records, a), Processor: int(a.CPU), IRQL: a.IRQL, spot: spotOf(a)}
}

// common returns the bytes that two accesses share.
func common(a, b *kernel.Record) (addr, size uint64) {
	addr = max(a.Addr, b.Addr)
	return addr, min(a.Addr+uint64(a.Size), b.Addr+uint64(b.Size)) - addr
}

// raceVariant says between which routines a race is.
func (r *rig) raceVariant(class string, a, b *kernel.Record) string {
	first, second := r.routineAt(min(a.PC, b.PC)), r.routineAt(max(a.PC, b.PC))
	if first == second {
		return class + " of " + first + " with itself"
	}
	return class + " of " + first + " and " + second
}

// routineAt names the routine that an instruction belongs to.
func (r *rig) routineAt(pc uint64) string {
	name, _, _ := strings.Cut(r.m.NameOf(pc), "+0x")
	return name
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
