package explore

import (
	"slices"

	"github.com/dirql/dirql/internal/choice"
)

// Minimise looks for a shorter schedule that still fails, by leaving out
// deviations (delta debugging). fails runs a schedule, leniently, and returns
// the deviations that were taken and whether the failure came. It is called at
// most limit times.
func Minimise(schedule choice.Schedule, limit int, fails func(choice.Schedule) (choice.Schedule, bool)) (shortest choice.Schedule, runs int) {
	m := &minimiser{fails: fails, limit: limit}
	best := schedule
	// Without any deviation first: many findings need none.
	if used, ok := m.try(nil); ok {
		return used, m.runs
	}
	for n := 2; len(best) > 1 && m.runs < m.limit; {
		next, ok := m.without(best, n)
		switch {
		case ok:
			best, n = next, max(n-1, 2)
		case n >= len(best):
			return best, m.runs
		default:
			n = min(2*n, len(best))
		}
	}
	return best, m.runs
}

type minimiser struct {
	fails       func(choice.Schedule) (choice.Schedule, bool)
	runs, limit int
}

func (m *minimiser) try(s choice.Schedule) (choice.Schedule, bool) {
	if m.runs == m.limit {
		return nil, false
	}
	m.runs++
	return m.fails(s)
}

// without tries to leave out one of n parts, the last first: what comes late
// depends on what comes before it.
func (m *minimiser) without(s choice.Schedule, n int) (choice.Schedule, bool) {
	for i := n - 1; i >= 0; i-- {
		from, to := i*len(s)/n, (i+1)*len(s)/n
		if from == to {
			continue
		}
		if used, ok := m.try(slices.Concat(s[:from], s[to:])); ok && len(used) < len(s) {
			return used, true
		}
	}
	return nil, false
}
