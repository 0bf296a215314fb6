package explore

import (
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// Subject is what a random search runs again and again: a machine in its
// initial state, brought back to it for each run.
type Subject interface {
	// Run runs once and returns what was found wrong, each kind once.
	Run(source choice.Source, watch *kernel.Watch) Verdict
}

// Verdict is what came of a run.
type Verdict struct {
	Findings []Found
	Bounded  bool // a bound of the machine was reached
	Pruned   bool // the run ended in a state that was met before
	Faulty   bool // something went wrong around the driver because the search decided so
	// Start, of a run that begins with the start of the device, is its schedule up
	// to where the device had started; nil: it did not, or needed nothing unusual.
	Start choice.Schedule
}

// Found is a finding in a run. Two findings with the same identity are the same
// mistake.
type Found struct {
	Identity string
	Detail   any // the subject's own
}

// Campaign is a random search with a portfolio of strategies.
type Campaign struct {
	Seed  uint64
	First int         // number of the first run, and the distance to the next one:
	Every int         // how workers share the runs; 0: 0 and 1
	Stop  func() bool // asked before each run
	Runs  int         // bound on runs, 0: none
	// Corpus are schedules that were interesting before: they are run first.
	Corpus []choice.Schedule
	// Keep is called for each schedule that shows something new.
	Keep func(choice.Schedule)
	// New is called for each new finding, at once.
	New func(*Discovery)
	// Progress is called after each run.
	Progress func(*CampaignReport)
}

// Discovery is a finding with the run that showed it first.
type Discovery struct {
	Found
	Run      int // number of the run, from 0
	Strategy string
	Schedule choice.Schedule
	Count    int // runs that found it
}

// CampaignReport says what a campaign did.
type CampaignReport struct {
	Runs        int
	Bounded     int // runs that reached a bound of the machine
	Faulty      int // runs in which something went wrong around the driver
	Decisions   int // in all runs
	Discoveries []*Discovery
	Pairs       int // pairs of accesses of different activations that were seen
	Visible     int // granules of memory that turned out to be shared
	Kept        int // schedules that showed new pairs
	Next        int // of a random search: number of the next run
	// Complete, of a systematic search: every schedule within its bounds was run,
	// with decisions at all memory that more than one activation used in any of
	// them.
	Complete bool
	States   int // of a systematic search: different states met at decisions
}

// count counts a run.
func (r *CampaignReport) count(v *Verdict, k *choice.Keeper) {
	r.Runs++
	r.Decisions += k.Asked
	if v.Bounded {
		r.Bounded++
	}
	if v.Faulty {
		r.Faulty++
	}
}

// keptLimit bounds the schedules that are kept for mutation.
const keptLimit = 256

// startsLimit bounds the starts that are kept.
const startsLimit = 32

// search is a campaign under way.
type search struct {
	*Campaign
	subject Subject
	learner *learner
	e       *estimates
	watch   kernel.Watch
	kept    []choice.Schedule
	starts  []choice.Schedule // that the device started with: see Verdict
	found   discoveries
	report  CampaignReport
}

// Random runs a campaign.
func Random(subject Subject, c Campaign) *CampaignReport {
	c.Every = max(c.Every, 1)
	s := &search{Campaign: &c, subject: subject, learner: newLearner(), e: newEstimates(), found: discoveries{New: c.New}}
	s.report.Next = c.First
	for _, base := range c.Corpus {
		if s.ended() {
			break
		}
		s.runWith(c.First, &mutant{follow: choice.Follow{Schedule: base}, cut: len(base), then: first{}}, false)
	}
	for n := c.First; ; n += c.Every {
		if s.ended() {
			return &s.report
		}
		s.run(n)
		s.report.Next = n + c.Every
		if c.Progress != nil {
			c.Progress(&s.report)
		}
	}
}

// ended reports whether the search has to stop.
func (s *search) ended() bool {
	return s.Runs > 0 && s.report.Runs == s.Runs || s.Stop != nil && s.Stop()
}

// run makes run number n. Run 0 goes the default way.
func (s *search) run(n int) {
	strategy, everywhere := s.strategy(n)
	s.runWith(n, strategy, everywhere)
}

func (s *search) runWith(n int, strategy strategy, everywhere bool) {
	count := newCounter(strategy)
	keeper := &choice.Keeper{Source: count}
	s.watch.Records = s.watch.Records[:0]
	s.watch.Visible = s.learner.visible
	if everywhere {
		s.watch.Visible = nil
	}
	v := s.subject.Run(keeper, &s.watch)
	s.report.count(&v, keeper)
	count.teach(s.e, everywhere)
	news, _ := s.learner.run(s.watch.Records)
	if news > 0 && len(s.kept) < keptLimit {
		s.kept = append(s.kept, keeper.Schedule)
		if s.Keep != nil {
			s.Keep(keeper.Schedule)
		}
	}
	s.report.Pairs, s.report.Visible, s.report.Kept = len(s.learner.pairs), s.learner.visible.Len(), len(s.kept)
	if len(v.Start) > 0 && len(s.starts) < startsLimit {
		s.starts = append(s.starts, v.Start)
	}
	for _, f := range v.Findings {
		s.found.add(f, n, strategy.String(), keeper.Schedule)
	}
	s.report.Discoveries = s.found.list
}

// strategy returns how run n decides: with the portfolio, or, each fourth run,
// by going on differently from somewhere in a schedule that showed something
// new; where the device does not start by itself, each second run starts it as an
// earlier one did.
func (s *search) strategy(n int) (st strategy, everywhere bool) {
	if n == 0 {
		return first{}, false
	}
	rng := choice.NewRand(s.Seed+uint64(n)*0x9E3779B97F4A7C15, 0x6578706C6F7265)
	st, everywhere = strategyFor(n, rng, s.e)
	st = &seldom{strategy: st, rng: rng, rate: deviceRates[n/4%len(deviceRates)]}
	if n%4 == 3 && len(s.kept) > 0 {
		if base := s.kept[rng.IntN(len(s.kept))]; len(base) > 0 {
			return mutate(base, st, rng), everywhere
		}
	}
	if n%2 == 0 && len(s.starts) > 0 { // hard to come by where the hardware answers as it likes
		base := s.starts[rng.IntN(len(s.starts))]
		return &mutant{follow: choice.Follow{Schedule: base}, cut: len(base), then: st}, everywhere
	}
	return st, everywhere
}

func mutate(base choice.Schedule, then strategy, rng *choice.Rand) *mutant {
	return &mutant{follow: choice.Follow{Schedule: base}, cut: rng.IntN(len(base) + 1), then: then}
}

// first goes the default way.
type first struct{ choice.First }

func (first) String() string { return "default" }

// discoveries is the list of what was found so far.
type discoveries struct {
	New  func(*Discovery)
	list []*Discovery
}

// add counts a finding; the first of its kind is told.
func (l *discoveries) add(f Found, run int, strategy string, schedule choice.Schedule) {
	for _, d := range l.list {
		if d.Identity == f.Identity {
			d.Count++
			return
		}
	}
	d := &Discovery{Found: f, Run: run, Strategy: strategy, Schedule: schedule, Count: 1}
	l.list = append(l.list, d)
	if l.New != nil {
		l.New(d)
	}
}
