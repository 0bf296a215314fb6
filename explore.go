package dirql

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
)

// ExploreOptions bound and steer an exploration.
type ExploreOptions struct {
	Processors int    // overrides the scenario's number of processors if not 0
	Seed       uint64 // of the random choices
	Runs       int    // bound on runs; 0: none, so that only the context ends it
	Workers    int    // machines that run at the same time; 0: 1
	// Strategy says how schedules are chosen; the zero value is Auto.
	Strategy Strategy
	// Preemptions and Interrupts are the bounds of the strategy Bounded.
	Preemptions, Interrupts int
	// Spent, if set, tells which part of the time that the context leaves is over,
	// from 0 to 1: Auto divides it between its strategies.
	Spent func() float64
	// Faults are what can go wrong around the driver, at any time.
	Faults Faults
	// Profile is what differs from the default profile (VER-6).
	Profile Profile
	// Suppress are findings that are known to be harmless: they are neither reduced
	// nor told of, and come last in the report, as those that are minor.
	Suppress []Suppression
	// Corpus, if not nil, is what this exploration takes over from earlier ones
	// and leaves for later ones.
	Corpus *Corpus
	// New is called for each new finding as soon as it is found, reduced and
	// recorded. It is never called twice at the same time.
	New func(*Discovery)
	// Progress is called after each run of the first worker.
	Progress func(*ExploreReport)
}

// Strategy is a way to choose schedules.
type Strategy uint8

// Strategies.
const (
	// Auto begins with some random runs and tries Exhaustive; if that does not end soon, Bounded with one
	// preemption and one interrupt; and then goes on with Random. On unknown
	// hardware it begins with Random.
	Auto Strategy = iota
	// Random is a portfolio of random walks, priorities and mutations.
	Random
	// Bounded runs every schedule with few preemptions (a processor goes on
	// although the last one could) and interrupts (an event comes although a
	// processor could go on).
	Bounded
	// Exhaustive runs every schedule; it recognises states that it met before.
	Exhaustive
	// Reduced runs every schedule, one of those that differ in the order of
	// independent steps only: dynamic partial-order reduction. It is the better one
	// where processors have much to do that does not concern the others, and
	// Exhaustive where interrupts come at many places.
	Reduced
)

// autoRuns bounds the runs of each systematic search that Auto tries, where
// nothing else does.
const autoRuns = 1000

// Discovery is a finding of an exploration: the finding in the shortest run
// that was found to show it.
type Discovery struct {
	Finding  Finding // as the recorded run shows it
	Identity string  // the same for the same mistake in every run
	Count    int     // runs that showed it
	Run      int     // number of the first of them
	Strategy string  // how that run was scheduled
	Before   int     // deviations from the default schedule before the reduction
	// Preemptions and Interrupts count what the reduced schedule needs: see
	// Bounded. Minimum: every schedule with fewer preemptions was run, and none
	// showed it.
	Preemptions, Interrupts int
	Minimum                 bool
	Replay                  *Replay
	Report                  *Report // the recorded run
	Suppressed              string  // why it is known to be harmless; "": it is not
	// Variants are the other ways in which the mistake was noticed, sorted: "data race
	// of edu!EduEvtRequestCancel and edu!EduEvtInterruptDpc".
	Variants []Variant
}

// Variant is a way in which a mistake was noticed.
type Variant struct {
	Text string
	Runs int // that showed it
}

// ExploreReport says what an exploration found and what it covered.
type ExploreReport struct {
	Scenario    string
	Runs        int
	Earlier     int // runs of the explorations that this one continues
	Bounded     int // runs that reached a bound of the machine
	Faulty      int // runs in which something went wrong around the driver: see Faults
	Refused     int // runs in which the driver did not start an unknown device
	Decisions   int
	Pairs       int          // pairs of accesses of different activations in one memory cell
	Visible     int          // 8-byte cells of memory that more than one activation uses
	Discoveries []*Discovery // in the order of the runs, those that are suppressed last
	// Covered says of what every schedule was run: "" nothing.
	Covered string
}

// Explore runs the phases of the scenario again and again under random
// schedules, with the device acting at any time, from the started device, until the bound on runs is reached or the
// context has ended, and returns what was found wrong. With the same seed,
// number of runs and workers it finds the same.
func (s *Scenario) Explore(ctx context.Context, o ExploreOptions) (*ExploreReport, error) {
	x := &exploration{s: s, o: o, stop: func() bool { return ctx.Err() != nil }, found: map[string]*Discovery{}, variants: map[string]map[string]int{}}
	workers := max(o.Workers, 1)
	if o.Runs > 0 {
		workers = min(workers, o.Runs)
	}
	rigs := make([]*subject, workers)
	for i := range rigs {
		rig, err := s.subject(Options{Processors: o.Processors, Profile: o.Profile, faults: o.Faults})
		if err != nil {
			return nil, err
		}
		defer rig.r.m.Close()
		rig.seen = x.seen
		rigs[i] = rig
		x.rigs, x.processors = append(x.rigs, rig), rig.r.m.Processors()
	}
	if err := x.takeOver(rigs[0]); err != nil {
		return nil, err
	}
	if x.first > 0 || !x.systematic(rigs[0]) {
		x.random(rigs)
	}
	x.save(x.next)
	return x.report(x.parts), x.failed
}

// exploration is one call of Explore.
type exploration struct {
	s    *Scenario
	o    ExploreOptions
	stop func() bool

	rigs       []*subject
	processors int // of each machine

	// With a corpus: the schedules in it, the number of the first random run, and of
	// the first one that is not done, what was found before, what went wrong.
	kept        []choice.Schedule
	first, next int
	workers     []int // number of the next random run of each worker
	known       []*Discovery
	failed      error

	mu       sync.Mutex
	found    map[string]*Discovery
	variants map[string]map[string]int // by identity: runs that showed each variant
	parts    []*explore.CampaignReport
	covered  string
	warm     int // random runs before the systematic ones
}

// systematic runs the systematic searches that the strategy asks for, and
// reports whether nothing is left to do.
func (x *exploration) systematic(rig *subject) bool {
	all, few := explore.Unbounded, explore.Bounds{Preemptions: 1, Interrupts: 1}
	switch x.o.Strategy {
	case Random:
		return false
	case Exhaustive:
		x.search(rig, all, limit{runs: x.o.Runs})
		return true
	case Reduced:
		x.reduced(rig)
		return true
	case Bounded:
		x.search(rig, explore.Bounds{Preemptions: x.o.Preemptions, Interrupts: x.o.Interrupts}, limit{runs: x.o.Runs})
		return true
	}
	if rig.r.unknown != nil {
		return false // every answer of every register: there is no end to that
	}
	x.warmUp(rig)
	return x.search(rig, all, x.share(0.5)) || x.search(rig, few, x.share(0.75)) && x.stop()
}

// warmUp makes a few random runs first: they find most mistakes sooner than a
// search that begins with small changes to one schedule.
func (x *exploration) warmUp(rig *subject) {
	l := x.share(0.1)
	c := x.campaign(rig)
	c.First, c.Runs = x.first, autoRuns/10
	if l.runs > 0 {
		c.Runs = min(c.Runs, l.runs)
	}
	c.Stop = func() bool { return x.stop() || l.stop != nil && l.stop() }
	r := explore.Random(rig, c)
	x.warm = r.Runs
	x.parts = append(x.parts, r)
}

// campaign returns a random search with one machine.
func (x *exploration) campaign(rig *subject) explore.Campaign {
	return explore.Campaign{Seed: x.o.Seed, Corpus: x.kept, New: func(d *explore.Discovery) { x.discover(rig, d) },
		Keep: func(s choice.Schedule) { x.keep(rig, s) }}
}

// share limits a systematic search of Auto: it may go on until a part of the
// budget is used up.
func (x *exploration) share(until float64) limit {
	switch {
	case x.o.Runs > 0:
		return limit{runs: max(int(until*float64(x.o.Runs))-x.runs(), 1)}
	case x.o.Spent != nil:
		return limit{stop: func() bool { return x.o.Spent() > until }}
	}
	return limit{runs: autoRuns}
}

// runs counts the runs so far.
func (x *exploration) runs() (n int) {
	for _, p := range x.parts {
		n += p.Runs
	}
	return n
}

// limit ends a search early.
type limit struct {
	runs int         // 0: none
	stop func() bool // nil: never
}

// search runs a systematic search and reports whether it was complete.
func (x *exploration) search(rig *subject, b explore.Bounds, l limit) bool {
	stop := func() bool { return x.stop() || l.stop != nil && l.stop() }
	r := explore.Systematic{Bounds: b, Runs: l.runs, Stop: stop, New: func(d *explore.Discovery) { x.discover(rig, d) }}.Run(rig)
	x.parts = append(x.parts, r)
	if r.Complete {
		x.covered = coveredText(b)
	}
	return r.Complete
}

// reduced runs the search with partial-order reduction.
func (x *exploration) reduced(rig *subject) {
	r := explore.Reduced{Runs: x.o.Runs, Stop: x.stop, New: func(d *explore.Discovery) { x.discover(rig, d) }}.Run(rig)
	x.parts = append(x.parts, r)
	if r.Complete {
		x.covered = coveredText(explore.Unbounded)
	}
}

func coveredText(b explore.Bounds) string {
	if b == explore.Unbounded {
		return "every schedule"
	}
	return fmt.Sprintf("every schedule with at most %d %s and %d %s", b.Preemptions, plural(b.Preemptions, "preemption"),
		b.Interrupts, plural(b.Interrupts, "interrupt"))
}

// random runs the random search with one worker for each machine.
func (x *exploration) random(rigs []*subject) {
	if x.o.Runs > 0 {
		x.o.Runs = max(x.o.Runs-x.runs(), 1)
	}
	reports := make([]*explore.CampaignReport, len(rigs))
	x.workers = make([]int, len(rigs))
	for i := range rigs {
		x.workers[i] = x.first + x.warm + i
	}
	var wait sync.WaitGroup
	for i, rig := range rigs {
		wait.Go(func() { reports[i] = x.work(i, len(rigs), rig) })
	}
	wait.Wait()
	x.parts = append(x.parts, reports...)
}

// work is one worker: its own machine, each workers-th run.
func (x *exploration) work(i, workers int, rig *subject) *explore.CampaignReport {
	c := x.campaign(rig)
	c.First, c.Every, c.Stop = x.workers[i], workers, x.stop
	if x.o.Runs > 0 {
		c.Runs = (x.o.Runs - i + workers - 1) / workers
	}
	c.Progress = func(r *explore.CampaignReport) { x.progress(i, r) }
	return explore.Random(rig, c)
}

// progress notes how far a worker has come, and tells of the first one. The run
// that a later exploration begins with is the first that is not done: it repeats
// some where the others are ahead.
func (x *exploration) progress(worker int, r *explore.CampaignReport) {
	x.mu.Lock()
	x.workers[worker] = r.Next
	if x.next = slices.Min(x.workers); r.Runs%savedEvery == 0 {
		x.saveLocked(x.next)
	}
	x.mu.Unlock()
	if worker == 0 && x.o.Progress != nil {
		x.o.Progress(x.report(append(slices.Clone(x.parts), r)))
	}
}
