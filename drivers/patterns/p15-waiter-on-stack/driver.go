// Package flash is driver.c in Go: the waiter has gone. What goes wrong and why
// is said there.
//
// Local variables of a driver in Go are not in the memory of the simulated
// machine, so the command is a block of pool, which the waiter frees when it
// returns.
package flash

import (
	"github.com/dirql/dirql/drivers/patterns/kit"
	"github.com/dirql/dirql/wdf"
)

var (
	context    = kit.NewContext()
	ctxLock    = wdf.NewField[wdf.WDFSPINLOCK](context.ContextType, "Lock")
	ctxCommand = wdf.NewField[uint64](context.ContextType, "Command") // protected by Lock; 0: nobody waits
)

// A command: a KEVENT and the answer.
const (
	commandAnswer = wdf.EventSize // 4 bytes
	commandSize   = wdf.EventSize + 8
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
	if status = context.CreateInterrupt(s, device, s.ISR(evtInterruptIsr), s.InterruptDPC(evtInterruptDpc)); status.Failed() {
		return status
	}
	config := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchSequential)
	config.EvtIoDeviceControl = s.IoControl(d.evtIoDeviceControl)
	_, status = s.WdfIoQueueCreate(device, &config, &wdf.ObjectAttributes{ExecutionLevel: wdf.ExecutionLevelPassive})
	return status
}

// takeCommand takes the command out of the context: who gets it may use it.
func takeCommand(s *wdf.Sys, ctx uint64) uint64 {
	lock := ctxLock.Load(s, ctx)
	s.WdfSpinLockAcquire(lock)
	command := ctxCommand.Load(s, ctx)
	ctxCommand.Store(s, ctx, 0)
	s.WdfSpinLockRelease(lock)
	return command
}

// query sends a command and returns its answer. PASSIVE_LEVEL.
func (d driver) query(s *wdf.Sys, ctx uint64) (uint32, wdf.NTSTATUS) {
	command := s.ExAllocatePool2(wdf.PoolFlagNonPaged, commandSize, kit.Tag)
	if command == 0 {
		return 0, wdf.StatusInsufficientResources
	}
	defer s.ExFreePoolWithTag(command, kit.Tag)
	s.KeInitializeEvent(command, wdf.NotificationEvent, false)

	lock := ctxLock.Load(s, ctx)
	s.WdfSpinLockAcquire(lock)
	ctxCommand.Store(s, ctx, command)
	context.Write(s, ctx, kit.Command, 1)
	s.WdfSpinLockRelease(lock)

	if s.KeWaitForSingleObject(command, wdf.After(5_000_000)) == wdf.StatusTimeout {
		if d.bug || takeCommand(s, ctx) != 0 {
			return 0, wdf.StatusIOTimeout
		}
		// The DPC has it, and is about to set the event.
		s.KeWaitForSingleObject(command, wdf.Forever)
	}
	return uint32(s.Load(command+commandAnswer, 4)), wdf.StatusSuccess
}

// evtIoDeviceControl asks the adapter.
func (d driver) evtIoDeviceControl(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, outputLength, inputLength uint64, code uint32) {
	ctx := context.Of(s, s.WdfIoQueueGetDevice(queue))
	switch {
	case code != kit.IoctlStart:
		s.WdfRequestComplete(request, wdf.StatusInvalidDeviceRequest)
	case context.Read(s, ctx, kit.Status)&kit.Busy != 0: // a command that has timed out is still under way
		s.WdfRequestComplete(request, wdf.StatusDeviceNotReady)
	default:
		answer, status := d.query(s, ctx)
		if status.Failed() {
			s.WdfRequestComplete(request, status)
			return
		}
		kit.ReturnNumber(s, request, answer)
	}
}

func evtInterruptIsr(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, messageID uint32) bool {
	causes := context.Read(s, context.Of(s, s.WdfInterruptGetDevice(interrupt)), kit.Cause)
	if causes == 0 || causes == kit.Gone {
		return false
	}
	s.WdfInterruptQueueDpcForIsr(interrupt)
	return true
}

// evtInterruptDpc hands the answer to the one who waits. After KeSetEvent the
// command is gone.
func evtInterruptDpc(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) {
	ctx := context.Of(s, device)
	if command := takeCommand(s, ctx); command != 0 {
		s.Store(command+commandAnswer, 4, uint64(context.Read(s, ctx, kit.Response)))
		s.KeSetEvent(command)
	}
}
