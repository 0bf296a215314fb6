package race_test

import (
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/race"
)

// lab is a machine with two processors and what the cases need.
type lab struct {
	*kernel.Machine
	x, y, lock, event, dpc, timer uint64
	mapped                        uint64 // x, at another address
	queued, handles, fast, other  uint64
	interrupt                     kernel.InterruptID
}

const vector = 0x51

// write is an access that races with the other's, if nothing orders them.
func (l *lab) write(t *kernel.Thread) { t.Store(l.x, 8, 1) }

// orders are ways to order two writes, or not to. first and second run in
// threads of processors 0 and 1; dpc and isr as their names say.
var orders = []struct {
	name                   string
	first, second, dpc, is func(l *lab, t *kernel.Thread)
	races, threaded        bool
}{
	{name: "nothing", first: (*lab).write, second: (*lab).write, races: true},
	{name: "other memory", first: (*lab).write, second: func(l *lab, t *kernel.Thread) { t.Store(l.y, 8, 1) }},
	{name: "neighbouring bytes", first: func(l *lab, t *kernel.Thread) { t.Store(l.x, 4, 1) },
		second: func(l *lab, t *kernel.Thread) { t.Store(l.x+4, 4, 1) }},
	{name: "a common byte", first: func(l *lab, t *kernel.Thread) { t.Store(l.x, 4, 1) },
		second: func(l *lab, t *kernel.Thread) { t.Store(l.x+3, 1, 1) }, races: true},
	{name: "a mapping of the same page", first: (*lab).write, second: func(l *lab, t *kernel.Thread) { t.Store(l.mapped, 8, 1) }, races: true},
	{name: "a mapping, and other bytes", first: (*lab).write, second: func(l *lab, t *kernel.Thread) { t.Store(l.mapped-8, 8, 1) }},
	{name: "reads", first: func(l *lab, t *kernel.Thread) { t.Load(l.x, 8) }, second: func(l *lab, t *kernel.Thread) { t.Load(l.x, 8) }},
	{name: "a read and a write", first: (*lab).write, second: func(l *lab, t *kernel.Thread) { t.Load(l.x, 8) }, races: true},
	{name: "interlocked operations", first: (*lab).update, second: (*lab).update},
	{name: "an interlocked operation and a write", first: (*lab).update, second: (*lab).write, races: true},
	{name: "DISPATCH_LEVEL on two processors", first: (*lab).raised, second: (*lab).raised, races: true},
	{name: "a spin lock", first: (*lab).locked, second: (*lab).locked},
	{name: "a spin lock on one side", first: (*lab).locked, second: (*lab).write, races: true},
	{name: "an event", first: func(l *lab, t *kernel.Thread) { l.write(t); t.KeSetEvent(l.event) },
		second: func(l *lab, t *kernel.Thread) { t.KeWaitForSingleObject(l.event, kernel.Forever); l.write(t) }},
	{name: "a write behind the signal", first: func(l *lab, t *kernel.Thread) { t.KeSetEvent(l.event); l.write(t) },
		second: func(l *lab, t *kernel.Thread) { t.KeWaitForSingleObject(l.event, kernel.Forever); l.write(t) }, races: true},
	{name: "an insert", first: func(l *lab, t *kernel.Thread) { l.write(t); t.KeInsertQueueDpc(l.dpc, 0, 0) }, dpc: (*lab).write},
	{name: "a write behind the insert", first: func(l *lab, t *kernel.Thread) { t.KeInsertQueueDpc(l.dpc, 0, 0); l.write(t) }, dpc: (*lab).write, races: true},
	{name: "an insert and a flush", first: func(l *lab, t *kernel.Thread) {
		t.KeInsertQueueDpc(l.dpc, 0, 0)
		t.KeFlushQueuedDpcs()
		l.write(t)
	}, dpc: (*lab).write},
	{name: "a remove", first: func(l *lab, t *kernel.Thread) {
		l.write(t)
		t.KeInsertQueueDpc(l.dpc, 0, 0)
	}, second: func(l *lab, t *kernel.Thread) {
		if t.KeRemoveQueueDpc(l.dpc) {
			l.write(t)
		}
	}},
	{name: "a timer", first: func(l *lab, t *kernel.Thread) { l.write(t); t.KeSetTimerEx(l.timer, kernel.After(500), 0, l.dpc) }, dpc: (*lab).write},
	{name: "an ISR and DISPATCH_LEVEL", first: (*lab).raised, is: (*lab).write, races: true},
	{name: "an ISR and the interrupt lock", first: func(l *lab, t *kernel.Thread) {
		old := t.AcquireInterruptLock(l.interrupt)
		l.write(t)
		t.ReleaseInterruptLock(l.interrupt, old)
	}, is: (*lab).write},
	{name: "an ISR and its DPC", is: func(l *lab, t *kernel.Thread) { l.write(t); t.KeInsertQueueDpc(l.dpc, 0, 0) }, dpc: (*lab).write},
	{name: "an ISR and its DPC, behind the insert", is: func(l *lab, t *kernel.Thread) { t.KeInsertQueueDpc(l.dpc, 0, 0); l.write(t) },
		dpc: (*lab).write, races: true},
	{name: "a queued spin lock", first: (*lab).queue, second: (*lab).queue},
	{name: "a queued spin lock on one side", first: (*lab).queue, second: (*lab).write, races: true},
	{name: "a fast mutex", first: (*lab).mutex, second: (*lab).mutex},
	{name: "a fast mutex on one side", first: (*lab).mutex, second: (*lab).write, races: true},
	{name: "one of two events", first: func(l *lab, t *kernel.Thread) { l.write(t); t.KeSetEvent(l.event) },
		second: func(l *lab, t *kernel.Thread) {
			t.KeWaitForMultipleObjects([]uint64{l.other, l.event}, false, false, kernel.Forever)
			l.write(t)
		}},
	{name: "two threaded DPCs of one processor", threaded: true, dpc: (*lab).write,
		first: (*lab).insert, second: (*lab).insert},
	{name: "a threaded DPC and an insert", threaded: true, dpc: (*lab).write,
		first: func(l *lab, t *kernel.Thread) { l.write(t); l.insert(t) }},
	{name: "a threaded DPC and a write behind the insert", threaded: true, dpc: (*lab).write,
		first: func(l *lab, t *kernel.Thread) { l.insert(t); l.write(t) }, races: true},
	{name: "a threaded DPC and a flush", threaded: true, dpc: (*lab).write,
		first: func(l *lab, t *kernel.Thread) { l.insert(t); t.KeFlushQueuedDpcs(); l.write(t) }},
	{name: "a threaded DPC with the lock for DPCs", threaded: true, first: func(l *lab, t *kernel.Thread) { l.insert(t); l.locked(t) },
		dpc: func(l *lab, t *kernel.Thread) {
			old := t.KeAcquireSpinLockForDpc(l.lock)
			l.write(t)
			t.KeReleaseSpinLockForDpc(l.lock, old)
		}},
}

func (l *lab) insert(t *kernel.Thread) { t.KeInsertQueueDpc(l.dpc, 0, 0) }

func (l *lab) queue(t *kernel.Thread) {
	handle := l.handles + kernel.LockHandleSize*uint64(t.Processor())
	t.KeAcquireInStackQueuedSpinLock(l.queued, handle)
	l.write(t)
	t.KeReleaseInStackQueuedSpinLock(handle)
}

func (l *lab) mutex(t *kernel.Thread) {
	t.ExAcquireFastMutex(l.fast)
	l.write(t)
	t.ExReleaseFastMutex(l.fast)
}

func (l *lab) update(t *kernel.Thread) { t.Update(l.x, 8, func(v uint64) uint64 { return v + 1 }) }

func (l *lab) raised(t *kernel.Thread) {
	old := t.KeRaiseIrql(kernel.DispatchLevel)
	l.write(t)
	t.KeLowerIrql(old)
}

func (l *lab) locked(t *kernel.Thread) {
	old := t.KeAcquireSpinLock(l.lock)
	l.write(t)
	t.KeReleaseSpinLock(l.lock, old)
}

// For each way to order two writes, races are found in some schedule, or in
// none.
func TestIRQL14WhatOrdersAccesses(t *testing.T) {
	for _, c := range orders {
		t.Run(c.name, func(t *testing.T) {
			found := false
			for seed := range uint64(60) {
				for _, r := range runLab(t, seed, c.threaded, c.first, c.second, c.dpc, c.is) {
					if r.OneProcessor {
						continue
					}
					found = true
					if !c.races {
						t.Fatalf("seed %d: %+v", seed, r)
					}
					if r.First.Addr > r.Second.Addr+7 || r.Second.Addr > r.First.Addr+7 || r.First.Activation == r.Second.Activation {
						t.Errorf("%+v is no race", r)
					}
				}
			}
			if found != c.races {
				t.Error("no race was found")
			}
		})
	}
}

// runLab runs a case once and returns its races.
func runLab(t *testing.T, seed uint64, threaded bool, first, second, dpc, isr func(*lab, *kernel.Thread)) []race.Race {
	m, err := kernel.New(kernel.Config{Processors: 2, Source: choice.NewRandom(seed)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	alloc := func(size uint64) uint64 { return m.Mem.Alloc(size, 0, false, 0) }
	l := &lab{Machine: m, x: alloc(8), y: alloc(8), lock: alloc(8), event: alloc(kernel.EventSize), dpc: alloc(kernel.DPCSize), timer: alloc(kernel.TimerSize),
		queued: alloc(8), handles: alloc(2 * kernel.LockHandleSize), fast: alloc(kernel.FastMutexSize), other: alloc(kernel.EventSize)}
	pa, _ := m.Mem.Physical(l.x)
	l.mapped = m.Mem.MapPhysical(mem.SystemMaps, pa, 8, mem.Read|mem.Write)
	routine := func(name string, f func(*lab, *kernel.Thread)) uint64 {
		return m.Function(name, func(t *kernel.Thread, a kernel.Args) uint64 {
			if f != nil {
				f(l, t)
			}
			return 1
		})
	}
	thread := func(name string, cpu uint64, f func(*lab, *kernel.Thread)) {
		m.NewThread(kernel.ThreadParams{Name: name, Routine: routine(name, f), Affinity: 1 << cpu, Foreground: true})
	}
	thread("setup", 0, func(l *lab, t *kernel.Thread) {
		t.KeInitializeSpinLock(l.lock)
		t.KeInitializeEvent(l.event, kernel.SynchronizationEvent, false)
		t.KeInitializeTimerEx(l.timer, false)
		t.KeInitializeEvent(l.other, kernel.SynchronizationEvent, false)
		t.ExInitializeFastMutex(l.fast)
		initialize := t.KeInitializeDpc
		if threaded {
			initialize = t.KeInitializeThreadedDpc
		}
		initialize(l.dpc, routine("dpc", dpc), 0)
		t.KeSetTargetProcessorDpc(l.dpc, 1)
	})
	m.Run()
	id, st := m.Connect(kernel.ConnectParams{Name: "interrupt", ServiceRoutine: routine("isr", isr), Vector: vector, IRQL: 5, SynchronizeIRQL: 5,
		Latched: true, Affinity: 3})
	if st != 0 {
		t.Fatal(st)
	}
	l.interrupt = id
	w := &kernel.Watch{}
	m.Watch(w)
	w.Rest()
	thread("first", 0, first)
	thread("second", 1, second)
	if isr != nil {
		m.SendMessage(vector)
	}
	if r := m.Run(); r != kernel.Done {
		t.Fatalf("the run ended: %v %v", r, m.Findings())
	}
	return race.Find(w.Records)
}

// A write of an interrupt's DPC is lost only if what it interrupted has read
// before and writes afterwards.
func TestIRQL14LostOnOneProcessor(t *testing.T) {
	first := func(l *lab, t *kernel.Thread) {
		t.KeSetImportanceDpc(l.dpc, kernel.HighImportance)
		l.insert(t)
	}
	for _, c := range []struct {
		name   string
		second func(l *lab, t *kernel.Thread)
		lost   bool
	}{
		{"read, then write", func(l *lab, t *kernel.Thread) { t.Store(l.x, 8, t.Load(l.x, 8)+1) }, true},
		{"write", (*lab).write, false},
		{"write, then read", func(l *lab, t *kernel.Thread) { l.write(t); t.Load(l.x, 8) }, false},
		{"interlocked", (*lab).update, false},
		{"read, then interlocked", func(l *lab, t *kernel.Thread) { t.Load(l.x, 8); l.update(t) }, false},
		{"read other memory", func(l *lab, t *kernel.Thread) { t.Load(l.y, 8); l.write(t) }, false},
		{"at DISPATCH_LEVEL", func(l *lab, t *kernel.Thread) {
			old := t.KeRaiseIrql(kernel.DispatchLevel)
			t.Store(l.x, 8, t.Load(l.x, 8)+1)
			t.KeLowerIrql(old)
		}, false},
	} {
		minor, lost := 0, 0
		for seed := range uint64(100) {
			for _, r := range runLab(t, seed, false, first, c.second, (*lab).write, nil) {
				switch {
				case r.Lost && !r.OneProcessor:
					t.Errorf("%s: %+v", c.name, r)
				case r.Lost:
					lost++
				case r.OneProcessor:
					minor++
				}
			}
		}
		if (lost > 0) != c.lost || minor == 0 && c.name != "at DISPATCH_LEVEL" {
			t.Errorf("%s: %d lost, %d without order only", c.name, lost, minor)
		}
	}
}

// What happened before the machine was at rest does not race with what came
// after it.
func TestRestOrdersEverything(t *testing.T) {
	write := func(act uint32) []kernel.Record {
		return []kernel.Record{
			{Kind: kernel.RecordBegin, Activation: act, CPU: uint8(act)}, {Kind: kernel.RecordWrite, Activation: act, CPU: uint8(act), Addr: 0x1000, Size: 8, PC: uint64(act)},
			{Kind: kernel.RecordEnd, Activation: act, CPU: uint8(act)}}
	}
	if n := len(race.Find(append(write(1), write(2)...))); n != 1 {
		t.Errorf("%d races without a rest", n)
	}
	if n := len(race.Find(append(append(write(1), kernel.Record{Kind: kernel.RecordRest}), write(2)...))); n != 0 {
		t.Errorf("%d races across a rest", n)
	}
}
