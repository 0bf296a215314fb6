package litmus_test

import (
	"testing"

	drivers "github.com/dirql/dirql/drivers/litmus"
	"github.com/dirql/dirql/internal/litmus"
)

// The drivers have exactly the outcomes that the catalogue allows, under every
// schedule.
func TestAllowedOutcomes(t *testing.T) {
	all, err := litmus.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, lt := range all {
		t.Run(lt.ID, func(t *testing.T) {
			r, err := litmus.Run(lt, litmus.Options{Driver: drivers.Driver(lt.Group()), Runs: 200000})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r.Runs, r.States)
			if err := r.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}
