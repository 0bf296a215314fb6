package litmus

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/choice"
)

// Random tests of framework objects: what the framework keeps in Go variables while callbacks run is the part of the
// state that is easiest to forget.

// frameworkStatement writes a call of the framework; at DISPATCH_LEVEL only those that are allowed there.
func (g *generator) frameworkStatement(passive bool) {
	r := g.one("R1", "R2")
	anywhere := []string{"v = v + 1", "if TM.runs < 2\n    start(TM, 1)\nend", "out t = stop(TM, F)", "if WI.runs < 2\n    enqueue_work WI\nend", "if D.runs < 2\n    out t = q(I)\nend", "lock I\nunlock I",
		"out t = cancel_request(" + r + ")", "if " + r + ".completions == 0\n    out s = unmark(" + r + ")\nend", "out t = WI.active or TM.active", "mark m"}
	only := []string{"send " + r, "if I.calls < 2\n    interrupt I\nend", "if down == 0\n    down = 1\n    power(D3)\nend", "if down == 1\n    down = 2\n    power(D0)\nend",
		"disable I", "out t = stop(TM, T)", "complete(R3)", "acquire S\nv = 1\nrelease S"}
	if passive {
		anywhere = append(anywhere, only...)
	}
	for line := range lines(g.one(anywhere...)) {
		g.line("%s", line)
	}
}

func lines(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i, j := 0, 0; j <= len(text); j++ {
			if j == len(text) || text[j] == '\n' {
				if !yield(text[i:j]) {
					return
				}
				i = j + 1
			}
		}
	}
}

// randomFrameworkTest writes the test of a seed.
func randomFrameworkTest(seed uint64) string {
	g := &generator{source: choice.NewRandom(seed)}
	procs := g.one("P0", "P0", "P0 P1")
	fmt.Fprintf(g, "test L-%d random\nclauses X-1\nsetup\n", seed)
	g.line("processors %s", procs)
	scope := g.one("device: scope queue", "device: not pageable", "device: scope device", "setting StormLimit = 10")
	g.line("%s", scope)
	g.line("interrupt I: %s, DIRQL 5, affinity {P0}, %s D", g.one("message", "line latched"), g.one("dpc", "work"))
	kind := "dpc"
	if text := g.String(); text[len(text)-len("work D\n"):] == "work D\n" {
		kind = "work"
	}
	g.line("%s S", g.one("spinlock", "wdfspinlock"))
	g.line("timer TM%s", g.one("", ": passive"))
	g.line("workitem WI")
	queue := g.one("", ": scope queue", ": passive")
	if scope == "device: scope device" {
		queue = "" // its level is that of the device
	}
	g.line("queue Q%s", queue)
	for _, r := range []string{"R1", "R2", "R3"} {
		g.line("request %s", r)
	}
	g.line("var v = 0")
	g.line("var down = 0")
	g.WriteString("isr I\n")
	g.line("out t = %s(I)", map[string]string{"dpc": "q", "work": "qw"}[kind])
	g.line("return T")
	g.WriteString("read Q\n")
	g.line("%s", g.one("mark read", "mark_cancelable(request())", "complete(request())", "mark_cancelable_ex(request())"))
	for _, r := range []string{"R1", "R2", "R3"} {
		fmt.Fprintf(g, "cancel %s\n", r)
		g.line("mark cancel")
		g.line("%s", g.one("complete(request())", "v = 5"))
	}
	for _, p := range []struct {
		name    string
		passive bool
	}{{kind + " D", kind == "work"}, {"timer TM", false}, {"work WI", true}, {"D0Exit", false}, {"disable I", false}} {
		g.WriteString(p.name + "\n")
		if p.name == "disable I" || g.pick(2) == 0 {
			g.line("v = v + 2")
		} else {
			g.frameworkStatement(p.passive)
		}
	}
	for i := range 1 + g.pick(2) {
		fmt.Fprintf(g, "thread t%d at P0\n", i)
		for range 1 + g.pick(3) {
			g.frameworkStatement(true)
		}
		if i == 0 { // the lists exist
			g.line("out s = STATUS_SUCCESS")
			g.line("mark end")
		}
	}
	g.WriteString("steps\n")
	for range g.pick(2) {
		g.line("free %s I at P0", g.one("interrupt", "message"))
	}
	g.WriteString("outcome\n")
	for i, c := range []string{"final(v)", "list(seq)", "list(t)", "last(s)", "finding()", "WI.runs", "D.runs", "R1.completions", "TM.armed", "rel(D)"} {
		if g.pick(3) == 0 || i == 0 || i == 4 {
			g.line("c%d = %s", i, c)
		}
	}
	g.WriteString("allowed\n    c0 = 0\n")
	return g.String()
}

func TestMergingOfRandomFrameworkTests(t *testing.T) {
	judged, schedules, seeds := 0, 0, []uint64{2179} // WdfInterruptDisable during a power-down: with EvtInterruptDisable, and without
	for seed := range uint64(150) {
		seeds = append(seeds, seed)
	}
	if testing.Short() {
		seeds = seeds[:16]
	}
	for _, seed := range seeds {
		src := randomFrameworkTest(seed)
		list, err := Parse("random", []byte(src))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, src)
		}
		n, err := equalFutures(list[0], nil, 400)
		if err != nil {
			t.Fatalf("seed %d, %d schedules: %v\n%s", seed, n, err, src)
		}
		if n > 0 {
			judged++
			schedules += n
		}
	}
	t.Logf("%d of %d tests judged, %d schedules", judged, len(seeds), schedules)
	if judged < len(seeds)/4 {
		t.Errorf("only %d of %d tests were small enough to be judged", judged, len(seeds))
	}
}
