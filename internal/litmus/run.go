package litmus

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/trace"
)

// Options of Run. The zero value is a complete search that merges equal states.
type Options struct {
	Runs int // bound on the number of runs; 0: none
	// Unmerged runs every schedule to its end instead of ending a run at a state that was met before. It is the judge
	// of the merged search, and takes much longer.
	Unmerged bool
	// Reduced leaves out schedules that differ in the order of independent steps only, and merges no states. Its
	// outcomes have no choices. Not with Driver: it decides before every access, also those that the test does not have.
	Reduced bool
	// Driver is a driver binary whose routines are the programs of the test: see drivers/litmus. nil: those of the test.
	Driver *pe.File
}

// Result is what running a test under every schedule gave.
type Result struct {
	Test     *Test
	Observed []Observed // in canonical order
	Missing  []Outcome  // allowed, but not reached
	Extra    []Outcome  // reached, but not allowed

	Runs     int
	States   int  // different states met at decisions; 0 if unmerged
	Complete bool // every schedule was run
	Why      string
	Reports  []Report // that were made of some run, also of one that a merged search ended early
}

// Observed is an outcome that was reached.
type Observed struct {
	Outcome   Outcome
	Choices   []int    // of the first run that had it, for Replay
	Runs      int      // runs that had it; in a merged search only those that reached their end
	Allowed   bool     // a member of the allowed set describes it
	Forbidden []string // names of the forbidden outcomes that describe it
	Reports   []Report // that were made of some run that had it
	Always    []Report // of each
}

// Err returns nil if exactly the allowed outcomes were reached by a complete search, with exactly the reports that the
// test expects, else what is wrong.
func (r *Result) Err() error {
	var wrong []string
	if !r.Complete {
		wrong = append(wrong, "the search is not complete: "+r.Why)
	}
	for _, o := range r.Missing {
		wrong = append(wrong, "not reached: "+o.String())
	}
	for _, o := range r.Observed {
		switch {
		case len(o.Forbidden) > 0:
			wrong = append(wrong, fmt.Sprintf("forbidden (%s): %s", strings.Join(o.Forbidden, ", "), o.Outcome))
		case !o.Allowed:
			wrong = append(wrong, "not allowed: "+o.Outcome.String())
		}
	}
	if wrong = append(wrong, r.wrongReports()...); wrong == nil {
		return nil
	}
	return errors.New(r.Test.ID + ": " + strings.Join(wrong, "\n\t"))
}

// Run runs a test under every schedule and compares the outcomes with the allowed ones. The error is about a test
// that cannot be run; what is wrong with the outcomes is in the result.
func Run(t *Test, opt Options) (*Result, error) {
	if opt.Reduced && opt.Driver != nil {
		return nil, fmt.Errorf("%s: a driver has no reduced search: leave out Reduced or Driver", t.ID)
	}
	b, err := newBench(t, opt.Driver)
	if err != nil {
		return nil, err
	}
	defer b.m.Close()
	outcomes, reported := map[string]Outcome{}, newReporting(b, opt.Reduced || b.guest != nil)
	program := func(source choice.Source, visited func(kernel.State) bool) explore.Result {
		reported.begin()
		o, reason := b.run(source, visited, nil)
		if reason != kernel.Seen && b.discarded(reason) {
			return explore.Result{Pruned: true}
		}
		key := o.String()
		if reported.end(key, reason); reason == kernel.Seen {
			return explore.Result{Pruned: true}
		}
		outcomes[key] = o
		return explore.Result{Outcome: key, Bounded: reason == kernel.StepBound || reason == kernel.TimeBound}
	}
	var found *explore.Report
	if opt.Reduced {
		found = explore.Independent(program, b.m, opt.Runs)
	} else {
		found = explore.Plain(program, explore.Limits{Runs: opt.Runs, Merge: !opt.Unmerged})
	}
	r := &Result{Test: t, Runs: found.Runs, States: found.States, Complete: found.Complete, Why: found.Why}
	var list []Outcome
	for _, f := range found.Outcomes {
		o := outcomes[f.Key]
		list = append(list, o)
		r.Observed = append(r.Observed, t.observed(o, f.Choices, f.Count))
		reported.tell(&r.Observed[len(r.Observed)-1], f.Key)
	}
	r.Missing, r.Extra = Diff(list, t.Allowed)
	r.Reports = reported.all.sorted()
	return r, nil
}

// observed judges an outcome.
func (t *Test) observed(o Outcome, choices []int, runs int) Observed {
	v := Observed{Outcome: o, Choices: choices, Runs: runs}
	v.Allowed = slices.ContainsFunc(t.Allowed, func(a Allowed) bool { return a.Outcome.Matches(o) })
	for _, f := range t.Forbidden {
		if f.Outcome.Matches(o) {
			v.Forbidden = append(v.Forbidden, f.Name)
		}
	}
	return v
}

// Replay makes the one run of a test that has these choices (Observed.Choices), records it, and returns its outcome.
// log may be nil. Choices that do not fit are an error: the test has changed since they were found.
func Replay(t *Test, choices []int, log *trace.Log) (Outcome, error) {
	return ReplayDriver(t, nil, choices, log)
}

// ReplayDriver is Replay for a run with [Options.Driver].
func ReplayDriver(t *Test, driver *pe.File, choices []int, log *trace.Log) (Outcome, error) {
	b, err := newBench(t, driver)
	if err != nil {
		return Outcome{}, err
	}
	defer b.m.Close()
	script := &choice.Script{Answers: choices}
	o, _ := b.run(script, nil, log)
	if script.Diverged {
		return Outcome{}, fmt.Errorf("%s: the choices do not fit: the test has changed since they were found", t.ID)
	}
	return o, nil
}
