package kernel_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// busyMachine has something of everything: interrupts, DPCs, a timer, locks,
// events, work items, a thread that comes and goes, pool.
type busyMachine struct {
	*bench
	x, lock, event, timer, dpc, timerDPC uint64
}

func newBusyMachine(t testing.TB, source choice.Source, log *trace.Log) *busyMachine {
	b := &busyMachine{bench: newBench(t, kernel.Config{Processors: 2, Source: source, Trace: log, Tunables: kernel.Tunables{TickTime: 10_000}})}
	b.checked = false
	b.x, b.lock = b.cell(), b.cell()
	b.SetName(b.x, "x")
	b.event, b.timer = b.bench.event(kernel.SynchronizationEvent, false), b.bench.timer(false)
	b.timerDPC = b.bench.dpc("timer DPC", func(t *kernel.Thread, _, _ uint64) { t.KeSetEvent(b.event) })
	work := b.fn("work", func(t *kernel.Thread, _ kernel.Args) uint64 {
		p := t.ExAllocatePool2(kernel.PoolFlagNonPaged, 100, 0x54534554)
		b.SetName(p, fmt.Sprintf("block %d", t.Load(b.x, 8)))
		t.Store(p, 8, t.Load(b.x, 8))
		t.ExFreePoolWithTag(p, 0x54534554)
		return 0
	})
	b.dpc = b.bench.dpc("DPC", func(t *kernel.Thread, arg1, _ uint64) {
		t.KeAcquireSpinLockAtDpcLevel(b.lock)
		t.Store(b.x, 8, t.Load(b.x, 8)+arg1)
		t.KeReleaseSpinLockFromDpcLevel(b.lock)
		b.QueueWork(b.dpc, "work item", work, kernel.Args{})
	})
	b.message("ISR", testVector, func(t *kernel.Thread) bool {
		t.KeInsertQueueDpc(b.dpc, t.Load(b.x, 8)&1+1, 0)
		return true
	})
	return b
}

// start starts the threads of a run; it ends when both have ended.
func (b *busyMachine) start() {
	b.threads = 0
	b.threadWith(kernel.ThreadParams{}, func(t *kernel.Thread) {
		for range 3 {
			b.SendMessage(testVector)
			old := t.KeAcquireSpinLock(b.lock)
			t.Store(b.x, 8, t.Load(b.x, 8)+10)
			t.KeReleaseSpinLock(b.lock, old)
			t.KeSetTimerEx(b.timer, kernel.After(3000), 0, b.timerDPC)
			t.KeWaitForSingleObject(b.event, kernel.After(1_000_000))
		}
		t.KeFlushQueuedDpcs()
	})
	b.threadWith(kernel.ThreadParams{Priority: 10}, func(t *kernel.Thread) {
		for range 3 {
			b.SendMessage(testVector)
			t.KeDelayExecutionThread(kernel.After(2000))
		}
	})
}

// The same choices give the same bytes, in the same machine and in another one,
// with a schedule that was kept in between, and whether or not the machine was
// traced before the snapshot.
func TestDeterminism(t *testing.T) {
	for seed := range uint64(20) {
		log := &trace.Log{}
		b := newBusyMachine(t, choice.First{}, log)
		s := b.snapshot()
		keeper := &choice.Keeper{Source: choice.NewRandom(seed)}
		b.Use(keeper, log)
		log.Events = nil
		b.start()
		reason := b.Run()
		first := traceText(b.Machine)
		if strings.Count(first, "\n") < 100 || !strings.Contains(first, "block") {
			t.Fatalf("the run is too short to tell anything: %s\n%s", reason, first)
		}

		again := func(b *busyMachine, source choice.Source) {
			t.Helper()
			b.Use(source, &trace.Log{})
			b.start()
			if r := b.Run(); r != reason {
				t.Errorf("seed %d: the run ended %s, before %s", seed, r, reason)
			}
			if second := traceText(b.Machine); first != second {
				t.Fatalf("seed %d: %s", seed, firstDifference(first, second))
			}
		}
		b.Restore(s)
		again(b, choice.NewRandom(seed))
		b.Restore(s)
		follow := &choice.Follow{Schedule: keeper.Schedule, Strict: true}
		again(b, follow)
		if follow.Diverged || follow.Left() > 0 {
			t.Errorf("seed %d: the schedule was not followed", seed)
		}
		other := newBusyMachine(t, choice.First{}, nil)
		again(other, &choice.Follow{Schedule: keeper.Schedule, Strict: true})
	}
}

// 1,000 runs from one snapshot are the same bytes and need no more memory.
func TestRestoredRuns(t *testing.T) {
	b := newBusyMachine(t, choice.First{}, nil)
	s := b.snapshot()
	want := ""
	var before, after runtime.MemStats
	goroutines := 0
	const runs = 1000
	for i := range runs {
		traced := i%100 == 0
		var log *trace.Log
		if traced {
			log = &trace.Log{}
		}
		b.Use(choice.NewRandom(7), log)
		b.start()
		if i%3 == 0 && !traced {
			stopAt(b.bench, 50) // leave suspended threads behind
		}
		b.Run()
		b.OnState(nil)
		if traced {
			got := traceText(b.Machine)
			if want == "" {
				want = got
			}
			if got != want {
				t.Fatalf("run %d: %s", i, firstDifference(want, got))
			}
		}
		b.Restore(s)
		if i == runs/5 {
			runtime.GC()
			runtime.ReadMemStats(&before)
			goroutines = runtime.NumGoroutine()
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes in %d runs", before.HeapAlloc, after.HeapAlloc, runs*4/5)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	b.Close()
	if n := runtime.NumGoroutine(); n >= goroutines {
		t.Errorf("%d goroutines after Close, %d before", n, goroutines)
	}
}

// stopAt ends the run at the n-th decision.
func stopAt(b *bench, n int) {
	b.OnState(func(kernel.State) bool { n--; return n <= 0 })
}

// The run that goes on after Snapshot is the one that starts from Restore.
func TestRestoreIsWhereSnapshotWas(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 3})
	b.thread(2, func(t *kernel.Thread) { t.KeStallExecutionProcessor(1) })
	b.run(kernel.Done)
	s := b.snapshot()
	var texts []string
	for i := range 2 {
		if i == 1 {
			b.Restore(s)
		}
		b.Use(choice.First{}, &trace.Log{})
		b.threads = 0
		for cpu := range 3 {
			b.thread(cpu, func(t *kernel.Thread) { t.KeStallExecutionProcessor(1) })
		}
		b.run(kernel.Done)
		texts = append(texts, traceText(b.Machine))
	}
	if texts[0] != texts[1] {
		t.Error(firstDifference(texts[0], texts[1]))
	}
}

// A name that was given after the snapshot is not there after Restore.
func TestRestoreForgetsNames(t *testing.T) {
	b := newBench(t, kernel.Config{})
	b.SetName(0x1000, "one")
	s := b.snapshot()
	for range 2 {
		if got := b.NameOf(0x1000) + " " + b.NameOf(0x2000); got != "one 0x2000" {
			t.Errorf("names after Restore: %s", got)
		}
		b.SetName(0x1000, "other")
		b.SetName(0x2000, "two")
		b.SetName(0x1000, "third")
		b.Restore(s)
	}
}

// Two snapshots of one machine, restored in turn.
func TestTwoSnapshots(t *testing.T) {
	b := newBench(t, kernel.Config{})
	x := b.cell()
	add := func() { b.do(func(t *kernel.Thread) { t.Store(x, 8, t.Load(x, 8)+1) }) }
	add()
	one := b.snapshot()
	add()
	two := b.snapshot()
	for range 3 {
		add()
		b.Restore(one)
		if v := b.value(x); v != 1 {
			t.Fatalf("x is %d after the first snapshot", v)
		}
		add()
		add()
		b.Restore(two)
		if v := b.value(x); v != 2 {
			t.Fatalf("x is %d after the second snapshot", v)
		}
	}
}

func TestSnapshotNeedsRest(t *testing.T) {
	refused := func(name string, b *bench) {
		t.Helper()
		if _, err := b.Snapshot(); err == nil {
			t.Errorf("%s: a snapshot was taken", name)
		}
	}
	b := newBench(t, kernel.Config{Processors: 2})
	event := b.event(kernel.SynchronizationEvent, false)
	b.snapshot()

	id := b.thread(0, func(t *kernel.Thread) {
		refused("inside a thread", b)
		t.KeStallExecutionProcessor(1)
		t.KeWaitForSingleObject(event, kernel.Forever)
	})
	refused("with a thread that has not begun", b)
	b.run(kernel.Stuck)
	refused("with a thread that waits", b)
	b.thread(1, func(t *kernel.Thread) { t.KeSetEvent(event) })
	b.run(kernel.Done)
	if !b.ThreadEnded(id) {
		t.Error("the thread has not ended")
	}
	s := b.snapshot()

	b.thread(0, func(t *kernel.Thread) { t.KeRaiseIrql(2); t.KeRaiseIrql(1) })
	b.run(kernel.Stopped)
	refused("after a bug check", b)
	b.Restore(s)

	b.message("isr", testVector, func(t *kernel.Thread) bool {
		refused("inside an ISR on an idle processor", b)
		t.KeStallExecutionProcessor(1)
		stopAt(b, 1)
		t.KeStallExecutionProcessor(1)
		return true
	})
	b.visited = func(kernel.State) bool { return false }
	b.SendMessage(testVector)
	b.thread(1, func(t *kernel.Thread) { t.KeStallExecutionProcessor(1) })
	if r := b.Run(); r != kernel.Seen {
		t.Fatalf("the run ended: %s", r)
	}
	refused("with an ISR that is suspended", b)

	b.Restore(s)
	work := b.fn("work", func(t *kernel.Thread, _ kernel.Args) uint64 {
		t.KeDelayExecutionThread(kernel.After(1000))
		refused("inside a work item", b)
		return 0
	})
	b.OnState(nil)
	b.QueueWork(0, "work item", work, kernel.Args{})
	b.run(kernel.Done)
	b.snapshot() // a worker without work is at rest
}

// Deferred functions of a driver, and those of the framework, run when a
// suspended routine is unwound: they must not step, ask for choices, write to
// the trace, or find anything.
func TestUnwindingIsSilent(t *testing.T) {
	log := &trace.Log{}
	b := newBench(t, kernel.Config{Processors: 2, Trace: log})
	lock, event := b.cell(), b.event(kernel.SynchronizationEvent, false)
	dpc := b.noteDPC("dpc")
	s := b.snapshot()
	service := kernel.NewService("test service")
	for _, ending := range []string{"restore", "bug check"} {
		b.restore(s, choice.First{})
		b.Use(choice.First{}, log)
		b.thread(0, func(t *kernel.Thread) {
			defer b.note("unwound")
			t.Enter(service)
			defer t.LeaveVoid()
			defer t.KeSetEvent(event)
			defer t.KeInsertQueueDpc(dpc, 0, 0)
			defer t.Suspend("for ever")
			defer func() {
				if ending != "bug check" {
					b.SendMessage(testVector)
				}
			}()
			defer func() {
				old := t.KeAcquireSpinLock(lock)
				defer t.KeReleaseSpinLock(lock, old+100)
			}()
			if ending == "bug check" {
				t.KeRaiseIrql(16)
			}
			t.Invoke("callback", b.fn("callback", func(t *kernel.Thread, _ kernel.Args) uint64 {
				t.Suspend("for ever")
				return 0
			}), kernel.Args{})
		})
		b.Run()
		events, findings := len(log.Events), len(b.Findings())
		b.Use(noChoice{t}, log)
		if last := log.Events[events-1]; ending == "bug check" && (findings != 1 || last.Kind != trace.Finding) {
			t.Errorf("%d findings, want 1: %v; the last event is %s", findings, b.titles(), last.Line())
		}
		b.Restore(s)
		if b.noteOutcome() != "unwound" {
			t.Errorf("%s: noted %q", ending, b.history)
		}
		if len(log.Events) != events {
			t.Errorf("%s: unwinding wrote to the trace: %s", ending, log.Events[events].Line())
		}
		if v := b.value(lock); v != 0 {
			t.Errorf("%s: the lock is %d", ending, v)
		}
	}
}

// noChoice fails when it is asked.
type noChoice struct{ t *testing.T }

func (n noChoice) Choose(p *choice.Point) int {
	n.t.Errorf("a choice of kind %s is asked", p.Kind)
	return 0
}
