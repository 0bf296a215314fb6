package wdf

import (
	"fmt"

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
	TypeResourceList Type = 0x1022
	TypeWaitLock     Type = 0x1023
	TypeSpinLock     Type = 0x1024
	TypeWorkItem     Type = 0x1025
	TypeInterrupt    Type = 0x1027
	TypeTimer        Type = 0x1028
)

var typeNames = map[Type]string{
	TypeObject: "WDFOBJECT", TypeDriver: "WDFDRIVER", TypeDevice: "WDFDEVICE", TypeQueue: "WDFQUEUE",
	TypeRequest: "WDFREQUEST", TypeMemory: "WDFMEMORY", TypeDPC: "WDFDPC", TypeResourceList: "WDFCMRESLIST",
	TypeWaitLock: "WDFWAITLOCK", TypeSpinLock: "WDFSPINLOCK", TypeWorkItem: "WDFWORKITEM",
	TypeInterrupt: "WDFINTERRUPT", TypeTimer: "WDFTIMER",
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

// ObjectAttributes is WDF_OBJECT_ATTRIBUTES. A nil pointer means none; a zero
// ExecutionLevel or SynchronizationScope means inherit.
type ObjectAttributes struct {
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
	disposing             // WdfObjectDelete: cleanup callbacks run
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

// object returns the number behind a handle, 0 if it is not one of a live
// object.
func (f *Framework) object(h Handle) id {
	n := (uint64(h) ^ handleMask) - objectBase
	i := n >> 6
	if n&63 != 0 || i == 0 || i >= uint64(len(f.objects)) || f.objects[i].state == destroyed {
		return 0
	}
	return id(i)
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
	is := "is not a handle of a live object"
	switch {
	case h == 0:
		is = "is NULL"
	case i != 0:
		is = "is a " + s.f.objects[i].typ.String()
	}
	s.BugCheck(0x10D, [4]uint64{5, uint64(h), uint64(want)}, "OBJ-18", fmt.Sprintf(
		"a %s is needed, but %s %s", want, s.f.m.NameOf(uint64(h)), is))
}

// requirePointer is bug check 0x10D/4 for a pointer that must not be NULL
// (OBJ-19).
func (s *Sys) requirePointer(ok bool, what string) {
	if !ok {
		s.BugCheck(0x10D, [4]uint64{4, 0, 0}, "OBJ-19", what+" is NULL, but required")
	}
}

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
		f.m.SetName(uint64(n.handle()), fmt.Sprintf("%s#%d", name, n))
	}
	return n
}

// adopt puts a child behind the other children of its parent.
func (f *Framework) adopt(parent, child id) {
	p := &f.objects[parent]
	f.objects[child].prevChild = p.lastChild
	if p.lastChild == 0 {
		p.firstChild = child
	} else {
		f.objects[p.lastChild].nextChild = child
	}
	p.lastChild = child
}

// disown takes an object out of its parent's list.
func (f *Framework) disown(child id) {
	c := &f.objects[child]
	if c.parent == 0 {
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
	c.parent, c.prevChild, c.nextChild = 0, 0, 0
}

// deleteObject disposes of an object and its children and drops the reference
// that kept each alive. Cleanup callbacks are called for children before their
// parent, then destroy callbacks for children before their parent, each when
// the last reference goes.
func (s *Sys) deleteObject(i id) {
	s.dispose(i)
	s.release(i)
}

func (s *Sys) dispose(i id) {
	f := s.f
	if f.objects[i].state != live {
		return
	}
	f.objects[i].state = disposing
	for c := f.objects[i].firstChild; c != 0; c = f.objects[c].nextChild {
		s.dispose(c)
	}
	s.rundown(i)
	if c := f.objects[i].cleanup; c != 0 {
		s.call("EvtCleanupCallback", c, uint64(i.handle()))
	}
	f.objects[i].state = deleted
}

// release drops the creation references of an object that was disposed of, and
// of its children.
func (s *Sys) release(i id) {
	f := s.f
	for c := f.objects[i].firstChild; c != 0; {
		next := f.objects[c].nextChild
		s.release(c)
		c = next
	}
	s.dereference(i)
}

// dereference drops a reference; with the last one the object is destroyed.
func (s *Sys) dereference(i id) {
	f := s.f
	if f.objects[i].references--; f.objects[i].references > 0 {
		return
	}
	if f.objects[i].state == live {
		s.BugCheck(0x10D, [4]uint64{7, uint64(i.handle()), 0}, "OBJ-21", fmt.Sprintf(
			"the last reference of %s was dropped, but it was not deleted with WdfObjectDelete", f.m.NameOf(uint64(i.handle()))))
	}
	if d := f.objects[i].destroy; d != 0 {
		s.call("EvtDestroyCallback", d, uint64(i.handle()))
	}
	s.note(trace.Framework, f.m.NameOf(uint64(i.handle())), "destroyed")
	s.freeContexts(i)
	s.freeBody(i)
	f.disown(i)
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
	i := s.lookup(h, TypeObject)
	o := &s.f.objects[i]
	switch {
	case o.noDelete:
		s.verifierBreak("STATUS_CANNOT_DELETE", "OBJ-20", "WdfObjectDelete on %s, which the framework deletes: nothing happens",
			s.f.m.NameOf(uint64(h)))
	case o.state != live:
		s.verifierBreak("double delete", "OBJ-20", "WdfObjectDelete on %s, which is being deleted already", s.f.m.NameOf(uint64(h)))
	case o.typ == TypeRequest && s.f.requests[o.index].fromApp:
		s.verifierBreak("ReqDelete", "OBJ-20", "WdfObjectDelete on %s, which the framework made: complete it instead", s.f.m.NameOf(uint64(h)))
	case s.IRQL() > PassiveLevel && o.typ.disposesAtPassive():
		s.deferDelete(i)
	default:
		s.deleteObject(i)
	}
	s.LeaveVoid()
}

// disposesAtPassive reports whether the disposal of an object of this type
// waits or flushes, so that it is done at PASSIVE_LEVEL.
func (t Type) disposesAtPassive() bool {
	switch t {
	case TypeDPC, TypeTimer, TypeWorkItem, TypeQueue, TypeInterrupt, TypeDevice, TypeDriver:
		return true
	}
	return false
}

// deferDelete hands a deletion to a work item.
func (s *Sys) deferDelete(i id) {
	s.f.m.QueueWork(uint64(i.handle()), "deferred delete", s.f.thunks.delete, kernel.Args{uint64(i)})
}

// WdfObjectReference keeps the memory of an object until WdfObjectDereference.
// Any IRQL.
func (s *Sys) WdfObjectReference(h WDFOBJECT) {
	s.Enter(svcWdfObjectReferenceActual, uint64(h))
	s.Step()
	s.f.objects[s.lookup(h, TypeObject)].references++
	s.LeaveVoid()
}

// WdfObjectDereference drops a reference. Any IRQL, but the last one where the
// destroy callback can run. Too many are 0x10D/7 (OBJ-21).
func (s *Sys) WdfObjectDereference(h WDFOBJECT) {
	s.Enter(svcWdfObjectDereferenceActual, uint64(h))
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
