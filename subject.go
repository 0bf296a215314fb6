package dirql

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"slices"
	"sync/atomic"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// subject is a machine that is explored.
type subject struct {
	r        *rig
	snapshot *kernel.Snapshot
	watch    kernel.Watch // of runs in which all accesses are visible
	reducing bool
	seen     func([]Finding) // told of the findings of each run of the search; nil: nobody
	refused  atomic.Int64    // runs of the search in which the driver did not start an unknown device
}

// Run implements explore.Subject.
func (s *subject) Run(source choice.Source, watch *kernel.Watch) explore.Verdict {
	searched := watch != nil
	if !searched {
		s.watch.Records = s.watch.Records[:0]
		watch = &s.watch
	}
	s.r.rerun(s.snapshot, source, watch, nil)
	if searched && !s.reducing && s.r.unstarted {
		s.refused.Add(1)
	}
	v := explore.Verdict{Start: s.r.start, Pruned: s.r.reason == kernel.Seen, Bounded: s.r.reason == kernel.StepBound || s.r.reason == kernel.TimeBound, Faulty: s.r.m.Injected() > 0}
	findings := slices.Concat(s.r.report().Findings, s.r.races(s.r.detector.Find(watch.Records)), s.r.losses)
	if searched && !s.reducing && len(findings) > 0 && s.seen != nil {
		s.seen(findings)
	}
	for _, f := range findings {
		if slices.ContainsFunc(v.Findings, func(o explore.Found) bool { return o.Identity == f.identity }) {
			continue
		}
		v.Findings = append(v.Findings, explore.Found{Identity: f.identity, Detail: f.Minor})
	}
	return v
}

// record runs a schedule and records what happens.
func (s *subject) record(schedule choice.Schedule) *Report {
	confirmed := s.lookCloser(schedule)
	s.watch.Records = s.watch.Records[:0]
	s.r.rerun(s.snapshot, &choice.Follow{Schedule: schedule, Strict: true}, &s.watch, &trace.Log{})
	rep := s.r.report()
	list := s.r.detector.Find(s.watch.Records)
	races := s.r.races(list)
	for i := range races {
		s.r.describe(&races[i], &list[i], s.watch.Records)
		races[i].seenAt(s.watch.Looks, confirmed[i])
	}
	s.watch.Spots, s.watch.Looks = nil, nil
	rep.Findings = slices.Concat(rep.Findings, races, s.r.losses)
	slices.SortStableFunc(rep.Findings, func(a, b Finding) int { return cmp.Compare(weight(&a), weight(&b)) })
	return s.r.withHardware(rep)
}

// traceHash is a short name for the exact course of a run.
func (r *Report) traceHash() uint64 {
	if r == nil {
		return 0
	}
	var b bytes.Buffer
	if err := r.log.WriteText(&b); err != nil {
		panic("BUG: " + err.Error())
	}
	h := fnv.New64a()
	h.Write(b.Bytes())
	return h.Sum64()
}
