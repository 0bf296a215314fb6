package bench_test

import (
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/bench"
)

// The driver does what it is asked to, on one processor and on two.
func TestScenario(t *testing.T) {
	for _, w := range []bench.Work{{}, {Descriptors: 6}, {Descriptors: 3, Cycles: 5, Inserts: 2, Locks: 3, Waits: 2}} {
		for seed := range uint64(3) {
			r, err := bench.Scenario(w).Run(dirql.Options{Processors: 1 + int(seed&1), Seed: seed})
			if err != nil || len(r.Findings) != 0 {
				t.Errorf("%+v, seed %d: %v, %+v", w, seed, err, r.Findings)
			}
		}
	}
}
