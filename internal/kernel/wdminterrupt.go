package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// What drivers without the framework, or beside it, call for their interrupts.

var (
	svcIoConnectInterruptEx      = NewService("IoConnectInterruptEx")
	svcIoDisconnectInterruptEx   = NewService("IoDisconnectInterruptEx")
	svcIoReportInterruptActive   = NewService("IoReportInterruptActive")
	svcIoReportInterruptInactive = NewService("IoReportInterruptInactive")
	svcKeSynchronizeExecution    = NewService("KeSynchronizeExecution")
	svcKeAcquireInterruptLock    = NewService("KeAcquireInterruptSpinLock")
	svcKeReleaseInterruptLock    = NewLenientService("KeReleaseInterruptSpinLock")
)

// IoConnectInterruptEx connects a service routine and returns the interrupt
// object; the status is that of Machine.Connect (INT-1, INT-12). An interrupt can
// come before it has returned (INT-23). PASSIVE_LEVEL.
func (t *Thread) IoConnectInterruptEx(c ConnectParams) (object uint64, s NTSTATUS) {
	t.Enter(svcIoConnectInterruptEx, c.ServiceRoutine, uint64(c.Vector))
	t.point(op{})
	id, s := t.m.Connect(c)
	if s == StatusSuccess {
		object = t.m.KInterrupt(id)
		t.keep(object)
		t.settle()
		t.point(op{})
	}
	t.LeaveStatus(s)
	return object, s
}

// IoDisconnectInterruptEx ends a connection; it returns when no call of the
// service routine is active. PASSIVE_LEVEL.
func (t *Thread) IoDisconnectInterruptEx(object uint64) {
	t.Enter(svcIoDisconnectInterruptEx, object)
	t.point(op{})
	t.Disconnect(t.interruptAt(object))
	t.LeaveVoid()
}

// interruptAt returns the connection of an interrupt object. Something else stops
// the run.
func (t *Thread) interruptAt(object uint64) InterruptID {
	t.kernelLoad(object, 8) // faults as the driver's pointer does
	for i := range t.m.interrupts {
		if in := &t.m.interrupts[i]; in.connected && in.address == object {
			return InterruptID(i)
		}
	}
	t.stop(Finding{Rule: "interrupt object", Clause: "INT-1", Text: fmt.Sprintf("0x%X is not a connected interrupt object", object)})
	return 0
}

// IoReportInterruptActive makes a connection call its service routine again
// (INT-20). IRQL <= DISPATCH_LEVEL; nothing happens if it does already.
func (t *Thread) IoReportInterruptActive(object uint64) {
	t.Enter(svcIoReportInterruptActive, object)
	t.point(op{})
	t.m.SetActive(t.interruptAt(object), true)
	t.LeaveVoid()
}

// IoReportInterruptInactive stops calls of the service routine without a
// disconnect (INT-20). IRQL <= DISPATCH_LEVEL.
func (t *Thread) IoReportInterruptInactive(object uint64) {
	t.Enter(svcIoReportInterruptInactive, object)
	t.point(op{})
	t.m.SetActive(t.interruptAt(object), false)
	t.LeaveVoid()
}

// KeSynchronizeExecution calls a routine at SynchronizeIrql with the interrupt
// spin lock held, and returns what it returned. IRQL <= SynchronizeIrql.
func (t *Thread) KeSynchronizeExecution(object, routine, context uint64) bool {
	t.Enter(svcKeSynchronizeExecution, object, routine, context)
	r := t.Synchronize(t.interruptAt(object), "KSYNCHRONIZE_ROUTINE", routine, Args{context})
	return t.LeaveBool(r&0xFF != 0)
}

// KeAcquireInterruptSpinLock raises to SynchronizeIrql, takes the interrupt spin
// lock and returns the old IRQL. IRQL <= SynchronizeIrql. A passive-level
// interrupt has no such lock: bug check 0xA.
func (t *Thread) KeAcquireInterruptSpinLock(object uint64) (old uint8) {
	t.Enter(svcKeAcquireInterruptLock, object)
	id := t.interruptAt(object)
	t.refusePassive(&t.m.interrupts[id], "KeAcquireInterruptSpinLock")
	old = t.acquireInterruptLock(id, interruptLock)
	t.Leave(trace.Level, uint64(old))
	return old
}

// KeReleaseInterruptSpinLock undoes KeAcquireInterruptSpinLock. At another level
// than SynchronizeIrql 0xC4/0xE5 under Driver Verifier; a lock that is not held is
// 0x10.
func (t *Thread) KeReleaseInterruptSpinLock(object uint64, old uint8) {
	t.Enter(svcKeReleaseInterruptLock, object, uint64(old))
	id := t.interruptAt(object)
	t.refusePassive(&t.m.interrupts[id], "KeReleaseInterruptSpinLock")
	if irql, level := t.IRQL(), t.m.interrupts[id].SynchronizeIRQL; irql != level {
		t.violation(Finding{Code: 0xC4, Rule: "IRQL", Clause: "IRQL-12", Params: [4]uint64{0xE5, uint64(irql)}, Text: fmt.Sprintf(
			"KeReleaseInterruptSpinLock at %s; the lock was taken at %s", trace.LevelName(irql), trace.LevelName(level))})
	}
	if old > t.IRQL() {
		t.badLevelChange(0xA, 0x31, old, "lowers")
	}
	t.ReleaseInterruptLock(id, old)
	t.LeaveVoid()
}
