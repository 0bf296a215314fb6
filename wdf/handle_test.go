package wdf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// objects are handles of one object of each type, made by objectDriver.
type objects struct {
	driver, device, interrupt, list, dpc, timer, workItem, spin, wait wdf.Handle
	stale                                                             map[wdf.Type]wdf.Handle // of deleted objects
}

var handleContext = wdf.NewContextType("HANDLE_CONTEXT")

// objectDriver makes the objects.
func objectDriver(o *objects) driver {
	d := one(interrupt{dpc: nothing})
	d.add = func(b *bench, s *wdf.Sys) {
		o.driver, o.device, o.interrupt = s.WdfGetDriver(), b.device, b.interrupts[0]
		a := &wdf.ObjectAttributes{ParentObject: b.device, ContextType: handleContext}
		none := b.object("none", nil)
		dpc, timer, work := wdf.DPCConfigInit(none), wdf.TimerConfigInit(none), wdf.WorkItemConfigInit(none)
		work.AutomaticSerialization = false
		for range 2 { // the second one stays
			o.stale = map[wdf.Type]wdf.Handle{wdf.TypeDPC: o.dpc, wdf.TypeTimer: o.timer, wdf.TypeWorkItem: o.workItem,
				wdf.TypeSpinLock: o.spin, wdf.TypeWaitLock: o.wait}
			o.dpc, _ = s.WdfDpcCreate(&dpc, a)
			o.timer, _ = s.WdfTimerCreate(&timer, a)
			o.workItem, _ = s.WdfWorkItemCreate(&work, a)
			o.spin, _ = s.WdfSpinLockCreate(a)
			o.wait, _ = s.WdfWaitLockCreate(a)
		}
		for _, h := range o.stale {
			s.WdfObjectDelete(h)
		}
	}
	return d
}

func parent(h wdf.Handle) *wdf.ObjectAttributes { return &wdf.ObjectAttributes{ParentObject: h} }

// handleCalls are all routines that take a handle, with the type that they want.
var handleCalls = []struct {
	name string
	typ  wdf.Type
	call func(b *bench, s *wdf.Sys, h wdf.Handle)
}{
	{"WdfObjectDelete", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfObjectDelete(h) }},
	{"WdfObjectReference", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfObjectReference(h) }},
	{"WdfObjectDereference", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfObjectDereference(h) }},
	{"WdfObjectGetTypedContext", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfObjectGetTypedContext(h, handleContext) }},
	{"WdfObjectAllocateContext", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfObjectAllocateContext(h, nil) }},
	{"WdfObjectAcquireLock", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfObjectAcquireLock(h) }},
	{"WdfObjectReleaseLock", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfObjectReleaseLock(h) }},
	{"WdfDeviceGetDriver", wdf.TypeDevice, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfDeviceGetDriver(h) }},
	{"WdfDeviceGetDefaultQueue", wdf.TypeDevice, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfDeviceGetDefaultQueue(h) }},
	{"WdfInterruptCreate", wdf.TypeDevice, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptCreate(h, nil, nil) }},
	{"WdfInterruptQueueDpcForIsr", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptQueueDpcForIsr(h) }},
	{"WdfInterruptQueueWorkItemForIsr", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptQueueWorkItemForIsr(h) }},
	{"WdfInterruptGetDevice", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptGetDevice(h) }},
	{"WdfInterruptGetInfo", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptGetInfo(h, nil) }},
	{"WdfInterruptWdmGetInterrupt", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptWdmGetInterrupt(h) }},
	{"WdfInterruptEnable", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptEnable(h) }},
	{"WdfInterruptDisable", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptDisable(h) }},
	{"WdfInterruptAcquireLock", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptAcquireLock(h) }},
	{"WdfInterruptReleaseLock", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptReleaseLock(h) }},
	{"WdfInterruptSynchronize", wdf.TypeInterrupt, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfInterruptSynchronize(h, 0, 0) }},
	{"WdfDpcCreate", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfDpcCreate(nil, parent(h|1)) }},
	{"WdfDpcEnqueue", wdf.TypeDPC, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfDpcEnqueue(h) }},
	{"WdfDpcCancel", wdf.TypeDPC, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfDpcCancel(h, true) }},
	{"WdfDpcGetParentObject", wdf.TypeDPC, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfDpcGetParentObject(h) }},
	{"WdfDpcWdmGetDpc", wdf.TypeDPC, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfDpcWdmGetDpc(h) }},
	{"WdfTimerCreate", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfTimerCreate(nil, parent(h|1)) }},
	{"WdfTimerStart", wdf.TypeTimer, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfTimerStart(h, 0) }},
	{"WdfTimerStop", wdf.TypeTimer, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfTimerStop(h, true) }},
	{"WdfTimerGetParentObject", wdf.TypeTimer, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfTimerGetParentObject(h) }},
	{"WdfWorkItemCreate", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfWorkItemCreate(nil, parent(h|1)) }},
	{"WdfWorkItemEnqueue", wdf.TypeWorkItem, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfWorkItemEnqueue(h) }},
	{"WdfWorkItemFlush", wdf.TypeWorkItem, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfWorkItemFlush(h) }},
	{"WdfWorkItemGetParentObject", wdf.TypeWorkItem, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfWorkItemGetParentObject(h) }},
	{"WdfSpinLockCreate", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfSpinLockCreate(parent(h | 1)) }},
	{"WdfSpinLockAcquire", wdf.TypeSpinLock, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfSpinLockAcquire(h) }},
	{"WdfSpinLockRelease", wdf.TypeSpinLock, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfSpinLockRelease(h) }},
	{"WdfWaitLockCreate", wdf.TypeObject, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfWaitLockCreate(parent(h | 1)) }},
	{"WdfWaitLockAcquire", wdf.TypeWaitLock, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfWaitLockAcquire(h, nil) }},
	{"WdfWaitLockRelease", wdf.TypeWaitLock, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfWaitLockRelease(h) }},
	{"WdfCmResourceListGetCount", wdf.TypeResourceList, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfCmResourceListGetCount(h) }},
	{"WdfCmResourceListGetDescriptor", wdf.TypeResourceList, func(b *bench, s *wdf.Sys, h wdf.Handle) { s.WdfCmResourceListGetDescriptor(h, 0) }},
}

// Every routine checks its handle first: NULL, no handle at all, one of another
// type and one of a deleted object are 0x10D/5 with the handle and the type, also
// where the level is wrong and pointers are NULL (OBJ-18).
func TestOBJ18Handles(t *testing.T) {
	var o objects
	b := newBench(t, objectDriver(&o))
	restore := b.snapshot()
	for _, c := range handleCalls {
		wrong := []wdf.Handle{0, 0x1234, o.device + 1, o.stale[wdf.TypeSpinLock]}
		switch c.typ {
		case wdf.TypeObject:
		case wdf.TypeDevice:
			wrong = append(wrong, o.driver)
		default:
			wrong = append(wrong, o.device)
			if h, ok := o.stale[c.typ]; ok {
				wrong = append(wrong, h)
			}
		}
		for _, h := range wrong {
			restore()
			b.spawn(0, func(s *wdf.Sys) {
				s.KeRaiseIrql(kernel.HighLevel)
				c.call(b, s, h)
			})
			if r := b.Run(); r != kernel.Stopped {
				t.Errorf("%s(0x%X): %s", c.name, h, r)
				continue
			}
			all := b.take()
			if f := all[0]; len(all) != 1 || f.Code != 0x10D || f.Params[0] != 5 || f.Params[1]&^1 != uint64(h)&^1 || f.Params[2] != uint64(c.typ) {
				t.Errorf("%s(0x%X): %q", c.name, h, titles(all))
			}
		}
	}
}

// The type numbers of OBJ-18.
func TestOBJ18TypeNumbers(t *testing.T) {
	for typ, want := range map[wdf.Type]uint16{wdf.TypeDevice: 0x1002, wdf.TypeQueue: 0x1003, wdf.TypeRequest: 0x1008, wdf.TypeDPC: 0x1015,
		wdf.TypeWaitLock: 0x1023, wdf.TypeSpinLock: 0x1024, wdf.TypeWorkItem: 0x1025, wdf.TypeInterrupt: 0x1027, wdf.TypeTimer: 0x1028} {
		if uint16(typ) != want {
			t.Errorf("%s is 0x%X", typ, uint16(typ))
		}
	}
}

// A required pointer that is NULL is 0x10D/4, with the routine that made the
// call, also where the level is wrong (OBJ-19, WDFI-1).
func TestOBJ19Pointers(t *testing.T) {
	var o objects
	b := newBench(t, objectDriver(&o))
	restore := b.snapshot()
	for name, call := range map[string]func(s *wdf.Sys){
		"WdfDriverCreate":                          func(s *wdf.Sys) { s.WdfDriverCreate(nil, nil) },
		"WdfDeviceCreate":                          func(s *wdf.Sys) { s.WdfDeviceCreate(nil, nil) },
		"WdfDeviceInitSetPnpPowerEventCallbacks":   func(s *wdf.Sys) { s.WdfDeviceInitSetPnpPowerEventCallbacks(nil, &wdf.PnpPowerEventCallbacks{}) },
		"WdfDeviceInitSetPnpPowerEventCallbacks 2": func(s *wdf.Sys) { s.WdfDeviceInitSetPnpPowerEventCallbacks(&wdf.DeviceInit{}, nil) },
		"WdfDeviceInitSetRequestAttributes":        func(s *wdf.Sys) { s.WdfDeviceInitSetRequestAttributes(nil, &wdf.ObjectAttributes{}) },
		"WdfDeviceInitSetRequestAttributes 2":      func(s *wdf.Sys) { s.WdfDeviceInitSetRequestAttributes(&wdf.DeviceInit{}, nil) },
		"WdfDeviceInitSetPowerNotPageable":         func(s *wdf.Sys) { s.WdfDeviceInitSetPowerNotPageable(nil) },
		"WdfInterruptCreate":                       func(s *wdf.Sys) { s.WdfInterruptCreate(o.device, nil, nil) },
		"WdfInterruptGetInfo":                      func(s *wdf.Sys) { s.WdfInterruptGetInfo(o.interrupt, nil) },
		"WdfInterruptSynchronize":                  func(s *wdf.Sys) { s.WdfInterruptSynchronize(o.interrupt, 0, 0) },
		"WdfDpcCreate":                             func(s *wdf.Sys) { s.WdfDpcCreate(nil, parent(o.device)) },
		"WdfTimerCreate":                           func(s *wdf.Sys) { s.WdfTimerCreate(nil, parent(o.device)) },
		"WdfWorkItemCreate":                        func(s *wdf.Sys) { s.WdfWorkItemCreate(nil, parent(o.device)) },
		"WdfObjectAllocateContext":                 func(s *wdf.Sys) { s.WdfObjectAllocateContext(o.device, nil) },
		"WdfObjectAllocateContext 2":               func(s *wdf.Sys) { s.WdfObjectAllocateContext(o.device, &wdf.ObjectAttributes{}) },
	} {
		restore()
		caller := b.Function("caller of "+name, func(t *kernel.Thread, _ kernel.Args) uint64 {
			call(b.f.Sys(t))
			return 0
		})
		b.stop(func(s *wdf.Sys) {
			s.KeRaiseIrql(kernel.HighLevel)
			s.Invoke("", caller, kernel.Args{})
		})
		b.wantBugCheck("OBJ-19", 0x10D, 4, 0, caller)
	}
}

// levelCalls are routines with the highest level at which they may be called.
var levelCalls = []struct {
	name  string
	limit uint8
	call  func(b *bench, s *wdf.Sys, o *objects)
}{
	{"WdfObjectDelete", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfObjectDelete(o.spin) }},
	{"WdfObjectReferenceActual", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfObjectReference(o.spin) }},
	{"WdfObjectDereferenceActual", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfObjectReference(o.spin); s.WdfObjectDereference(o.spin) }},
	{"WdfObjectGetTypedContextWorker", 11, func(b *bench, s *wdf.Sys, o *objects) { s.WdfObjectGetTypedContext(o.spin, handleContext) }},
	{"WdfObjectAllocateContext", 2, func(b *bench, s *wdf.Sys, o *objects) {
		s.WdfObjectAllocateContext(o.spin, &wdf.ObjectAttributes{ContextType: handleContext})
	}},
	{"WdfObjectAcquireLock", 2, func(b *bench, s *wdf.Sys, o *objects) {
		s.WdfObjectAcquireLock(o.device)
		s.WdfObjectReleaseLock(o.device)
	}},
	{"WdfDeviceGetDriver", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDeviceGetDriver(o.device) }},
	{"WdfDeviceGetDefaultQueue", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDeviceGetDefaultQueue(o.device) }},
	{"WdfInterruptQueueDpcForIsr", 11, func(b *bench, s *wdf.Sys, o *objects) { s.WdfInterruptQueueDpcForIsr(o.interrupt) }},
	{"WdfInterruptGetDevice", 11, func(b *bench, s *wdf.Sys, o *objects) { s.WdfInterruptGetDevice(o.interrupt) }},
	{"WdfInterruptWdmGetInterrupt", 11, func(b *bench, s *wdf.Sys, o *objects) { s.WdfInterruptWdmGetInterrupt(o.interrupt) }},
	{"WdfInterruptGetInfo", 2, func(b *bench, s *wdf.Sys, o *objects) {
		info := wdf.InterruptInfoInit()
		s.WdfInterruptGetInfo(o.interrupt, &info)
	}},
	{"WdfInterruptEnable", 0, func(b *bench, s *wdf.Sys, o *objects) {
		s.WdfInterruptDisable(o.interrupt)
		s.WdfInterruptEnable(o.interrupt)
	}},
	{"WdfInterruptDisable", 0, func(b *bench, s *wdf.Sys, o *objects) { s.WdfInterruptDisable(o.interrupt) }},
	{"WdfDpcCreate", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDpcCreate(&wdf.DPCConfig{Size: 24}, parent(o.device)) }},
	{"WdfDpcEnqueue", 15, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDpcEnqueue(o.dpc) }},
	{"WdfDpcCancel", 15, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDpcCancel(o.dpc, false) }},
	{"WdfDpcCancel(Wait)", 0, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDpcCancel(o.dpc, true) }},
	{"WdfDpcGetParentObject", 15, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDpcGetParentObject(o.dpc) }},
	{"WdfDpcWdmGetDpc", 15, func(b *bench, s *wdf.Sys, o *objects) { s.WdfDpcWdmGetDpc(o.dpc) }},
	{"WdfTimerCreate", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfTimerCreate(&wdf.TimerConfig{Size: 40}, parent(o.device)) }},
	{"WdfTimerStart", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfTimerStart(o.timer, -1) }},
	{"WdfTimerStop", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfTimerStop(o.timer, false) }},
	{"WdfTimerStop(Wait)", 0, func(b *bench, s *wdf.Sys, o *objects) { s.WdfTimerStop(o.timer, true) }},
	{"WdfTimerGetParentObject", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfTimerGetParentObject(o.timer) }},
	{"WdfWorkItemCreate", 2, func(b *bench, s *wdf.Sys, o *objects) {
		s.WdfWorkItemCreate(&wdf.WorkItemConfig{Size: 24, EvtWorkItemFunc: 1}, parent(o.device))
	}},
	{"WdfWorkItemEnqueue", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfWorkItemEnqueue(o.workItem) }},
	{"WdfWorkItemFlush", 0, func(b *bench, s *wdf.Sys, o *objects) { s.WdfWorkItemFlush(o.workItem) }},
	{"WdfWorkItemGetParentObject", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfWorkItemGetParentObject(o.workItem) }},
	{"WdfSpinLockCreate", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfSpinLockCreate(nil) }},
	{"WdfSpinLockAcquire", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfSpinLockAcquire(o.spin); s.WdfSpinLockRelease(o.spin) }},
	{"WdfWaitLockCreate", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfWaitLockCreate(nil) }},
	{"WdfWaitLockAcquire(zero)", 2, func(b *bench, s *wdf.Sys, o *objects) {
		s.WdfWaitLockAcquire(o.wait, new(int64))
		s.WdfWaitLockRelease(o.wait)
	}},
	{"WdfWaitLockAcquire", 0, func(b *bench, s *wdf.Sys, o *objects) {
		if s.WdfWaitLockAcquire(o.wait, nil) == wdf.StatusSuccess {
			s.WdfWaitLockRelease(o.wait)
		}
	}},
	{"WdfCmResourceListGetCount", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfCmResourceListGetCount(o.list) }},
	{"WdfCmResourceListGetDescriptor", 2, func(b *bench, s *wdf.Sys, o *objects) { s.WdfCmResourceListGetDescriptor(o.list, 0) }},
}

// Each routine at its highest level, where nothing is found, and one above,
// where the rule KmdfIrql is broken (IRQL-12, VER-3).
func TestIRQL12FrameworkLevels(t *testing.T) {
	var o objects
	b := newBench(t, objectDriver(&o))
	b.startDevice()
	o.list = b.list
	restore := b.snapshot()
	for _, c := range levelCalls {
		for _, irql := range []uint8{c.limit, c.limit + 1} {
			if irql > kernel.HighLevel {
				continue
			}
			restore()
			b.do(func(s *wdf.Sys) {
				old := s.KeRaiseIrql(irql)
				c.call(b, s, &o)
				s.KeLowerIrql(old)
			})
			all := b.take()
			other := slices.ContainsFunc(all, func(f kernel.Finding) bool { return f.Rule != "KmdfIrql" })
			routine, _, _ := strings.Cut(c.name, "(")
			found := slices.ContainsFunc(all, func(f kernel.Finding) bool { return strings.HasPrefix(f.Text, routine+" ") })
			if other || found != (irql > c.limit) || !found && len(all) > 0 {
				t.Errorf("%s at %s: %q", c.name, trace.LevelName(irql), titles(all))
			}
		}
	}
}
