package litmus

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	drivers "github.com/dirql/dirql/drivers/litmus"
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pe"
)

// Merging is sound if states with equal fingerprints have equal futures. That is checked here at every decision of
// every schedule, which finds what a comparison of outcome sets does not: many ways lead to one outcome.

// decision is one decision of a run, with the state before it.
type decision struct {
	state  kernel.State
	known  bool // the machine told the state
	taken  int
	future map[string]int // outcomes of the runs that went through it, by number
}

// walker records the decisions of a run.
type walker struct {
	source choice.Source
	path   []decision
	state  kernel.State
	known  bool
}

func (w *walker) visited(h kernel.State) bool {
	w.state, w.known = h, true
	return false
}

func (w *walker) Choose(p *choice.Point) int {
	taken := w.source.Choose(p)
	w.path = append(w.path, decision{state: w.state, known: w.known, taken: taken})
	w.known = false
	return taken
}

// futures collects the futures of all states, depth first.
type futures struct {
	open   []decision // of the last run
	closed map[kernel.State]string
	wrong  error
}

// add takes the next run: its decisions, and its outcome.
func (f *futures) add(path []decision, outcome string) {
	same := 0
	for same < len(f.open) && same < len(path) && f.open[same].taken == path[same].taken {
		same++
	}
	same = min(same+1, len(f.open)) // the decision at which the two runs part is the same one
	f.close(same)
	for i := same - 1; i >= 0 && i < len(path); i-- {
		f.open[i].taken = path[i].taken
	}
	for _, d := range path[same:] {
		d.future = map[string]int{}
		f.open = append(f.open, d)
	}
	for i := range f.open {
		f.open[i].future[outcome]++
	}
}

// close ends all decisions but the first n: every run that goes through them is known.
func (f *futures) close(n int) {
	for _, d := range f.open[n:] {
		if !d.known {
			continue
		}
		var text strings.Builder
		for _, o := range slices.Sorted(maps.Keys(d.future)) {
			fmt.Fprintf(&text, "%d schedules end with %s\n", d.future[o], o)
		}
		before, ok := f.closed[d.state]
		if ok && before != text.String() && f.wrong == nil {
			f.wrong = fmt.Errorf("two states with one fingerprint have different futures:\n%sand\n%s", before, &text)
		}
		f.closed[d.state] = text.String()
	}
	f.open = f.open[:n]
}

// equalFutures checks the futures of the states of a test, and returns the number of its schedules, 0 if they are more
// than a bound. driver may be nil, as in newBench.
func equalFutures(lt *Test, driver *pe.File, bound int) (schedules int, err error) {
	b, err := newBench(lt, driver)
	if err != nil {
		return 0, err
	}
	defer b.m.Close()
	f := &futures{closed: map[kernel.State]string{}}
	found := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		w := &walker{source: source}
		o, _ := b.run(w, w.visited, nil)
		f.add(w.path, o.String())
		return explore.Result{Outcome: o.String()}
	}, explore.Limits{Runs: bound})
	if !found.Complete {
		return 0, nil
	}
	f.close(0)
	return found.Runs, f.wrong
}

func TestEqualStatesHaveEqualFutures(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "rules.litmus"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parse("rules.litmus", src)
	if err != nil {
		t.Fatal(err)
	}
	bound := judgedRuns
	if testing.Short() {
		bound = 200
	}
	for _, lt := range slices.Concat(mustCatalogue(t), list) {
		if n, err := equalFutures(lt, nil, bound); err != nil {
			t.Errorf("%s, %d schedules: %v", lt.ID, n, err)
		}
	}
}

// TestEqualStatesOfDriversHaveEqualFutures is the same for driver binaries, whose private state is that of the
// interpreter.
func TestEqualStatesOfDriversHaveEqualFutures(t *testing.T) {
	judged, schedules, bound := 0, 0, judgedRuns
	if testing.Short() {
		bound = 100
	}
	for _, lt := range mustCatalogue(t) {
		if lt.ID == "L-23/busy" { // which polls: it has endless schedules
			continue
		}
		n, err := equalFutures(lt, drivers.Driver(lt.Group()), bound)
		if err != nil {
			t.Errorf("%s, %d schedules: %v", lt.ID, n, err)
		}
		if n > 0 {
			judged++
			schedules += n
		}
	}
	t.Logf("%d drivers judged, %d schedules", judged, schedules)
	if judged < 150 && !testing.Short() {
		t.Errorf("only %d drivers were judged", judged)
	}
}

// TestRunsOfDriversDoNotDependOnEarlierRuns: the same choices lead through the same states, whatever the machine did
// before.
func TestRunsOfDriversDoNotDependOnEarlierRuns(t *testing.T) {
	for _, id := range []string{"L-05/k2", "L-12/spinlock", "L-13", "L-19", "L-39", "L-43/uses", "L-50/d", "L-70/b", "L-75"} {
		lt := mustTest(t, id)
		file := drivers.Driver(lt.Group())
		b, err := newBench(lt, file)
		if err != nil {
			t.Fatal(err)
		}
		defer b.m.Close()
		states := func(choices []int) (list []kernel.State) {
			w := &walker{source: &choice.Script{Answers: choices}}
			b.run(w, w.visited, nil)
			for _, d := range w.path {
				list = append(list, d.state)
			}
			return list
		}
		first := states(nil)
		r, err := Run(lt, Options{Driver: file})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Observed {
			states(o.Choices)
			if again := states(nil); len(again) == 0 || !slices.Equal(again, first) {
				t.Errorf("%s: after a run that ended with %s, the first run goes through other states", id, o.Outcome)
			}
		}
	}
}

func TestEqualStatesHaveEqualFuturesInRandomTests(t *testing.T) {
	judged, schedules := 0, 0
	seeds := uint64(100)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		src := randomTest(seed + 1000)
		list, err := Parse("random", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		n, err := equalFutures(list[0], nil, 500)
		if err != nil {
			t.Fatalf("seed %d, %d schedules: %v\n%s", seed, n, err, src)
		}
		if n > 0 {
			judged++
			schedules += n
		}
	}
	t.Logf("%d tests judged, %d schedules", judged, schedules)
}
