package dirql

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/explain"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/report"
	"github.com/dirql/dirql/internal/trace"
)

// Finding is something that the driver did wrong.
type Finding struct {
	Title      string // "bug check 0x10D WDF_VIOLATION (...)", "use after free"
	Text       string // what happened
	Rule       string // short name of the rule, if it has one
	Clause     string // clause of docs/spec
	Code       uint32 // bug check code, 0: none
	Params     [4]uint64
	Arguments  []Argument // the same, explained
	Processor  int
	IRQL       uint8
	Time       uint64   // virtual nanoseconds
	Activation uint32   // number of the ISR, DPC or thread activation in the timeline
	Stack      []string // activations and routines, innermost first
	// Source and Line are where in the driver's source it happened, "" and 0 where no
	// debug information tells.
	Source string
	Line   int
	// Accesses are the two accesses of a data race, in the order of the run, and
	// Adjacent says whether they were seen side by side.
	Accesses []Access
	Adjacent Adjacent
	// Minor says that it is harmless as it is: accesses without order on one
	// processor, where a single instruction is not interrupted in the middle.
	Minor bool
	// Unsupported says that it is not the driver's fault: dirql lacks something.
	Unsupported bool

	identity string // see kernel.Finding.Identity
	variant  string // see kernel.Finding.Variant
}

// Identity is the same for the same mistake in every run: a mistake can be
// noticed in several routines, as several variants.
func (f *Finding) Identity() string { return f.identity }

// Argument is a parameter of a bug check, explained.
type Argument struct {
	Value   uint64
	Meaning string // "memory referenced"
	Text    string // what the value stands for: "read", a level, the name of a routine or object; "" if nothing
}

// Report says what happened in a run.
type Report struct {
	Scenario   string
	Processors int
	// End says how the run ended: "done", or what stopped it.
	End      string
	Time     uint64 // virtual nanoseconds
	Steps    uint64 // visible operations
	Findings []Finding

	log *trace.Log
}

// WriteTrace writes the record of the run, one line per event: the form that is
// compared byte by byte.
func (r *Report) WriteTrace(w io.Writer) error { return r.log.WriteText(w) }

// WriteText writes the timeline of the run and its findings, for people.
func (r *Report) WriteText(w io.Writer, verbose bool) error {
	title := fmt.Sprintf("%s, %d %s", r.Scenario, r.Processors, plural(r.Processors, "processor"))
	if err := report.Timeline(w, r.log, report.Options{Title: title, Verbose: verbose}); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nEnd: %s.\n", r.End)
	return r.WriteFindings(w)
}

// Until returns the report with the record of the run up to a virtual time, in
// nanoseconds, only.
func (r *Report) Until(time uint64) *Report {
	cut := *r
	n := 0
	for n < len(r.log.Events) && r.log.Events[n].Time <= time {
		n++
	}
	cut.log = &trace.Log{Events: r.log.Events[:n]}
	if n < len(r.log.Events) {
		cut.End = fmt.Sprintf("not shown: what comes after %s us", report.Microseconds(time))
	}
	return &cut
}

// WriteFindings writes the findings only, for people.
func (r *Report) WriteFindings(w io.Writer) error { return report.Findings(w, r.findings()) }

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// runMeta is what JSON says about a run as a whole.
type runMeta struct {
	Scenario   string `json:"scenario"`
	Processors int    `json:"processors"`
	End        string `json:"end"`
	Steps      uint64 `json:"steps"`
}

// WriteJSON writes the run as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	return report.JSON(w, &report.Document{
		Meta: runMeta{r.Scenario, r.Processors, r.End, r.Steps}, Log: r.log, Findings: r.findings(),
	})
}

// findings returns the findings in the form that package report prints.
func (r *Report) findings() []report.Finding {
	var list []report.Finding
	for _, f := range r.Findings {
		list = append(list, report.Finding{Title: f.Title, Text: f.Text, Rule: f.Rule, Clause: f.Clause, CPU: f.Processor,
			IRQL: f.IRQL, Time: f.Time, Stack: f.Stack, Facts: f.facts(), BugCheck: f.bugCheck(), Explain: f.topic()})
	}
	return list
}

// facts returns what is known of the two sides of a data race.
func (f *Finding) facts() []report.Fact {
	if len(f.Accesses) == 0 {
		return nil
	}
	var list []report.Fact
	for i, name := range []string{"first", "second"} {
		a := &f.Accesses[i]
		locks := "holds no lock"
		if len(a.Locks) > 0 {
			locks = "holds " + strings.Join(a.Locks, ", ")
		}
		where := fmt.Sprintf("P%d at %s, %s", a.Processor, trace.LevelName(a.IRQL), locks)
		list = append(list, report.Fact{Name: name, Text: strings.Join(append([]string{where}, a.Stack...), "\n")})
	}
	return append(list, report.Fact{Name: "proof", Text: f.Adjacent.String()})
}

// topic returns what dirql explain says more about the finding under.
func (f *Finding) topic() string {
	if f.Unsupported {
		return ""
	}
	return explain.Topic(f.Code, f.Params[0], f.Rule, f.Clause)
}

func (f *Finding) bugCheck() *report.BugCheck {
	if f.Code == 0 {
		return nil
	}
	b := &report.BugCheck{Code: f.Code, Name: kernel.BugCheckName(f.Code)}
	for _, a := range f.Arguments {
		b.Args = append(b.Args, report.Argument{Value: fmt.Sprintf("%X", a.Value), Meaning: a.Meaning, Text: a.Text})
	}
	return b
}

func (r *rig) report() *Report {
	rep := &Report{Scenario: r.s.Name, Processors: r.m.Processors(), End: r.end(), Time: r.m.Now(), Steps: r.m.Steps(), log: r.m.Trace}
	for _, f := range r.m.Findings() {
		rep.Findings = append(rep.Findings, r.publicFinding(&f))
	}
	if f := r.hang(); f != nil {
		rep.Findings = append(rep.Findings, *f)
	}
	return rep
}

func (r *rig) publicFinding(f *kernel.Finding) Finding {
	rule, clause := broken(f)
	p := Finding{
		Title: f.Title(), Text: f.Text, Rule: rule, Clause: clause, Code: f.Code, Params: f.Params, Arguments: r.explain(f),
		Processor: f.CPU, IRQL: f.IRQL, Time: f.Time, Activation: f.Activation, Stack: slices.Clone(f.Stack),
		Unsupported: f.Unsupported, identity: f.Identity(), variant: f.Variant(),
	}
	p.Source, p.Line = r.sourceLine(f.PC)
	return p
}

// sourceLine returns where in the driver's source an instruction is.
func (r *rig) sourceLine(pc uint64) (file string, line int) {
	if r.binary != nil && pc != 0 {
		file, line, _ = r.binary.Line(pc)
	}
	return file, line
}

// end says how the run ended.
func (r *rig) end() string {
	if !r.broken && r.refused != "" {
		return "the driver did not want the unknown device: " + r.refused
	}
	if !r.broken {
		return "done: the device was removed and the driver unloaded"
	}
	if r.reason == kernel.Done {
		return "the driver does not start, during: " + r.state
	}
	return fmt.Sprintf("%s, during: %s", r.reason, r.state)
}

// noEnd is the rule of runs that reach a bound of the machine.
const noEnd = "no end in sight"

// hang is the finding for a run in which something waits for ever.
func (r *rig) hang() *Finding {
	var rule string
	switch r.reason {
	case kernel.Stuck:
		rule = "hang"
	case kernel.StepBound, kernel.TimeBound:
		rule = noEnd
	default:
		return nil
	}
	switch {
	case r.unknown == nil:
	case r.reason == kernel.StepBound:
		return r.polling()
	case r.reason == kernel.Stuck && r.faults.alone && r.busy == 0:
		return nil // only applications wait, for requests that wait for the hardware
	}
	about := r.waitsFor()
	return &Finding{Title: rule, Rule: rule, identity: rule + about, variant: rule + about, Processor: -1, Text: fmt.Sprintf("%s, and nothing that could happen changes that", r.reason), Stack: r.m.Waiters(), Time: r.m.Now()}
}

// waitsFor says what it is that never ends, the same in every run: a wait of the
// driver, or a request that it has; "" if it is neither.
func (r *rig) waitsFor() string {
	if r.reason != kernel.Stuck {
		return ""
	}
	for _, what := range []struct {
		kind  string
		names []string
	}{{"|", r.m.WaitingSites()}, {"|request of ", r.f.PendingHandlers()}} {
		if len(what.names) > 0 {
			return what.kind + slices.Min(what.names) // others may only wait for this one
		}
	}
	return ""
}
