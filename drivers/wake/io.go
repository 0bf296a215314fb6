package wake

import "github.com/dirql/dirql/wdf"

// evtIoDeviceControl gets every request, in any power state.
func evtIoDeviceControl(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, outputLength, inputLength uint64, code uint32) {
	ctx := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), deviceContext)
	status := wdf.StatusInvalidDeviceRequest
	switch code {
	case IoctlFactorial:
		status = s.WdfRequestForwardToIoQueue(request, ctxWork.Load(s, ctx))
	case IoctlWaitForWake:
		status = s.WdfRequestForwardToIoQueue(request, ctxWaiting.Load(s, ctx))
	}
	if status.Failed() {
		s.WdfRequestComplete(request, status)
	}
}

// evtWork gets what needs the device, in D0.
func evtWork(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, outputLength, inputLength uint64, code uint32) {
	ctx := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), deviceContext)
	input, _, status := s.WdfRequestRetrieveInputBuffer(request, 4)
	if status.Failed() {
		s.WdfRequestComplete(request, status)
		return
	}
	registers, number := ctxRegisters.Load(s, ctx), s.Load(input, 4)
	ctxRequest.Exchange(s, ctx, request)
	s.Store(registers+regStatus, 4, statusInterrupt)
	s.Store(registers+regFactorial, 4, number)
}

// evtIoStop gives a request back that the device works for: it is presented again in
// D0, or ends when the device is removed.
func evtIoStop(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, flags uint32) {
	ctx := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), deviceContext)
	switch {
	case ctxRequest.CompareExchange(s, ctx, 0, request) != request: // the DPC has it
	case flags&wdf.RequestStopActionPurge != 0:
		s.WdfRequestComplete(request, wdf.StatusDeviceRemoved)
	default:
		s.WdfRequestStopAcknowledge(request, true)
	}
}

func evtInterruptIsr(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, messageID uint32) bool {
	ctx := s.WdfObjectGetTypedContext(s.WdfInterruptGetDevice(interrupt), deviceContext)
	registers := ctxRegisters.Load(s, ctx)
	causes := s.Load(registers+regCauses, 4)
	if causes == 0 || causes == 0xFFFFFFFF {
		return false
	}
	s.Store(registers+regAcknowledge, 4, causes)
	s.WdfInterruptQueueDpcForIsr(interrupt)
	return true
}

func evtInterruptDpc(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	result := uint32(s.Load(ctxRegisters.Load(s, ctx)+regFactorial, 4))
	if request := ctxRequest.Exchange(s, ctx, 0); request != 0 {
		complete(s, request, result)
	}
}

func evtInterruptDisable(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) wdf.NTSTATUS {
	registers := ctxRegisters.Load(s, s.WdfObjectGetTypedContext(device, deviceContext))
	s.Store(registers+regStatus, 4, 0)
	s.Store(registers+regAcknowledge, 4, 0xFFFFFFFF)
	return wdf.StatusSuccess
}

// evtWakeIsr is the EvtInterruptIsr of the interrupt for wake, at PASSIVE_LEVEL: the
// device is in D0 already.
func evtWakeIsr(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, messageID uint32) bool { return true }
