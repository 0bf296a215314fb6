package litmus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRules runs the small tests of testdata/rules.litmus, each of which shows a rule of the runner or what a call, an
// observation or a component does. Their allowed sets are exact, and merging loses nothing.
func TestRules(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "rules.litmus"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parse("rules.litmus", src)
	if err != nil {
		t.Fatal(err)
	}
	for _, lt := range list {
		t.Run(lt.ID+" "+lt.Title, func(t *testing.T) {
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
			if all, err := Run(lt, Options{Unmerged: true, Runs: judgedRuns}); err != nil || all.Complete && outcomesOf(all) != outcomesOf(r) {
				t.Errorf("%v; outcomes of all schedules:\n%swith merging:\n%s", err, outcomesOf(all), outcomesOf(r))
			}
		})
	}
}

// failures are tests that go wrong, and how.
var failures = []struct{ name, src, want string }{
	{"a check", "var v = 0\nthread at P0\n    v = 1\n    check v == 2", "line 8: check $0 == 2 does not hold"},
	{"stuck", "event E\nthread at P0\n    wait E", "stuck, thread thread at P0 waits for E"},
	{"stuck while spinning", "var v = 0\nthread at P0\n    until v == 1", "stuck"},
	{"a setup that does not end", "var v = 0\nthread at P0\n    until v == 1\n    setup done", "the setup does not end: stuck"},
	{"a step that had to come", "interrupt I: message, DIRQL 5, affinity {P0}\nisr I\n    return T\nsteps\n    interrupt I at P0\n" +
		"    free interrupt I at P0 while I.calls == 5 (must)", "a step did not come: free interrupt I at P0 while I.calls == 5 (must)"},
	{"a fixed step that does not come", "interrupt I: message, DIRQL 5, affinity {P0}\nisr I\n    return T\nsteps\n" +
		"    interrupt I at P0 while I.calls == 5", "a step did not come: interrupt I at P0 while I.calls == 5"},
	{"a loop without a step", "var v = 0\nthread at P0\n    x = 1\n    while x == 1\n        if x == 2\n            v = 1\n        end\n    end",
		"instructions without a visible step"},
	{"a finding that no component shows", "kdpc E\nwdfdpc D\ndpc E\n    cancel(D, T)\ndpc D\nthread at P0\n    ins(E)",
		"finding that no component shows: verifier break: KmdfIrql"},
	{"an endless run", "kdpc E\ndpc E\n    ins(E)\nthread at P0\n    ins(E)", "step bound reached"},
}

func TestFailures(t *testing.T) {
	for _, tt := range failures {
		setup, rest, _ := strings.Cut(tt.src, "\nthread")
		if i := strings.Index(setup, "\nisr"); i >= 0 {
			setup, rest = tt.src[:i], tt.src[i:]
		} else if i := strings.Index(setup, "\ndpc"); i >= 0 {
			setup, rest = tt.src[:i], tt.src[i:]
		} else {
			rest = "\nthread" + rest
		}
		if !strings.Contains(setup, "var") {
			setup += "\nvar v = 0"
		}
		src := "test L-99 x\nclauses X-1\nsetup\n    processors P0\n    " + strings.ReplaceAll(setup, "\n", "\n    ") +
			rest + "\noutcome\n    v = final(v)\nallowed\n    v = 0\n"
		list, err := Parse("x", []byte(src))
		if err != nil {
			t.Fatalf("%s: %v\n%s", tt.name, err, src)
		}
		r, err := Run(list[0], Options{})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if len(r.Observed) != 1 || !strings.Contains(r.Observed[0].Outcome.Failure, tt.want) || r.Err() == nil {
			t.Errorf("%s: %v, want one failure with %q", tt.name, r.Err(), tt.want)
		}
	}
}

// TestNotRunnable: what the runner cannot do is an error, not an outcome.
func TestNotRunnable(t *testing.T) {
	const head = "test L-99 x\nclauses X-1\nsetup\n    processors P0\n    interrupt I: line level, DIRQL 5, affinity {P0}\n    var v = 0\nisr I\n    return T\n"
	const tail = "outcome\n    v = final(v)\nallowed\n    v = 0\n"
	for _, tt := range []struct{ src, want string }{
		{"steps\n    interrupt I at P0\n", "L-99: line 10: interrupt I at P0, whose line is level-triggered, is raised by a ring only"},
		{"thread at P0\n    message I\n", "L-99: line 10: message I, whose line is level-triggered"},
	} {
		list, err := Parse("x", []byte(head+tt.src+tail))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(list[0], Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		if _, err := Replay(list[0], nil, nil); err == nil {
			t.Error("Replay does what Run cannot")
		}
	}
}
