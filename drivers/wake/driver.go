package wake

import "github.com/dirql/dirql/wdf"

// Requests of the driver.
const (
	// IoctlFactorial lets the device compute the factorial of a 32-bit number. It
	// needs D0, and takes the device there.
	IoctlFactorial = 0x222000
	// IoctlWaitForWake ends when the device has woken, and returns how often it has,
	// in 32 bits. It leaves the device where it is.
	IoctlWaitForWake = 0x222004
)

// idleTimeout is how long the device has nothing to do before it leaves D0, in
// milliseconds.
const idleTimeout = 10

// Registers of the device, by offset in BAR 0.
const (
	regFactorial    = 0x08
	regStatus       = 0x20
	regCauses       = 0x24
	regAcknowledge  = 0x64
	registersLength = 0x1000
	statusInterrupt = 0x80
)

// The device context. Causes is shared by the ISR and the DPC; Request is taken by
// whoever exchanges it.
var deviceContext = wdf.NewContextType("WAKE_DEVICE_CONTEXT")

var (
	ctxRegisters = wdf.NewField[uint64](deviceContext, "Registers") // mapped BAR 0
	ctxWork      = wdf.NewField[wdf.Handle](deviceContext, "Work")  // power-managed queue of what needs the device
	ctxWaiting   = wdf.NewField[wdf.Handle](deviceContext, "Waiting")
	ctxRequest   = wdf.NewField[wdf.Handle](deviceContext, "Request") // that the device works for, or 0
	ctxWakes     = wdf.NewField[uint32](deviceContext, "Wakes")
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
	s.WdfDeviceInitSetPowerPolicyEventCallbacks(init, &wdf.PowerPolicyEventCallbacks{
		Size:                         wdf.PowerPolicyEventCallbacksSize,
		EvtDeviceArmWakeFromS0:       s.DeviceStatus(evtArmWake),
		EvtDeviceDisarmWakeFromS0:    s.Object(evtDisarmWake),
		EvtDeviceWakeFromS0Triggered: s.Object(evtWakeTriggered),
		EvtDeviceArmWakeFromSx:       s.DeviceStatus(evtArmWake),
		EvtDeviceDisarmWakeFromSx:    s.Object(evtDisarmWake),
		EvtDeviceWakeFromSxTriggered: s.Object(evtWakeTriggered),
	})
	device, status := s.WdfDeviceCreate(init, &wdf.ObjectAttributes{ContextType: deviceContext})
	if status.Failed() {
		return status
	}
	config := wdf.InterruptConfigInit(s.ISR(evtInterruptIsr), s.InterruptDPC(evtInterruptDpc))
	config.EvtInterruptDisable = s.InterruptEnable(evtInterruptDisable)
	if _, status = s.WdfInterruptCreate(device, &config, nil); status.Failed() {
		return status
	}
	if status = createQueues(s, device); status.Failed() {
		return status
	}
	return assignPower(s, device)
}

// createQueues makes three: what comes goes to one that is not power-managed, so
// that an application can wait for wake without waking the device.
func createQueues(s *wdf.Sys, device wdf.WDFDEVICE) (status wdf.NTSTATUS) {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	first := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchParallel)
	first.PowerManaged = wdf.False
	first.EvtIoDeviceControl = s.IoControl(evtIoDeviceControl)
	if _, status = s.WdfIoQueueCreate(device, &first, nil); status.Failed() {
		return status
	}
	work := wdf.IoQueueConfigInit(wdf.IoQueueDispatchSequential)
	work.EvtIoDeviceControl = s.IoControl(evtWork)
	work.EvtIoStop = s.IoStop(evtIoStop)
	queue, status := s.WdfIoQueueCreate(device, &work, nil)
	if status.Failed() {
		return status
	}
	ctxWork.Store(s, ctx, queue)
	waiting := wdf.IoQueueConfigInit(wdf.IoQueueDispatchManual)
	waiting.PowerManaged = wdf.False
	if queue, status = s.WdfIoQueueCreate(device, &waiting, nil); status.Failed() {
		return status
	}
	ctxWaiting.Store(s, ctx, queue)
	return wdf.StatusSuccess
}

// assignPower asks for wake, from the idle state and from the sleep of the system.
// Hardware that cannot wake is no reason to fail: the device stays in D0 then.
func assignPower(s *wdf.Sys, device wdf.WDFDEVICE) wdf.NTSTATUS {
	idle := wdf.IdleSettingsInit(wdf.IdleCanWakeFromS0)
	idle.IdleTimeout = idleTimeout
	if status := s.WdfDeviceAssignS0IdleSettings(device, &idle); status.Failed() && status != wdf.StatusPowerStateInvalid {
		return status
	}
	wake := wdf.WakeSettingsInit()
	if status := s.WdfDeviceAssignSxWakeSettings(device, &wake); status.Failed() && status != wdf.StatusPowerStateInvalid {
		return status
	}
	return wdf.StatusSuccess
}

// evtPrepareHardware maps the registers. Resources can be others than at the last
// start. An interrupt that can wake the device gets an object here: only the
// resource tells that there is one.
func evtPrepareHardware(s *wdf.Sys, device wdf.WDFDEVICE, raw, translated wdf.WDFCMRESLIST) wdf.NTSTATUS {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	for i := range s.WdfCmResourceListGetCount(translated) {
		r := s.WdfCmResourceListGetDescriptor(translated, i)
		switch {
		case r.Type == wdf.CmResourceTypeMemory && ctxRegisters.Load(s, ctx) == 0:
			ctxRegisters.Store(s, ctx, s.MmMapIoSpace(r.Start, registersLength))
		case r.Type == wdf.CmResourceTypeInterrupt && r.Flags&wdf.CmResourceInterruptWakeHint != 0:
			config := wdf.InterruptConfigInit(s.ISR(evtWakeIsr), 0)
			config.PassiveHandling, config.CanWakeDevice = true, true
			config.InterruptRaw, config.InterruptTranslated = s.WdfCmResourceListGetDescriptor(raw, i), r
			if _, status := s.WdfInterruptCreate(device, &config, nil); status.Failed() {
				return status
			}
		}
	}
	if ctxRegisters.Load(s, ctx) == 0 {
		return wdf.StatusDeviceConfigurationError
	}
	return wdf.StatusSuccess
}

func evtReleaseHardware(s *wdf.Sys, device wdf.WDFDEVICE, translated wdf.WDFCMRESLIST) wdf.NTSTATUS {
	if p := ctxRegisters.Exchange(s, s.WdfObjectGetTypedContext(device, deviceContext), 0); p != 0 {
		s.MmUnmapIoSpace(p, registersLength)
	}
	return wdf.StatusSuccess
}

func evtD0Entry(s *wdf.Sys, device wdf.WDFDEVICE, previous wdf.PowerState) wdf.NTSTATUS {
	return wdf.StatusSuccess
}

func evtD0Exit(s *wdf.Sys, device wdf.WDFDEVICE, target wdf.PowerState) wdf.NTSTATUS {
	return wdf.StatusSuccess
}

// evtArmWake would tell the device what to wake for. It is in D0, and does nothing
// else any more.
func evtArmWake(s *wdf.Sys, device wdf.WDFDEVICE) wdf.NTSTATUS { return wdf.StatusSuccess }

func evtDisarmWake(s *wdf.Sys, device wdf.WDFDEVICE) {}

// evtWakeTriggered: the device is in D0, and requests do not run yet.
func evtWakeTriggered(s *wdf.Sys, device wdf.WDFDEVICE) {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	wakes := wdf.Add(s, ctxWakes, ctx, 1)
	for {
		request, status := s.WdfIoQueueRetrieveNextRequest(ctxWaiting.Load(s, ctx))
		if status.Failed() {
			return
		}
		complete(s, request, wakes)
	}
}

// complete ends a request with a 32-bit result.
func complete(s *wdf.Sys, request wdf.WDFREQUEST, result uint32) {
	output, _, status := s.WdfRequestRetrieveOutputBuffer(request, 4)
	if status.Failed() {
		s.WdfRequestComplete(request, status)
		return
	}
	s.Store(output, 4, uint64(result))
	s.WdfRequestCompleteWithInformation(request, wdf.StatusSuccess, 4)
}
