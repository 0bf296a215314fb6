package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/ddi"
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

// InterruptSet is what IoConnectInterruptEx connects for a whole device: its lines
// (CONNECT_LINE_BASED) or its messages (CONNECT_MESSAGE_BASED).
type InterruptSet struct {
	Interrupts []ConnectParams
	Messages   bool     // the connection context is an IO_INTERRUPT_MESSAGE_INFO, else the first interrupt object
	Status     NTSTATUS // why there is nothing to connect
}

// IoConnectInterruptSet is IoConnectInterruptEx for all interrupts of a device: one
// service routine, one spin lock, and the highest IRQL as SynchronizeIrql (INT-25). It
// returns the connection context. PASSIVE_LEVEL.
func (t *Thread) IoConnectInterruptSet(set InterruptSet) (context uint64, s NTSTATUS) {
	s = set.Status
	if len(set.Interrupts) > 0 {
		t.Enter(svcIoConnectInterruptEx, set.Interrupts[0].ServiceRoutine, uint64(set.Interrupts[0].Vector))
	} else {
		t.Enter(svcIoConnectInterruptEx)
	}
	t.point(op{})
	level := uint8(0)
	for i := range set.Interrupts {
		level = max(level, set.Interrupts[i].IRQL, set.Interrupts[i].SynchronizeIRQL)
	}
	var ids []InterruptID
	for i := 0; i < len(set.Interrupts) && s == StatusSuccess; i++ {
		c := set.Interrupts[i]
		c.SynchronizeIRQL = level
		if i > 0 {
			c.SpinLock = t.m.interrupts[ids[0]].SpinLock
		}
		var id InterruptID
		if id, s = t.m.Connect(c); s == StatusSuccess {
			ids = append(ids, id)
			t.keep(uint64(id))
			t.settle()
			t.point(op{})
		}
	}
	if s == StatusSuccess {
		context = t.m.nameSet(ids, level, set.Messages)
	}
	for i := len(ids) - 1; i >= 0 && s != StatusSuccess; i-- {
		t.Disconnect(ids[i])
	}
	t.LeaveStatus(s)
	return context, s
}

// MessageAddress is where message-signalled interrupts are written to: the local APIC
// of a processor.
const MessageAddress = 0xFEE00000

// nameSet makes the connection context of interrupts that were connected together.
func (m *Machine) nameSet(ids []InterruptID, level uint8, messages bool) (context uint64) {
	context = m.interrupts[ids[0]].address
	if messages {
		context = m.messageTable(ids, level)
	}
	for _, id := range ids {
		m.interrupts[id].set = context
	}
	return context
}

// messageTable makes an IO_INTERRUPT_MESSAGE_INFO.
func (m *Machine) messageTable(ids []InterruptID, level uint8) uint64 {
	const info, entry = "IO_INTERRUPT_MESSAGE_INFO", "IO_INTERRUPT_MESSAGE_INFO_ENTRY"
	first := ddi.Offset(info, "MessageInfo")
	table := m.Mem.Alloc(first+uint64(len(ids))*ddi.SizeOf(entry), tag("Kmsg"), false, 0)
	put := func(structure string, at uint64, field string, size int, v uint64) {
		m.Mem.Store(at+ddi.Offset(structure, field), size, v)
	}
	put(info, table, "UnifiedIrql", 1, uint64(level))
	put(info, table, "MessageCount", 4, uint64(len(ids)))
	for i, id := range ids {
		in, at := &m.interrupts[id], table+first+uint64(i)*ddi.SizeOf(entry)
		put(entry, at, "MessageAddress", 8, MessageAddress)
		put(entry, at, "TargetProcessorSet", 8, in.Affinity)
		put(entry, at, "InterruptObject", 8, in.address)
		put(entry, at, "MessageData", 4, uint64(in.Vector))
		put(entry, at, "Vector", 4, uint64(in.Vector))
		put(entry, at, "Irql", 1, uint64(in.IRQL))
		put(entry, at, "Mode", 4, b2u(in.Latched))
	}
	m.SetName(table, "the message table of "+m.interrupts[ids[0]].Name)
	return table
}

// IoDisconnectInterruptEx ends a connection, or those of a set: context is the
// interrupt object, or the message table. It returns when no call of the service
// routine is active. PASSIVE_LEVEL.
func (t *Thread) IoDisconnectInterruptEx(context uint64) {
	t.Enter(svcIoDisconnectInterruptEx, context)
	t.point(op{})
	table, _ := t.Connection(context)
	for ids := t.connections(context); len(ids) > 0; ids = t.m.interruptsOf(context) {
		t.Disconnect(ids[len(ids)-1])
	}
	if table {
		t.m.Mem.Free(context, 0)
	}
	t.LeaveVoid()
}

// interruptsOf returns the connections of a connection context.
func (m *Machine) interruptsOf(context uint64) (ids []InterruptID) {
	for i := range m.interrupts {
		if in := &m.interrupts[i]; in.connected && (in.set == context && context != 0 || in.set == 0 && in.address == context) {
			ids = append(ids, InterruptID(i))
		}
	}
	return ids
}

// connections is interruptsOf for a context that a driver gives. Something else stops
// the run.
func (t *Thread) connections(context uint64) []InterruptID {
	ids := t.m.interruptsOf(context)
	if len(ids) == 0 {
		ids = []InterruptID{t.interruptAt(context)}
	}
	return ids
}

// Connection reports whether something is a connection context, and whether it is an
// IO_INTERRUPT_MESSAGE_INFO.
func (t *Thread) Connection(context uint64) (table, known bool) {
	ids := t.m.interruptsOf(context)
	return len(ids) > 0 && t.m.interrupts[ids[0]].address != context, len(ids) > 0
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

// IoReportInterruptActive makes a connection, or those of a set, call its service
// routine again (INT-20). IRQL <= DISPATCH_LEVEL; nothing happens if it does already.
func (t *Thread) IoReportInterruptActive(context uint64) {
	t.Enter(svcIoReportInterruptActive, context)
	t.setActive(context, true)
	t.LeaveVoid()
}

func (t *Thread) setActive(context uint64, active bool) {
	t.point(op{})
	for _, id := range t.connections(context) {
		t.m.SetActive(id, active)
	}
}

// IoReportInterruptInactive stops calls of the service routine without a
// disconnect (INT-20). IRQL <= DISPATCH_LEVEL.
func (t *Thread) IoReportInterruptInactive(context uint64) {
	t.Enter(svcIoReportInterruptInactive, context)
	t.setActive(context, false)
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
