package edu

import (
	"github.com/dirql/dirql/wdf"
)

// IoctlFactorial is IOCTL_EDU_FACTORIAL: CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800,
// METHOD_BUFFERED, FILE_ANY_ACCESS).
const IoctlFactorial = 0x222000

// MaxTransfer is the size of the device's buffer in bytes: the longest read or
// write.
const MaxTransfer = 4096

// Registers of the device, by offset in BAR 0.
const (
	regFactorial   = 0x08
	regStatus      = 0x20
	regCauses      = 0x24
	regAcknowledge = 0x64
	regDMASource   = 0x80
	regDMATarget   = 0x88
	regDMACount    = 0x90
	regDMACommand  = 0x98

	statusInterrupt = 0x80 // interrupt when the factorial is ready

	causeFactorial = 0x001
	causeDMA       = 0x100

	dmaStart      = 0x1
	dmaFromDevice = 0x2
	dmaInterrupt  = 0x4

	deviceBuffer = 0x40000 // address of the buffer for the device's DMA engine
	dmaLimit     = 1<<28 - 1
)

// The device context. Causes is shared by the ISR and the DPC, which use
// interlocked operations; Request, Started and Busy are protected by Lock.
var deviceContext = wdf.NewContextType("EDU_DEVICE_CONTEXT")

var (
	ctxRegisters = wdf.NewField[uint64](deviceContext, "Registers") // mapped BAR 0
	ctxBuffer    = wdf.NewField[uint64](deviceContext, "Buffer")    // for DMA, MaxTransfer bytes
	ctxBufferPA  = wdf.NewField[uint64](deviceContext, "BufferPA")  // its physical address
	ctxLock      = wdf.NewField[wdf.Handle](deviceContext, "Lock")  // WDFSPINLOCK
	ctxInterrupt = wdf.NewField[wdf.Handle](deviceContext, "Interrupt")
	ctxRequest   = wdf.NewField[wdf.Handle](deviceContext, "Request") // the request that is worked on, or 0
	ctxCauses    = wdf.NewField[uint32](deviceContext, "Causes")      // interrupt causes that the DPC has not seen
	ctxBusy      = wdf.NewField[bool](deviceContext, "Busy")          // the device works
	ctxStarted   = wdf.NewField[bool](deviceContext, "Started")       // it works for Request, not for one that was taken back
)

// DriverEntry creates the driver object.
func DriverEntry(s *wdf.Sys) wdf.NTSTATUS {
	_, status := s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: s.DeviceAdd(evtDeviceAdd)}, nil)
	return status
}

func evtDeviceAdd(s *wdf.Sys, driver wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
	s.WdfDeviceInitSetPnpPowerEventCallbacks(init, &wdf.PnpPowerEventCallbacks{
		EvtDevicePrepareHardware: s.PrepareHardware(evtPrepareHardware),
		EvtDeviceReleaseHardware: s.ReleaseHardware(evtReleaseHardware),
		EvtDeviceD0Entry:         s.DeviceState(evtD0Entry),
		EvtDeviceD0Exit:          s.DeviceState(evtD0Exit),
	})
	device, status := s.WdfDeviceCreate(init, &wdf.ObjectAttributes{ContextType: deviceContext})
	if status.Failed() {
		return status
	}
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)

	lock, status := s.WdfSpinLockCreate(&wdf.ObjectAttributes{ParentObject: device})
	if status.Failed() {
		return status
	}
	ctxLock.Store(s, ctx, lock)

	config := wdf.InterruptConfigInit(s.ISR(evtInterruptIsr), s.InterruptDPC(evtInterruptDpc))
	config.EvtInterruptDisable = s.InterruptEnable(evtInterruptDisable)
	interrupt, status := s.WdfInterruptCreate(device, &config, nil)
	if status.Failed() {
		return status
	}
	ctxInterrupt.Store(s, ctx, interrupt)
	return createQueue(s, device)
}

// evtPrepareHardware maps the registers and gets memory for DMA.
func evtPrepareHardware(s *wdf.Sys, device wdf.WDFDEVICE, raw, translated wdf.WDFCMRESLIST) wdf.NTSTATUS {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	for i := range s.WdfCmResourceListGetCount(translated) {
		r := s.WdfCmResourceListGetDescriptor(translated, i)
		if r.Type == wdf.CmResourceTypeMemory && ctxRegisters.Load(s, ctx) == 0 {
			ctxRegisters.Store(s, ctx, s.MmMapIoSpace(r.Start, r.Length))
		}
	}
	if ctxRegisters.Load(s, ctx) == 0 {
		return wdf.StatusDeviceConfigurationError
	}
	buffer := s.MmAllocateContiguousMemory(MaxTransfer, dmaLimit)
	if buffer == 0 {
		return wdf.StatusInsufficientResources
	}
	ctxBuffer.Store(s, ctx, buffer)
	ctxBufferPA.Store(s, ctx, s.MmGetPhysicalAddress(buffer))
	return wdf.StatusSuccess
}

// evtReleaseHardware undoes evtPrepareHardware, which may have failed half way.
func evtReleaseHardware(s *wdf.Sys, device wdf.WDFDEVICE, translated wdf.WDFCMRESLIST) wdf.NTSTATUS {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	if p := ctxBuffer.Exchange(s, ctx, 0); p != 0 {
		s.MmFreeContiguousMemory(p)
	}
	if p := ctxRegisters.Exchange(s, ctx, 0); p != 0 {
		s.MmUnmapIoSpace(p, 1<<20)
	}
	return wdf.StatusSuccess
}

// evtD0Entry starts from a device that has just been reset: nothing that was
// under way is any more.
func evtD0Entry(s *wdf.Sys, device wdf.WDFDEVICE, previous wdf.PowerState) wdf.NTSTATUS {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	ctxCauses.Store(s, ctx, 0)
	ctxBusy.Store(s, ctx, false)
	return wdf.StatusSuccess
}

// evtD0Exit has nothing to save: the queue was stopped and the interrupt
// disabled before.
func evtD0Exit(s *wdf.Sys, device wdf.WDFDEVICE, target wdf.PowerState) wdf.NTSTATUS {
	return wdf.StatusSuccess
}
