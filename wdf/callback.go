package wdf

import (
	"reflect"
	"runtime"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
)

// Callback is the address of a callback; 0 means none. A driver in Go gets one
// for a function with the methods below, a .sys driver passes its own.
//
// The function should be a top-level one, or a method of something that never
// changes: its address depends on its name only, and what a closure captures is
// not part of the simulated machine.
type Callback uint64

func (s *Sys) function(fn any, call kernel.Func) Callback {
	name := strings.TrimSuffix(runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name(), "-fm") // of a method
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	return Callback(s.f.m.Function(name, call))
}

// ISR makes an EvtInterruptIsr of a function: called at DIRQL, it returns
// whether its device interrupted.
func (s *Sys) ISR(fn func(s *Sys, interrupt WDFINTERRUPT, messageID uint32) bool) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return boolValue(fn(s.f.Sys(t), Handle(a[0]), uint32(a[1])))
	})
}

// InterruptDPC makes an EvtInterruptDpc or EvtInterruptWorkItem of a function.
func (s *Sys) InterruptDPC(fn func(s *Sys, interrupt WDFINTERRUPT, device WDFDEVICE)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]))
		return 0
	})
}

// InterruptEnable makes an EvtInterruptEnable or EvtInterruptDisable of a
// function.
func (s *Sys) InterruptEnable(fn func(s *Sys, interrupt WDFINTERRUPT, device WDFDEVICE) NTSTATUS) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return uint64(fn(s.f.Sys(t), Handle(a[0]), Handle(a[1])))
	})
}

// InterruptSynchronize makes an EvtInterruptSynchronize of a function.
func (s *Sys) InterruptSynchronize(fn func(s *Sys, interrupt WDFINTERRUPT, context uint64) bool) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return boolValue(fn(s.f.Sys(t), Handle(a[0]), a[1]))
	})
}

// DeviceAdd makes an EvtDriverDeviceAdd of a function.
func (s *Sys) DeviceAdd(fn func(s *Sys, driver WDFDRIVER, init *DeviceInit) NTSTATUS) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return uint64(fn(s.f.Sys(t), Handle(a[0]), s.f.DeviceInitAt(a[1])))
	})
}

// PrepareHardware makes an EvtDevicePrepareHardware of a function. The lists
// are handles for WdfCmResourceListGetCount and WdfCmResourceListGetDescriptor.
func (s *Sys) PrepareHardware(fn func(s *Sys, device WDFDEVICE, raw, translated WDFCMRESLIST) NTSTATUS) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return uint64(fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]), Handle(a[2])))
	})
}

// ReleaseHardware makes an EvtDeviceReleaseHardware of a function.
func (s *Sys) ReleaseHardware(fn func(s *Sys, device WDFDEVICE, translated WDFCMRESLIST) NTSTATUS) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return uint64(fn(s.f.Sys(t), Handle(a[0]), Handle(a[1])))
	})
}

// DeviceState makes a callback of a function that gets a device and a power
// state: EvtDeviceD0Entry and EvtDeviceD0EntryPostInterruptsEnabled (previous
// state), EvtDeviceD0Exit and EvtDeviceD0ExitPreInterruptsDisabled (target
// state).
func (s *Sys) DeviceState(fn func(s *Sys, device WDFDEVICE, state PowerState) NTSTATUS) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return uint64(fn(s.f.Sys(t), Handle(a[0]), PowerState(a[1])))
	})
}

// DeviceStatus makes a callback of a function that gets a device and returns a
// status: EvtDeviceSelfManagedIoInit and the like.
func (s *Sys) DeviceStatus(fn func(s *Sys, device WDFDEVICE) NTSTATUS) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return uint64(fn(s.f.Sys(t), Handle(a[0])))
	})
}

// Object makes a callback of a function that gets one handle and returns
// nothing: EvtCleanupCallback, EvtDestroyCallback, EvtDpcFunc, EvtTimerFunc,
// EvtWorkItem, EvtDeviceSurpriseRemoval, EvtRequestCancel.
func (s *Sys) Object(fn func(s *Sys, object Handle)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]))
		return 0
	})
}

// IoTransfer makes an EvtIoRead or EvtIoWrite of a function; length is in bytes.
func (s *Sys) IoTransfer(fn func(s *Sys, queue WDFQUEUE, request WDFREQUEST, length uint64)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]), a[2])
		return 0
	})
}

// IoControl makes an EvtIoDeviceControl of a function; lengths are in bytes.
func (s *Sys) IoControl(fn func(s *Sys, queue WDFQUEUE, request WDFREQUEST, outputLength, inputLength uint64, code uint32)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]), a[2], a[3], uint32(a[4]))
		return 0
	})
}

// IoRequest makes a callback of a function that gets a queue and a request:
// EvtIoDefault, EvtIoResume, EvtIoCanceledOnQueue.
func (s *Sys) IoRequest(fn func(s *Sys, queue WDFQUEUE, request WDFREQUEST)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]))
		return 0
	})
}

// IoStop makes an EvtIoStop of a function; flags are WdfRequestStopAction...
// values.
func (s *Sys) IoStop(fn func(s *Sys, queue WDFQUEUE, request WDFREQUEST, flags uint32)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]), uint32(a[2]))
		return 0
	})
}

// QueueState makes an EvtIoQueueState of a function: called when a queue has
// stopped, is purged, or is ready.
func (s *Sys) QueueState(fn func(s *Sys, queue WDFQUEUE, context uint64)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), a[1])
		return 0
	})
}

// SystemThread makes the routine of PsCreateSystemThread of a function.
func (s *Sys) SystemThread(fn func(s *Sys, context uint64)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), a[0])
		return 0
	})
}

// DeferredRoutine makes the routine of a KDPC of a function.
func (s *Sys) DeferredRoutine(fn func(s *Sys, dpc, context, arg1, arg2 uint64)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), a[0], a[1], a[2], a[3])
		return 0
	})
}

func boolValue(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
