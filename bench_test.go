package dirql_test

import (
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
)

// BenchmarkExplore measures runs of the example scenarios under the random
// portfolio, race detector included: one operation is one run.
func BenchmarkExplore(b *testing.B) {
	sys, err := dirql.LoadDriver("drivers/edu/edu.sys")
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []*dirql.Scenario{edu.Scenario(), edu.Busy(), edu.Power(), edu.Unplug()} {
		for _, binary := range []bool{false, true} {
			name := s.Name
			if binary {
				s.Driver, name = sys, name+".sys"
			}
			b.Run(name, func(b *testing.B) {
				if _, err := s.Explore(b.Context(), dirql.ExploreOptions{Processors: 2, Strategy: dirql.Random, Runs: b.N}); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
