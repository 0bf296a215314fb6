package patterns

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/dirql/dirql"
)

// Hunt is one exploration of a broken driver, up to the first finding.
type Hunt struct {
	Runs        int // executions up to the finding and with it; 0: not found
	Deviations  int // of the reduced schedule from the default one
	Preemptions int // among them
	Title       string
}

// Hunt explores the broken driver until the mistake shows, at most for a number
// of runs.
func (p *Pattern) Hunt(ctx context.Context, o dirql.ExploreOptions) (Hunt, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var h Hunt
	var other error
	o.New = func(d *dirql.Discovery) {
		switch {
		case !p.Shows(&d.Finding):
			other = cmp.Or(other, fmt.Errorf("%s: an unexpected finding: %s", p.Name, d.Finding.Title))
		case h.Runs == 0:
			h = Hunt{d.Run + 1, d.Replay.Deviations(), d.Preemptions, d.Finding.Title}
			stop()
		}
	}
	if _, err := p.Buggy().Explore(ctx, o); err != nil {
		return h, err
	}
	return h, other
}

// Quiet explores the repaired driver and returns the titles of what was found,
// which should be nothing.
func (p *Pattern) Quiet(ctx context.Context, o dirql.ExploreOptions) ([]string, error) {
	rep, err := p.Fixed().Explore(ctx, o)
	if err != nil {
		return nil, err
	}
	var titles []string
	for _, d := range rep.Discoveries {
		titles = append(titles, d.Finding.Title)
	}
	return titles, nil
}

// Median returns the middle value, of an even number of them the lower one. 0
// means "never" and is the largest.
func Median(values []int) int { return sorted(values)[(len(values)-1)/2] }

// Worst returns the largest value; see Median.
func Worst(values []int) int { return sorted(values)[len(values)-1] }

func sorted(values []int) []int {
	return slices.SortedFunc(slices.Values(values), func(a, b int) int { return cmp.Compare(uint(a)-1, uint(b)-1) })
}
