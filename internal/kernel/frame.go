package kernel

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/trace"
)

// ActivationKind says as what driver code runs.
type ActivationKind uint8

// Kinds of frames. Those up to WorkItemActivation are activations: units that
// the scheduler, the watchdogs and the race detector know. The others only
// tell where in the code an activation is.
const (
	ThreadActivation ActivationKind = iota
	ISRActivation
	DPCActivation
	WorkItemActivation
	routineFrame // a routine of the driver, called in the same activation
	serviceFrame // a kernel or framework routine
)

var activationNames = [...]string{"thread", "ISR", "DPC", "work item", "routine", "call"}

func (k ActivationKind) String() string { return activationNames[k] }

// frame is one entry of a thread's simulated call stack. It holds everything
// that the Go stack of the coroutine holds: what is called with which
// arguments, and how far it got (position).
type frame struct {
	kind        ActivationKind
	irql        uint8  // on entry
	id          uint32 // activation id
	class       uint64 // what kind of work an activation is: routine and object
	nth         uint32 // how many of this class there have been
	ops         uint32 // operations so far, of the activation
	tries       uint32 // decisions before the present one of them
	code        uint64 // routine address, or service number
	object      uint64 // KDPC, KINTERRUPT, work item, thread; first argument of a service
	arg         uint64 // second argument
	rest        uint64 // all arguments, mixed
	position    uint64 // how far the code got: see Thread.SetPosition
	points      uint32 // scheduling points since then
	seen        uint64 // what driver code has observed since then: see Thread.observe
	kept        uint64 // see Thread.keep
	ticks       uint64 // clock ticks since an ISR or DPC began (WD-1)
	regions     int32  // Thread.driverRegions on entry
	guarded     int32  // Thread.guardedRegions on entry
	interrupted op     // what stood before this frame when it came on top
	unchecked   bool   // the level of the service is still to be checked
	role        string // what a routine is to Windows, for reports
}

// push puts a frame on the stack.
func (t *Thread) push(f frame) {
	t.checkCall()
	f.irql, f.interrupted, f.regions, f.guarded = t.IRQL(), t.op, t.driverRegions, t.guardedRegions
	if f.kind <= WorkItemActivation {
		t.m.nextAct++
		f.id = t.m.nextAct
		f.class = mixed([]uint64{uint64(f.kind), f.code, t.actObject(&f)})
		f.nth = t.m.nthActivation(f.class)
	} else if n := len(t.stack); n > 0 {
		f.id = t.stack[n-1].id
	}
	t.stack = append(t.stack, f)
	if f.kind <= WorkItemActivation {
		t.began(&f)
	}
}

func (t *Thread) pop() { t.stack = t.stack[:len(t.stack)-1] }

// popCall is pop at the end of something that the code below has called: there
// it counts as progress, like a scheduling point.
func (t *Thread) popCall() {
	n := len(t.stack) - 1
	t.stack = t.stack[:n]
	if n > 0 {
		t.stack[n-1].points++
	}
}

// keep tells what a routine of this package that the running code called still
// needs from its Go locals at the scheduling points to come, where nothing else
// in the frame tells it. The position is the caller's.
func (t *Thread) keep(v uint64) {
	if n := len(t.stack); n > 0 {
		t.stack[n-1].kept = v
	}
}

// mixed condenses arguments into a word.
func mixed(args []uint64) (h uint64) {
	for _, a := range args {
		h = stir(h, a, 0x9E3779B97F4A7C15)
	}
	return h
}

// count counts an operation of the current activation.
func (t *Thread) count() {
	for i := len(t.stack) - 1; i >= 0; i-- {
		if t.stack[i].kind <= WorkItemActivation {
			t.stack[i].ops++
			t.stack[i].tries = 0
			return
		}
	}
}

// SetPosition tells how far the running routine or service got, as far as it
// matters for what it will do: what a state is hashed with (state.go), together
// with the number of scheduling points since. Straight-line code needs no call;
// code that branches or loops across scheduling points by what it keeps in Go
// variables has to make one, or states that differ could be taken for equal.
func (t *Thread) SetPosition(p uint64) {
	if n := len(t.stack); n > 0 {
		f := &t.stack[n-1]
		f.position, f.points, f.seen = p, 0, 0
	}
}

// observe notes a value that driver code in Go gets to see. What such code
// keeps in Go variables is a function of its arguments and of what it has seen,
// so that this, too, tells how far it got.
func (t *Thread) observe(v uint64) {
	if n := len(t.stack); n > 0 {
		if f := &t.stack[n-1]; f.kind <= WorkItemActivation || f.kind == routineFrame {
			f.seen = stir(f.seen, v, 0x9E3779B97F4A7C15)
		}
	}
}

// activation returns the id of the current activation and the number of those
// below it on this thread.
func (t *Thread) activation() (id uint32, depth uint8) {
	n := 0
	for i := range t.stack {
		if t.stack[i].kind <= WorkItemActivation {
			id = t.stack[i].id
			n++
		}
	}
	return id, uint8(max(n-1, 0))
}

// current returns the frame of the current activation, nil before the first.
func (t *Thread) currentActivation() *frame {
	for i := len(t.stack) - 1; i >= 0; i-- {
		if t.stack[i].kind <= WorkItemActivation {
			return &t.stack[i]
		}
	}
	return nil
}

// Activation returns as what the caller runs and the object of it: the KDPC of
// a DPC, the KINTERRUPT of an ISR.
func (t *Thread) Activation() (ActivationKind, uint64) {
	f := t.currentActivation()
	if f == nil {
		return ThreadActivation, 0
	}
	return f.kind, f.object
}

// Role returns what the routine that was called last is to Windows, such as
// EvtInterruptIsr or DPC.
func (t *Thread) Role() string { return t.stack[len(t.stack)-1].role }

// ActivationID returns the number of the current activation.
func (t *Thread) ActivationID() uint32 {
	id, _ := t.activation()
	return id
}

// activate runs a routine as an activation of its own on top of this thread.
func (t *Thread) activate(k ActivationKind, object uint64, role string, routine uint64, a Args) uint64 {
	t.push(frame{kind: k, code: routine, object: object, arg: a[1], rest: mixed(a[:])})
	r := t.Invoke(role, routine, a)
	t.ends(k, object, r)
	t.pop()
	return r
}

// Invoke calls a routine in the current activation. role is what the routine
// is to Windows: EvtInterruptIsr, DriverEntry. Internal functions leave no
// mark in the trace.
func (t *Thread) Invoke(role string, routine uint64, a Args) uint64 {
	f := t.m.code.find(routine)
	if f != nil && f.internal {
		return f.fn(t, a)
	}
	t.push(frame{kind: routineFrame, code: routine, object: a[0], arg: a[1], rest: mixed(a[:]), role: role})
	if t.m.Trace.On() {
		t.m.Record(t.cpu, trace.Event{Kind: trace.Start, Name: t.m.NameOf(routine), Text: role})
	}
	r := t.call(routine, a)
	t.checkCallbackEnd()
	if t.m.Trace.On() {
		t.m.Record(t.cpu, trace.Event{Kind: trace.End, Name: t.m.NameOf(routine), Text: role, ValueKind: results[role], Value: r})
	}
	t.popCall()
	return r
}

// Depth returns the number of calls on the simulated stack: what begins later and
// has not ended is deeper.
func (t *Thread) Depth() int { return len(t.stack) }

// CallbackDepth returns the Depth at which the innermost routine of the driver runs;
// 0 if there is none.
func (t *Thread) CallbackDepth() int {
	for i := len(t.stack) - 1; i >= 0; i-- {
		if t.stack[i].kind == routineFrame {
			return i + 1
		}
	}
	return 0
}

// Inside reports whether the present activation is in a routine of a role.
func (t *Thread) Inside(role string) bool {
	for i := len(t.stack) - 1; i >= 0 && t.stack[i].kind > WorkItemActivation; i-- {
		if t.stack[i].role == role {
			return true
		}
	}
	return false
}

// CriticalRegions returns the APC-disable count of the thread.
func (t *Thread) CriticalRegions() int { return t.criticalRegions }

// results says what routines of a role return, for the trace; the others return
// nothing.
var results = map[string]trace.ValueKind{
	"ISR": trace.Bool, "EvtInterruptIsr": trace.Bool, "EvtInterruptSynchronize": trace.Bool,
	"DriverEntry": trace.Status, "EvtDriverDeviceAdd": trace.Status,
	"EvtInterruptEnable": trace.Status, "EvtInterruptDisable": trace.Status,
	"EvtDevicePrepareHardware": trace.Status, "EvtDeviceReleaseHardware": trace.Status,
	"EvtDeviceD0Entry": trace.Status, "EvtDeviceD0EntryPostInterruptsEnabled": trace.Status,
	"EvtDeviceD0Exit": trace.Status, "EvtDeviceD0ExitPreInterruptsDisabled": trace.Status,
	"EvtDeviceSelfManagedIoInit": trace.Status, "EvtDeviceSelfManagedIoSuspend": trace.Status,
	"EvtDeviceSelfManagedIoRestart": trace.Status, "EvtDeviceQueryRemove": trace.Status, "EvtDeviceQueryStop": trace.Status,
}

// Service describes a kernel or framework routine that drivers call.
type Service struct {
	Name   string
	number uint64
	limit  irqlLimit
}

var services []*Service

// NewService registers a routine that drivers call by name, at program start.
func NewService(name string) *Service {
	s := &Service{Name: name, number: uint64(len(services)), limit: limitOf(name)}
	services = append(services, s)
	return s
}

// Enter marks the beginning of a service: it appears in the trace and its IRQL
// range is checked (IRQL-12). Each Enter is followed by one Leave.
func (t *Thread) Enter(s *Service, args ...uint64) {
	t.stayAlive()
	f := frame{kind: serviceFrame, code: s.number, rest: mixed(args)}
	if len(args) > 0 {
		f.object = args[0]
	}
	if len(args) > 1 {
		f.arg = args[1]
	}
	t.push(f)
	if t.m.Trace.On() {
		t.m.Record(t.cpu, trace.Event{Kind: trace.Call, Name: s.Name, Text: t.argText(args)})
	}
	if n := len(t.stack) - 1; s.limit.framework {
		t.stack[n].unchecked = true
	} else {
		t.checkLevel(s)
	}
}

// checkCall checks the level of a framework routine that was just entered: at
// the first thing that it does, for what is wrong with its handles and pointers
// comes before that.
func (t *Thread) checkCall() {
	if n := len(t.stack) - 1; n >= 0 && t.stack[n].unchecked {
		t.stack[n].unchecked = false
		t.checkLevel(services[t.stack[n].code])
	}
}

// ExcuseLevel says that the level of the framework routine that was just entered
// is not looked at: it is wrong as a consequence of something else, which is
// reported.
func (t *Thread) ExcuseLevel() { t.stack[len(t.stack)-1].unchecked = false }

// Caller returns the address of the routine that called the running service.
func (t *Thread) Caller() uint64 {
	for i := len(t.stack) - 1; i >= 0; i-- {
		if t.stack[i].kind == routineFrame {
			return t.stack[i].code
		}
	}
	return 0
}

// Leave marks the end of a service that returns a value.
func (t *Thread) Leave(k trace.ValueKind, v uint64) {
	if t.m.ended || t.kill {
		return // a deferred call
	}
	t.checkCall()
	n := len(t.stack) - 1
	if t.m.Trace.On() {
		s := services[t.stack[n].code]
		t.m.Record(t.cpu, trace.Event{Kind: trace.Return, Name: s.Name, ValueKind: k, Value: v})
	}
	t.popCall()
	t.observe(v)
}

// LeaveBool is Leave for a BOOLEAN.
func (t *Thread) LeaveBool(v bool) bool {
	var n uint64
	if v {
		n = 1
	}
	t.Leave(trace.Bool, n)
	return v
}

// LeaveStatus is Leave for an NTSTATUS.
func (t *Thread) LeaveStatus(s NTSTATUS) NTSTATUS {
	t.Leave(trace.Status, uint64(s))
	return s
}

// LeaveVoid is Leave for a routine without a result.
func (t *Thread) LeaveVoid() { t.Leave(trace.None, 0) }

func (t *Thread) argText(args []uint64) string {
	var s strings.Builder
	s.WriteByte('(')
	for i, a := range args {
		if i > 0 {
			s.WriteString(", ")
		}
		s.WriteString(t.m.NameOf(a))
	}
	s.WriteByte(')')
	return s.String()
}

// stackText describes the calls and activations of the thread, innermost
// first. A routine in guest code shows the calls in it.
func (t *Thread) stackText() []string {
	var lines []string
	var guest [][]string
	if t.m.exec != nil {
		guest = t.m.exec.Calls(t)
	}
	idle := true
	for i := len(t.stack) - 1; i >= 0; i-- {
		switch f := &t.stack[i]; f.kind {
		case serviceFrame:
			lines = append(lines, "in "+services[f.code].Name)
		case routineFrame:
			at := ", called at " + trace.LevelName(f.irql)
			if t.m.code.find(f.code) != nil || len(guest) == 0 {
				lines = append(lines, "in "+t.m.NameOf(f.code)+at)
				continue
			}
			lines = append(lines, guest[0]...)
			lines[len(lines)-1] += at
			guest = guest[1:]
		case ThreadActivation:
			idle = false
			lines = append(lines, fmt.Sprintf("#%d %s %s", f.id, f.kind, t.name))
		default:
			lines = append(lines, fmt.Sprintf("#%d %s on top of", f.id, f.kind))
		}
	}
	if idle && len(lines) > 0 {
		lines = append(lines, "the idle thread")
	}
	return lines
}

// Service returns the name of the kernel or framework routine that runs.
func (t *Thread) Service() string {
	for i := len(t.stack) - 1; i >= 0; i-- {
		if t.stack[i].kind == serviceFrame {
			return services[t.stack[i].code].Name
		}
	}
	return ""
}
