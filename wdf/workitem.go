package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// WorkItemConfigSize is the size of WDF_WORKITEM_CONFIG in bytes.
const WorkItemConfigSize = 24

// WorkItemConfig is WDF_WORKITEM_CONFIG.
type WorkItemConfig struct {
	Size                   uint32
	EvtWorkItemFunc        Callback
	AutomaticSerialization bool
}

// WorkItemConfigInit is WDF_WORKITEM_CONFIG_INIT: automatic serialization is on.
func WorkItemConfigInit(fn Callback) WorkItemConfig {
	return WorkItemConfig{Size: WorkItemConfigSize, EvtWorkItemFunc: fn, AutomaticSerialization: true}
}

// workItem is a WDFWORKITEM.
type workItem struct {
	object   id
	parent   id // 0 after its disposal
	serial   id // whose callback lock is held around the callback; 0: none
	callback Callback

	enqueued    bool // and not started
	runningDown bool // its disposal has begun
	running     int16
	thread      int32 // that runs the callback, + 1: the last one that began
}

var (
	svcWdfWorkItemCreate          = kernel.NewService("WdfWorkItemCreate")
	svcWdfWorkItemEnqueue         = kernel.NewService("WdfWorkItemEnqueue")
	svcWdfWorkItemFlush           = kernel.NewLenientService("WdfWorkItemFlush")
	svcWdfWorkItemGetParentObject = kernel.NewService("WdfWorkItemGetParentObject")
)

// WdfWorkItemCreate makes a work item (OBJ-10). IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfWorkItemCreate(c *WorkItemConfig, a *ObjectAttributes) (WDFWORKITEM, NTSTATUS) {
	s.Enter(svcWdfWorkItemCreate)
	parent, st := s.requiredParent(a)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.requirePointer(c != nil, "Config")
	s.Step()
	switch {
	case c.Size != WorkItemConfigSize:
		return 0, s.LeaveStatus(StatusInfoLengthMismatch)
	case c.EvtWorkItemFunc == 0:
		return 0, s.LeaveStatus(StatusInvalidParameter)
	}
	serial, st := s.checkCreate(parent, a, false, c.AutomaticSerialization, true)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.f.workItems = append(s.f.workItems, workItem{parent: parent, serial: serial, callback: c.EvtWorkItemFunc})
	n := len(s.f.workItems) - 1
	i := s.create(TypeWorkItem, parent, n, a, "")
	s.f.workItems[n].object = i
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfWorkItemEnqueue queues the work item; while it is enqueued and has not
// started nothing happens. A run during the callback may overlap it (OBJ-11).
// IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfWorkItemEnqueue(h WDFWORKITEM) {
	s.Enter(svcWdfWorkItemEnqueue, uint64(h))
	n := s.row(h, TypeWorkItem)
	s.Step()
	switch w := &s.f.workItems[n]; {
	case w.enqueued:
		s.note(trace.Framework, s.f.m.NameOf(uint64(h)), "is enqueued already")
	case w.runningDown:
		s.verifierBreak("WdfWorkItemEnqueue on a deleted work item", "OBJ-11", "%s is being deleted: it is not enqueued", s.f.m.NameOf(uint64(h)))
	default:
		w.enqueued = true
		s.f.objects[w.object].references++ // until the callback has returned
		s.f.m.QueueWork(uint64(h), "work item", s.f.thunks.work, kernel.Args{uint64(n)})
	}
	s.LeaveVoid()
}

// workItemThunk is the worker routine: (number of the row). The mark is cleared
// before the callback, which may enqueue the work item again.
func (s *Sys) workItemThunk(a kernel.Args) uint64 {
	n := a[0]
	w := &s.f.workItems[n]
	w.thread, w.enqueued = s.self(), false
	w.running++
	run := *w
	s.serialized(run.serial, func() { s.call("EvtWorkItem", run.callback, uint64(run.object.handle())) })
	w = &s.f.workItems[n]
	w.thread = 0
	if w.running--; w.running == 0 && !w.enqueued {
		s.f.idle(w.object)
	}
	s.dereference(w.object)
	return 0
}

// WdfWorkItemFlush waits until the work item is neither enqueued nor running.
// From its own callback it returns at once (OBJ-12). PASSIVE_LEVEL.
func (s *Sys) WdfWorkItemFlush(h WDFWORKITEM) {
	s.Enter(svcWdfWorkItemFlush, uint64(h))
	n := s.row(h, TypeWorkItem)
	switch {
	case s.levelBreak("WdfWorkItemFlush", "OBJ-12", PassiveLevel):
	case s.f.workItems[n].thread == s.self():
		s.verifierBreak("WdfWorkItemFlush in the work item's callback", "OBJ-12", "WdfWorkItemFlush is called in the callback of %s: "+
			"it would wait for itself, and does nothing", s.f.m.NameOf(uint64(h)))
	default:
		s.flushWorkItem(n)
	}
	s.LeaveVoid()
}

// flushWorkItem waits until the work item is neither enqueued nor running.
func (s *Sys) flushWorkItem(n int32) {
	s.Step()
	w := &s.f.workItems[n]
	s.awaitIdle(w.object, "a work item", !w.enqueued && w.running == 0)
}

// WdfWorkItemGetParentObject returns the parent, 0 after the disposal. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfWorkItemGetParentObject(h WDFWORKITEM) WDFOBJECT {
	s.Enter(svcWdfWorkItemGetParentObject, uint64(h))
	p := s.f.workItems[s.row(h, TypeWorkItem)].parent.handle()
	s.Leave(trace.Hex, uint64(p))
	return p
}

// rundownWorkItem is the disposal of a work item: it waits for the callback,
// unless that deletes the work item itself (OBJ-13).
func (s *Sys) rundownWorkItem(n int32) {
	s.f.workItems[n].runningDown = true
	if s.f.workItems[n].thread != s.self() {
		s.flushWorkItem(n)
	}
	s.f.workItems[n].parent = 0
}
