package litmus

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/lost"
	"github.com/dirql/dirql/internal/race"
)

// What the detectors report of the runs of a test, and how that compares with what the test expects. Runs that a merged
// search ends early count with what they had done: a race in it is one.

// reporting collects the reports of the runs of a test.
type reporting struct {
	*bench
	watch kernel.Watch
	all   reportCounts
	of    map[string]*reportCounts // by outcome
	runs  map[string]int
}

// newReporting watches the machine, unless the search does.
func newReporting(b *bench, watched bool) *reporting {
	r := &reporting{bench: b, of: map[string]*reportCounts{}, runs: map[string]int{}}
	if !watched {
		b.m.Watch(&r.watch)
	}
	return r
}

// begin is called before each run.
func (r *reporting) begin() { r.watch.Records = r.watch.Records[:0] }

// end is called after it, with its outcome if it has one.
func (r *reporting) end(outcome string, reason kernel.Reason) {
	made := r.reports(r.m.Records())
	r.all.add(made)
	if reason == kernel.Seen {
		return
	}
	if r.of[outcome] == nil {
		r.of[outcome] = &reportCounts{}
	}
	r.of[outcome].add(made)
	r.runs[outcome]++
}

// tell completes what is known of an outcome.
func (r *reporting) tell(o *Observed, outcome string) {
	counts := *r.of[outcome]
	o.Reports = counts.sorted()
	o.Always = slices.DeleteFunc(counts, func(c reportCount) bool { return c.runs < r.runs[outcome] }).sorted()
}

// reportCount counts the runs that made a report.
type reportCount struct {
	Report
	runs int
}

type reportCounts []reportCount

// add counts the reports of a run.
func (c *reportCounts) add(made []Report) {
	for _, r := range made {
		i := slices.IndexFunc(*c, func(o reportCount) bool { return o.Report == r })
		if i < 0 {
			i = len(*c)
			*c = append(*c, reportCount{Report: r})
		}
		(*c)[i].runs++
	}
}

// sorted returns the reports in the order of their texts.
func (c reportCounts) sorted() (list []Report) {
	for i := range c {
		list = append(list, c[i].Report)
	}
	slices.SortFunc(list, func(a, b Report) int { return cmp.Compare(a.String(), b.String()) })
	return list
}

// reports returns what the detectors report of the run that has ended, each once.
func (b *bench) reports(records []kernel.Record) (list []Report) {
	add := func(r Report) {
		if !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	for _, r := range race.Find(records) {
		if !r.OneProcessor || r.Lost {
			add(Report{reportRace, b.placeName(&r.Second)})
		}
	}
	var rest *kernel.Machine
	if b.m.AtRest() {
		rest = b.m
	}
	for _, l := range lost.Find(records, rest) {
		switch l.Rule {
		case lost.Work:
			add(Report{Kind: lost.Work})
		case lost.Event:
			add(Report{lost.Event, b.eventName(l.Write.Addr, int64(l.Write.Value))})
		}
	}
	if rest != nil && b.unannounced() {
		add(Report{Kind: reportLostWakeup})
	}
	return list
}

// placeName names what is accessed: a shared variable, or other memory.
func (b *bench) placeName(r *kernel.Record) string {
	if o := b.variableAt(r.Addr); o != nil {
		return o.Name
	}
	return b.m.PlaceOf(r.Addr, uint64(r.Size)).Kind
}

// eventName names a value that was stored at an address.
func (b *bench) eventName(addr uint64, v int64) string {
	if o := b.variableAt(addr); o != nil {
		return string(b.valueOf(o.Cell.Type, v))
	}
	return fmt.Sprintf("0x%X", v)
}

// variableAt returns the shared variable at an address, nil if there is none.
func (b *bench) variableAt(addr uint64) *Object {
	for i := range b.objects {
		if o := &b.test.Objects[i]; o.Kind == KindVar && b.objects[i].addr == addr {
			return o
		}
	}
	return nil
}

// unannounced reports whether a ring, whose interrupts are enabled, has an entry that no interrupt will announce: one of
// a ring that interrupts on arrival only.
func (b *bench) unannounced() bool {
	return !b.state.gone && slices.ContainsFunc(b.test.Objects, func(o Object) bool {
		d := &b.state.devices[o.ID]
		return o.Kind == KindRing && d.count > 0 && d.enable != 0 && b.test.Objects[o.Ring.Interrupt].Interrupt.Trigger != LineLevel
	})
}

// wrongReports says what is wrong with the reports.
func (r *Result) wrongReports() (wrong []string) {
	made := func(list []Report, want Report) bool { return slices.Contains(list, want) }
	for _, want := range r.Test.Reports {
		if !made(r.Reports, want) {
			wrong = append(wrong, "not reported: "+want.String())
		}
	}
	expected := slices.Clone(r.Test.Reports)
	for i := range r.Observed {
		o := &r.Observed[i]
		own := r.Test.reportsOf(o.Outcome)
		expected = append(expected, own...)
		for _, want := range own {
			if !made(o.Always, want) {
				wrong = append(wrong, fmt.Sprintf("not reported in each run with %s: %s", o.Outcome, want))
			}
		}
		for _, got := range o.Reports {
			if !made(own, got) && !made(r.Test.Reports, got) {
				wrong = append(wrong, fmt.Sprintf("reported with %s, and not expected: %s", o.Outcome, got))
			}
		}
	}
	for _, got := range r.Reports {
		if !made(expected, got) && !slices.ContainsFunc(r.Observed, func(o Observed) bool { return made(o.Reports, got) }) {
			wrong = append(wrong, "reported, and not expected: "+got.String())
		}
	}
	return wrong
}

// reportsOf returns the reports that an outcome calls for.
func (t *Test) reportsOf(o Outcome) (list []Report) {
	for i := range t.Allowed {
		if t.Allowed[i].Outcome.Matches(o) {
			list = append(list, t.Allowed[i].Reports...)
		}
	}
	return list
}
