package dirql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dirql/dirql"
)

// An exploration leaves schedules and findings behind; one that resumes it
// knows them, and goes on with the next run.
func TestCorpus(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "corpus")
	explore := func(s *dirql.Scenario, resume bool, runs int, seed uint64) (rep *dirql.ExploreReport, told int, err error) {
		c, err := dirql.OpenCorpus(dir)
		if err != nil {
			t.Fatal(err)
		}
		c.Resume = resume
		rep, err = s.Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: seed, Runs: runs, Corpus: c, New: func(*dirql.Discovery) { told++ }})
		return rep, told, err
	}
	if _, _, err := explore(countScenario(1), true, 5, 1); err == nil || !strings.Contains(err.Error(), "no exploration") {
		t.Errorf("there was nothing to resume: %v", err)
	}
	first, told, err := explore(countScenario(1), false, 60, 1)
	if err != nil || told != 2 || first.Earlier != 0 {
		t.Fatalf("%+v, %d told, %v", first, told, err)
	}
	files := func(kind string) int {
		list, _ := filepath.Glob(filepath.Join(dir, kind+"-*.dirql"))
		return len(list)
	}
	if files("kept") == 0 || files("finding") != 2 {
		t.Fatalf("%d kept, %d findings", files("kept"), files("finding"))
	}
	second, told, err := explore(countScenario(1), true, 60, 1)
	if err != nil {
		t.Fatal(err)
	}
	if told != 0 || second.Earlier != 60 || len(second.Discoveries) != 2 || second.Pairs < first.Pairs {
		t.Errorf("%+v, %d told; the first one saw %d pairs", second, told, first.Pairs)
	}
	for i, d := range second.Discoveries {
		if d.Strategy != dirql.KnownFromBefore || d.Finding.Text == "" || d.Replay.Deviations() > 2 {
			t.Errorf("finding %d: %+v", i, d)
		}
	}
	// What is kept shows the pairs again in few runs.
	third, told, err := explore(countScenario(1), false, files("kept"), 99)
	if err != nil || third.Pairs < first.Pairs {
		t.Errorf("with the corpus: %+v, %d told, %v; the first one saw %d pairs", third, told, err, first.Pairs)
	}
	if _, _, err := explore(countScenario(1), true, 5, 2); err == nil || !strings.Contains(err.Error(), "another one") {
		t.Errorf("resumed with another seed: %v", err)
	}
	for _, bad := range []string{"", "nonsense\n", "dirql exploration 1\nscenario count\n", "dirql exploration 1\nwhat 1\nend\n", "dirql exploration 1\nnext x\nend\n"} {
		if err := os.WriteFile(filepath.Join(dir, "state"), []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, err := explore(countScenario(1), true, 5, 1); err == nil {
			t.Errorf("a state of %q was resumed", bad)
		}
	}
}

// What the directory cannot take is an error, and no finding is lost for that.
func TestCorpusThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	c, err := dirql.OpenCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "state.new"), 0o777); err != nil {
		t.Fatal(err)
	}
	rep, err := countScenario(0).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 1, Runs: 60, Corpus: c})
	if err == nil || rep == nil || len(rep.Discoveries) != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// With several workers, too, an exploration that goes on leaves no run out.
func TestResumeWithSeveralWorkers(t *testing.T) {
	c, err := dirql.OpenCorpus(filepath.Join(t.TempDir(), "corpus"))
	if err != nil {
		t.Fatal(err)
	}
	explore := func() *dirql.ExploreReport {
		rep, err := countScenario(1).Explore(t.Context(), dirql.ExploreOptions{Strategy: dirql.Random, Seed: 1, Runs: 50, Workers: 3, Corpus: c})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	first := explore()
	c.Resume = true
	if second := explore(); first.Runs != 50 || second.Earlier != 50 {
		t.Errorf("%d runs, and %d were done before the second exploration", first.Runs, second.Earlier)
	}
}
