package kernel_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// The reference is a second model of processors, interrupts and DPC queues,
// written from the clauses alone and as simple as possible: every smallest
// thing is a step of its own, and every order of steps is tried. The kernel
// fuses steps; it must reach the same orders of visible operations.

// refProgram is two threads, two ISRs and two DPCs of straight-line code. Each
// character is an operation: a letter is a load, with which the order is
// observed; 0 and 1 insert a DPC, ! and " remove it.
type refProgram struct {
	threads  [2]string // on processors 0 and 1
	isrs     [2]string // of vectors 0x51 and 0x71, with a lock of their own
	dpcs     [2]string // MediumHigh
	target   [2]int    // -1: none
	arrivals []arrival
}

type refState struct {
	procs    [2]refProc
	queued   [2]bool
	locks    [2]bool // of the ISRs
	arrivals int     // bits of those that came
	seen     string
}

type refProc struct {
	frames    [5]refFrame
	n         int
	pending   [2]bool
	queue     [2]int
	queueLen  int
	requested bool
}

// refFrame is a thread, an ISR, the drain or a DPC.
type refFrame struct {
	kind   byte // 't', 'i', 'd' for the drain, 'D' for a DPC
	number int
	pc     int
	result byte // of the last insert or remove, shown with the next load
	locked bool // an ISR that has its lock
}

func (f *refFrame) irql() int {
	switch f.kind {
	case 't':
		return 0
	case 'i':
		return 5 + 2*f.number
	}
	return 2
}

func (f *refFrame) code(p *refProgram, cpu int) string {
	switch f.kind {
	case 't':
		return p.threads[cpu]
	case 'i':
		return p.isrs[f.number]
	}
	return p.dpcs[f.number]
}

// explore returns the observations of all orders of steps.
func (p *refProgram) explore() []string {
	s := refState{}
	for i := range s.procs {
		s.procs[i].frames[0] = refFrame{kind: 't', number: i}
		s.procs[i].n = 1
	}
	outcomes, visited := map[string]bool{}, map[refState]bool{}
	p.visit(s, outcomes, visited)
	return sorted(outcomes)
}

func (p *refProgram) visit(s refState, outcomes map[string]bool, visited map[refState]bool) {
	if visited[s] {
		return
	}
	visited[s] = true
	end := true
	for i, a := range p.arrivals {
		if s.arrivals>>i&1 == 0 {
			end = false
			n := s
			n.arrivals |= 1 << i
			n.procs[a.cpu].pending[int(a.vector>>5)-2] = true
			p.visit(n, outcomes, visited)
		}
	}
	for cpu := range s.procs {
		if n := s; p.step(&n, cpu) {
			end = false
			p.visit(n, outcomes, visited)
		}
	}
	if end {
		outcomes[s.seen] = true
	}
}

// step makes one step of a processor, if it can.
func (p *refProgram) step(s *refState, cpu int) bool {
	c := &s.procs[cpu]
	top := &c.frames[c.n-1]
	for level := 1; level >= 0; level-- { // highest first
		if c.pending[level] && 5+2*level > top.irql() {
			c.pending[level] = false
			c.frames[c.n] = refFrame{kind: 'i', number: level}
			c.n++
			return true
		}
	}
	switch {
	case top.irql() < 2 && c.requested:
		c.requested = false
		c.frames[c.n] = refFrame{kind: 'd'}
		c.n++
		return true
	case top.kind == 'i' && !top.locked:
		if s.locks[top.number] {
			return false
		}
		s.locks[top.number], top.locked = true, true
		return true
	case top.kind == 'd':
		return p.drainStep(s, c)
	case top.pc == len(top.code(p, cpu)):
		if top.kind == 't' {
			return false
		}
		if top.kind == 'i' {
			s.locks[top.number] = false
		}
		c.n--
		c.frames[c.n] = refFrame{}
		return true
	}
	p.operation(s, cpu, top)
	return true
}

func (p *refProgram) drainStep(s *refState, c *refProc) bool {
	if c.queueLen == 0 {
		c.n--
		c.frames[c.n] = refFrame{}
		return true
	}
	d := c.queue[0]
	c.queue[0], c.queue[1] = c.queue[1], 0
	c.queueLen--
	s.queued[d] = false
	c.frames[c.n] = refFrame{kind: 'D', number: d}
	c.n++
	return true
}

func (p *refProgram) operation(s *refState, cpu int, top *refFrame) {
	o := top.code(p, cpu)[top.pc]
	top.pc++
	switch o {
	case '0', '1':
		d := int(o - '0')
		if top.result = 'F'; s.queued[d] {
			return
		}
		top.result, s.queued[d] = 'T', true
		if p.target[d] >= 0 {
			cpu = p.target[d]
		}
		c := &s.procs[cpu]
		c.queue[c.queueLen] = d
		c.queueLen++
		if !slices.ContainsFunc(c.frames[:c.n], func(f refFrame) bool { return f.kind == 'd' }) {
			c.requested = true
		}
	case '!', '"':
		d := int(o - '!')
		top.result = 'f'
		for i := range s.procs {
			c := &s.procs[i]
			if at := slices.Index(c.queue[:c.queueLen], d); at >= 0 {
				copy(c.queue[at:], c.queue[at+1:])
				c.queueLen--
				c.queue[c.queueLen] = 0
				s.queued[d], top.result = false, 't'
			}
		}
	default:
		s.seen += string(o)
		if top.result != 0 {
			s.seen += string(top.result)
		}
	}
}

// kernelOutcomes is the same by the kernel, if it takes no more than some runs.
func (p *refProgram) kernelOutcomes(t *testing.T, runs int) ([]string, bool) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	var dpcs [2]uint64
	perform := func(t *kernel.Thread, code string) {
		result := ""
		boolean := func(v bool, names string) {
			result = names[b2u(!v):][:1]
		}
		for _, o := range code {
			switch o {
			case '0', '1':
				boolean(t.KeInsertQueueDpc(dpcs[o-'0'], 0, 0), "TF")
			case '!', '"':
				boolean(t.KeRemoveQueueDpc(dpcs[o-'!']), "tf")
			default:
				t.Load(x, 8)
				b.note("%c%s", o, result)
			}
		}
	}
	for i, code := range p.dpcs {
		dpcs[i] = b.dpc(fmt.Sprintf("dpc %d", i), func(t *kernel.Thread, _, _ uint64) { perform(t, code) })
		b.do(func(t *kernel.Thread) {
			t.KeSetImportanceDpc(dpcs[i], kernel.MediumHighImportance)
			t.KeSetTargetProcessorDpc(dpcs[i], int8(p.target[i]))
		})
	}
	for i, code := range p.isrs {
		b.message(fmt.Sprintf("isr %d", i), 0x51+0x20*uint8(i), func(t *kernel.Thread) bool { perform(t, code); return true })
	}
	b.arrive(p.arrivals...)
	return b.outcomesWithin(runs, func() {
		for cpu, code := range p.threads {
			b.thread(cpu, func(t *kernel.Thread) { perform(t, code) })
		}
	}, func() string { return strings.Join(b.history, "") })
}

// check compares the two; it returns 0 for a program with more runs than these.
func (p *refProgram) check(t *testing.T, runs int) (outcomes int) {
	t.Helper()
	got, complete := p.kernelOutcomes(t, runs)
	if !complete {
		return 0
	}
	want := p.explore()
	if !slices.Equal(got, want) {
		t.Errorf("%+v\nmissing: %q\nextra: %q", p, missing(want, got), missing(got, want))
	}
	return len(want)
}

// missing returns what is in a and not in b.
func missing(a, b []string) (list []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			list = append(list, s)
		}
	}
	return list
}

func TestReference(t *testing.T) {
	for _, p := range []refProgram{
		{threads: [2]string{"ab", "cd"}},
		{threads: [2]string{"ab", "cd"}, isrs: [2]string{"ij"}, arrivals: []arrival{{0x51, 0}}},
		{threads: [2]string{"a", "c"}, isrs: [2]string{"ij", "k"}, arrivals: []arrival{{0x51, 0}, {0x71, 0}}},
		{threads: [2]string{"a", ""}, isrs: [2]string{"ij"}, arrivals: []arrival{{0x51, 0}, {0x51, 1}}},
		{threads: [2]string{"a0b", "c"}, dpcs: [2]string{"x"}, target: [2]int{-1, -1}},
		{threads: [2]string{"0a", "0c"}, dpcs: [2]string{"x"}, target: [2]int{-1, -1}},
		{threads: [2]string{"0a", "0c"}, dpcs: [2]string{"x"}, target: [2]int{1, -1}},
		{threads: [2]string{"0!a", "c"}, dpcs: [2]string{"x"}, target: [2]int{1, -1}},
		{threads: [2]string{"01a", ""}, dpcs: [2]string{"x", "y"}, target: [2]int{1, 1}},
		{threads: [2]string{"0a", "1c"}, dpcs: [2]string{"1x", "y"}, target: [2]int{-1, 0}},
		{threads: [2]string{"a", "c"}, isrs: [2]string{"0i"}, dpcs: [2]string{"x"}, target: [2]int{1, -1}, arrivals: []arrival{{0x51, 0}}},
		{threads: [2]string{"0", "c"}, isrs: [2]string{"0i"}, dpcs: [2]string{"xy"}, target: [2]int{-1, -1}, arrivals: []arrival{{0x51, 0}}},
	} {
		if p.check(t, 200_000) == 0 {
			t.Errorf("%+v: the search is not complete", p)
		}
	}
}

var (
	references    = flag.Int("references", 15, "number of random programs that are compared with the reference")
	referenceSeed = flag.Uint64("referenceseed", 11, "seed of them")
)

// The same with random programs.
func TestReferenceRandomly(t *testing.T) {
	random := choice.NewRandom(*referenceSeed)
	pick := func(n int) int { return random.Choose(&choice.Point{Alternatives: make([]choice.Alternative, n)}) }
	letter := byte('a')
	code := func(n int, ops string) string {
		s := ""
		for range n {
			o := ops[pick(len(ops))]
			if o == 'l' {
				o = letter
				letter++
			}
			s += string(o)
		}
		return s
	}
	programs, outcomes := 0, 0
	for programs < *references {
		letter = 'a'
		p := refProgram{target: [2]int{pick(3) - 1, pick(3) - 1}}
		p.threads = [2]string{code(1+pick(2), "ll01!"), code(pick(3), "ll01\"")}
		p.isrs = [2]string{code(1+pick(2), "l01"), code(1, "l01\"")}
		p.dpcs = [2]string{code(1+pick(2), "ll1"), code(1, "l")}
		for range pick(3) {
			p.arrivals = append(p.arrivals, arrival{0x51 + 0x20*uint8(pick(2)), pick(2)})
		}
		if len(p.threads[0])+len(p.threads[1])+2*len(p.arrivals) > 6 {
			continue
		}
		if n := p.check(t, 2000); n > 1 {
			programs, outcomes = programs+1, outcomes+n
		}
	}
	t.Logf("%d programs, %d outcomes", programs, outcomes)
}
