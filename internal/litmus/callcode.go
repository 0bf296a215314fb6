package litmus

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// callFunc executes a call of a program and returns its result, 0 if it has none.
type callFunc func(x *activation, in *Instr) int64

// callFuncs says for each row of Calls what the machine does: one call of the kernel or the framework, which has one
// scheduling point before what it does.
var callFuncs map[string]callFunc

func init() {
	callFuncs = map[string]callFunc{
		"q": func(x *activation, in *Instr) int64 {
			return number(x.sys().WdfInterruptQueueDpcForIsr(x.handle(in, 0)))
		},
		"ins":    insertDPC,
		"remove": func(x *activation, in *Instr) int64 { return number(x.t.KeRemoveQueueDpc(x.addr(in, 0))) },
		"flush":  func(x *activation, in *Instr) int64 { x.t.KeFlushQueuedDpcs(); return 0 },
		"set_target": func(x *activation, in *Instr) int64 {
			x.t.KeSetTargetProcessorDpc(x.addr(in, 0), int8(x.value(in, 1)))
			return 0
		},
		"importance": setImportance,
		"enqueue":    enqueueDPC,
		"cancel":     cancelDPC,
		"arg1":       func(x *activation, in *Instr) int64 { return int64(x.args[2]) },
		"arg2":       func(x *activation, in *Instr) int64 { return int64(x.args[3]) },

		"acquire":   acquireLock,
		"release":   releaseLock,
		"lock":      func(x *activation, in *Instr) int64 { x.sys().WdfInterruptAcquireLock(x.handle(in, 0)); return 0 },
		"unlock":    func(x *activation, in *Instr) int64 { x.sys().WdfInterruptReleaseLock(x.handle(in, 0)); return 0 },
		"raise":     func(x *activation, in *Instr) int64 { return int64(x.t.KeRaiseIrql(uint8(x.value(in, 0)))) },
		"lower":     func(x *activation, in *Instr) int64 { x.t.KeLowerIrql(uint8(x.value(in, 0))); return 0 },
		"irql":      func(x *activation, in *Instr) int64 { return int64(x.t.KeGetCurrentIrql()) },
		"processor": func(x *activation, in *Instr) int64 { return int64(x.t.Processor()) },

		"interlocked_add":      interlockedAdd,
		"interlocked_exchange": interlockedExchange,
		"read":                 func(x *activation, in *Instr) int64 { return int64(x.t.Load(x.register(in), 8)) },
		"write":                func(x *activation, in *Instr) int64 { x.t.Store(x.register(in), 8, uint64(x.value(in, 1))); return 0 },
		"free":                 func(x *activation, in *Instr) int64 { x.t.ExFreePoolWithTag(x.addr(in, 0), poolTag); return 0 },
		"set":                  func(x *activation, in *Instr) int64 { x.t.KeSetEvent(x.addr(in, 0)); return 0 },
		"wait":                 wait,
		"complete":             completeRequest,

		"synchronize": synchronize,
		"trylock": func(x *activation, in *Instr) int64 {
			return number(x.sys().WdfInterruptTryToAcquireLock(x.handle(in, 0)))
		},
		"acquire_at_dpc":   func(x *activation, in *Instr) int64 { x.t.KeAcquireSpinLockAtDpcLevel(x.addr(in, 0)); return 0 },
		"release_from_dpc": func(x *activation, in *Instr) int64 { x.t.KeReleaseSpinLockFromDpcLevel(x.addr(in, 0)); return 0 },
		"lock_device":      lockDevice,
		"unlock_device":    unlockDevice,

		"qw": func(x *activation, in *Instr) int64 {
			return number(x.sys().WdfInterruptQueueWorkItemForIsr(x.handle(in, 0)))
		},
		"disable":      func(x *activation, in *Instr) int64 { x.sys().WdfInterruptDisable(x.handle(in, 0)); return 0 },
		"enable":       func(x *activation, in *Instr) int64 { x.sys().WdfInterruptEnable(x.handle(in, 0)); return 0 },
		"create":       createByProgram,
		"set_policy":   setPolicy,
		"processors":   interruptProcessors,
		"vector":       interruptVector,
		"delete":       func(x *activation, in *Instr) int64 { x.sys().WdfObjectDelete(x.handle(in, 0)); return 0 },
		"enqueue_work": enqueueWork,
		"start":        startTimer,
		"stop":         stopTimer,

		"send":               sendRequest,
		"cancel_request":     cancelRequest,
		"request":            ownRequest,
		"retrieve":           retrieveRequest,
		"mark_cancelable":    markCancelable,
		"mark_cancelable_ex": markCancelableEx,
		"unmark":             unmarkCancelable,

		"user":  allocateUser,
		"map":   mapUser,
		"deref": func(x *activation, in *Instr) int64 { return int64(x.t.Load(uint64(x.value(in, 0)), 8)) },

		"start_device":    startDevice,
		"power":           setPower,
		"arm_for_wake":    armForWake,
		"surprise_remove": surpriseRemove,
	}
}

// sys returns the framework's view of the calling thread.
func (x *activation) sys() *wdf.Sys { return x.f.Sys(x.t) }

// addr and handle return the address or the handle of the object that is argument i.
func (x *activation) addr(in *Instr, i int) uint64 { return x.objects[in.Args[i].Object].addr }

func (x *activation) handle(in *Instr, i int) wdf.Handle { return x.objects[in.Args[i].Object].handle }

// value returns the value of argument i, 0 if it was not given.
func (x *activation) value(in *Instr, i int) int64 {
	if i >= len(in.Args) {
		return 0
	}
	return in.Args[i].Expr.Eval(x)
}

// register returns the address of the device register that is the first argument.
func (x *activation) register(in *Instr) uint64 {
	return x.registerAddress(in.Args[0].Object, in.Args[0].Field)
}

func insertDPC(x *activation, in *Instr) int64 {
	return number(x.t.KeInsertQueueDpc(x.addr(in, 0), uint64(x.value(in, 1)), uint64(x.value(in, 2))))
}

func setImportance(x *activation, in *Instr) int64 {
	i := slices.Index(importanceNames[:], in.Args[1].Word)
	x.t.KeSetImportanceDpc(x.addr(in, 0), kernelImportance[i])
	return 0
}

// acquireLock takes a spin lock. A WDFSPINLOCK keeps the old IRQL itself.
func acquireLock(x *activation, in *Instr) int64 {
	if h := x.handle(in, 0); h != 0 {
		x.sys().WdfSpinLockAcquire(h)
		return 0
	}
	return int64(x.t.KeAcquireSpinLock(x.addr(in, 0)))
}

func releaseLock(x *activation, in *Instr) int64 {
	if h := x.handle(in, 0); h != 0 {
		x.sys().WdfSpinLockRelease(h)
		return 0
	}
	x.t.KeReleaseSpinLock(x.addr(in, 0), uint8(x.value(in, 1)))
	return 0
}

// interlockedAdd returns the new value, as InterlockedAdd does.
func interlockedAdd(x *activation, in *Instr) int64 {
	d := x.value(in, 1)
	v := int64(x.t.Update(x.addr(in, 0), 8, func(old uint64) uint64 { return old + uint64(d) })) + d
	x.recordInterlocked("InterlockedAdd", in, v)
	return v
}

// interlockedExchange returns the old value.
func interlockedExchange(x *activation, in *Instr) int64 {
	v := x.value(in, 1)
	old := int64(x.t.Update(x.addr(in, 0), 8, func(uint64) uint64 { return uint64(v) }))
	x.recordInterlocked("InterlockedExchange", in, v)
	return old
}

func (x *activation) recordInterlocked(what string, in *Instr, v int64) {
	if x.m.Trace.On() {
		o := &x.test.Objects[in.Args[0].Object]
		x.m.Record(x.t.Processor(), trace.Event{Kind: trace.Note, Name: what, Text: o.Name + " -> " + string(x.valueOf(o.Cell.Type, v))})
	}
}

func wait(x *activation, in *Instr) int64 {
	o := kernel.Forever
	if len(in.Args) > 1 {
		o = kernel.Timeout{Limited: true, Ticks: -x.value(in, 1)}
	}
	return int64(x.t.KeWaitForSingleObject(x.addr(in, 0), o))
}
