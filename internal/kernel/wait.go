package kernel

import (
	"fmt"

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
	waitCall               // until the framework calls Wake
)

// waitState is what a thread waits for, and after it the result.
type waitState struct {
	kind   waitKind
	object uint64
	mark   uint64 // of KeFlushQueuedDpcs, else 0
	status NTSTATUS
	what   string // for reports
}

// Timeout says how long a wait may last.
type Timeout struct {
	Limited bool
	Ticks   int64 // 100 ns units; 0: do not wait, negative: relative, positive: since the start of the machine
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
	svcKeInitializeEvent      = NewService("KeInitializeEvent")
	svcKeSetEvent             = NewLenientService("KeSetEvent")
	svcKeClearEvent           = NewService("KeClearEvent")
	svcKeResetEvent           = NewService("KeResetEvent")
	svcKeReadStateEvent       = NewService("KeReadStateEvent")
	svcKeWaitForSingleObject  = NewLenientService("KeWaitForSingleObject")
	svcKeDelayExecutionThread = NewLenientService("KeDelayExecutionThread")
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
	if irql := t.IRQL(); irql > DispatchLevel && t.m.cfg.Profile.DriverVerifier {
		t.BugCheck(0xC4, [4]uint64{0x80, uint64(irql), event}, "IrqlKeSetEvent",
			"KeSetEvent at "+trace.LevelName(irql)+", above DISPATCH_LEVEL")
	}
	previous = t.SetEvent(event)
	t.Leave(trace.Decimal, uint64(uint32(previous)))
	return previous
}

// SetEvent: see KeSetEvent.
func (t *Thread) SetEvent(event uint64) (previous int32) {
	t.point(op{})
	t.Released(event)
	previous = int32(t.kernelLoad(event+headerState, 4))
	t.kernelStore(event+headerState, 4, 1)
	t.m.signalled(event)
	t.keep(uint64(uint32(previous)))
	t.settle()
	t.keep(0)
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
	t.checkWait(object, o, t.m.cfg.Profile.DriverVerifier)
	return t.LeaveStatus(t.WaitFor(object, o))
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
		t.BugCheck(0xC4, [4]uint64{sub, uint64(irql), object}, "IRQL-9", text)
	}
	if kind, _ := t.Activation(); kind == DPCActivation {
		t.BugCheck(0xB8, [4]uint64{uint64(t.id)}, "IRQL-9", text)
	}
	t.BugCheck(0xA, [4]uint64{object, uint64(irql)}, "IRQL-9", text)
}

// WaitFor waits without the checks of Driver Verifier: the framework's own
// waits. At DISPATCH_LEVEL or above it succeeds only without blocking.
func (t *Thread) WaitFor(object uint64, o Timeout) NTSTATUS {
	t.point(op{})
	if t.satisfy(object) {
		t.Acquired(object)
		return StatusSuccess
	}
	if o.Limited && (o.Ticks == 0 || o.due(t.m.now) <= t.m.now) {
		return StatusTimeout
	}
	if t.IRQL() >= DispatchLevel {
		t.checkWait(object, o, false)
	}
	if o.Limited {
		t.m.schedule(timedEvent{due: o.due(t.m.now), kind: timedWait, id: uint64(t.id)})
	}
	t.wait = waitState{kind: waitObject, object: object, what: t.m.NameOf(object)}
	t.block()
	if t.wait.status == StatusSuccess {
		t.Acquired(object)
	}
	return t.wait.status
}

// satisfy takes a signalled object, if it is: what a successful wait does to
// it.
func (t *Thread) satisfy(object uint64) bool {
	state := int32(t.kernelLoad(object+headerState, 4))
	switch typ := uint8(t.kernelLoad(object+headerType, 1)) & 0x7F; typ {
	case NotificationEvent, notificationTimer, threadObject:
		return state > 0
	case SynchronizationEvent, synchronizationTimer:
		if state > 0 {
			t.kernelStore(object+headerState, 4, 0)
		}
		return state > 0
	case semaphoreObject:
		if state > 0 {
			t.kernelStore(object+headerState, 4, uint64(uint32(state-1)))
		}
		return state > 0
	case mutantObject:
		return t.takeMutex(object, state)
	default:
		t.BugCheck(0xA, [4]uint64{object, uint64(t.IRQL())}, "IRQL-9", fmt.Sprintf(
			"a wait for something that is not a dispatcher object (type %d at 0x%X)", typ, object))
	}
	return false
}

// signalled lets the threads that wait for an object have it, longest waiting
// first, as long as it is signalled.
func (m *Machine) signalled(object uint64) {
	for {
		var first *Thread
		for _, t := range m.threads {
			if t.status == waiting && t.wait.kind == waitObject && t.wait.object == object &&
				(first == nil || t.seq < first.seq) {
				first = t
			}
		}
		if first == nil || !first.satisfy(object) {
			return
		}
		m.wake(first, StatusSuccess)
	}
}

// Suspend blocks the thread until Wake is called for it: the framework's own
// waits for things that are not dispatcher objects. what is for reports.
func (t *Thread) Suspend(what string) NTSTATUS {
	t.wait = waitState{kind: waitCall, what: what}
	t.block()
	t.note(RecordAcquireAll, 0)
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
	t.m.schedule(timedEvent{due: max(o.due(t.m.now), t.m.now), kind: timedWait, id: uint64(t.id)})
	t.wait = waitState{kind: waitDelay, what: "KeDelayExecutionThread"}
	t.block()
	return t.LeaveStatus(StatusSuccess)
}

// Waiters describes the threads that wait, for reports.
func (m *Machine) Waiters() []string {
	var lines []string
	for _, t := range m.threads {
		if t.status == waiting && t.wait.kind != waitWork {
			lines = append(lines, fmt.Sprintf("thread %s waits for %s", t.name, t.wait.what))
		}
	}
	return lines
}
