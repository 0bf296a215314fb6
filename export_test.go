package dirql

import (
	"bytes"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// SameRunTwice makes a random run that decides only where something is in an
// empty visible set or no access at all, follows its schedule with decisions at
// every access, and returns both traces and the numbers of decisions.
func (s *Scenario) SameRunTwice(o Options) (few, all string, fewer, more int, err error) {
	r, snapshot, err := s.started(o)
	if err != nil {
		return "", "", 0, 0, err
	}
	defer r.m.Close()
	run := func(source choice.Source, watch *kernel.Watch) (string, *choice.Keeper) {
		k := &choice.Keeper{Source: source}
		log := &trace.Log{}
		r.rerun(snapshot, k, watch, log)
		var b bytes.Buffer
		err = log.WriteText(&b)
		return b.String(), k
	}
	few, a := run(choice.NewRandom(o.Seed), &kernel.Watch{Visible: &kernel.VisibleSet{}})
	all, b := run(&choice.Follow{Schedule: a.Schedule, Strict: true}, nil)
	return few, all, a.Asked, b.Asked, err
}

// Ahead makes a random run in which guest code runs ahead between decisions,
// and the same run in which it stops at each access (as with a trace), and
// returns what was recorded of each, and the time at its end.
func (s *Scenario) Ahead(o Options) (ahead, stopped []kernel.Record, times [2]uint64, err error) {
	r, snapshot, err := s.started(o)
	if err != nil {
		return nil, nil, times, err
	}
	defer r.m.Close()
	visible := &kernel.VisibleSet{}
	run := func(log *trace.Log) ([]kernel.Record, uint64) {
		w := &kernel.Watch{Visible: visible}
		r.rerun(snapshot, choice.NewRandom(o.Seed), w, log)
		return w.Records, r.m.Now()
	}
	everything, _ := run(nil)
	for i := range everything { // some of it is a decision
		if a := &everything[i]; a.Kind.Access() && (a.Addr>>3+o.Seed)%5 == 0 {
			visible.Add(a.Addr, a.Size)
		}
	}
	ahead, times[0] = run(nil)
	stopped, times[1] = run(&trace.Log{})
	return ahead, stopped, times, nil
}

// Repeat loads a driver and returns what runs one schedule after another, with the
// race detector, and ends it.
func (s *Scenario) Repeat(o Options) (run func(seed uint64), end func(), err error) {
	x, err := s.subject(o)
	if err != nil {
		return nil, nil, err
	}
	w := &kernel.Watch{Visible: &kernel.VisibleSet{}}
	return func(seed uint64) {
		w.Records = w.Records[:0]
		x.Run(choice.NewRandom(seed), w)
	}, x.r.m.Close, nil
}
