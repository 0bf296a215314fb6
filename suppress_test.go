package dirql_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql"
)

// A suppressed finding is listed with its reason, and not told of.
func TestSuppress(t *testing.T) {
	list, err := dirql.ReadSuppressions(strings.NewReader("# known\n\ndata race|* -- the count is for statistics\n"))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	rep, err := countScenario(0).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 1, Runs: 100, Suppress: list,
		New: func(*dirql.Discovery) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Discoveries) != 2 || told != 1 {
		t.Fatalf("found %d, told %d", len(rep.Discoveries), told)
	}
	for i, want := range []string{"", "the count is for statistics"} {
		if d := rep.Discoveries[i]; d.Suppressed != want || (d.Finding.Rule == "data race") != (want != "") {
			t.Errorf("%s (%s): suppressed %q", d.Finding.Title, d.Identity, d.Suppressed)
		}
	}
}

func TestReadSuppressions(t *testing.T) {
	for text, want := range map[string]string{
		"hang": "line 1", "\nhang -- ": "line 2", "hang --why": "no reason", "* -- all": "everything", "*|* -- all": "everything",
	} {
		if _, err := dirql.ReadSuppressions(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
