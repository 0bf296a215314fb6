// Package controller is driver.c in Go: two causes in one interrupt. What goes
// wrong and why is said there.
package controller

import (
	"github.com/dirql/dirql/drivers/patterns/kit"
	"github.com/dirql/dirql/wdf"
)

var (
	context    = kit.NewContext()
	ctxCauses  = wdf.NewField[uint32](context.ContextType, "Causes") // what the DPC has not seen
	ctxWrite   = wdf.NewField[wdf.WDFREQUEST](context.ContextType, "Write")
	ctxCommand = wdf.NewField[wdf.WDFREQUEST](context.ContextType, "Command")
)

// driver is the driver: with the mistake, or without.
type driver struct{ bug bool }

// DriverEntry returns the driver's DriverEntry.
func DriverEntry(bug bool) func(*wdf.Sys) wdf.NTSTATUS {
	return kit.DriverEntry(driver{bug}.evtDeviceAdd)
}

func (d driver) evtDeviceAdd(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
	device, _, status := context.CreateDevice(s, init, wdf.PnpPowerEventCallbacks{})
	if status.Failed() {
		return status
	}
	if status = context.CreateInterrupt(s, device, s.ISR(d.evtInterruptIsr), s.InterruptDPC(evtInterruptDpc)); status.Failed() {
		return status
	}
	config := wdf.IoQueueConfigInit(wdf.IoQueueDispatchSequential)
	config.EvtIoWrite = s.IoTransfer(evtIoWrite)
	config.EvtIoStop = s.IoStop(evtIoStop)
	writes, status := s.WdfIoQueueCreate(device, &config, nil)
	if status.Failed() {
		return status
	}
	if status = s.WdfDeviceConfigureRequestDispatching(device, writes, wdf.RequestTypeWrite); status.Failed() {
		return status
	}
	config = wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchSequential)
	config.EvtIoDeviceControl = s.IoControl(evtIoDeviceControl)
	config.EvtIoStop = s.IoStop(evtIoStop)
	_, status = s.WdfIoQueueCreate(device, &config, nil)
	return status
}

// evtIoWrite begins a write.
func evtIoWrite(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, length uint64) {
	ctx := context.Of(s, s.WdfIoQueueGetDevice(queue))
	ctxWrite.Exchange(s, ctx, request)
	context.Write(s, ctx, kit.Transmit, 1)
}

// evtIoDeviceControl begins a command.
func evtIoDeviceControl(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, outputLength, inputLength uint64, code uint32) {
	if code != kit.IoctlStart {
		s.WdfRequestComplete(request, wdf.StatusInvalidDeviceRequest)
		return
	}
	ctx := context.Of(s, s.WdfIoQueueGetDevice(queue))
	ctxCommand.Exchange(s, ctx, request)
	context.Write(s, ctx, kit.Command, 1)
}

// known returns what the driver knows of the causes that it has read.
func (d driver) known(causes uint32) uint32 {
	switch {
	case d.bug && causes != kit.SentOne && causes != kit.Done, causes == kit.Gone:
		return 0
	}
	return causes & (kit.SentOne | kit.Done)
}

// evtInterruptIsr notes the causes for the DPC.
func (d driver) evtInterruptIsr(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, messageID uint32) bool {
	ctx := context.Of(s, s.WdfInterruptGetDevice(interrupt))
	causes := d.known(context.Read(s, ctx, kit.Cause))
	if causes == 0 {
		return false
	}
	wdf.Or(s, ctxCauses, ctx, causes)
	s.WdfInterruptQueueDpcForIsr(interrupt)
	return true
}

// evtInterruptDpc completes what is done: one kind, or both.
func evtInterruptDpc(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) {
	ctx := context.Of(s, device)
	causes := ctxCauses.Exchange(s, ctx, 0)
	if causes&kit.SentOne != 0 {
		end(s, ctxWrite.Exchange(s, ctx, 0))
	}
	if causes&kit.Done != 0 {
		end(s, ctxCommand.Exchange(s, ctx, 0))
	}
}

// end completes a request, if there is one.
func end(s *wdf.Sys, request wdf.WDFREQUEST) {
	if request != 0 {
		s.WdfRequestComplete(request, wdf.StatusSuccess)
	}
}

// evtIoStop takes a request back, unless the DPC has it: before the device
// sleeps, the request goes back into the queue; on removal it ends.
func evtIoStop(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, flags uint32) {
	ctx := context.Of(s, s.WdfIoQueueGetDevice(queue))
	if ctxWrite.CompareExchange(s, ctx, 0, request) != request && ctxCommand.CompareExchange(s, ctx, 0, request) != request {
		return
	}
	if flags&wdf.RequestStopActionSuspend != 0 {
		s.WdfRequestStopAcknowledge(request, true)
	} else {
		s.WdfRequestComplete(request, wdf.StatusDeviceRemoved)
	}
}
