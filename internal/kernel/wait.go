package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// Dispatcher objects lie in simulated memory. Each begins with a
// DISPATCHER_HEADER: type (1 byte), signal state (4 bytes at 4), wait list.
const (
	headerType  = 0
	headerState = 4

	// EventSize and so on are the sizes of the objects in bytes.
	EventSize     = 24
	SemaphoreSize = 32
	MutexSize     = 56
	TimerSize     = 64

	semaphoreLimit = 24 // 4 bytes
	mutexOwner     = 40 // 8 bytes
)

// Types of dispatcher objects.
const (
	NotificationEvent    = 0
	SynchronizationEvent = 1
	mutantObject         = 2
	semaphoreObject      = 5
	notificationTimer    = 8
	synchronizationTimer = 9
)

type waitKind uint8

const (
	waitNothing   waitKind = iota
	waitObject             // until a dispatcher object is signalled
	waitDelay              // KeDelayExecutionThread
	waitCondition          // Thread.WaitUntil
	waitWork               // a worker without work
	waitDPCs               // the thread of the threaded DPCs without any
	waitCall               // until the framework calls Wake
	waitResource           // until an ERESOURCE is handed over; all: for exclusive access
)

// waitState is what a thread waits for, and after it the result.
type waitState struct {
	kind    waitKind
	objects []uint64
	all     bool   // for all objects, not for any one
	mark    uint64 // of KeFlushQueuedDpcs, else 0
	status  NTSTATUS
	what    string // for reports
}

// Timeout says how long a wait may last.
type Timeout struct {
	Limited bool
	Ticks   int64 // 100 ns units; 0: do not wait, negative: relative, positive: since the start of the machine
	// Tolerance is how much later a timer may expire, in nanoseconds (TolerableDelay).
	Tolerance uint64
}

// Forever is the timeout of a wait without one (a NULL pointer).
var Forever = Timeout{}

// NoWait is a timeout of zero.
var NoWait = Timeout{Limited: true}

// After returns a relative timeout of ns nanoseconds.
func After(ns uint64) Timeout { return Timeout{Limited: true, Ticks: -int64(ns / 100)} }

// due returns the virtual time at which the timeout ends.
func (o Timeout) due(now uint64) uint64 {
	if o.Ticks < 0 {
		return now + uint64(-o.Ticks)*100
	}
	return uint64(o.Ticks) * 100
}

var (
	svcKeInitializeEvent        = NewService("KeInitializeEvent")
	svcKeSetEvent               = NewLenientService("KeSetEvent")
	svcKeClearEvent             = NewService("KeClearEvent")
	svcKeResetEvent             = NewService("KeResetEvent")
	svcKeReadStateEvent         = NewService("KeReadStateEvent")
	svcKeWaitForSingleObject    = NewLenientService("KeWaitForSingleObject")
	svcKeWaitForMultipleObjects = NewLenientService("KeWaitForMultipleObjects")
	svcKeDelayExecutionThread   = NewLenientService("KeDelayExecutionThread")
)

// KeInitializeEvent makes the EventSize bytes at event an event of the given
// type (NotificationEvent or SynchronizationEvent). Any IRQL.
func (t *Thread) KeInitializeEvent(event uint64, typ uint8, signalled bool) {
	t.Enter(svcKeInitializeEvent, event, uint64(typ))
	t.InitializeEvent(event, typ, signalled)
	t.LeaveVoid()
}

// InitializeEvent: see KeInitializeEvent.
func (t *Thread) InitializeEvent(event uint64, typ uint8, signalled bool) {
	for off := uint64(0); off < EventSize; off += 8 {
		t.kernelStore(event+off, 8, 0)
	}
	t.kernelStore(event+headerType, 1, uint64(typ))
	t.kernelStore(event+headerState, 4, b2u(signalled))
}

// KeSetEvent signals an event and returns its previous state. IRQL <=
// DISPATCH_LEVEL; above it 0xC4/0x80 under Driver Verifier.
func (t *Thread) KeSetEvent(event uint64) (previous int32) {
	t.Enter(svcKeSetEvent, event)
	t.checkSetEvent(event)
	previous = t.SetEvent(event)
	t.Leave(trace.Decimal, uint64(uint32(previous)))
	return previous
}

// checkSetEvent checks the rule IrqlKeSetEvent for Wait FALSE.
func (t *Thread) checkSetEvent(event uint64) {
	if irql := t.IRQL(); irql > DispatchLevel {
		t.violation(Finding{Code: 0xC4, Rule: "IrqlKeSetEvent", Clause: "IRQL-12", Params: [4]uint64{0x80, uint64(irql), event},
			Text: "KeSetEvent at " + trace.LevelName(irql) + ", above DISPATCH_LEVEL"})
	}
}

// KeSetEventWait is KeSetEvent with Wait TRUE: a wait follows at once, before any
// other thread runs. IRQL <= APC_LEVEL (rule IrqlKeSetEvent, 0xC4/0x20016).
func (t *Thread) KeSetEventWait(event uint64) (previous int32) {
	t.Enter(svcKeSetEvent, event, 1)
	t.checkSetEvent(event)
	if irql := t.IRQL(); irql > APCLevel {
		t.violation(Finding{Code: 0xC4, Rule: "IrqlKeSetEvent", Clause: "IRQL-12", Params: [4]uint64{0x00020016, uint64(irql)},
			Text: "KeSetEvent with Wait TRUE at " + trace.LevelName(irql)})
	}
	t.point(op{})
	previous = t.signalEvent(event)
	t.Leave(trace.Decimal, uint64(uint32(previous)))
	return previous
}

// SetEvent: see KeSetEvent.
func (t *Thread) SetEvent(event uint64) (previous int32) {
	t.point(op{})
	previous = t.signalEvent(event)
	t.keep(uint64(uint32(previous)))
	t.settle()
	t.keep(0)
	return previous
}

// signalEvent signals an event as part of the present step.
func (t *Thread) signalEvent(event uint64) (previous int32) {
	t.Released(event)
	previous = int32(t.kernelLoad(event+headerState, 4))
	t.kernelStore(event+headerState, 4, 1)
	t.m.signalled(event)
	return previous
}

// KeClearEvent makes an event not signalled. IRQL <= DISPATCH_LEVEL.
func (t *Thread) KeClearEvent(event uint64) {
	t.Enter(svcKeClearEvent, event)
	t.point(op{})
	t.kernelStore(event+headerState, 4, 0)
	t.LeaveVoid()
}

// KeResetEvent is KeClearEvent that returns the previous state.
func (t *Thread) KeResetEvent(event uint64) (previous int32) {
	t.Enter(svcKeResetEvent, event)
	t.point(op{})
	previous = int32(t.kernelLoad(event+headerState, 4))
	t.kernelStore(event+headerState, 4, 0)
	t.Leave(trace.Decimal, uint64(uint32(previous)))
	return previous
}

// KeReadStateEvent returns whether an event is signalled. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) KeReadStateEvent(event uint64) int32 {
	t.Enter(svcKeReadStateEvent, event)
	t.point(op{})
	s := int32(t.kernelLoad(event+headerState, 4))
	t.Leave(trace.Decimal, uint64(uint32(s)))
	return s
}

// KeWaitForSingleObject waits for an event, a semaphore, a mutex or a timer.
// STATUS_SUCCESS or STATUS_TIMEOUT. IRQL <= APC_LEVEL, or DISPATCH_LEVEL with a
// timeout of zero; otherwise 0xC4/0x120 to 0x122 under Driver Verifier, else
// 0xB8 in a DPC and 0xA elsewhere (IRQL-9).
func (t *Thread) KeWaitForSingleObject(object uint64, o Timeout) NTSTATUS {
	t.Enter(svcKeWaitForSingleObject, object)
	return t.LeaveStatus(t.driverWait([]uint64{object}, false, o))
}

// Limits of KeWaitForMultipleObjects: with the wait blocks of the thread, and
// with an array of the caller's.
const (
	threadWaitObjects  = 3
	maximumWaitObjects = 64
)

// KeWaitForMultipleObjects waits for any one of some objects, and returns its
// number, or for all of them. blocks says that the caller gave an array of wait
// blocks; without it more than 3 objects, and in any case more than 64, are bug
// check 0xC. Levels as KeWaitForSingleObject.
func (t *Thread) KeWaitForMultipleObjects(objects []uint64, all, blocks bool, o Timeout) NTSTATUS {
	t.Enter(svcKeWaitForMultipleObjects, objects...)
	if n := len(objects); n == 0 || n > maximumWaitObjects || n > threadWaitObjects && !blocks {
		t.BugCheck(0xC, [4]uint64{}, "IRQL-9", fmt.Sprintf("a wait for %d objects", n))
	}
	return t.LeaveStatus(t.driverWait(objects, all, o))
}

// driverWait is a wait by a driver, with its checks.
func (t *Thread) driverWait(objects []uint64, all bool, o Timeout) NTSTATUS {
	t.checkWait(objects[0], o, t.m.cfg.Profile.DriverVerifier)
	for _, object := range objects {
		if t.deadlockDetection(mutexLock) && o != NoWait && t.isMutex(object) && t.kernelLoad(object+mutexOwner, 8) != uint64(t.id)+1 {
			t.checkAcquire(object, mutexLock)
		}
	}
	return t.waitFor(objects, all, o)
}

// checkWait checks the level of a wait by a driver.
func (t *Thread) checkWait(object uint64, o Timeout, verifier bool) {
	irql := t.IRQL()
	zero := o.Limited && o.Ticks == 0
	if irql <= APCLevel || irql == DispatchLevel && zero {
		return
	}
	text := "a wait at " + trace.LevelName(irql) + ": no thread can be switched at DISPATCH_LEVEL or above"
	if verifier {
		sub := uint64(0x120)
		switch {
		case irql > DispatchLevel:
		case o.Limited:
			sub, text = 0x122, text+"; only a timeout of zero is allowed here"
		default:
			sub, text = 0x121, text+"; a timeout of NULL waits for ever"
		}
		t.stop(Finding{Code: 0xC4, Params: [4]uint64{sub, uint64(irql), object}, Rule: t.waitRule(), Clause: "IRQL-9", Text: text})
	}
	if kind, _ := t.Activation(); kind == DPCActivation {
		t.BugCheck(0xB8, [4]uint64{uint64(t.id)}, "IRQL-9", text)
	}
	t.BugCheck(0xA, [4]uint64{object, uint64(irql)}, "IRQL-9", text)
}

// waitRule names the rule about the level of the running wait, "" if none does.
func (t *Thread) waitRule() string {
	if n := len(t.stack); n > 0 && t.stack[n-1].kind == serviceFrame && t.stack[n-1].code == svcKeWaitForMultipleObjects.number {
		return "IrqlKeWaitForMultipleObjects"
	}
	return ""
}

// WaitFor waits without the checks of Driver Verifier: the framework's own
// waits. At DISPATCH_LEVEL or above it succeeds only without blocking.
func (t *Thread) WaitFor(object uint64, o Timeout) NTSTATUS {
	return t.waitFor([]uint64{object}, false, o)
}

func (t *Thread) waitFor(objects []uint64, all bool, o Timeout) NTSTATUS {
	t.point(op{})
	if s, over := t.takeObjects(objects, all); over {
		t.acquired(objects, all, s)
		return s
	}
	if o.Limited && (o.Ticks == 0 || o.due(t.m.now) <= t.m.now) {
		return StatusTimeout
	}
	if t.IRQL() >= DispatchLevel {
		t.checkWait(objects[0], o, false)
	}
	t.wait = waitState{kind: waitObject, objects: objects, all: all, what: t.m.NameOf(objects[0])}
	if o.Limited {
		t.m.schedule(t.m.loosely(o, timedEvent{due: o.due(t.m.now), kind: timedWait, id: uint64(t.id)}))
	} else {
		t.checkCircle()
	}
	t.block()
	if t.wait.status != StatusTimeout {
		t.acquired(objects, all, t.wait.status)
	}
	return t.wait.status
}

// acquired notes which objects a wait has taken.
func (t *Thread) acquired(objects []uint64, all bool, s NTSTATUS) {
	if !all {
		objects = objects[s : s+1]
	}
	for _, object := range objects {
		t.Acquired(object)
	}
}

// takeObjects ends a wait for objects if it can end now: it takes those that it
// waits for, and returns the status of the wait.
func (t *Thread) takeObjects(objects []uint64, all bool) (s NTSTATUS, over bool) {
	for i, object := range objects {
		switch available := t.available(object); {
		case available && !all:
			t.takeObject(object)
			return NTSTATUS(i), true
		case !available && all:
			return 0, false
		}
	}
	if !all {
		return 0, false
	}
	for _, object := range objects {
		t.takeObject(object)
	}
	return StatusSuccess, true
}

// available reports whether an object is signalled for this thread.
func (t *Thread) available(object uint64) bool {
	state := int32(t.kernelLoad(object+headerState, 4))
	switch typ := t.objectType(object); typ {
	case NotificationEvent, notificationTimer, threadObject, SynchronizationEvent, synchronizationTimer, semaphoreObject:
		return state > 0
	case mutantObject:
		return state > 0 || t.kernelLoad(object+mutexOwner, 8) == uint64(t.id)+1
	default:
		t.BugCheck(0xA, [4]uint64{object, uint64(t.IRQL())}, "IRQL-9", fmt.Sprintf(
			"a wait for something that is not a dispatcher object (type %d at 0x%X)", typ, object))
	}
	return false
}

// takeObject does to an available object what a successful wait does.
func (t *Thread) takeObject(object uint64) {
	state := int32(t.kernelLoad(object+headerState, 4))
	switch t.objectType(object) {
	case SynchronizationEvent, synchronizationTimer:
		t.kernelStore(object+headerState, 4, 0)
	case semaphoreObject:
		t.kernelStore(object+headerState, 4, uint64(uint32(state-1)))
	case mutantObject:
		t.takeMutex(object, state)
	}
}

func (t *Thread) objectType(object uint64) uint8 {
	return uint8(t.kernelLoad(object+headerType, 1)) & 0x7F
}

func (t *Thread) isMutex(object uint64) bool { return t.objectType(object) == mutantObject }

// signalled lets the threads that wait for an object have it, longest waiting
// first, as long as it is signalled.
func (m *Machine) signalled(object uint64) {
	for {
		t, s := m.nextWaiter(object)
		if t == nil {
			return
		}
		m.wake(t, s)
	}
}

// nextWaiter ends the wait of the thread that has waited longest for an object,
// of those whose wait can end now, and returns it with the status.
func (m *Machine) nextWaiter(object uint64) (*Thread, NTSTATUS) {
	for seq := uint64(0); ; {
		var first *Thread
		for _, t := range m.threads {
			if t.status == waiting && t.wait.kind == waitObject && t.seq > seq && slices.Contains(t.wait.objects, object) &&
				(first == nil || t.seq < first.seq) {
				first = t
			}
		}
		if first == nil {
			return nil, 0
		}
		if s, over := first.takeObjects(first.wait.objects, first.wait.all); over {
			return first, s
		}
		seq = first.seq
	}
}

// Suspend blocks the thread until Wake is called for it: the framework's own
// waits for things that are not dispatcher objects. what is for reports.
func (t *Thread) Suspend(what string) NTSTATUS {
	t.wait = waitState{kind: waitCall, what: what}
	t.block()
	t.note(RecordAcquireAll, 0, 0)
	return t.wait.status
}

// Wake ends a Suspend.
func (m *Machine) Wake(id int, s NTSTATUS) {
	if t := m.threads[id]; t.status == waiting && t.wait.kind == waitCall {
		m.wake(t, s)
	}
}

// KeDelayExecutionThread waits for a time. IRQL <= APC_LEVEL.
func (t *Thread) KeDelayExecutionThread(o Timeout) NTSTATUS {
	t.Enter(svcKeDelayExecutionThread)
	t.checkWait(0, Timeout{Limited: true, Ticks: -1}, t.m.cfg.Profile.DriverVerifier)
	t.point(op{})
	t.m.schedule(t.m.loosely(Timeout{}, timedEvent{due: max(o.due(t.m.now), t.m.now), kind: timedWait, id: uint64(t.id)})) // never early
	t.wait = waitState{kind: waitDelay, what: "KeDelayExecutionThread"}
	t.block()
	return t.LeaveStatus(StatusSuccess)
}

// WaitingSites names the routines of the driver in which threads wait, and what
// they have called, in the order of the threads.
func (m *Machine) WaitingSites() []string {
	var sites []string
	for _, t := range m.threads {
		if t.status == waiting && slices.ContainsFunc(t.stack, func(f frame) bool { return f.kind == routineFrame }) {
			sites = append(sites, t.site())
		}
	}
	return sites
}

// Waiters describes the threads that wait, for reports.
func (m *Machine) Waiters() []string {
	var lines []string
	for _, t := range m.threads {
		if t.status == waiting && t.wait.kind != waitWork && t.wait.kind != waitDPCs {
			lines = append(lines, fmt.Sprintf("thread %s waits for %s", t.name, t.wait.what))
		}
	}
	return lines
}
