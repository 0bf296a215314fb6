package dirql

import (
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/race"
)

// Whether two accesses race follows from what orders them in one run. That they
// really can happen at the same time is shown by another run: one in which both
// are what their processors do next.

// Bounds on the search for such a run.
const (
	adjacentWalks = 16   // runs for one race
	adjacentHeld  = 4096 // decisions at which an access is held back, in one run
)

// Adjacent says whether a data race was confirmed.
type Adjacent uint8

// Confirmations of data races.
const (
	NotTried     Adjacent = iota // it is none, or its accesses are on one processor
	Confirmed                    // a schedule exists in which both accesses are the next step of their processors
	NotConfirmed                 // none was found
)

func (a Adjacent) String() string {
	return [...]string{"", "confirmed: in another schedule both accesses are the next steps of their processors",
		"not confirmed: no schedule was found in which both accesses are the next steps of their processors; " +
			"something that dirql does not know of may order them"}[a]
}

// confirm looks for schedules in which the accesses of data races are adjacent,
// and returns what came of it for each of them.
func (s *subject) confirm(races []race.Race, schedule choice.Schedule) []Adjacent {
	list := make([]Adjacent, len(races))
	for i := range races {
		if r := &races[i]; !r.OneProcessor {
			list[i] = NotConfirmed
			if s.adjacent(instructionOf(&r.First), instructionOf(&r.Second), schedule) {
				list[i] = Confirmed
			}
		}
	}
	return list
}

// instruction is an access in a form that is the same in every run: blocks have
// pages of their own, so that a byte of one has the same place in its page.
type instruction struct{ pc, at uint64 }

func instructionOf(r *kernel.Record) instruction { return instruction{r.PC, r.Addr % mem.PageSize} }

func (s *subject) adjacent(a, b instruction, schedule choice.Schedule) bool {
	for n := range adjacentWalks {
		h := &holder{held: a, other: b}
		if n%2 == 1 {
			h.held, h.other = b, a
		}
		h.source = &choice.Follow{Schedule: schedule}
		if n >= 2 {
			h.source = choice.NewRandom(uint64(n))
		}
		s.watch.Records = s.watch.Records[:0]
		s.r.rerun(s.snapshot, h, &s.watch, nil)
		if h.met {
			return true
		}
	}
	return false
}

// holder passes questions on, but does not let one access be made while
// something else can happen, until another processor is about to make the other.
type holder struct {
	source      choice.Source
	held, other instruction
	times       int
	met         bool
}

// Choose implements choice.Source.
func (h *holder) Choose(p *choice.Point) int {
	n := h.source.Choose(p)
	if p.Kind != choice.Step || h.met {
		return n
	}
	at := h.find(p, h.held, nil)
	if at < 0 {
		return n
	}
	if h.find(p, h.other, &p.Alternatives[at]) >= 0 {
		h.met = true
		return n
	}
	if n != at || h.times == adjacentHeld {
		return n
	}
	h.times++
	return (at + 1) % len(p.Alternatives)
}

// find returns the processor that is about to make an access, one that races with
// what another one is about to do, if that is given; -1 for none.
func (h *holder) find(p *choice.Point, i instruction, with *choice.Alternative) int {
	for n := range p.Alternatives {
		a := &p.Alternatives[n]
		is := instruction{a.Operation.PC, a.Operation.Addr % mem.PageSize} == i
		if !a.Event && a.Operation.Size > 0 && is && (with == nil || a != with && a.Operation.Races(with.Operation)) {
			return n
		}
	}
	return -1
}

// lookCloser finds out what is reported about data races besides themselves:
// whether they are confirmed, and where to look at in the next run.
func (s *subject) lookCloser(schedule choice.Schedule) []Adjacent {
	s.watch.Records = s.watch.Records[:0]
	s.r.rerun(s.snapshot, &choice.Follow{Schedule: schedule, Strict: true}, &s.watch, nil)
	races := s.r.detector.Find(s.watch.Records)
	confirmed := s.confirm(races, schedule)
	for i := range races {
		s.watch.Spots = append(s.watch.Spots, spotOf(&races[i].First), spotOf(&races[i].Second))
	}
	return confirmed
}

func spotOf(r *kernel.Record) kernel.Spot { return kernel.Spot{Activation: r.Activation, Op: r.Op} }

// seenAt takes over what was seen at the accesses of a race.
func (f *Finding) seenAt(looks map[kernel.Spot]kernel.Look, confirmed Adjacent) {
	f.Adjacent = confirmed
	for i := range f.Accesses {
		a := &f.Accesses[i]
		a.Stack, a.Locks = looks[a.spot].Stack, looks[a.spot].Locks
	}
	f.Stack = f.Accesses[1].Stack
}
