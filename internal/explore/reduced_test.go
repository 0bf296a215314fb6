package explore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
)

// reducible is a random program as a subject of Reduced: each outcome counts as
// a finding.
type reducible struct{ r *runner }

func (o reducible) Run(source choice.Source, watch *kernel.Watch) explore.Verdict {
	res := o.r.runReduced(source, watch)
	if res.Pruned || res.Bounded {
		return explore.Verdict{Pruned: res.Pruned, Bounded: res.Bounded}
	}
	return explore.Verdict{Findings: []explore.Found{{Identity: res.Outcome}}}
}

// stops leaves out of the outcomes of runs that a finding stopped what the memory
// looked like at that moment: how far others had come with what only they use is
// nothing that a search with fewer decisions tries.
func stops(outcomes []string) string {
	for i, o := range outcomes {
		if rest, stopped := strings.CutPrefix(o, "stopped:"); stopped {
			f := strings.Fields(rest)
			outcomes[i] = "stopped: " + strings.Join(f[2+logs:], " ")
		}
	}
	slices.Sort(outcomes)
	return strings.Join(slices.Compact(outcomes), "\n")
}

// The plain search judges the reduced one: the same outcomes, with decisions at
// every access to memory and at shared memory only.
func TestReductionIsSound(t *testing.T) {
	reductionIsSound(t, func(g *generator, size int) *program { return g.program(size) })
}

func TestReductionIsSoundForMorePrimitives(t *testing.T) {
	reductionIsSound(t, func(g *generator, size int) *program {
		p := g.program(size)
		g.primitives(p)
		return p
	})
}

func reductionIsSound(t *testing.T, generate func(g *generator, size int) *program) {
	all, few, done, wanted := 0, 0, 0, *programs
	if testing.Short() {
		wanted /= 5
	}
	for s := *seed; done < wanted && s < *seed+100*uint64(wanted); s++ {
		p := generate(newGenerator(s), 2+int(s%6))
		t.Run(fmt.Sprintf("seed %d", s), func(t *testing.T) {
			r := newRunner(t, p)
			defer r.Close()
			plain := explore.Plain(r.run, explore.Limits{Runs: *runs})
			if !plain.Complete || len(plain.Outcomes) < 2 {
				return
			}
			done++
			var want []string
			for _, o := range plain.Outcomes {
				want = append(want, o.Key)
			}
			everywhere := explore.Independent(r.run, r.Machine, 3**runs)
			if a, b := keys(plain), keys(everywhere); a != b || !everywhere.Complete {
				t.Errorf("complete %v\n%s\n%d runs find\n%s\n%d with reduction\n%s", everywhere.Complete, p, plain.Runs, a, everywhere.Runs, b)
			}
			all, few = all+plain.Runs, few+everywhere.Runs
			if !p.config.TicksLast {
				return // programs can see the time, and so the private steps of others
			}
			shared := explore.Reduced{Runs: 3 * *runs}.Run(reducible{r})
			var got []string
			for _, d := range shared.Discoveries {
				got = append(got, d.Identity)
			}
			if a, b := stops(want), stops(got); a != b || !shared.Complete {
				t.Errorf("complete %v\n%s\n%d runs find\n%s\n%d with reduction, deciding at shared memory only\n%s", shared.Complete, p, plain.Runs, a, shared.Runs, b)
			}
		})
	}
	t.Logf("%d programs: %d runs, %d with reduction", done, all, few)
}

// Work that concerns one processor only adds no schedules.
func TestReductionIgnoresPrivateWork(t *testing.T) {
	private := func(n int) *program {
		p := &program{config: kernel.Config{Processors: 2, TicksLast: true}, shape: shape{affinity: 1, target: [2]int{-1, -1}}}
		for i := range 2 {
			r := routine{affinity: 1 << i, code: code("add! 0 1")}
			for range n {
				r.code = append(r.code, code("raise 0 2; load 1; lower")...)
			}
			p.threads = append(p.threads, r)
		}
		return p
	}
	var reports []*explore.CampaignReport
	for _, n := range []int{0, 1, 5} {
		r := newRunner(t, private(n))
		reports = append(reports, explore.Reduced{}.Run(reducible{r}))
		r.Close()
	}
	few, one, many := reports[0], reports[1], reports[2]
	t.Logf("%d, %d and %d runs", few.Runs, one.Runs, many.Runs)
	if !many.Complete || len(many.Discoveries) < 2 || identities(few) != identities(many) || one.Runs != many.Runs {
		t.Errorf("%d runs without, %d with a little, %d with more private work\n%s\n%s", few.Runs, one.Runs, many.Runs, identities(few), identities(many))
	}
}

// walk makes a run at random, up to a decision, and lets two processors or events
// step there, one after the other.
type walk struct {
	r       *runner
	path    []int             // alternatives before that
	then    [2]choice.Process // the two steps, if path is over
	options []choice.Process  // that there were at the end of path
	states  []kernel.State    // at each decision
	steps   []int             // number of steps before each decision
	missing bool              // a step could not be made
	depth   int
	watch   kernel.Watch
}

func (w *walk) Choose(p *choice.Point) int {
	n := w.depth
	w.depth++
	w.states, w.steps = append(w.states, w.r.Hash()), append(w.steps, len(w.watch.Steps.List))
	switch {
	case n < len(w.path):
		return w.path[n]
	case n == len(w.path):
		w.options = nil
		for i := range p.Alternatives {
			if p.Kind == choice.Step {
				w.options = append(w.options, p.Alternatives[i].Process())
			}
		}
	}
	if n < len(w.path)+2 {
		at := slices.IndexFunc(p.Alternatives, func(a choice.Alternative) bool { return a.Process() == w.then[n-len(w.path)] })
		if p.Kind == choice.Step && at >= 0 {
			return at
		}
		w.missing = true
	}
	return 0
}

// run makes the run and reports whether there is a decision right behind the two
// steps, and what these touched.
func (w *walk) run(first, second choice.Process) (after kernel.State, touches [2][]kernel.Touch, ok bool) {
	w.depth, w.states, w.steps, w.missing, w.then = 0, w.states[:0], w.steps[:0], false, [2]choice.Process{first, second}
	w.watch = kernel.Watch{Steps: &kernel.Steps{}}
	w.r.runReduced(w, &w.watch)
	n := len(w.path)
	if w.missing || w.depth < n+3 || w.steps[n+1] != w.steps[n]+1 || w.steps[n+2] != w.steps[n]+2 {
		return after, touches, false
	}
	for i := range touches {
		touches[i] = w.watch.Steps.Of(w.steps[n] + i)
	}
	return w.states[n+2], touches, true
}

// The table of independence, tried out: steps that it calls independent lead to
// the same state in both orders.
func TestIndependentStepsCommute(t *testing.T) {
	pairs, independent, programs := 0, 0, uint64(300)
	if testing.Short() {
		programs = 50
	}
	for s := range programs {
		p := newGenerator(90_000 + s).program(2 + int(s%6))
		newGenerator(s).primitives(p)
		p.config.Processors = 2
		r := newRunner(t, p)
		rng := choice.NewRand(s, 1)
		for range 20 {
			w := &walk{r: r}
			for range rng.IntN(15) {
				w.path = append(w.path, rng.IntN(2))
			}
			w.run(choice.Process{}, choice.Process{}) // to see what there is
			if len(w.options) < 2 {
				continue
			}
			a, b := w.options[rng.IntN(len(w.options))], w.options[rng.IntN(len(w.options))]
			x, touches, ok := w.run(a, b)
			y, _, again := w.run(b, a)
			if a == b || !ok || !again {
				continue
			}
			pairs++
			if explore.Conflict(touches[0], touches[1]) {
				continue
			}
			independent++
			if x != y {
				t.Errorf("seed %d, %v: the steps of %v and %v do not commute, but touch %v and %v\n%s", s, w.path, a, b, touches[0], touches[1], p)
			}
		}
		r.Close()
	}
	t.Logf("%d of %d pairs are independent", independent, pairs)
	if independent < pairs/10 {
		t.Errorf("too few")
	}
}
