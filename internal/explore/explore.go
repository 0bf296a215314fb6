// Package explore runs a program under many schedules. It does not know what a
// driver is: it answers the questions of package choice and looks at what came
// of it.
//
// Read Plain first: every combination of choices, by running the program again
// for each; it is the judge of every cleverer search.
package explore

import (
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// Program runs once. The source answers its questions; visited, if it is not
// nil, is to be asked about the state at each decision (kernel.Config.Visited),
// and the run ends where it says true.
type Program func(source choice.Source, visited func(kernel.State) bool) Result

// Result is what came of one run.
type Result struct {
	Outcome string // canonical form; runs with equal outcomes are not told apart
	// Pruned says that the run ended in a state that was met before: it has no
	// outcome of its own.
	Pruned bool
	// Bounded says that the run hit a bound of the machine.
	Bounded bool
}

// Limits bound a search. Zero means no bound.
type Limits struct {
	Runs int
	// Merge ends a run at a state that was met before. Sound only where the
	// whole state is known data (kernel.State).
	Merge bool
}

// Report says what a search found and what it covered.
type Report struct {
	Outcomes []Outcome // sorted by Key
	Runs     int
	Pruned   int // runs that ended in a state met before
	States   int // different states met at decisions, with Merge
	Complete bool
	// Why says why the search is not complete.
	Why string
}

// Outcome is one of the results and the choices of the first run that had it.
type Outcome struct {
	Key     string
	Choices []int
	Count   int // runs; with Merge only those that reached their end
}

// Plain runs the program under every combination of choices, depth first.
func Plain(p Program, limits Limits) *Report {
	r := &Report{}
	s := &depthFirst{}
	var visited func(kernel.State) bool
	if limits.Merge {
		s.seen = map[kernel.State]struct{}{}
		visited = s.visited
	}
	first := map[string]int{}
	for more := true; more; more = s.backtrack() {
		if limits.Runs > 0 && r.Runs == limits.Runs {
			r.Why = "the bound on runs was reached"
			break
		}
		s.depth = 0
		res := p(s, visited)
		r.Runs++
		switch {
		case res.Pruned:
			r.Pruned++
			continue
		case res.Bounded:
			r.Why = "a run reached the bound of the machine"
		}
		i, ok := first[res.Outcome]
		if !ok {
			i = len(r.Outcomes)
			first[res.Outcome] = i
			r.Outcomes = append(r.Outcomes, Outcome{Key: res.Outcome, Choices: s.answers()})
		}
		r.Outcomes[i].Count++
	}
	r.States = len(s.seen)
	r.Complete = r.Why == ""
	r.sort()
	return r
}

func (r *Report) sort() {
	slices.SortFunc(r.Outcomes, func(a, b Outcome) int { return strings.Compare(a.Key, b.Key) })
}

// depthFirst is a source of choices that repeats a prefix and takes the first
// alternative after it.
type depthFirst struct {
	path  []branch
	depth int
	seen  map[kernel.State]struct{}
}

type branch struct{ taken, of int }

// Choose implements choice.Source.
func (s *depthFirst) Choose(p *choice.Point) int {
	if s.depth == len(s.path) {
		s.path = append(s.path, branch{0, len(p.Alternatives)})
	}
	b := s.path[s.depth]
	if b.of != len(p.Alternatives) {
		panic("BUG: a run is not a function of its choices")
	}
	s.depth++
	return b.taken
}

// visited says whether a state that is met beyond the prefix is known.
func (s *depthFirst) visited(h kernel.State) bool {
	if s.depth < len(s.path) {
		return false // on the way to where the last run branched
	}
	_, known := s.seen[h]
	s.seen[h] = struct{}{}
	return known
}

// backtrack prepares the next run; it returns false after the last one.
func (s *depthFirst) backtrack() bool {
	s.path = s.path[:s.depth]
	for n := len(s.path) - 1; n >= 0; n-- {
		if b := &s.path[n]; b.taken+1 < b.of {
			b.taken++
			s.path = s.path[:n+1]
			return true
		}
	}
	return false
}

func (s *depthFirst) answers() []int {
	a := make([]int, s.depth)
	for i := range a {
		a[i] = s.path[i].taken
	}
	return a
}
