package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// WORK_QUEUE_ITEM: a LIST_ENTRY, the routine, its parameter. Drivers initialize it
// inline. An IO_WORKITEM is the system's own: the same, then the device object.
const (
	workItemRoutine   = 16
	workItemParameter = 24
	ioWorkItemDevice  = 32
	ioWorkItemSize    = 40
)

var (
	svcExQueueWorkItem    = NewService("ExQueueWorkItem")
	svcIoAllocateWorkItem = NewService("IoAllocateWorkItem")
	svcIoQueueWorkItem    = NewService("IoQueueWorkItem")
	svcIoFreeWorkItem     = NewService("IoFreeWorkItem")
)

// workQueueBase stands for the system's work queues in reports.
const workQueueBase = 0xFFFFF802_00000000

// linkWork marks an item as queued; one that is queued already is bug check 0x96.
func (t *Thread) linkWork(item, routine uint64) {
	if t.kernelLoad(item, 8) != 0 {
		t.BugCheck(0x96, [4]uint64{item, workQueueBase, workQueueBase, routine}, "INVALID_WORK_QUEUE_ITEM", fmt.Sprintf(
			"the work item at 0x%X is queued already, or was not initialized", item))
	}
	t.kernelStore(item, 8, workQueueBase)
}

// unlinkWork takes an item out of the queue: from now on it is not the system's
// any more, and may be queued again or freed by its routine.
func (t *Thread) unlinkWork(w *workItem) {
	if w.link == 0 {
		return
	}
	if t.kernelLoad(w.link, 8) != workQueueBase {
		t.BugCheck(0x139, [4]uint64{3, w.link}, "INVALID_WORK_QUEUE_ITEM", fmt.Sprintf(
			"the work item at 0x%X was overwritten while it was queued", w.link))
	}
	t.kernelStore(w.link, 8, 0)
}

// ExQueueWorkItem queues a WORK_QUEUE_ITEM of the driver's. An item that is queued
// already is bug check 0x96. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ExQueueWorkItem(item uint64, queue uint32) {
	t.Enter(svcExQueueWorkItem, item, uint64(queue))
	t.point(op{})
	routine := t.kernelLoad(item+workItemRoutine, 8)
	t.linkWork(item, routine)
	t.m.queueWork(workItem{routine: routine, args: Args{t.kernelLoad(item+workItemParameter, 8)}, object: item,
		role: "WORKER_THREAD_ROUTINE", link: item})
	t.settle()
	t.LeaveVoid()
}

// IoAllocateWorkItem returns a work item for a device. IRQL <= DISPATCH_LEVEL.
func (t *Thread) IoAllocateWorkItem(device uint64) uint64 {
	t.Enter(svcIoAllocateWorkItem, device)
	item := t.AllocatePool(false, ioWorkItemSize, tag("IoWi"))
	t.kernelStore(item, 8, 0)
	t.kernelStore(item+ioWorkItemDevice, 8, device)
	t.Leave(trace.Hex, item)
	return item
}

// IoQueueWorkItem queues a work item; its routine is called with the device and
// the context. One that is queued already is bug check 0x96. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) IoQueueWorkItem(item, routine uint64, queue uint32, context uint64) {
	t.Enter(svcIoQueueWorkItem, item, routine, uint64(queue), context)
	t.point(op{})
	t.linkWork(item, routine)
	t.m.queueWork(workItem{routine: routine, args: Args{t.kernelLoad(item+ioWorkItemDevice, 8), context}, object: item,
		role: "IO_WORKITEM_ROUTINE", link: item})
	t.settle()
	t.LeaveVoid()
}

// IoFreeWorkItem frees a work item, which is not queued. IRQL <= DISPATCH_LEVEL.
func (t *Thread) IoFreeWorkItem(item uint64) {
	t.Enter(svcIoFreeWorkItem, item)
	t.FreePool(item)
	t.LeaveVoid()
}
