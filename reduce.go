package dirql

import (
	"slices"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
)

// Bounds on the runs that go into the reduction of one finding.
const (
	minimiseRuns = 200 // to leave deviations out
	fewerRuns    = 400 // to look for a schedule with fewer preemptions
	graceRuns    = 20  // when the time is over
)

// reduced is a schedule that shows a finding, and what it costs.
type reduced struct {
	schedule choice.Schedule
	spent    explore.Bounds
	minimum  bool
}

// reduce looks for a schedule that is easier to understand: with few deviations
// from the default one, and then with fewer preemptions.
func (s *subject) reduce(d *explore.Discovery, stop func() bool) reduced {
	var best reduced
	shows := func(schedule choice.Schedule) (choice.Schedule, bool) {
		again, ok := s.shows(d.Identity, schedule)
		if ok {
			best = again
		}
		return again.schedule, ok
	}
	if _, ok := shows(d.Schedule); !ok {
		panic("BUG: a finding does not come again with its schedule: " + d.Identity)
	}
	limit := minimiseRuns
	if d.Identity == noEnd {
		limit /= 10 // each run takes as long as a run can
	}
	grace := graceRuns
	short, _ := explore.Minimise(d.Schedule, limit, func(schedule choice.Schedule) (choice.Schedule, bool) {
		if stop() {
			if grace--; grace < 0 {
				return nil, false
			}
		}
		return shows(schedule)
	})
	if again, ok := s.shows(d.Identity, short); ok {
		best = again
	}
	for best.spent.Preemptions > 0 && d.Identity != noEnd {
		again, found, complete := s.fewer(d.Identity, best.spent, stop)
		if !found {
			best.minimum = complete
			return best
		}
		best = again
	}
	best.minimum = best.spent.Preemptions == 0
	return best
}

// shows runs a schedule leniently and reports whether the finding comes, with
// the deviations that were taken.
func (s *subject) shows(identity string, schedule choice.Schedule) (reduced, bool) {
	m := &explore.Meter{Source: &choice.Follow{Schedule: schedule}}
	k := &choice.Keeper{Source: m}
	v := s.Run(k, nil)
	return reduced{schedule: k.Schedule, spent: m.Spent}, slices.ContainsFunc(v.Findings, func(f explore.Found) bool { return f.Identity == identity })
}

// fewer goes through the schedules with one preemption less. complete says that
// it went through all of them.
func (s *subject) fewer(identity string, than explore.Bounds, stop func() bool) (better reduced, found, complete bool) {
	than.Preemptions--
	var first *explore.Discovery
	r := explore.Systematic{Bounds: than, Runs: fewerRuns, Stop: func() bool { return first != nil || stop() },
		New: func(d *explore.Discovery) {
			if d.Identity == identity {
				first = d
			}
		}}.Run(s)
	if first == nil {
		return reduced{}, false, r.Complete
	}
	better, found = s.shows(identity, first.Schedule)
	return better, found, false
}
