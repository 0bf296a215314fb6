package kernel_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// bench is a machine for tests. What its routines do is registered under
// stable names and can be replaced before each run.
type bench struct {
	*kernel.Machine
	t testing.TB
	// checked is false in the runs of scenario that only compare traces.
	checked  bool
	routines map[string]kernel.Func
	threads  int // started since the last restore
	visited  func(kernel.State) bool
	// history is what the routines note, one word per event.
	history []string
}

const testVector = 0x51

// newBench makes a machine. A zero Profile means the default one; bare is the
// one without verifiers.
func newBench(t testing.TB, cfg kernel.Config) *bench {
	t.Helper()
	b := &bench{t: t, checked: true, routines: map[string]kernel.Func{}}
	if cfg.Processors == 0 {
		cfg.Processors = 1
	}
	if cfg.Profile == (kernel.Profile{}) {
		cfg.Profile = kernel.DefaultProfile
	}
	if cfg.MaxSteps == 0 {
		cfg.MaxSteps = 100_000
	}
	cfg.Visited = func(s kernel.State) bool { return b.visited != nil && b.visited(s) }
	m, err := kernel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	b.Machine = m
	return b
}

// bare is the profile without Driver Verifier.
var bare = kernel.Profile{FrameworkVerifier: true}

// scenario runs build on a fresh machine with the default choices, and checks;
// then it makes sure that the run is a function of its choices: again by
// default and with random choices, each twice, the traces are the same bytes.
func scenario(t *testing.T, cfg kernel.Config, build func(b *bench)) {
	t.Helper()
	run := func(source choice.Source, checked bool) string {
		cfg.Source, cfg.Trace = source, &trace.Log{}
		b := newBench(t, cfg)
		b.checked = checked
		build(b)
		b.Close()
		return traceText(b.Machine)
	}
	first := run(choice.First{}, true)
	if second := run(choice.First{}, false); first != second {
		t.Errorf("two runs by default differ: %s", firstDifference(first, second))
	}
	for seed := range uint64(3) {
		one, two := run(choice.NewRandom(seed), false), run(choice.NewRandom(seed), false)
		if one != two {
			t.Errorf("two runs with seed %d differ: %s", seed, firstDifference(one, two))
		}
	}
	if t.Failed() {
		t.Logf("trace:\n%s", first)
	}
}

func traceText(m *kernel.Machine) string {
	var text bytes.Buffer
	if err := m.Trace.WriteText(&text); err != nil {
		panic(err)
	}
	return text.String()
}

func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			return fmt.Sprintf("line %d: %q and %q", i+1, la[i], lb[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(la), len(lb))
}

func (b *bench) note(format string, args ...any) {
	b.history = append(b.history, fmt.Sprintf(format, args...))
}

// noted checks what was noted.
func (b *bench) noted(want string) {
	b.t.Helper()
	if got := strings.Join(b.history, " "); b.checked && got != want {
		b.t.Errorf("noted\n  %s\nwant\n  %s", got, want)
	}
}

// is checks a value.
func (b *bench) is(what string, got, want any) {
	b.t.Helper()
	if b.checked && got != want {
		b.t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// run runs the machine and checks how it ends.
func (b *bench) run(want kernel.Reason) {
	b.t.Helper()
	if got := b.Run(); b.checked && got != want {
		b.t.Errorf("the run ended: %s, want: %s; findings %v; waiting %v", got, want, b.titles(), b.Waiters())
	}
}

func (b *bench) titles() (titles []string) {
	for _, f := range b.Findings() {
		titles = append(titles, f.Title())
	}
	return titles
}

// finds checks the findings: one, with this code, these parameters, rule and
// clause. Zero fields of want are not compared, except Code.
func (b *bench) finds(want kernel.Finding) {
	b.t.Helper()
	if !b.checked {
		return
	}
	all := b.Findings()
	if len(all) != 1 {
		b.t.Errorf("%d findings %v, want one: %s", len(all), b.titles(), want.Title())
		return
	}
	got := all[0]
	if got.Code != want.Code || want.Params != [4]uint64{} && got.Params != want.Params ||
		want.Rule != "" && got.Rule != want.Rule || want.Clause != "" && got.Clause != want.Clause {
		b.t.Errorf("finding %s (rule %q, clause %s)\nwant    %s (rule %q, clause %s)", got.Title(), got.Rule, got.Clause,
			want.Title(), want.Rule, want.Clause)
	}
}

// fn returns the address of a routine; the same name again replaces what it
// does.
func (b *bench) fn(name string, f kernel.Func) uint64 {
	b.routines[name] = f
	return b.Function(name, func(t *kernel.Thread, a kernel.Args) uint64 { return b.routines[name](t, a) })
}

// thread starts a foreground thread that stays on a processor.
func (b *bench) thread(cpu int, f func(t *kernel.Thread)) int {
	return b.threadWith(kernel.ThreadParams{Affinity: 1 << cpu}, f)
}

// threadWith starts a foreground thread.
func (b *bench) threadWith(p kernel.ThreadParams, f func(t *kernel.Thread)) int {
	b.threads++
	name := fmt.Sprintf("thread %d", b.threads)
	if p.Name == "" {
		p.Name = name
	}
	p.Role, p.Foreground = "thread", true
	p.Routine = b.fn(name, func(t *kernel.Thread, _ kernel.Args) uint64 {
		f(t)
		return 0
	})
	return b.NewThread(p)
}

// do runs a thread on processor 0 to its end.
func (b *bench) do(f func(t *kernel.Thread)) {
	b.t.Helper()
	b.thread(0, f)
	b.run(kernel.Done)
}

// alloc returns a block of non-paged pool that was there before the run.
func (b *bench) alloc(size uint64) uint64 { return b.Mem.Alloc(size, kernel.PoolTag("Test"), false, 0) }

// cell returns a variable of 8 bytes in non-paged pool.
func (b *bench) cell() uint64 { return b.alloc(8) }

// value reads a variable without a step.
func (b *bench) value(cell uint64) uint64 {
	v, f := b.Mem.Load(cell, 8)
	if f.Kind != mem.NoFault {
		b.t.Errorf("no variable at 0x%X: %s", cell, f.Kind)
	}
	return v
}

// set writes a variable without a step.
func (b *bench) set(cell, v uint64) { b.Mem.Store(cell, 8, v) }

// dpc makes a DPC object.
func (b *bench) dpc(name string, f func(t *kernel.Thread, arg1, arg2 uint64)) uint64 {
	b.t.Helper()
	dpc := b.alloc(kernel.DPCSize)
	b.SetName(dpc, name)
	routine := b.dpcRoutine(name, f)
	b.do(func(t *kernel.Thread) { t.KeInitializeDpc(dpc, routine, 0) })
	return dpc
}

// dpcRoutine registers what a DPC does.
func (b *bench) dpcRoutine(name string, f func(t *kernel.Thread, arg1, arg2 uint64)) uint64 {
	return b.fn(name, func(t *kernel.Thread, a kernel.Args) uint64 {
		f(t, a[2], a[3])
		return 0
	})
}

// noteDPC makes a DPC object that notes its name.
func (b *bench) noteDPC(name string) uint64 {
	return b.dpc(name, func(t *kernel.Thread, _, _ uint64) { b.note("%s", name) })
}

// timer makes a timer object.
func (b *bench) timer(synchronization bool) uint64 {
	timer := b.alloc(kernel.TimerSize)
	b.do(func(t *kernel.Thread) { t.KeInitializeTimerEx(timer, synchronization) })
	return timer
}

// event makes an event object.
func (b *bench) event(typ uint8, signalled bool) uint64 {
	event := b.alloc(kernel.EventSize)
	b.do(func(t *kernel.Thread) { t.KeInitializeEvent(event, typ, signalled) })
	return event
}

// connect connects an ISR. Zero fields of p mean: a message interrupt of the
// vector's own level on all processors.
func (b *bench) connect(name string, v uint8, p kernel.ConnectParams, isr func(t *kernel.Thread) bool) kernel.InterruptID {
	b.t.Helper()
	p.Name, p.Vector, p.IRQL = name, v, v>>4
	if p.SynchronizeIRQL == 0 {
		p.SynchronizeIRQL = p.IRQL
	}
	if p.Affinity == 0 {
		p.Affinity = ^uint64(0)
	}
	p.ServiceRoutine = b.fn(name, func(t *kernel.Thread, a kernel.Args) uint64 {
		if isr(t) {
			return 1
		}
		return 0
	})
	id, s := b.Connect(p)
	if s != kernel.StatusSuccess {
		b.t.Errorf("Connect %s: 0x%X", name, uint32(s))
	}
	return id
}

// message connects an ISR to a message.
func (b *bench) message(name string, v uint8, isr func(t *kernel.Thread) bool) kernel.InterruptID {
	b.t.Helper()
	return b.connect(name, v, kernel.ConnectParams{Latched: true, MessageSignaled: true}, isr)
}

// restore brings a snapshot back for another run.
func (b *bench) restore(s *kernel.Snapshot, source choice.Source) {
	b.Restore(s)
	b.Use(source, nil)
	b.history, b.threads = nil, 0
}

// snapshot takes a snapshot of a machine that is at rest.
func (b *bench) snapshot() *kernel.Snapshot {
	b.t.Helper()
	s, err := b.Snapshot()
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// outcomes runs a program from the present state under every combination of
// choices. start begins its threads; outcome, called after each run, says what
// came of it.
func (b *bench) outcomes(start func(), outcome func() string) []string {
	b.t.Helper()
	keys, complete := b.outcomesWithin(200_000, start, outcome)
	if !complete {
		b.t.Fatal("the search is not complete")
	}
	return keys
}

// outcomesWithin is outcomes with a bound on runs; it reports whether that was
// enough.
func (b *bench) outcomesWithin(runs int, start func(), outcome func() string) (keys []string, complete bool) {
	b.t.Helper()
	s := b.snapshot()
	r := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		b.restore(s, source)
		start()
		b.run(kernel.Done)
		return explore.Result{Outcome: outcome()}
	}, explore.Limits{Runs: runs})
	b.restore(s, choice.First{})
	for _, o := range r.Outcomes {
		keys = append(keys, o.Key)
	}
	return keys, r.Complete
}

// reaches checks the exact set of outcomes, given in any order.
func reaches(t testing.TB, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("outcomes\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// noteOutcome is the outcome of runs that note everything that matters.
func (b *bench) noteOutcome() string { return strings.Join(b.history, " ") }

// arrivals is an environment in which messages arrive at times of their own
// choosing, each once, on one processor.
type arrivals struct {
	b    *bench
	list []arrival
	done uint64
}

type arrival struct {
	vector uint8
	cpu    int
}

func (a *arrivals) Enabled(ids []uint32) []uint32 {
	for i := range a.list {
		if a.done>>i&1 == 0 {
			ids = append(ids, uint32(i))
		}
	}
	return ids
}

func (a *arrivals) Happen(id uint32) {
	a.done |= 1 << id
	a.b.DeliverTo(a.list[id].vector, a.list[id].cpu)
}

func (a *arrivals) Snapshot() any               { return a.done }
func (a *arrivals) Restore(s any)               { a.done = s.(uint64) }
func (a *arrivals) AppendState(b []byte) []byte { return append(b, byte(a.done)) }

// arrive lets messages arrive at any time from now on.
func (b *bench) arrive(list ...arrival) {
	a := &arrivals{b: b, list: list}
	b.Attach(a)
	b.SetEnvironment(a)
}

// sorted returns the keys of a set in order.
func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
