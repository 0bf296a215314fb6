package litmus_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	drivers "github.com/dirql/dirql/drivers/litmus"
	"github.com/dirql/dirql/internal/litmus"
	"github.com/dirql/dirql/internal/trace"
)

// tests returns all tests: each is there as a driver.
func tests(t *testing.T) []*litmus.Test {
	t.Helper()
	all, err := litmus.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func find(t *testing.T, id string) *litmus.Test {
	t.Helper()
	list := tests(t)
	i := slices.IndexFunc(list, func(lt *litmus.Test) bool { return lt.ID == id })
	if i < 0 {
		t.Fatalf("no test %s", id)
	}
	return list[i]
}

// run searches all schedules of a driver.
func run(t *testing.T, lt *litmus.Test, o litmus.Options) *litmus.Result {
	t.Helper()
	o.Driver = drivers.Driver(lt.Group())
	r, err := litmus.Run(lt, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outcomes lists what was reached, one line each.
func outcomes(r *litmus.Result) string {
	var b strings.Builder
	for _, o := range r.Observed {
		fmt.Fprintln(&b, o.Outcome)
	}
	return b.String()
}

// reached lists the members of the allowed set that were reached, one line each.
func reached(r *litmus.Result) string {
	var b strings.Builder
	for _, a := range r.Test.Allowed {
		if slices.ContainsFunc(r.Observed, func(o litmus.Observed) bool { return a.Outcome.Matches(o.Outcome) }) {
			fmt.Fprintln(&b, a.Outcome)
		}
	}
	return b.String()
}

// unjudged are the tests with too many schedules for a search without merging, and why. Their merged search is judged
// in a smaller form, or not at all.
var unjudged = map[string]string{
	"L-08":      "three messages on two processors: TestOneProcessorWithoutMerging has one processor",
	"L-23/busy": "its thread polls: without merging of equal states there are endless schedules",
}

// judgedRuns bounds the searches without merging.
const judgedRuns = 200_000

// Under every schedule, each driver has exactly the outcomes that the catalogue allows for its test, twice the same, and
// those that need not be reached if the test in its own language reaches them; merging of equal states loses none; each
// outcome can be replayed. All tests have a driver.
func TestAllowedOutcomes(t *testing.T) {
	for _, lt := range tests(t) {
		t.Run(lt.ID+" "+strings.Join(lt.Clauses, " "), func(t *testing.T) {
			r := run(t, lt, litmus.Options{})
			if err := r.Err(); err != nil {
				t.Error(err)
			}
			own, err := litmus.Run(lt, litmus.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if a, b := reached(r), reached(own); a != b {
				t.Errorf("the driver reaches\n%sthe test in its own language\n%s", a, b)
			}
			again := run(t, lt, litmus.Options{})
			if outcomes(r) != outcomes(again) || r.Runs != again.Runs || r.States != again.States {
				t.Errorf("two searches differ: %d runs, %d states, outcomes\n%sand %d runs, %d states, outcomes\n%s",
					r.Runs, r.States, outcomes(r), again.Runs, again.States, outcomes(again))
			}
			for i := range r.Observed {
				checkReplay(t, lt, &r.Observed[i])
			}
			if unjudged[lt.ID] == "" && !testing.Short() {
				checkUnmerged(t, lt, r)
			}
		})
	}
}

// checkUnmerged compares the outcomes of a merged search with those of all schedules.
func checkUnmerged(t *testing.T, lt *litmus.Test, merged *litmus.Result) {
	t.Helper()
	all := run(t, lt, litmus.Options{Unmerged: true, Runs: judgedRuns})
	if !all.Complete {
		t.Fatalf("%s: more than %d schedules", lt.ID, judgedRuns)
	}
	if a, b := outcomes(all), outcomes(merged); a != b {
		t.Errorf("outcomes of all %d schedules:\n%swith merging:\n%s", all.Runs, a, b)
	}
	t.Logf("%d schedules, with merging %d runs, %d states", all.Runs, merged.Runs, merged.States)
}

// checkReplay replays the witness of an outcome twice: same outcome, same bytes.
func checkReplay(t *testing.T, lt *litmus.Test, o *litmus.Observed) {
	t.Helper()
	var texts [2]bytes.Buffer
	for i := range texts {
		log := &trace.Log{}
		again, err := litmus.ReplayDriver(lt, drivers.Driver(lt.Group()), o.Choices, log)
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

// Each driver lists the tests of its group, all of them, in the order of the catalogue.
func TestDriversListTheirTests(t *testing.T) {
	row := regexp.MustCompile(`(?m)^    \{"(L-[^"]+)", `)
	want, got := map[string][]string{}, map[string][]string{}
	for _, lt := range tests(t) {
		want[lt.Group()] = append(want[lt.Group()], lt.ID)
	}
	for group := range want {
		source, err := os.ReadFile(group + ".c")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range row.FindAllSubmatch(source, -1) {
			got[group] = append(got[group], string(m[1]))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tests of the catalogue and rows of the drivers (-want +got):\n%s", diff)
	}
}

// L-08 on one processor has few enough schedules for a search without merging.
func TestOneProcessorWithoutMerging(t *testing.T) {
	lt := *find(t, "L-08")
	lt.Processors, lt.Objects = 1, slices.Clone(lt.Objects)
	for i := range lt.Objects {
		lt.Objects[i].Interrupt.Affinity &= 1
	}
	r := run(t, &lt, litmus.Options{})
	if len(r.Extra) > 0 || len(r.Missing) > 0 {
		t.Error(r.Err())
	}
	checkUnmerged(t, &lt, r)
}

// A driver that does not do what its test says is found: the routines of one test as those of another.
func TestWrongDrivers(t *testing.T) {
	for _, c := range []struct{ id, as, want string }{
		{"L-12/spinlock", "L-12", "not allowed: {runs = 2, c = 1}"},
		{"L-12/interlocked", "L-12", "not allowed: {runs = 2, c = 1}"},
		{"L-12", "L-12/spinlock", "not reached: {runs = 2, c = 1}"},
		{"L-11/no-flag", "L-11", "not allowed: {left = 1, flag = 0, queued = F}"},
		{"L-10/edge-fixed", "L-10", "not allowed: {entry = left}"},
		{"L-16", "L-16/removed", `not allowed: {runs = 1, args = "3 3"}`},
		{"L-19/fixed", "L-19", "not allowed: {bugcheck 0xD5"},
		{"L-18/b", "L-18/c", "not allowed: {c = F, q = F, finding = break}"},
		{"L-28/fixed", "L-28/a", `not allowed: {finding = self-deadlock, seq = ""}`},
		{"L-35/fixed", "L-35/b", "not allowed: {seq = locked, finding = self-deadlock}"},
		{"L-40/a-fixed", "L-40/a", `not allowed: {seq = "read1 end1 read2", finding = self-deadlock}`},
		{"L-46/timer-stopped", "L-46/timer", `forbidden (after the stop): {seq = "exit exited expiry", armed = F}`},
		{"L-53/fixed", "L-53", "not allowed: {finding = storm"},
		{"L-76/b", "L-76/b-device-scope", `not reached: {a = T, b = T, seq = "DA DB", rel = overlap}`},
	} {
		t.Run(c.id+" as "+c.as, func(t *testing.T) {
			lt := *find(t, c.id)
			lt.ID = c.as // what the driver is told
			if err := run(t, &lt, litmus.Options{}).Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// What a driver and its test disagree on is an error that names it, or fails the run.
func TestDisagreements(t *testing.T) {
	const head = "test L-07 x\nclauses DPC-15\nsetup\n    processors P0\n    "
	const rest = "\noutcome\n    runs = D.runs\nallowed\n    runs = 2\n"
	for _, c := range []struct{ name, src, want string }{
		{"an object that the test does not have", "kdpc E\ndpc E\nthread at P0\n    ins(E)" + strings.ReplaceAll(rest, "D.", "E."),
			"LitmusObject: there is no object D"},
		{"an object that the driver does not have", "kdpc D\n    var v = 0\ndpc D\nthread at P0\n    v = 1" + rest,
			"the driver does not say what v is"},
		{"a thread that the test does not have", "kdpc D\ndpc D\n    x = 1" + rest, "LitmusThread: the test has no thread at P0"},
		{"a list that the test does not have", "kdpc D\ndpc D\nthread at P0\n    ins(D)" + rest, "LitmusOut: there is no list r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := litmus.Parse("a", []byte(head+c.src))
			if err != nil {
				t.Fatal(err)
			}
			r, err := litmus.Run(list[0], litmus.Options{Driver: drivers.Driver("a")})
			if err == nil {
				err = r.Err()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := litmus.Run(find(t, "L-07"), litmus.Options{Driver: drivers.Driver("a"), Reduced: true}); err == nil {
		t.Error("a reduced search of a driver")
	}
	lt := *find(t, "L-42/b")
	lt.Objects = slices.Clone(lt.Objects)
	for i := range lt.Objects {
		if lt.Objects[i].Name == "R" {
			lt.Objects[i].Name = "another"
		}
	}
	if err := run(t, &lt, litmus.Options{}).Err(); err == nil || !strings.Contains(err.Error(), "send: argument 1 has to be a request") {
		t.Errorf("a driver whose request nobody sends: %v", err)
	}
	lt = *find(t, "L-15")
	lt.ID = "L-15/state"
	if err := run(t, &lt, litmus.Options{}).Err(); err == nil || !strings.Contains(err.Error(), "LitmusMark: the test does not mark removed") {
		t.Errorf("a driver that marks: %v", err)
	}
	lt = *find(t, "L-10")
	lt.Programs = slices.DeleteFunc(slices.Clone(lt.Programs), func(p litmus.Program) bool { return p.Kind == litmus.ProgramDPC })
	if err := run(t, &lt, litmus.Options{}).Err(); err == nil || !strings.Contains(err.Error(), "the test does not look at RING.arrived") {
		t.Errorf("a driver that looks at what is not part of the state: %v", err)
	}
	lt.ID = "L-15"
	if _, err := litmus.Run(&lt, litmus.Options{Driver: drivers.Driver("a")}); err == nil || !strings.Contains(err.Error(), "EvtDriverDeviceAdd") {
		t.Errorf("a driver without the test: %v", err)
	}
}
