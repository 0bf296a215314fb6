package litmus

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/trace"
)

// judgedRuns bounds the searches without merging: tests with more schedules are not judged as they are, but in a
// smaller form (judgedSmaller).
const judgedRuns = 20_000

// TestCatalogueOutcomes runs every test of the catalogue under every schedule: the outcomes are exactly the allowed
// ones, each witness can be replayed, and merging of equal states loses nothing. The subtests name the clauses.
func TestCatalogueOutcomes(t *testing.T) {
	for _, lt := range mustCatalogue(t) {
		t.Run(lt.ID+" "+strings.Join(lt.Clauses, " "), func(t *testing.T) {
			r, err := Run(lt, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Err(); err != nil {
				t.Error(err)
			}
			for i := range r.Observed {
				checkReplay(t, lt, &r.Observed[i])
			}
			t.Logf("%d runs, %d states, %d outcomes", r.Runs, r.States, len(r.Observed))
			compareUnmerged(t, r)
		})
	}
}

// checkReplay replays the witness of an outcome twice: same outcome, same bytes.
func checkReplay(t *testing.T, lt *Test, o *Observed) {
	t.Helper()
	var texts [2]bytes.Buffer
	for i := range texts {
		log := &trace.Log{}
		again, err := Replay(lt, o.Choices, log)
		if err != nil {
			t.Fatal(err)
		}
		if again.String() != o.Outcome.String() {
			t.Errorf("the replay of %s gave %s", o.Outcome, again)
		}
		if err := log.WriteText(&texts[i]); err != nil {
			t.Fatal(err)
		}
	}
	if texts[0].Len() == 0 || !bytes.Equal(texts[0].Bytes(), texts[1].Bytes()) {
		t.Errorf("two replays of %s differ, or are empty (%d and %d bytes)", o.Outcome, texts[0].Len(), texts[1].Len())
	}
}

// compareUnmerged compares the outcomes of a merged search with those of all schedules, if these are few enough.
func compareUnmerged(t *testing.T, merged *Result) {
	t.Helper()
	all, err := Run(merged.Test, Options{Unmerged: true, Runs: judgedRuns})
	if err != nil {
		t.Fatal(err)
	}
	if !all.Complete {
		if !slices.ContainsFunc(judgedSmaller, func(s smaller) bool { return s.id == merged.Test.ID }) {
			t.Errorf("more than %d schedules: add a smaller form of the test to judgedSmaller", judgedRuns)
		}
		return
	}
	if a, b := outcomesOf(all), outcomesOf(merged); a != b {
		t.Errorf("outcomes of all %d schedules:\n%swith merging:\n%s", all.Runs, a, b)
	}
	t.Logf("%d schedules without merging", all.Runs)
}

// smaller is a smaller form of a test: the same with something replaced once.
type smaller struct{ id, old, new string }

// judgedSmaller are the tests that have too many schedules for a search without merging.
var judgedSmaller = []smaller{
	{"L-08", "    free message I at any\n    free message I at any\noutcome", "outcome"}, // one message
	{"L-08", "    free message I at any\noutcome", "outcome"},                            // two messages
}

func TestSmallerFormsWithoutMerging(t *testing.T) {
	list := judgedSmaller
	if testing.Short() {
		list = list[:1]
	}
	for _, s := range list {
		lt := changed(t, s.id, s.old, s.new)
		merged, err := Run(lt, Options{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := Run(lt, Options{Unmerged: true, Runs: 1_000_000})
		if err != nil || !all.Complete {
			t.Fatalf("%s: %v, complete: %v", s.id, err, all.Complete)
		}
		if a, b := outcomesOf(all), outcomesOf(merged); a != b {
			t.Errorf("%s with %d steps: outcomes of all %d schedules:\n%swith merging:\n%s", s.id, len(lt.Steps), all.Runs, a, b)
		}
		t.Logf("%s with %d steps: %d runs with merging, %d schedules", s.id, len(lt.Steps), merged.Runs, all.Runs)
	}
}

// TestReports: what the detectors report, of each outcome. The search that leaves out schedules makes the same reports.
func TestReports(t *testing.T) {
	for id, want := range map[string]string{
		"L-01":             "",
		"L-09":             "lost event A: handled = \"B B\", handled = B",
		"L-10":             "lost wakeup: entry = left",
		"L-10/edge-fixed":  "",
		"L-11":             "lost work: left = 1, flag = 0, queued = F",
		"L-11/clear-first": "",
		"L-12":             "data race on c: runs = 2, c = 1, runs = 2, c = 2",
		"L-12/spinlock":    "",
	} {
		for _, reduced := range []bool{false, true} {
			r, err := Run(mustTest(t, id), Options{Reduced: reduced})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Err(); err != nil {
				t.Error(err)
			}
			var made []string
			for _, report := range r.Reports {
				var outcomes []string
				for _, o := range r.Observed {
					if slices.Contains(o.Reports, report) {
						outcomes = append(outcomes, strings.Trim(o.Outcome.String(), "{}"))
					}
				}
				made = append(made, report.String()+": "+strings.Join(outcomes, ", "))
			}
			if got := strings.Join(made, "; "); got != want {
				t.Errorf("%s, reduced %v: %q, want %q", id, reduced, got, want)
			}
		}
	}
}

// A test is wrong if a report that it expects is missing, and if there is one that it does not expect.
func TestWrongReports(t *testing.T) {
	for _, c := range []struct{ id, old, new, want string }{
		{"L-12", "report data race on c", "report data race on c\n    lost work", "not reported: lost work"},
		{"L-12", "report data race on c\n", "", "reported with {runs = 2, c = 1}, and not expected: data race on c"},
		{"L-12/spinlock", "acquire S\n    c = c + 1\n    release S\n", "c = c + 1\n", "and not expected: data race on c"},
		{"L-09", "    handled = [A B]\n", "    handled = [A B]  report lost event A\n", "not reported in each run with {handled = \"A B\"}: lost event A"},
		{"L-09", "    handled = B             report lost event A\n", "    handled = B\n", "reported with {handled = B}, and not expected: lost event A"},
		{"L-11", "report lost work", "", "and not expected: lost work"},
		{"L-10", "report lost wakeup", "", "and not expected: lost wakeup"},
	} {
		lt := changed(t, c.id, c.old, c.new)
		r, err := Run(lt, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s without %q: %v, want %q", c.id, c.old, err, c.want)
		}
	}
}

// changed returns a test of the catalogue with something replaced once in its file.
func changed(t *testing.T, id, old, new string) *Test {
	t.Helper()
	file := mustTest(t, id).File
	src, err := files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(src), old, new, 1)
	list, err := Parse(file, []byte(text))
	if err != nil || text == string(src) {
		t.Fatalf("%s: nothing replaced, or %v", id, err)
	}
	return list[slices.IndexFunc(list, func(lt *Test) bool { return lt.ID == id })]
}

func TestBoundOnRuns(t *testing.T) {
	r, err := Run(mustTest(t, "L-12"), Options{Runs: 5})
	if err != nil {
		t.Fatal(err)
	}
	if r.Complete || r.Runs != 5 || r.Err() == nil || !strings.Contains(r.Err().Error(), "the bound on runs was reached") {
		t.Errorf("complete %v after %d runs: %v", r.Complete, r.Runs, r.Err())
	}
}

// TestErr checks what a result says about outcomes that are wrong.
func TestErr(t *testing.T) {
	src := `
test L-99 x
clauses X-1
setup
    processors P0
    var v = 0
thread at P0
    v = 1
outcome
    v = final(v)
allowed
    v = 2
    v = 3 (may)
forbidden
    the store happens: v = 1
`
	list, err := Parse("x", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(list[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "L-99: not reached: {v = 2}\n\tforbidden (the store happens): {v = 1}"
	if err := r.Err(); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestReplayOfOtherChoices(t *testing.T) {
	if _, err := Replay(mustTest(t, "L-12"), []int{99}, nil); err == nil || !strings.Contains(err.Error(), "do not fit") {
		t.Errorf("error %v", err)
	}
}

// TestTraceOfReplay checks what a timeline can show: names, programs, variables, lists, steps.
func TestTraceOfReplay(t *testing.T) {
	for _, tt := range []struct {
		id   string
		want []string
	}{
		{"L-12", []string{"start isr I EvtInterruptIsr", "start dpc D EvtInterruptDpc", "register c read 0", "register c write 1",
			"out r = TRUE", "step: interrupt I at P0", "call WdfInterruptQueueDpcForIsr (I)", "dequeue D", "message I",
			"until count(r) == 2: it holds"}},
		{"L-09", []string{"register CAUSE (A) read 0x1", "note write status = A", "note read  status = A", "out handled = A"}},
		{"L-15", []string{"start thread at P1 thread", "call KeInsertQueueDpc (D, 0, 0)", "call KeRemoveQueueDpc (D)"}},
		{"L-12/interlocked", []string{"note InterlockedAdd c -> 1"}},
		{"L-23/busy", []string{"note clock tick", "step: free tick at P0 while L.queued (must)"}},
		{"L-10", []string{"line I asserted", "register RING.count read 0x1", "step: arrive RING"}},
		{"L-22", []string{"register started write TRUE"}},
	} {
		lt := mustTest(t, tt.id)
		r, err := Run(lt, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		for _, o := range r.Observed {
			log := &trace.Log{}
			if _, err := Replay(lt, o.Choices, log); err != nil {
				t.Fatal(err)
			}
			log.WriteText(&text)
		}
		for _, want := range tt.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: no %q in\n%s", tt.id, want, &text)
			}
		}
	}
}

// TestEveryCallHasCode checks the two tables of calls against each other.
func TestEveryCallHasCode(t *testing.T) {
	for i := range Calls {
		if callFuncs[Calls[i].Name] == nil {
			t.Errorf("call %s has no code", Calls[i].Name)
		}
	}
	if len(callFuncs) != len(Calls) {
		t.Errorf("%d functions for %d calls", len(callFuncs), len(Calls))
	}
}
