package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// What drivers do with threads: thread objects, the end of a system thread,
// priorities, processors.

const (
	threadPage   = mem.PageSize
	threadHeader = 32 // bytes of the KTHREAD that are memory: its dispatcher header
	threadObject = 6  // type in the dispatcher header
)

// Object returns the address of the thread object (KTHREAD). Its dispatcher
// header is memory, which can be waited for; everything behind it is the
// kernel's alone.
func (t *Thread) Object() uint64 {
	if t.object == 0 {
		t.object = t.m.Mem.Map(mem.SystemMaps, 1, mem.Read|mem.Write) + mem.PageSize - threadHeader
		t.m.mapOpaque(1, "KTHREAD")
		t.kernelStore(t.object+headerType, 1, threadObject)
		t.m.addObject(t.object, ThreadType)
		t.m.SetName(t.object, "thread "+t.name)
	}
	return t.object
}

// threadAt returns the thread of a thread object.
func (t *Thread) threadAt(addr uint64) *Thread {
	for _, o := range t.m.threads {
		if o.object == addr && addr != 0 {
			return o
		}
	}
	t.BugCheck(0x18, [4]uint64{t.m.ObjectTypeAddress(ThreadType), addr}, "thread object",
		fmt.Sprintf("0x%X is not a thread object", addr))
	return nil
}

// runs reports whether the thread object at addr is that of a thread that has
// not ended: then the system itself has a reference.
func (m *Machine) runs(addr uint64) bool {
	for _, t := range m.threads {
		if t.object == addr {
			return t.status != terminated
		}
	}
	return false
}

// signalEnd signals the object of a thread that has ended and gives up the
// system's reference.
func (t *Thread) signalEnd() {
	if t.object == 0 {
		return
	}
	t.kernelStore(t.object+headerState, 4, 1)
	t.m.signalled(t.object)
	t.release(t.m.object(t.object))
}

var (
	svcPsCreateSystemThread         = NewService("PsCreateSystemThread")
	svcPsTerminateSystemThread      = NewService("PsTerminateSystemThread")
	svcKeSetPriorityThread          = NewService("KeSetPriorityThread")
	svcKeQueryPriorityThread        = NewService("KeQueryPriorityThread")
	svcKeSetSystemAffinityThreadEx  = NewService("KeSetSystemAffinityThreadEx")
	svcKeRevertToUserAffinityThread = NewService("KeRevertToUserAffinityThreadEx")
)

// PsCreateSystemThread starts a thread of the driver. PASSIVE_LEVEL.
func (t *Thread) PsCreateSystemThread(routine, context uint64) (id int, s NTSTATUS) {
	t.Enter(svcPsCreateSystemThread, routine, context)
	t.point(op{})
	id = t.m.NewThread(ThreadParams{Name: "system thread", Role: "KSTART_ROUTINE", Routine: routine, Args: Args{context}})
	t.m.threads[id].system = true
	t.m.threads[id].Object() // before it can end
	t.LeaveStatus(StatusSuccess)
	return id, StatusSuccess
}

// ThreadHandle returns a new handle of a thread, 0 if it has ended and nobody
// refers to it any more.
func (t *Thread) ThreadHandle(id int) uint64 {
	o := t.m.object(t.m.threads[id].Object())
	if o == nil {
		return 0
	}
	return t.m.newHandle(o)
}

// PsTerminateSystemThread ends the calling thread, one of PsCreateSystemThread;
// in another one it returns STATUS_INVALID_PARAMETER. PASSIVE_LEVEL.
func (t *Thread) PsTerminateSystemThread(status NTSTATUS) NTSTATUS {
	t.Enter(svcPsTerminateSystemThread, uint64(status))
	t.point(op{})
	if kind, _ := t.Activation(); !t.system || kind != ThreadActivation {
		return t.LeaveStatus(StatusInvalidParameter)
	}
	t.checkResourcesLeft(0, "thread "+t.name+" ends")
	t.LeaveVoid()
	for i := len(t.stack) - 1; i >= 0 && t.m.Trace.On(); i-- {
		if t.stack[i].kind == routineFrame {
			t.m.Record(t.cpu, trace.Event{Kind: trace.End, Name: t.m.NameOf(t.stack[i].code), Text: t.role})
		}
	}
	t.ends(ThreadActivation, 0, 0)
	t.exiting = true
	panic(unwound{})
}

// runRoutine runs the routine of the thread until it returns or the thread
// terminates itself.
func (t *Thread) runRoutine() {
	defer func() {
		if t.exiting {
			_ = recover()
			t.exiting, t.stack = false, t.stack[:0]
		}
	}()
	t.activate(ThreadActivation, 0, t.role, t.routine, t.args)
}

// KeSetPriorityThread sets the priority (1 to 31) of the thread with a thread
// object and returns the one before. PASSIVE_LEVEL.
func (t *Thread) KeSetPriorityThread(object uint64, priority int8) (before int8) {
	t.Enter(svcKeSetPriorityThread, object, uint64(priority))
	t.point(op{})
	o := t.threadAt(object)
	before, o.priority = o.priority, min(max(priority, 1), HighestPriority)
	t.keep(uint64(before))
	t.settle()
	t.Leave(trace.Decimal, uint64(before))
	return before
}

// KeQueryPriorityThread returns the priority of the thread with a thread
// object. PASSIVE_LEVEL.
func (t *Thread) KeQueryPriorityThread(object uint64) int8 {
	t.Enter(svcKeQueryPriorityThread, object)
	t.point(op{})
	p := t.threadAt(object).priority
	t.Leave(trace.Decimal, uint64(p))
	return p
}

// KeSetSystemAffinityThreadEx lets the calling thread run on the processors of a
// mask only, and returns the mask of an earlier call that still holds, 0 if
// there is none. At DISPATCH_LEVEL it moves when the IRQL drops. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) KeSetSystemAffinityThreadEx(affinity uint64) (before uint64) {
	t.Enter(svcKeSetSystemAffinityThreadEx, affinity)
	t.point(op{})
	if t.userAffinity != 0 {
		before = t.affinity
	}
	if affinity &= t.m.allProcessors(); affinity != 0 {
		if t.userAffinity == 0 {
			t.userAffinity = t.affinity
		}
		t.affinity = affinity
	}
	t.keep(before)
	t.settle()
	t.Leave(trace.Hex, before)
	return before
}

// KeRevertToUserAffinityThreadEx takes KeSetSystemAffinityThreadEx back; before
// is what that call has returned. IRQL <= DISPATCH_LEVEL.
func (t *Thread) KeRevertToUserAffinityThreadEx(before uint64) {
	t.Enter(svcKeRevertToUserAffinityThread, before)
	t.point(op{})
	switch before &= t.m.allProcessors(); {
	case before != 0:
		t.affinity = before
	case t.userAffinity != 0:
		t.affinity, t.userAffinity = t.userAffinity, 0
	}
	t.settle()
	t.LeaveVoid()
}
