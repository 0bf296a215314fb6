package edu_test

import (
	"context"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
)

// The device gets other resources with requests under way: the driver in Go and the
// binary do their work, in every schedule on one processor (WDFI-34).
func TestWDFI34Rebalance(t *testing.T) {
	for _, file := range []string{"", "edu.sys"} {
		s := func() *dirql.Scenario {
			if file == "" {
				return edu.Rebalance()
			}
			return binary(t, edu.Rebalance(), file)
		}
		first, second := run(t, s(), dirql.Options{}), run(t, s(), dirql.Options{})
		for _, f := range first.Findings {
			t.Errorf("%s: %s", f.Title, f.Text)
		}
		if trace(t, first) != trace(t, second) {
			t.Error("two equal runs have different traces")
		}
		r, err := s().Explore(context.Background(), dirql.ExploreOptions{Processors: 1, Strategy: dirql.Exhaustive})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Discoveries {
			t.Errorf("%s: %s", d.Finding.Title, d.Finding.Text)
		}
		if r.Covered == "" {
			t.Errorf("%d runs were not every schedule", r.Runs)
		}
	}
}
