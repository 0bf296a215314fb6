package explore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// code reads operations: "load 1 0", "insert! 0 2", separated by semicolons;
// an exclamation mark makes one observed.
func code(text string) (list []operation) {
	for part := range strings.SplitSeq(text, ";") {
		f := strings.Fields(part)
		if len(f) == 0 {
			continue
		}
		name, loud := strings.CutSuffix(f[0], "!")
		o := operation{loud: loud}
		for o.code = 0; opNames[o.code] != name; o.code++ {
		}
		for i, n := range f[1:] {
			fmt.Sscan(n, [2]*uint8{&o.a, &o.b}[i])
		}
		list = append(list, o)
	}
	return list
}

// trap is a program in which two different states look the same to somebody
// who forgets one thing.
type trap struct {
	forgets string
	threads []string // on processors 0, 1, ...; a name before a colon is of threadKinds
	change  func(p *program)
	least   int // outcomes
}

// threadKinds are the threads that differ from the ordinary ones.
var threadKinds = map[string]routine{
	"high0": {affinity: 1, priority: 9}, "high1": {affinity: 2, priority: 9}, "low0": {affinity: 1}, "low1": {affinity: 2}, "any": {},
}

func (tr *trap) program() *program {
	p := &program{config: kernel.Config{Processors: 2, Tunables: kernel.Tunables{StormLimit: 3}},
		shape: shape{affinity: 1, importance: [2]uint8{1, 1}, target: [2]int{-1, -1}}}
	for i, text := range tr.threads {
		r := routine{affinity: 1 << i}
		if kind, rest, ok := strings.Cut(text, ":"); ok {
			r, text = threadKinds[kind], rest
		}
		r.code = code(text)
		p.threads = append(p.threads, r)
	}
	if tr.change != nil {
		tr.change(p)
	}
	return p
}

var traps = []trap{
	{"the arguments of a DPC that was dequeued", []string{"load 0; insert 0 3; set 0 0; insert 0 3; remove 0", "set 0 1; store 0 0"},
		func(p *program) { p.dpcs[0], p.shape.target[0], p.shape.importance[0] = code("load! 1"), 1, 2 }, 3},
	{"the arguments of a DPC in straight-line code", []string{"insert 0 3", "add 0 1"}, func(p *program) {
		p.straight, p.dpcs[0] = true, code("load! 1; add! 1 1")
		p.isrs[0], p.shape.arrivals = code("insert 0 5"), 1
	}, 3},
	{"how often straight-line code has called the same", []string{"reset-event; reset-event; load! 0", "add 0 1; add 0 1; add 0 1"},
		func(p *program) { p.straight = true }, 4},
	{"which of two DPCs a flush waits for", []string{"insert 0; flush; load! 0", "raise 0 2; insert 1; lower", "low0:load"}, func(p *program) {
		p.dpcs[1] = code("add 0 1")
		p.shape.target = [2]int{1, 1}
	}, 2},
	{"the result of a synchronized routine", []string{"synchronize! 0; synchronize! 1", "set 0 1; store 0 0; store 0 1"}, nil, 6},
	{"whether an insert is done", []string{"insert! 0; load! 0", "remove! 0; insert! 0; load! 0"}, func(p *program) { p.dpcs[0] = code("add 0 1") }, 5},
	{"whether a wait is over", []string{"delay 0 1; load! 0", "delay 0 1; add! 0 1; delay 0 1"}, nil, 1},
	{"how a wait ended", []string{"wait! 0 1; load! 0", "load; load; load; load; set-event; load! 0"}, nil, 2},
	{"how a wait ended, auto-reset", []string{"wait! 0 1; load! 0", "load; load; load; load; set-event; load! 0"}, func(p *program) { p.shape.eventType = 1 }, 2},
	{"for which object a thread waits", []string{"load 0; skip-zero 0 1; wait! 0 2; load! 0", "set 0 1; store 0; set-event; semaphore"},
		nil, 2},
	{"which thread was first", []string{"wait-semaphore! 0 2; add! 0 1", "wait-semaphore! 0 2; add! 0 1", "high0:semaphore; semaphore"}, nil, 2},
	{"what a thread will run that has not begun", []string{"load 0; spawn 2 0; set 0 0; load; load", "set 0 1; store 0 0"},
		func(p *program) { p.spawn = code("load! 1") }, 2},
	{"the priority of a thread that has not begun", []string{"any:load 0; spawn 1 0; load; add! 1 1", "set 0 1; store 0 0; load; load"},
		func(p *program) { p.spawn = code("add! 1 1") }, 2},
	{"the arguments of a work item", []string{"load 0; work 0 0; set 0 0; load; load", "set 0 1; store 0 0"}, func(p *program) { p.work = code("load! 1") }, 2},
	{"whether a block is freed", []string{"alloc; load 0; skip-zero 0 2; free; set 0 0; load; set 0 0; load", "set 0 1; store 0; set 0 0; touch! 0"}, nil, 2},
	{"whether a block was allocated", []string{"load 0; skip-zero 0 1; alloc; set 0 0; load; set 0 0; load", "set 0 1; store 0; set 0 0; alloc!"}, nil, 2},
	{"what the first ISR of a chain said", []string{"set 0 1; interrupt 0; load", "add 0 1; add 0 1"}, func(p *program) {
		p.shape.kind = sharedLatched
		p.isrs = [2][]operation{code("load 0; set 0 0"), code("load! 1")}
	}, 1},
	{"which ISR of a chain claims", []string{"interrupt 0; load", "add 0 1; add 0 1"}, func(p *program) {
		p.shape.kind = sharedLatched
		p.isrs = [2][]operation{code("load 0"), code("load 1; add 1 1")}
	}, 3},
	{"an interrupt that is pending", []string{"raise 0 5; interrupt 0; load; lower; load! 0", "load; load! 0"},
		func(p *program) { p.isrs[0] = code("add 0 1") }, 2},
	{"on which processor it is pending", []string{"load! 0; raise 0 2; load! 0; lower", "load! 0; load! 0"}, func(p *program) {
		p.isrs[0], p.shape.arrivals, p.shape.affinity = code("add 0 1"), 1, 3
	}, 6},
	{"the order of a queue", []string{"raise 0 2; insert 0; lower", "insert 1; load"}, func(p *program) {
		p.dpcs = [2][]operation{code("load! 1; add 0 1"), code("load! 0; add 1 1")}
		p.shape.target = [2]int{0, 0}
	}, 2},
	{"that a drain is requested", []string{"load; load! 0; load! 0", "insert 0; insert 1"}, func(p *program) {
		p.dpcs = [2][]operation{code("add 0 1"), code("add 0 2")}
		p.shape.target, p.shape.importance = [2]int{0, 0}, [2]uint8{1, 2}
	}, 3},
	{"that a drain was requested for a DPC that is gone", []string{"load 0; skip-zero 0 2; insert 1; remove 1; set 0 0; insert 0; load; load",
		"set 0 1; store 0; set 0 0; load! 1"}, func(p *program) {
		p.dpcs[0] = code("add 1 1")
		p.shape.target, p.shape.importance = [2]int{1, 1}, [2]uint8{1, 2}
	}, 2},
	{"that a processor is at a raised level", []string{"load 0; skip-zero 0 3; raise 0 2; load; lower; load! 1", "set 0 1; store 0; insert 0; load"},
		func(p *program) { p.dpcs[0], p.shape.target[0], p.shape.importance[0] = code("add 1 1"), 0, 2 }, 2},
	{"a finding", []string{"load 0; skip-zero 0 1; touch; load", "set 0 1; store 0 0"}, nil, 1},
	{"a timer that is due", []string{"timer 1 0; load; cancel!; load! 0", "load; load"}, func(p *program) { p.dpcs[0] = code("add 0 1") }, 2},
	{"a timer that is due, on a busy processor", []string{"timer 1 0; raise 0 2; load; load; load; lower; cancel!", "load; cancel!; load"},
		func(p *program) { p.dpcs[0] = code("add! 0 1") }, 2},
	{"when a timer is due", []string{"load 0; skip-zero 0 1; timer 1 0; timer 1 0; load; load; load; cancel!", "set 0 1; store 0"}, nil, 1},
	{"who owns the mutex", []string{"mutex! 0 0; load; unmutex!", "mutex! 0 0; load; unmutex!"}, nil, 3},
	{"a level-triggered line", []string{"interrupt 0; interrupt 1; load! 0", "load! 0; add 0 1"}, func(p *program) {
		p.shape.kind = sharedLevel
		p.isrs = [2][]operation{code("add 0 1"), code("add 0 2")}
	}, 3},
	{"at which accept a storm is", []string{"interrupt 0; load! 0", "load! 0; add 0 1"}, func(p *program) {
		p.shape.kind = sharedLatched
		p.isrs = [2][]operation{code("set 0 1"), code("load! 0")}
	}, 1},
	{"the end of a quantum", []string{"low0:load! 0; add 0 1; load! 0", "low0:load! 0; add 0 1; load! 0"},
		func(p *program) { p.config.QuantumEnd = true }, 4},
	{"that a DPC runs", []string{"insert 0; flush; load! 0", "insert 1; load"}, func(p *program) {
		p.dpcs = [2][]operation{code("load; add 0 1"), code("load; add 0 2")}
		p.shape.target = [2]int{1, 1}
	}, 2},
}

// A search that merges equal states finds what the full search finds: for
// programs in which something is easily forgotten.
func TestMergingIsSoundForTraps(t *testing.T) {
	for _, tr := range traps {
		t.Run(tr.forgets, func(t *testing.T) {
			for _, ticksLast := range []bool{true, false} {
				p := tr.program()
				p.config.TicksLast = ticksLast
				plain, merged, ok := sameOutcomes(t, p, everything)
				if !ok {
					t.Fatalf("not complete\n%s", p)
				}
				t.Logf("%d runs, %d with merging, %d outcomes", plain.Runs, merged.Runs, len(plain.Outcomes))
				if len(plain.Outcomes) < tr.least {
					t.Errorf("%d outcomes, at least %d expected\n%s\n%s", len(plain.Outcomes), tr.least, p, keys(plain))
				}
				if plain.Runs > 1000 {
					break // enough
				}
			}
		})
	}
}
