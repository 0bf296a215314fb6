package wdf

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Handle is a handle of the framework: WDFDEVICE, WDFINTERRUPT and so on are
// all of this type, as a void pointer is in C; each routine checks what it
// gets (OBJ-18).
type Handle uint64

// Handles by what they stand for.
type (
	WDFOBJECT    = Handle
	WDFDRIVER    = Handle
	WDFDEVICE    = Handle
	WDFINTERRUPT = Handle
	WDFDPC       = Handle
	WDFTIMER     = Handle
	WDFWORKITEM  = Handle
	WDFSPINLOCK  = Handle
	WDFWAITLOCK  = Handle
	WDFQUEUE     = Handle
	WDFREQUEST   = Handle
	WDFMEMORY    = Handle
	WDFCMRESLIST = Handle

	WDFCOLLECTION   = Handle
	WDFCOMMONBUFFER = Handle
	WDFDMAENABLER   = Handle

	WDFDMATRANSACTION = Handle
	WDFIOTARGET       = Handle
	WDFFILEOBJECT     = Handle
	WDFKEY            = Handle
	WDFLOOKASIDE      = Handle
	WDFSTRING         = Handle
	WDFCHILDLIST      = Handle
	WDFWMIPROVIDER    = Handle
	WDFWMIINSTANCE    = Handle
)

// Type is the type number of a framework object, as bug check 0x10D shows it.
type Type uint16

// Object types (OBJ-18).
const (
	TypeObject       Type = 0x1000
	TypeDriver       Type = 0x1001
	TypeDevice       Type = 0x1002
	TypeQueue        Type = 0x1003
	TypeRequest      Type = 0x1008
	TypeMemory       Type = 0x100A
	TypeDPC          Type = 0x1015
	TypeResourceList Type = 0x1036
	TypeWaitLock     Type = 0x1023
	TypeSpinLock     Type = 0x1024
	TypeWorkItem     Type = 0x1025
	TypeInterrupt    Type = 0x1027
	TypeTimer        Type = 0x1028
	TypeKey          Type = 0x1006
	TypeString       Type = 0x1007
	TypeLookaside    Type = 0x1009
	TypeCollection   Type = 0x100E
	TypeDMAEnabler   Type = 0x1400
	TypeCommonBuffer Type = 0x1402
	TypeWmiProvider  Type = 0x1004
	TypeChildList    Type = 0x1029
	TypeWmiInstance  Type = 0x1034

	TypeDMATransaction Type = 0x1401
	TypeIoTarget       Type = 0x1200
	TypeFileObject     Type = 0x1018
)

var typeNames = map[Type]string{
	TypeObject: "WDFOBJECT", TypeDriver: "WDFDRIVER", TypeDevice: "WDFDEVICE", TypeQueue: "WDFQUEUE",
	TypeRequest: "WDFREQUEST", TypeMemory: "WDFMEMORY", TypeDPC: "WDFDPC", TypeResourceList: "WDFCMRESLIST",
	TypeWaitLock: "WDFWAITLOCK", TypeSpinLock: "WDFSPINLOCK", TypeWorkItem: "WDFWORKITEM",
	TypeInterrupt: "WDFINTERRUPT", TypeTimer: "WDFTIMER",
	TypeKey: "WDFKEY", TypeString: "WDFSTRING", TypeCollection: "WDFCOLLECTION", TypeDMAEnabler: "WDFDMAENABLER",
	TypeCommonBuffer: "WDFCOMMONBUFFER", TypeDMATransaction: "WDFDMATRANSACTION", TypeIoTarget: "WDFIOTARGET", TypeFileObject: "WDFFILEOBJECT", TypeLookaside: "WDFLOOKASIDE",
	TypeChildList: "WDFCHILDLIST", TypeWmiProvider: "WDFWMIPROVIDER", TypeWmiInstance: "WDFWMIINSTANCE",
}

func (t Type) String() string { return typeNames[t] }

// ExecutionLevel and SynchronizationScope as in WDF_OBJECT_ATTRIBUTES.
type (
	ExecutionLevel       int32
	SynchronizationScope int32
)

// Values of ExecutionLevel and SynchronizationScope.
const (
	ExecutionLevelInherit  ExecutionLevel = 1
	ExecutionLevelPassive  ExecutionLevel = 2
	ExecutionLevelDispatch ExecutionLevel = 3

	SynchronizationScopeInherit SynchronizationScope = 1
	SynchronizationScopeDevice  SynchronizationScope = 2
	SynchronizationScopeQueue   SynchronizationScope = 3
	SynchronizationScopeNone    SynchronizationScope = 4
)

// ObjectAttributesSize is the size of WDF_OBJECT_ATTRIBUTES in bytes.
const ObjectAttributesSize = 56

// ObjectAttributes is WDF_OBJECT_ATTRIBUTES. A nil pointer means none; a zero
// ExecutionLevel or SynchronizationScope means inherit, a zero Size the right one.
type ObjectAttributes struct {
	Size                 uint32
	EvtCleanupCallback   Callback
	EvtDestroyCallback   Callback
	ExecutionLevel       ExecutionLevel
	SynchronizationScope SynchronizationScope
	ParentObject         Handle
	ContextType          *ContextType // nil: no context
	ContextSizeOverride  uint64       // bytes; 0: the size of the type
}

// objectState is how far the end of an object has come.
type objectState uint8

const (
	live      objectState = iota
	deferred              // WdfObjectDelete was called above PASSIVE_LEVEL: a work item goes on
	disposing             // cleanup callbacks run
	deleted               // cleaned up, kept by references
	destroyed             // gone; the handle is stale
)

// id is the number of an object; 0 is none. Numbers are not used again.
type id int32

// object is the part that all framework objects have in common.
type object struct {
	typ        Type
	state      objectState
	noDelete   bool // WdfObjectDelete is refused (OBJ-20)
	linked     bool // in the list of the parent, which will delete it
	level      ExecutionLevel
	scope      SynchronizationScope
	index      int32 // in the table of its type
	parent     id
	firstChild id
	lastChild  id
	nextChild  id
	prevChild  id
	references int32
	contexts   int32 // first context, 0: none
	cleanup    Callback
	destroy    Callback
	lock       callbackLock // devices and queues
}

// objectBase is where framework objects would lie in memory; a handle is such
// an address with all bits but the lowest three inverted, as in KMDF.
const (
	objectBase = 0xFFFFE0F0_00000000
	handleMask = 0xFFFFFFFF_FFFFFFF8
)

func (i id) handle() Handle {
	if i == 0 {
		return 0
	}
	return Handle((objectBase + uint64(i)<<6) ^ handleMask)
}

// former returns the number behind a handle, also if the object is gone; 0 if the
// handle never was one.
func (f *Framework) former(h Handle) id {
	n := (uint64(h) ^ handleMask) - objectBase
	if i := n >> 6; n&63 == 0 && i < uint64(len(f.objects)) {
		return id(i)
	}
	return 0
}

// object is former for live objects only.
func (f *Framework) object(h Handle) id {
	i := f.former(h)
	if f.objects[i].state == destroyed {
		return 0
	}
	return i
}

// lookup converts a handle; one that is NULL, stale or of another type is bug
// check 0x10D/5 (OBJ-18).
func (s *Sys) lookup(h Handle, want Type) id {
	i := s.f.object(h)
	if i == 0 || s.f.objects[i].typ != want && want != TypeObject {
		s.invalidHandle(h, want, i)
	}
	return i
}

func (s *Sys) invalidHandle(h Handle, want Type, i id) {
	is, about := "is not a handle of a live object", ""
	if former := s.f.former(h); former != 0 && i == 0 {
		about = "deleted object|" + s.f.objects[former].typ.String()
	}
	switch {
	case h == 0:
		is = "is NULL"
		if r := s.f.toldNoQueue(s.ActivationID()); r != 0 && want == TypeQueue {
			is += ": WdfRequestGetIoQueue has returned that for " + s.f.requestName(r) + ", which is completed"
			about = s.f.completedAbout(r)
		}
	case i != 0:
		is = "is a " + s.f.objects[i].typ.String()
	}
	s.Stop(kernel.Finding{Code: 0x10D, Params: [4]uint64{5, uint64(h), uint64(want)}, Clause: "OBJ-18", About: about,
		Text: fmt.Sprintf("a %s is needed, but %s %s", want, s.f.m.NameOf(uint64(h)), is)})
}

// toldNoQueue returns the request of which an activation was told that it has no
// queue any more, 0 if there is none.
func (f *Framework) toldNoQueue(activation uint32) requestID {
	for i := range f.requests {
		if f.requests[i].toldNoQueue == activation && activation != 0 {
			return requestID(i)
		}
	}
	return 0
}

// requirePointer is bug check 0x10D/4 for a pointer that must not be NULL
// (OBJ-19). Its parameter 3 is the routine that made the call.
func (s *Sys) requirePointer(ok bool, what string) {
	if ok && s.noResult != "" { // the place for the handle is checked with the others
		ok, what = false, s.noResult
	}
	if !ok {
		s.BugCheck(0x10D, [4]uint64{4, 0, s.Caller()}, "OBJ-19", what+" is NULL, but required")
	}
}

// checkAttributes does the checks that all objects have in common; whether an
// execution level may be named depends on the object. No routine outside the
// queues allows a synchronization scope here.
func checkAttributes(a *ObjectAttributes, levelAllowed bool) NTSTATUS {
	if st := a.checkShape(); st.Failed() {
		return st
	}
	switch {
	case a == nil:
	case a.ExecutionLevel < 0 || a.ExecutionLevel > ExecutionLevelDispatch,
		a.SynchronizationScope < 0 || a.SynchronizationScope > SynchronizationScopeNone:
		return StatusWdfObjectAttributesInvalid
	case a.SynchronizationScope == SynchronizationScopeDevice, a.SynchronizationScope == SynchronizationScopeQueue:
		return StatusWdfSynchronizationScopeInvalid
	case a.ExecutionLevel > ExecutionLevelInherit && !levelAllowed:
		return StatusWdfExecutionLevelInvalid
	}
	return StatusSuccess
}

// checkShape does the checks that come before that of the parent.
func (a *ObjectAttributes) checkShape() NTSTATUS {
	switch {
	case a == nil:
	case a.Size != 0 && a.Size != ObjectAttributesSize:
		return StatusInfoLengthMismatch
	case a.ContextSizeOverride > 0 && (a.ContextType == nil || a.ContextSizeOverride < a.ContextType.Size):
		return StatusWdfObjectAttributesInvalid
	}
	return StatusSuccess
}

// requiredParent returns the parent of an object that must have one (OBJ-1).
func (s *Sys) requiredParent(a *ObjectAttributes) (id, NTSTATUS) {
	if a == nil || a.ParentObject == 0 {
		return 0, StatusWdfParentNotSpecified
	}
	return s.lookup(a.ParentObject, TypeObject), StatusSuccess
}

// checkParent refuses a parent that is being deleted.
func (f *Framework) checkParent(parent id) NTSTATUS {
	if parent != 0 && f.objects[parent].state != live {
		return StatusDeletePending
	}
	return StatusSuccess
}

// row returns the number of the row behind a handle of a type.
func (s *Sys) row(h Handle, typ Type) int32 { return s.f.objects[s.lookup(h, typ)].index }

// create makes an object. The context is zeroed memory.
func (s *Sys) create(typ Type, parent id, index int, a *ObjectAttributes, name string) id {
	f := s.f
	n := id(len(f.objects))
	o := object{typ: typ, index: int32(index), parent: parent, references: 1,
		level: ExecutionLevelInherit, scope: SynchronizationScopeInherit}
	if a != nil {
		o.cleanup, o.destroy = a.EvtCleanupCallback, a.EvtDestroyCallback
		if a.ExecutionLevel != 0 {
			o.level = a.ExecutionLevel
		}
		if a.SynchronizationScope != 0 {
			o.scope = a.SynchronizationScope
		}
	}
	f.objects = append(f.objects, o)
	if parent != 0 {
		f.adopt(parent, n)
	}
	if a != nil && a.ContextType != nil {
		s.addContext(n, a.ContextType, a.ContextSizeOverride)
	}
	if f.m.Trace.On() {
		if name == "" {
			name = typ.String()
		}
		f.m.SetName(uint64(n.handle()), fmt.Sprintf("%s %d", name, n))
	}
	return n
}

// adopt puts a child behind the other children of its parent.
func (f *Framework) adopt(parent, child id) {
	p := &f.objects[parent]
	f.objects[child].prevChild, f.objects[child].linked = p.lastChild, true
	if p.lastChild == 0 {
		p.firstChild = child
	} else {
		f.objects[p.lastChild].nextChild = child
	}
	p.lastChild = child
}

// unlink takes an object out of its parent's list. It still knows its parent.
func (f *Framework) unlink(child id) {
	c := &f.objects[child]
	if !c.linked {
		return
	}
	p := &f.objects[c.parent]
	if c.prevChild == 0 {
		p.firstChild = c.nextChild
	} else {
		f.objects[c.prevChild].nextChild = c.nextChild
	}
	if c.nextChild == 0 {
		p.lastChild = c.prevChild
	} else {
		f.objects[c.nextChild].prevChild = c.prevChild
	}
	c.linked, c.prevChild, c.nextChild = false, 0, 0
}

// deleteObject disposes of an object and its children and drops the reference
// that kept each alive. Cleanup callbacks are called for children before their
// parent, then destroy callbacks for children before their parent, each when
// the last reference goes.
// What has to end at PASSIVE_LEVEL is handed to a work item above that.
func (s *Sys) deleteObject(i id) {
	switch {
	case s.f.objects[i].state > deferred:
	case s.IRQL() > PassiveLevel && s.f.endsAtPassive(i):
		s.deferDelete(i)
	default:
		s.f.unlink(i)
		s.dispose(i)
		s.release(i)
	}
}

func (s *Sys) dispose(i id) {
	f := s.f
	if f.objects[i].state > deferred {
		return
	}
	f.objects[i].state = disposing
	for c := f.liveChild(i); c != 0; c = f.liveChild(i) {
		s.dispose(c)
	}
	s.rundown(i)
	s.callEach("EvtCleanupCallback", i, f.objects[i].cleanup, func(c *context) Callback { return c.cleanup })
	f.objects[i].state = deleted
}

// liveChild returns the first child that is not being deleted.
func (f *Framework) liveChild(i id) id {
	c := f.objects[i].firstChild
	for c != 0 && f.objects[c].state != live {
		c = f.objects[c].nextChild
	}
	return c
}

// callEach calls the cleanup or destroy callbacks of an object: the one that it
// was made with, then those of contexts that were added.
func (s *Sys) callEach(role string, i id, own Callback, of func(*context) Callback) {
	if own != 0 {
		s.call(role, own, uint64(i.handle()))
	}
	for n := s.f.objects[i].contexts; n != 0; n = s.f.contexts[n].next {
		if c := of(&s.f.contexts[n]); c != 0 {
			s.call(role, c, uint64(i.handle()))
		}
	}
}

// release drops the creation references of an object that was disposed of, and
// of its children. A device outlasts the deletions of its objects that were
// handed to a work item.
func (s *Sys) release(i id) {
	f := s.f
	for c := f.objects[i].firstChild; c != 0; c = f.objects[i].firstChild {
		f.unlink(c)
		s.dispose(c) // one that came late
		s.release(c)
	}
	if f.objects[i].typ == TypeDevice {
		s.awaitIdle(i, "deferred deletions of a device", s.device(i).deferred == 0)
	}
	s.dereference(i)
}

// dereference drops a reference; with the last one the object is destroyed, at
// PASSIVE_LEVEL if it needs that.
func (s *Sys) dereference(i id) {
	f := s.f
	s.Released(uint64(i.handle()))
	if f.objects[i].references--; f.objects[i].references > 0 {
		return
	}
	if f.objects[i].state < deleted {
		s.BugCheck(0x10D, [4]uint64{7, uint64(i.handle()), objectBase + uint64(i)<<6}, "OBJ-21", fmt.Sprintf(
			"the last reference of %s was dropped, but it was not deleted with WdfObjectDelete", f.m.NameOf(uint64(i.handle()))))
	}
	if s.IRQL() > PassiveLevel && f.endsAtPassive(i) {
		s.f.m.QueueWork(uint64(i.handle()), "deferred destruction", f.thunks.destroy, kernel.Args{uint64(i)})
		return
	}
	s.destroy(i)
}

func (s *Sys) destroy(i id) {
	f := s.f
	s.Acquired(uint64(i.handle()))
	s.callEach("EvtDestroyCallback", i, f.objects[i].destroy, func(c *context) Callback { return c.destroy })
	s.note(trace.Framework, f.m.NameOf(uint64(i.handle())), "destroyed")
	s.freeContexts(i)
	s.freeBody(i)
	f.unlink(i)
	f.objects[i].state = destroyed
}

var (
	svcWdfObjectDelete            = kernel.NewService("WdfObjectDelete")
	svcWdfObjectReferenceActual   = kernel.NewService("WdfObjectReferenceActual")
	svcWdfObjectDereferenceActual = kernel.NewService("WdfObjectDereferenceActual")
)

// WdfObjectDelete deletes an object and its children. IRQL <= DISPATCH_LEVEL;
// PASSIVE_LEVEL for objects whose disposal waits. Drivers, devices, interrupts,
// default queues and parents of interrupts cannot be deleted: verifier break,
// no effect (OBJ-20, WDFI-32).
func (s *Sys) WdfObjectDelete(h WDFOBJECT) {
	s.Enter(svcWdfObjectDelete, uint64(h))
	s.lookup(h, TypeObject)
	s.levelReport("WdfObjectDelete", "IRQL-12", DispatchLevel)
	s.Step()
	i := s.lookup(h, TypeObject) // another processor may have deleted it
	o := &s.f.objects[i]
	switch {
	case o.noDelete:
		s.verifierBreak("STATUS_CANNOT_DELETE", "OBJ-20", "WdfObjectDelete on %s, which the framework deletes: nothing happens",
			s.f.m.NameOf(uint64(h)))
	case o.state != live:
		s.verifierBreak("double delete", "OBJ-20", "WdfObjectDelete on %s, which is being deleted already", s.f.m.NameOf(uint64(h)))
	case o.typ == TypeRequest && s.f.requests[o.index].fromApp:
		s.verifierBreak("ReqDelete", "OBJ-20", "WdfObjectDelete on %s, which the framework made: complete it instead", s.f.m.NameOf(uint64(h)))
	case o.linked && s.f.objects[o.parent].state != live:
		s.note(trace.Framework, s.f.m.NameOf(uint64(h)), "is deleted with its parent")
	default:
		s.deleteObject(i)
	}
	s.LeaveVoid()
}

// disposesAtPassive reports whether the disposal of an object of this type
// waits or flushes, so that it is done at PASSIVE_LEVEL.
func (t Type) disposesAtPassive() bool {
	switch t {
	case TypeDPC, TypeTimer, TypeWorkItem, TypeQueue, TypeInterrupt, TypeDevice, TypeDriver, TypeKey, TypeString, TypeDMAEnabler, TypeCommonBuffer:
		return true
	}
	return false
}

// endsAtPassive reports whether that is so for an object, for the callbacks of
// its attributes, or for one of its children.
func (f *Framework) endsAtPassive(i id) bool {
	if f.objects[i].typ.disposesAtPassive() || f.objects[i].level == ExecutionLevelPassive {
		return true
	}
	for c := f.objects[i].firstChild; c != 0; c = f.objects[c].nextChild {
		if f.endsAtPassive(c) {
			return true
		}
	}
	return false
}

// deferDelete hands a deletion to a work item.
func (s *Sys) deferDelete(i id) {
	s.f.unlink(i)
	s.f.objects[i].state = deferred
	dev := s.f.deviceOf(i)
	if dev != 0 {
		s.device(dev).deferred++
	}
	s.f.m.QueueWork(uint64(i.handle()), "deferred deletion", s.f.thunks.delete, kernel.Args{uint64(i), uint64(dev)})
}

// deferredDelete is the routine of that work item.
func (s *Sys) deferredDelete(a kernel.Args) uint64 {
	s.deleteObject(id(a[0]))
	if dev := id(a[1]); dev != 0 {
		d := s.device(dev)
		if d.deferred--; d.deferred == 0 {
			s.f.idle(dev)
		}
	}
	return 0
}

// waiter is a thread that waits until something of an object has come to rest.
type waiter struct {
	object id
	thread int32
}

// awaitIdle waits until idle is called for an object, unless it is idle
// already: like an event that is set whenever the object comes to rest. A work
// item that would wait for its own end is a deadlock.
func (s *Sys) awaitIdle(i id, what string, idle bool) {
	if idle {
		return
	}
	if kind, of := s.Activation(); kind == kernel.WorkItemActivation && of == uint64(i.handle()) {
		clause := "OBJ-12"
		switch s.f.objects[i].typ {
		case TypeInterrupt:
			clause = "WDFI-29"
		case TypeTimer:
			clause = "OBJ-9"
		}
		s.Stop(kernel.Finding{Rule: "deadlock", Clause: clause, Text: fmt.Sprintf(
			"the work item of %s waits for itself to end; Windows hangs here", s.f.m.NameOf(of))})
	}
	s.f.waiters = append(s.f.waiters, waiter{i, int32(s.ID())})
	s.Suspend(what)
}

// idle wakes those that wait for an object to come to rest.
func (f *Framework) idle(i id) {
	f.waiters = slices.DeleteFunc(f.waiters, func(w waiter) bool {
		if w.object == i {
			f.m.Wake(int(w.thread), StatusSuccess)
		}
		return w.object == i
	})
}

// WdfObjectReference keeps the memory of an object until WdfObjectDereference.
// Any IRQL.
func (s *Sys) WdfObjectReference(h WDFOBJECT) {
	s.Enter(svcWdfObjectReferenceActual, uint64(h))
	s.lookup(h, TypeObject)
	s.Step()
	s.f.objects[s.lookup(h, TypeObject)].references++
	s.LeaveVoid()
}

// WdfObjectDereference drops a reference. Any IRQL, but the last one where the
// destroy callback can run. Too many are 0x10D/7 (OBJ-21).
func (s *Sys) WdfObjectDereference(h WDFOBJECT) {
	s.Enter(svcWdfObjectDereferenceActual, uint64(h))
	s.lookup(h, TypeObject)
	s.Step()
	s.dereference(s.lookup(h, TypeObject))
	s.LeaveVoid()
}

// deviceOf returns the device that an object belongs to, 0 if none.
func (f *Framework) deviceOf(i id) id {
	for ; i != 0; i = f.objects[i].parent {
		if f.objects[i].typ == TypeDevice {
			return i
		}
	}
	return 0
}
