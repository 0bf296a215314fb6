package dirql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// SearchLimits bound a search.
type SearchLimits struct {
	Runs int // 0: no bound
}

// SearchReport says what a search found and what it covered.
type SearchReport struct {
	Outcomes []Outcome // sorted by Text
	Runs     int
	Complete bool   // every schedule of the phases was run
	Why      string // why not, if not
}

// Outcome is one of the ways in which runs of a scenario end.
type Outcome struct {
	Text     string
	Runs     int
	Schedule Schedule // of the first run that ended so
}

// Schedule is the list of choices of a run, for Replay.
type Schedule []int

// Search runs the phases of the scenario under every schedule, by running them
// again and again from the started device, and returns the set of outcomes. The
// driver is loaded once, with the default choices. A scenario is small enough
// for this if it has some ten thousand schedules.
func (s *Scenario) Search(o Options, limits SearchLimits) (*SearchReport, error) {
	r, snapshot, err := s.started(o)
	if err != nil {
		return nil, err
	}
	defer r.m.Close()
	found := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		r.rerun(snapshot, source, nil, nil)
		return explore.Result{Outcome: r.outcome(), Bounded: r.reason == kernel.StepBound || r.reason == kernel.TimeBound}
	}, explore.Limits{Runs: limits.Runs})
	rep := &SearchReport{Runs: found.Runs, Complete: found.Complete, Why: found.Why}
	for _, f := range found.Outcomes {
		rep.Outcomes = append(rep.Outcomes, Outcome{f.Key, f.Count, f.Choices})
	}
	return rep, nil
}

// Replay runs the phases under a schedule that Search found, and records what
// happened.
func (s *Scenario) Replay(o Options, schedule Schedule) (*Report, error) {
	r, snapshot, err := s.started(o)
	if err != nil {
		return nil, err
	}
	defer r.m.Close()
	script := &choice.Script{Answers: schedule}
	r.rerun(snapshot, script, nil, &trace.Log{})
	if script.Diverged {
		return nil, fmt.Errorf("scenario %s: the schedule does not fit: the scenario or the driver has changed since it was recorded", s.Name)
	}
	return r.withHardware(r.report()), nil
}

// started returns a rig whose device has been started, and a snapshot of it.
func (s *Scenario) started(o Options) (*rig, *kernel.Snapshot, error) {
	r, err := s.newRig(o, choice.First{}, &trace.Log{}) // recorded for the names of objects only
	if err != nil {
		return nil, nil, err
	}
	r.boot()
	if r.broken || r.device == 0 {
		why := r.end()
		if f := r.report().Findings; len(f) > 0 {
			why = f[0].Text
		}
		r.m.Close()
		return nil, nil, fmt.Errorf("scenario %s: the device does not start, so there is nothing to search: %s", s.Name, why)
	}
	r.started = r.device
	return r.snapshot()
}

// loaded returns a rig whose driver has been loaded, and not yet called, and a
// snapshot of it.
func (s *Scenario) loaded(o Options) (*rig, *kernel.Snapshot, error) {
	r, err := s.newRig(o, choice.First{}, &trace.Log{})
	if err != nil {
		return nil, nil, err
	}
	return r.snapshot()
}

func (r *rig) snapshot() (*rig, *kernel.Snapshot, error) {
	r.m.EnableHash()
	snapshot, err := r.m.Snapshot()
	if err != nil {
		r.m.Close()
		return nil, nil, fmt.Errorf("scenario %s: %w", r.s.Name, err)
	}
	return r, snapshot, nil
}

// subject returns what an exploration runs: from the started device, or, where
// allocations can fail or the device does not start, from the loaded driver.
func (s *Scenario) subject(o Options) (*subject, error) {
	o.free = true
	r, snapshot, err := s.started(o)
	if o.faults.Alloc || err != nil {
		if err == nil {
			r.m.Close()
		}
		r, snapshot, err = s.loaded(o)
	}
	if err != nil {
		return nil, err
	}
	return &subject{r: r, snapshot: snapshot}, nil
}

// rerun runs the phases from the snapshot, watched.
func (r *rig) rerun(snapshot *kernel.Snapshot, source choice.Source, watch *kernel.Watch, log *trace.Log) {
	r.m.Restore(snapshot)
	if watch == nil || watch.Visited == nil {
		r.m.DisableHash() // nobody asks
	}
	r.bodies, r.sent, r.phase = r.bodies[:0], r.sent[:0], 0
	r.m.Use(source, log)
	r.m.Watch(watch)
	r.watch = watch
	r.faults.begin()
	r.device, r.gone, r.broken, r.reason, r.state = r.started, false, false, kernel.Done, ""
	r.refused, r.busy = "", 0
	r.start, r.unstarted = nil, false
	if r.device == 0 {
		r.boot()
		r.unstarted = r.refused != ""
		if k, ok := source.(*choice.Keeper); ok && r.device != 0 {
			r.start = k.Schedule[:len(k.Schedule):len(k.Schedule)]
		}
	}
	r.phases()
	r.losses = r.lost()
	r.m.Watch(nil)
	r.watch = nil
	r.faults.end()
	r.m.Use(choice.First{}, log)
	r.shutDown()
}

// outcome says what came of the run: the scenario's own words, and the findings,
// each once.
func (r *rig) outcome() string {
	var parts []string
	if r.s.Outcome != nil {
		parts = append(parts, r.s.Outcome())
	}
	for _, f := range r.report().Findings {
		if !slices.Contains(parts, f.Title) {
			parts = append(parts, f.Title)
		}
	}
	return strings.Join(parts, "; ")
}
