package litmus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
)

// generator writes random tests that end under every schedule.
type generator struct {
	strings.Builder
	source choice.Source
	depth  int
}

func (g *generator) pick(n int) int {
	if n < 2 {
		return 0
	}
	return g.source.Choose(&choice.Point{Alternatives: make([]choice.Alternative, n)})
}

func (g *generator) one(list ...string) string { return list[g.pick(len(list))] }

func (g *generator) line(format string, args ...any) {
	g.WriteString(strings.Repeat("    ", g.depth+1) + fmt.Sprintf(format, args...) + "\n")
}

// block writes n statements; level is 0 in threads, 2 in DPCs, 5 in ISRs.
func (g *generator) block(n, level int) {
	for range n {
		g.statement(level)
	}
}

func (g *generator) statement(level int) {
	v := g.one("v", "w")
	switch g.pick(12) {
	case 0:
		g.line("%s = %s + 1", v, v)
	case 1:
		g.line("%s = %d", v, g.pick(3))
	case 2:
		g.line("out l = %s", v)
	case 3:
		g.line("interlocked_add(%s, 1)", v)
	case 4:
		g.line("out l = %s", g.one("E.runs", "D.runs", "I.calls", "count(l)"))
	case 5:
		g.line("if E.runs + L.runs + W.runs < 4") // no DPC queues itself for ever
		g.line("    b = %s", g.one("ins(E, 1, v)", "remove(E)", "remove(L)", "ins(L)", "enqueue(W)"))
		g.line("    out t = b")
		g.line("end")
	case 6:
		g.line("out t = %s", g.one("E.active", "E.queued", "D.active", "D.queued", "W.queued"))
	case 7, 8:
		g.nested(v, level)
	default:
		g.statement(level + 100) // a plain one
	}
}

// nested writes a statement with statements in it.
func (g *generator) nested(v string, level int) {
	if g.depth > 0 || level > 5 {
		g.line("%s = %s + 2", v, v)
		return
	}
	open, shut := "if "+v+" == 1", "end"
	switch {
	case level <= 2 && g.pick(2) == 0:
		open, shut = "acquire S", "release S"
		if g.pick(2) == 0 {
			open, shut = "lock I", "unlock I"
		}
	case level == 0 && g.pick(2) == 0:
		open, shut = "raise DISPATCH", "lower"
	}
	g.line("%s", open)
	g.depth++
	g.block(1+g.pick(2), level+100)
	g.depth--
	g.line("%s", shut)
}

// randomTest writes the test of a seed.
func randomTest(seed uint64) string {
	g := &generator{source: choice.NewRandom(seed)}
	procs := 1 + g.pick(2)
	set := "{P0}"
	if procs == 2 {
		set = "{P0, P1}"
	}
	fmt.Fprintf(g, "test L-%d random\nclauses X-1\nsetup\n", seed)
	g.line("processors %s", strings.TrimSuffix("P0 P1", strings.Repeat(" P1", 2-procs)))
	g.line("interrupt I: %s, DIRQL %d, affinity %s, dpc D%s", g.one("message", "line latched"), 4+g.pick(3), set, g.one("", ", AutomaticSerialization"))
	g.line("kdpc E: importance %s%s", g.one("low", "medium", "high"), g.one("", fmt.Sprintf(", target P%d", g.pick(procs))))
	g.line("kdpc L: importance low")
	g.line("wdfdpc W")
	g.line("%s S", g.one("spinlock", "wdfspinlock"))
	g.line("var v = %d", g.pick(2))
	g.line("var w = 0")
	for _, name := range []string{"isr I", "dpc D", "dpc E", "dpc L", "dpc W"} {
		g.WriteString(name + "\n")
		level := 2
		if name == "isr I" {
			level = 5
			if g.pick(3) > 0 {
				g.line("r = q(I)")
				g.line("out t = r")
			}
		}
		g.block(g.pick(3), level)
		if name == "isr I" {
			g.line("return T")
		}
	}
	for i := range 1 + g.pick(2) {
		fmt.Fprintf(g, "thread t%d at P%d\n", i, g.pick(procs))
		g.block(1+g.pick(3), 0)
		if g.pick(4) == 0 {
			g.line("interrupt I")
		}
		if i == 0 { // both lists exist
			g.line("out l = v")
			g.line("out t = F")
		}
	}
	g.WriteString("steps\n")
	for range g.pick(3) {
		g.line("%s%s I at any", g.one("", "free "), g.one("interrupt", "message"))
	}
	g.line("free tick at %s", g.one("any", "P0"))
	g.WriteString("outcome\n")
	for i, c := range []string{"list(l)", "last(t)", "count(t)", "final(v)", "final(w)", "rel(D)", "rel(E)", "rel(D, E)", "rel(I)", "between(D)",
		"E.runs", "D.proc", "E.proc[2]", "I.calls", "t[2]"} {
		if g.pick(3) == 0 || i == 3 {
			g.line("c%d = %s", i, c)
		}
	}
	g.WriteString("allowed\n    c3 = 0\n")
	return g.String()
}

// TestMergingOfRandomTests compares the search that merges equal states with the one that runs every schedule, on
// tests that nobody thought of.
func TestMergingOfRandomTests(t *testing.T) {
	seeds, bound := 30, 1500
	if testing.Short() {
		seeds = 10
	}
	judged, schedules := 0, 0
	for seed := range uint64(seeds) {
		n, err := mergingIsSound(seed, bound)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			judged++
			schedules += n
		}
	}
	t.Logf("%d of %d tests judged, %d schedules", judged, seeds, schedules)
	if judged < seeds/4 {
		t.Errorf("only %d of %d tests were small enough to be judged", judged, seeds)
	}
}

// mergingIsSound runs the test of a seed with and without merging, and returns the number of its schedules, 0 if they
// are too many.
func mergingIsSound(seed uint64, bound int) (schedules int, err error) {
	src := randomTest(seed)
	list, err := Parse("random", []byte(src))
	if err != nil {
		return 0, fmt.Errorf("seed %d: %w\n%s", seed, err, src)
	}
	all, err := Run(list[0], Options{Unmerged: true, Runs: bound})
	if err != nil {
		return 0, fmt.Errorf("seed %d: %w\n%s", seed, err, src)
	}
	if !all.Complete {
		return 0, nil
	}
	merged, err := Run(list[0], Options{})
	if err != nil {
		return 0, fmt.Errorf("seed %d: %w\n%s", seed, err, src)
	}
	if a, b := outcomesOf(all), outcomesOf(merged); a != b {
		return 0, fmt.Errorf("seed %d: outcomes of all %d schedules\n%s\nwith merging, %d runs\n%s\n%s", seed, all.Runs, a, merged.Runs, b, src)
	}
	return all.Runs, nil
}

// outcomesOf lists the outcomes of a result, one a line.
func outcomesOf(r *Result) string {
	var w strings.Builder
	for _, o := range r.Observed {
		fmt.Fprintln(&w, o.Outcome)
	}
	return w.String()
}
