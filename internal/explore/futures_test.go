package explore_test

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
)

// futures judges the fingerprints of states: it watches a full search and
// compares, for every two decisions with the same fingerprint, the outcomes
// that can still be reached from there. They have to be the same ones.
type futures struct {
	r     *runner
	known map[kernel.State]future
	// Of the present run: the decisions so far, and the states on the way.
	answers []int
	open    []node
	last    []int // the answers of the run before
	wrong   string
}

// future is what can come of a state.
type future struct {
	outcomes []string
	answers  []int // that lead to it
}

// node is a state at a decision of the present run.
type node struct {
	state    kernel.State
	depth    int // number of decisions before it
	outcomes map[string]bool
}

// recorder notes the answers of a source.
type recorder struct {
	choice.Source
	f *futures
}

func (r recorder) Choose(p *choice.Point) int {
	a := r.Source.Choose(p)
	r.f.answers = append(r.f.answers, a)
	return a
}

// run is an explore.Program, for a search without merging.
func (f *futures) run(source choice.Source, _ func(kernel.State) bool) explore.Result {
	f.last = append(f.last[:0], f.answers...)
	f.answers = f.answers[:0]
	at := 0 // nodes of this run
	shared := true
	res := f.r.run(recorder{source, f}, func(s kernel.State) bool {
		if shared && (at == len(f.open) || len(f.answers) > len(f.last) || !slices.Equal(f.answers, f.last[:len(f.answers)])) {
			f.close(at)
			shared = false
		}
		if !shared {
			f.open = append(f.open, node{state: s, depth: len(f.answers), outcomes: map[string]bool{}})
		} else if n := &f.open[at]; n.state != s || n.depth != len(f.answers) {
			f.wrong = fmt.Sprintf("the state after %v has two fingerprints", f.answers)
		}
		at++
		return false
	})
	if shared {
		f.close(at)
	}
	for i := range f.open {
		f.open[i].outcomes[res.Outcome] = true
	}
	return res
}

// close compares the futures of the states from the n-th on, which the search
// has left behind.
func (f *futures) close(n int) {
	for _, o := range f.open[n:] {
		reached := sortedKeys(o.outcomes)
		k, ok := f.known[o.state]
		switch {
		case !ok:
			f.known[o.state] = future{reached, slices.Clone(f.last[:o.depth])}
		case !slices.Equal(k.outcomes, reached) && f.wrong == "":
			f.wrong = fmt.Sprintf("the states after %v and %v have the same fingerprint, but not the same futures:\n%q\n%q",
				k.answers, f.last[:o.depth], k.outcomes, reached)
		}
	}
	f.open = f.open[:n]
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// judge searches a program in full. It returns a description of two states that
// are taken for one and are not, "" if there are none.
func judge(r *runner, limit int) (plain *explore.Report, wrong string) {
	f := &futures{r: r, known: map[kernel.State]future{}}
	plain = explore.Plain(f.run, explore.Limits{Runs: limit})
	if plain.Complete {
		f.last = f.answers
		f.close(0)
		wrong = f.wrong
	}
	return plain, wrong
}
