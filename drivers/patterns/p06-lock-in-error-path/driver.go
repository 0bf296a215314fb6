// Package adapter is driver.c in Go: the error path takes the lock that it
// holds. What goes wrong and why is said there.
package adapter

import (
	"github.com/dirql/dirql/drivers/patterns/kit"
	"github.com/dirql/dirql/wdf"
)

// packets is the number of packets that a request waits for.
const packets = 2

// Request and Missing are protected by Lock.
var (
	context    = kit.NewContext()
	ctxLock    = wdf.NewField[wdf.WDFSPINLOCK](context.ContextType, "Lock")
	ctxRequest = wdf.NewField[wdf.WDFREQUEST](context.ContextType, "Request") // that waits for packets, or 0
	ctxMissing = wdf.NewField[uint32](context.ContextType, "Missing")         // packets for which it waits
)

// driver is the driver: with the mistake, or without.
type driver struct{ bug bool }

// DriverEntry returns the driver's DriverEntry.
func DriverEntry(bug bool) func(*wdf.Sys) wdf.NTSTATUS {
	return kit.DriverEntry(driver{bug}.evtDeviceAdd)
}

func (d driver) evtDeviceAdd(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
	device, ctx, status := context.CreateDevice(s, init, wdf.PnpPowerEventCallbacks{})
	if status.Failed() {
		return status
	}
	lock, status := s.WdfSpinLockCreate(&wdf.ObjectAttributes{ParentObject: device})
	if status.Failed() {
		return status
	}
	ctxLock.Store(s, ctx, lock)
	if status = context.CreateInterrupt(s, device, s.ISR(evtInterruptIsr), s.InterruptDPC(d.evtInterruptDpc)); status.Failed() {
		return status
	}
	config := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchSequential)
	config.EvtIoDeviceControl = s.IoControl(evtIoDeviceControl)
	config.EvtIoStop = s.IoStop(evtIoStop)
	_, status = s.WdfIoQueueCreate(device, &config, nil)
	return status
}

// evtIoDeviceControl asks the wire for packets.
func evtIoDeviceControl(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, outputLength, inputLength uint64, code uint32) {
	if code != kit.IoctlStart {
		s.WdfRequestComplete(request, wdf.StatusInvalidDeviceRequest)
		return
	}
	ctx := context.Of(s, s.WdfIoQueueGetDevice(queue))
	lock := ctxLock.Load(s, ctx)
	s.WdfSpinLockAcquire(lock)
	ctxRequest.Store(s, ctx, request)
	ctxMissing.Store(s, ctx, packets)
	context.Write(s, ctx, kit.Listen, packets)
	s.WdfSpinLockRelease(lock)
}

// evtInterruptIsr leaves the causes to the DPC: they are cleared there.
func evtInterruptIsr(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, messageID uint32) bool {
	ctx := context.Of(s, s.WdfInterruptGetDevice(interrupt))
	causes := context.Read(s, ctx, kit.Status)
	if causes == kit.Gone || causes&(kit.Received|kit.Overrun) == 0 {
		return false
	}
	context.Write(s, ctx, kit.Enable, 0)
	s.WdfInterruptQueueDpcForIsr(interrupt)
	return true
}

// takeRequestLocked takes the request away; the caller has to end it, without
// the lock.
func takeRequestLocked(s *wdf.Sys, ctx uint64) wdf.WDFREQUEST {
	request := ctxRequest.Load(s, ctx)
	ctxRequest.Store(s, ctx, 0)
	return request
}

func takeRequest(s *wdf.Sys, ctx uint64) wdf.WDFREQUEST {
	lock := ctxLock.Load(s, ctx)
	s.WdfSpinLockAcquire(lock)
	defer s.WdfSpinLockRelease(lock)
	return takeRequestLocked(s, ctx)
}

// evtInterruptDpc counts packets, and ends the request when all are there or one
// is lost.
func (d driver) evtInterruptDpc(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) {
	ctx := context.Of(s, device)
	lock := ctxLock.Load(s, ctx)
	status := wdf.StatusSuccess
	var done wdf.WDFREQUEST
	s.WdfSpinLockAcquire(lock)
	if context.Read(s, ctx, kit.Cause)&kit.Overrun != 0 {
		status = wdf.StatusIODeviceError
		if d.bug {
			done = takeRequest(s, ctx)
		} else {
			done = takeRequestLocked(s, ctx)
		}
	}
	for p := context.Read(s, ctx, kit.Packet); p != 0 && p != kit.Gone; p = context.Read(s, ctx, kit.Packet) {
		missing := ctxMissing.Load(s, ctx) - 1
		ctxMissing.Store(s, ctx, missing)
		if missing == 0 && done == 0 {
			done = takeRequestLocked(s, ctx)
		}
	}
	context.Write(s, ctx, kit.Enable, kit.Received|kit.Overrun)
	s.WdfSpinLockRelease(lock)
	if done != 0 {
		s.WdfRequestComplete(done, status)
	}
}

// evtIoStop ends the request when the device goes away or to sleep.
func evtIoStop(s *wdf.Sys, queue wdf.WDFQUEUE, _ wdf.WDFREQUEST, flags uint32) {
	if request := takeRequest(s, context.Of(s, s.WdfIoQueueGetDevice(queue))); request != 0 {
		s.WdfRequestComplete(request, wdf.StatusDeviceNotReady)
	}
}
