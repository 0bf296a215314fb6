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
