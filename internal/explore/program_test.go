package explore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// A program is a small concurrent program for the simulated machine whose whole
// private state is known data: each routine is a list of operations with one
// register, and tells both by Thread.SetPosition. What it observes goes to
// memory. So states may be merged, and the outcomes must stay the same.
type program struct {
	config  kernel.Config
	shape   shape
	threads []routine // start with the run
	isrs    [2][]operation
	dpcs    [2][]operation
	work    []operation
	spawn   []operation // what PsCreateSystemThread starts
	// straight makes the routines straight-line code that does not tell its
	// position: the register keeps the arguments.
	straight bool
}

type routine struct {
	affinity uint64
	priority int8
	code     []operation
}

// shape is how the machine around a program is set up.
type shape struct {
	kind       interruptKind
	affinity   uint64
	sharedLock bool // the ISRs have one spin lock
	importance [2]uint8
	target     [2]int // -1: none
	arrivals   int    // interrupts that come at any time
	eventType  uint8
	threaded   [2]bool // threaded DPCs
}

type interruptKind uint8

const (
	messages interruptKind = iota // two vectors
	sharedLevel
	sharedLatched
)

// opcode is what an operation does; the results go to the register.
type opcode uint8

const (
	opLoad opcode = iota // variable a
	opStore
	opAdd       // interlocked: a += b
	opSet       // register = b, no step
	opSkipZero  // skip b operations if the register is 0
	opInsert    // DPC a, with b and the register as arguments
	opRemove    // DPC a
	opTarget    // DPC a, processor b
	opFlush     // thread
	opRaise     // to level b; opLower goes back
	opLower     //
	opAcquire   // the spin lock; opRelease
	opRelease   //
	opTry       // the spin lock, once, released at once
	opInterrupt // a: which
	opSetEvent
	opResetEvent
	opWait      // for the event, b: 0 no wait, 1 for some time, 2 for ever
	opSemaphore // release by b
	opWaitSemaphore
	opMutex // acquire, b as opWait; released by opUnmutex if it was
	opUnmutex
	opDelay
	opTimer // set, with DPC b
	opCancel
	opWork
	opSpawn
	opAlloc // 16 bytes, if there is no block yet
	opFree  // if there is one
	opTouch // the block, if there was one
	opSynchronize
	opRegion // enter a critical region; opUnregion leaves it
	opUnregion
	opStall
	opQueued // the queued spin lock, at DISPATCH_LEVEL; opUnqueued
	opUnqueued
	opFast // the fast mutex; opUnfast
	opUnfast
	opWaitAny // for the event or the semaphore, b as opWait
	opWaitAll // for both
)

var opNames = strings.Fields("load store add set skip-zero insert remove target flush raise lower acquire release try interrupt set-event " +
	"reset-event wait semaphore wait-semaphore mutex unmutex delay timer cancel work spawn alloc free touch synchronize region unregion stall queued unqueued fast unfast wait-any wait-all")

type operation struct {
	code opcode
	a, b uint8
	loud bool // what it does is observed
}

func (o operation) String() string {
	return fmt.Sprintf("%s(%d,%d)%s", opNames[o.code], o.a, o.b, map[bool]string{true: "!"}[o.loud])
}

func (p *program) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d processors, quantum end %v, ticks last %v, straight %v, tunables %+v\n%+v\n", p.config.Processors,
		p.config.QuantumEnd, p.config.TicksLast, p.straight,
		p.config.Tunables, p.shape)
	for _, r := range p.threads {
		fmt.Fprintf(&s, "thread, affinity %b, priority %d: %v\n", r.affinity, r.priority, r.code)
	}
	fmt.Fprintf(&s, "isr 0: %v\nisr 1: %v\ndpc 0: %v\ndpc 1: %v\nwork: %v\nspawned: %v", p.isrs[0], p.isrs[1], p.dpcs[0], p.dpcs[1], p.work, p.spawn)
	return s.String()
}

// runner is a machine that runs a program again and again.
type runner struct {
	*kernel.Machine
	p     *program
	start *kernel.Snapshot

	vars                             [2]uint64
	lock, isrLock                    uint64
	queued, fast                     uint64   // queued spin lock, fast mutex
	handles                          []uint64 // of the queued spin lock, by processor
	event, semaphore, mutex          uint64
	timer                            uint64
	dpcs                             [2]uint64
	block                            uint64 // where the address of the block lies
	log                              uint64 // 8 bytes of observations for each routine
	interrupts                       [2]kernel.InterruptID
	line                             int
	pending                          arrivals
	position                         uint64 // of the operation that begins; not valid after a step
	threadCode                       []uint64
	workCode, spawnCode, synchronize uint64
}

const logs = 16

// inserted marks the first argument of a DPC that was not called by a timer.
const inserted = 1 << 40

// arrivals are the interrupts that come at any time.
type arrivals struct {
	r    *runner
	left int
}

func (a *arrivals) Enabled(ids []uint32) []uint32 {
	if a.left > 0 {
		ids = append(ids, 0)
	}
	return ids
}

func (a *arrivals) Happen(uint32) {
	a.left--
	a.r.interrupt(a.left)
}

func (a *arrivals) Snapshot() any               { return a.left }
func (a *arrivals) Restore(s any)               { a.left = s.(int) }
func (a *arrivals) AppendState(b []byte) []byte { return append(b, byte(a.left)) }

func newRunner(t testing.TB, p *program) *runner {
	t.Helper()
	cfg := p.config
	cfg.Profile = kernel.DefaultProfile
	if cfg.MaxSteps == 0 {
		cfg.MaxSteps = 400
	}
	m, err := kernel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	r := &runner{Machine: m, p: p}
	alloc := func(size uint64) uint64 { return m.Mem.Alloc(size, 0, false, 0) }
	r.vars = [2]uint64{alloc(8), alloc(8)}
	r.lock, r.isrLock, r.block, r.log = alloc(8), alloc(8), alloc(8), alloc(8*logs)
	r.event, r.semaphore, r.mutex, r.timer = alloc(kernel.EventSize), alloc(kernel.SemaphoreSize), alloc(kernel.MutexSize), alloc(kernel.TimerSize)
	r.dpcs = [2]uint64{alloc(kernel.DPCSize), alloc(kernel.DPCSize)}
	r.queued, r.fast = alloc(8), alloc(kernel.FastMutexSize)
	for range m.Processors() {
		r.handles = append(r.handles, alloc(kernel.LockHandleSize))
	}
	m.EnableHash()
	r.register()
	r.NewThread(kernel.ThreadParams{Foreground: true, Routine: m.Function("setup", func(t *kernel.Thread, _ kernel.Args) uint64 {
		t.KeInitializeEvent(r.event, p.shape.eventType, false)
		t.KeInitializeSemaphore(r.semaphore, 0, 5)
		t.KeInitializeMutex(r.mutex)
		t.KeInitializeTimerEx(r.timer, false)
		t.ExInitializeFastMutex(r.fast)
		for i, dpc := range r.dpcs {
			initialize := t.KeInitializeDpc
			if p.shape.threaded[i] {
				initialize = t.KeInitializeThreadedDpc
			}
			initialize(dpc, m.Function(fmt.Sprintf("dpc %d", i), r.routine(p.dpcs[i], 2+i)), 0)
			t.KeSetImportanceDpc(dpc, p.shape.importance[i])
			t.KeSetTargetProcessorDpc(dpc, int8(p.shape.target[i]))
		}
		return 0
	})})
	if reason := m.Run(); reason != kernel.Done {
		t.Fatalf("set-up: %s", reason)
	}
	r.connect(t)
	r.pending = arrivals{r, p.shape.arrivals}
	m.Attach(&r.pending)
	m.SetEnvironment(&r.pending)
	if r.start, err = m.Snapshot(); err != nil {
		t.Fatal(err)
	}
	return r
}

// register gives the routines their addresses.
func (r *runner) register() {
	for i, th := range r.p.threads {
		r.threadCode = append(r.threadCode, r.Function(fmt.Sprintf("thread %d", i), r.routine(th.code, 8+i)))
	}
	r.workCode = r.Function("work", r.routine(r.p.work, 4))
	r.spawnCode = r.Function("spawned", r.routine(r.p.spawn, 5))
	r.synchronize = r.Function("synchronize", func(t *kernel.Thread, _ kernel.Args) uint64 { return t.Load(r.vars[0], 8) })
}

func (r *runner) connect(t testing.TB) {
	s := &r.p.shape
	if s.kind != messages {
		r.line = r.AddLine("line", 0x51, s.kind == sharedLatched)
	}
	for i := range r.interrupts {
		c := kernel.ConnectParams{Name: fmt.Sprintf("isr %d", i), Vector: 0x51, IRQL: 5, SynchronizeIRQL: 5, Shared: true,
			Latched: s.kind != sharedLevel, Affinity: s.affinity}
		if s.kind == messages {
			c.MessageSignaled, c.Shared = true, false
			c.Vector, c.IRQL, c.SynchronizeIRQL = 0x51+0x20*uint8(i), 5+2*uint8(i), 7
		}
		if s.sharedLock {
			c.SpinLock = r.isrLock
		}
		body := r.routine(r.p.isrs[i], i)
		c.ServiceRoutine = r.Function(c.Name, func(t *kernel.Thread, a kernel.Args) uint64 {
			v := body(t, a)
			if s.kind == sharedLevel {
				t.SetPosition(1<<40 | v)
				t.KeStallExecutionProcessor(1) // the acknowledge is an access to the device
				r.SetLine(r.line, i, false)
				return 1
			}
			return v & 1
		})
		id, status := r.Connect(c)
		if status != kernel.StatusSuccess {
			t.Fatalf("Connect: 0x%X", uint32(status))
		}
		r.interrupts[i] = id
	}
}

// interrupt makes device i interrupt.
func (r *runner) interrupt(i int) {
	i &= 1
	switch r.p.shape.kind {
	case messages:
		r.SendMessage(0x51 + 0x20*uint8(i))
	case sharedLevel:
		r.SetLine(r.line, i, true)
	default:
		r.SetLine(r.line, i, true)
		r.SetLine(r.line, i, false)
	}
}

// routine returns what runs a list of operations. Its observations go to the
// log with this number.
func (r *runner) routine(code []operation, log int) kernel.Func {
	return func(t *kernel.Thread, a kernel.Args) uint64 {
		reg := (a[2] ^ a[3]) & 0xFF
		if r.p.config.TicksLast && log/2 == 1 && a[2]&inserted == 0 {
			reg = 0 // a timer's DPC: the time, which is not to be used
		}
		var levels uint64 // old levels, 4 bits each
		owned := false    // the mutex
		for pc := 0; pc < len(code); pc++ {
			o := code[pc]
			before := reg
			if r.p.straight {
				v := r.do(t, o, reg, &levels, &owned) & 0xFFFF
				if o.loud {
					r.observe(log, uint64(pc)<<32|before<<16|v)
				}
				continue
			}
			r.position = uint64(pc)<<48 | levels<<24 | reg<<1&0xFFFFFF | bit(owned)
			t.SetPosition(r.position)
			reg = r.do(t, o, reg, &levels, &owned) & 0xFFFF
			if o.code == opSkipZero && reg == 0 {
				pc += int(o.b)
			}
			if o.loud {
				r.observe(log, uint64(pc)<<32|before<<16|reg)
			}
		}
		return reg
	}
}

// observe adds to a log, as part of the present step.
func (r *runner) observe(log int, v uint64) {
	at := r.log + 8*uint64(log)
	r.Touch(at, 8, true)
	old, _ := r.Mem.Load(at, 8)
	r.Mem.Store(at, 8, mem.Mix(old, v))
}

func timeout(b uint8) kernel.Timeout {
	return [...]kernel.Timeout{kernel.NoWait, kernel.After(300), kernel.Forever}[b%3]
}

func bit(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// do carries one operation out and returns the register.
func (r *runner) do(t *kernel.Thread, o operation, reg uint64, levels *uint64, owned *bool) uint64 {
	a := int(o.a & 1)
	switch o.code {
	case opLoad:
		return t.Load(r.vars[a], 8)
	case opStore:
		t.Store(r.vars[a], 8, reg+uint64(o.b))
	case opAdd:
		return t.Update(r.vars[a], 8, func(old uint64) uint64 { return old + uint64(o.b) })
	case opSet:
		return uint64(o.b)
	case opInsert:
		return bit(t.KeInsertQueueDpc(r.dpcs[a], inserted|uint64(o.b), reg))
	case opRemove:
		return bit(t.KeRemoveQueueDpc(r.dpcs[a]))
	case opTarget:
		t.KeSetTargetProcessorDpc(r.dpcs[a], int8(o.b))
	case opFlush:
		t.KeFlushQueuedDpcs()
	case opRaise:
		*levels = *levels<<4 | uint64(t.KeRaiseIrql(max(o.b, t.IRQL())))
	case opAcquire:
		*levels = *levels<<4 | uint64(t.KeAcquireSpinLock(r.lock))
	case opLower, opRelease:
		old := uint8(*levels & 15)
		*levels >>= 4
		if o.code == opLower {
			t.KeLowerIrql(old)
		} else {
			t.KeReleaseSpinLock(r.lock, old)
		}
	case opInterrupt:
		t.Step()
		r.interrupt(a)
	case opQueued:
		*levels = *levels<<4 | uint64(t.KeRaiseIrql(max(kernel.DispatchLevel, t.IRQL())))
		t.KeAcquireInStackQueuedSpinLockAtDpcLevel(r.queued, r.handles[t.Processor()])
	case opUnqueued:
		t.KeReleaseInStackQueuedSpinLockFromDpcLevel(r.handles[t.Processor()])
		old := uint8(*levels & 15)
		*levels >>= 4
		t.KeLowerIrql(old)
	case opFast:
		t.ExAcquireFastMutex(r.fast)
	case opUnfast:
		t.ExReleaseFastMutex(r.fast)
	default:
		return r.doMore(t, o, reg, owned)
	}
	return reg
}

func (r *runner) doMore(t *kernel.Thread, o operation, reg uint64, owned *bool) uint64 {
	switch o.code {
	case opTry:
		if t.IRQL() < kernel.DispatchLevel || !t.KeTryToAcquireSpinLockAtDpcLevel(r.lock) {
			return 0
		}
		t.KeReleaseSpinLockFromDpcLevel(r.lock)
		return 1
	case opSetEvent:
		return uint64(t.KeSetEvent(r.event))
	case opResetEvent:
		return uint64(t.KeResetEvent(r.event))
	case opWait:
		return uint64(t.KeWaitForSingleObject(r.event, timeout(o.b)))
	case opWaitAny, opWaitAll:
		return uint64(t.KeWaitForMultipleObjects([]uint64{r.event, r.semaphore}, o.code == opWaitAll, false, timeout(o.b)))
	case opSemaphore:
		if v, _ := r.Mem.Load(r.semaphore+4, 4); v >= 5 {
			return 9
		}
		return uint64(t.KeReleaseSemaphore(r.semaphore, 1))
	case opWaitSemaphore:
		return uint64(t.KeWaitForSingleObject(r.semaphore, timeout(o.b)))
	case opMutex:
		s := t.KeWaitForSingleObject(r.mutex, timeout(o.b))
		*owned = s == kernel.StatusSuccess
		return uint64(s)
	case opUnmutex:
		if *owned {
			*owned = false
			return uint64(uint32(t.KeReleaseMutex(r.mutex)))
		}
	case opDelay:
		t.KeDelayExecutionThread(kernel.After(uint64(o.b) * 100))
	case opTimer:
		return bit(t.KeSetTimerEx(r.timer, kernel.After(uint64(o.a)*200), 0, r.dpcs[o.b&1]))
	case opCancel:
		return bit(t.KeCancelTimer(r.timer))
	case opWork:
		t.Step()
		r.QueueWork(0, "work", r.workCode, kernel.Args{0, 0, reg, uint64(o.b)})
	case opSpawn:
		t.Step()
		r.NewThread(kernel.ThreadParams{Name: "spawned", Routine: r.spawnCode, Foreground: true, Args: kernel.Args{0, 0, reg, uint64(o.b)},
			Affinity: uint64(o.a), Priority: 8 + int8(reg&1)})
	case opSynchronize:
		return t.Synchronize(r.interrupts[o.a&1], "synchronize", r.synchronize, kernel.Args{})
	case opRegion:
		t.EnterRegion()
	case opUnregion:
		t.LeaveRegion()
	case opStall:
		t.KeStallExecutionProcessor(uint32(o.b))
	default:
		return r.doPool(t, o, reg)
	}
	return reg
}

// doPool works on the one block, whose address lies in memory.
func (r *runner) doPool(t *kernel.Thread, o operation, reg uint64) uint64 {
	position := r.position
	p := t.Load(r.block, 8)
	t.SetPosition(mem.Mix(position, p))
	switch {
	case o.code == opAlloc && p == 0:
		p = t.ExAllocatePool2(kernel.PoolFlagNonPaged, 16, 0x54455354)
		t.SetPosition(mem.Mix(position, p) + 1)
		t.Store(r.block, 8, p)
		return p >> 12 & 0xFF
	case o.code == opFree && p != 0:
		t.ExFreePoolWithTag(p, 0x54455354)
	case o.code == opTouch && p != 0:
		return t.Load(p, 8)
	}
	return reg
}

// run is an explore.Program.
func (r *runner) run(source choice.Source, visited func(kernel.State) bool) explore.Result {
	r.Restore(r.start)
	r.Use(source, nil)
	r.OnState(visited)
	return r.runThreads()
}

// runReduced runs for a search that leaves equivalent runs out.
func (r *runner) runReduced(source choice.Source, watch *kernel.Watch) explore.Result {
	r.Restore(r.start)
	r.Use(source, nil)
	r.OnState(nil)
	r.Watch(watch)
	defer r.Watch(nil)
	return r.runThreads()
}

func (r *runner) runThreads() explore.Result {
	for i, th := range r.p.threads {
		r.NewThread(kernel.ThreadParams{Name: fmt.Sprintf("thread %d", i), Routine: r.threadCode[i], Foreground: true,
			Affinity: th.affinity, Priority: th.priority})
	}
	reason := r.Run()
	return explore.Result{Outcome: r.outcome(reason), Pruned: reason == kernel.Seen, Bounded: reason == kernel.StepBound}
}

// outcome is everything that the program observed.
func (r *runner) outcome(reason kernel.Reason) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s:", reason)
	for _, cell := range r.vars {
		v, _ := r.Mem.Load(cell, 8)
		fmt.Fprintf(&s, " %d", v)
	}
	for i := range logs {
		v, _ := r.Mem.Load(r.log+8*uint64(i), 8)
		fmt.Fprintf(&s, " %04x", v&0xFFFF)
	}
	for _, f := range r.Findings() {
		s.WriteString(" " + f.Title())
	}
	return s.String()
}
