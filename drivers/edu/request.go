package edu

import "github.com/dirql/dirql/wdf"

// The life of a request: present keeps it in the context, marks it cancelable
// and lets the device work for it. Whoever takes it out of the context, under
// the lock, completes it: the DPC (finishOperation), the cancel routine, or
// EvtIoStop. The device cannot be stopped in the middle of an operation: when
// its request was taken back, Busy stays set, and the next request waits for
// the interrupt of the old operation.

func createQueue(s *wdf.Sys, device wdf.WDFDEVICE) wdf.NTSTATUS {
	config := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchSequential)
	config.EvtIoDeviceControl = s.IoControl(evtIoDeviceControl)
	config.EvtIoRead = s.IoTransfer(evtIoTransfer)
	config.EvtIoWrite = config.EvtIoRead
	config.EvtIoStop = s.IoStop(evtIoStop)
	_, status := s.WdfIoQueueCreate(device, &config, nil)
	return status
}

func evtIoDeviceControl(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, outputLength, inputLength uint64, code uint32) {
	if code != IoctlFactorial {
		s.WdfRequestComplete(request, wdf.StatusInvalidDeviceRequest)
		return
	}
	if _, _, status := s.WdfRequestRetrieveInputBuffer(request, 4); status.Failed() {
		s.WdfRequestComplete(request, status)
		return
	}
	if _, _, status := s.WdfRequestRetrieveOutputBuffer(request, 4); status.Failed() {
		s.WdfRequestComplete(request, status)
		return
	}
	present(s, queue, request)
}

func evtIoTransfer(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, length uint64) {
	if length > MaxTransfer {
		s.WdfRequestComplete(request, wdf.StatusInvalidParameter)
		return
	}
	present(s, queue, request)
}

// present takes a request over from the queue.
func present(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST) {
	ctx := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), deviceContext)
	lock := ctxLock.Load(s, ctx)
	s.WdfSpinLockAcquire(lock)
	status := s.WdfRequestMarkCancelableEx(request, s.Object(evtRequestCancel))
	if !status.Failed() {
		ctxRequest.Store(s, ctx, request)
		if !ctxBusy.Load(s, ctx) {
			startOperation(s, ctx, request)
		}
	}
	s.WdfSpinLockRelease(lock)
	if status.Failed() {
		s.WdfRequestComplete(request, status)
	}
}

// startOperation lets the device work for a request. The lock is held.
func startOperation(s *wdf.Sys, ctx uint64, request wdf.WDFREQUEST) {
	registers := ctxRegisters.Load(s, ctx)
	ctxBusy.Store(s, ctx, true)
	ctxStarted.Store(s, ctx, true)
	switch p := s.WdfRequestGetParameters(request); p.Type {
	case wdf.RequestTypeDeviceControl:
		input, _, _ := s.WdfRequestRetrieveInputBuffer(request, 4)
		s.Store(registers+regStatus, 4, statusInterrupt)
		s.Store(registers+regFactorial, 4, s.Load(input, 4))
	case wdf.RequestTypeWrite:
		input, length, _ := s.WdfRequestRetrieveInputBuffer(request, 1)
		p := make([]byte, length)
		s.ReadBytes(input, p)
		s.WriteBytes(ctxBuffer.Load(s, ctx), p)
		startDMA(s, registers, ctxBufferPA.Load(s, ctx), deviceBuffer, length, dmaStart|dmaInterrupt)
	case wdf.RequestTypeRead:
		_, length, _ := s.WdfRequestRetrieveOutputBuffer(request, 1)
		startDMA(s, registers, deviceBuffer, ctxBufferPA.Load(s, ctx), length, dmaStart|dmaFromDevice|dmaInterrupt)
	}
}

func startDMA(s *wdf.Sys, registers, source, target, length, command uint64) {
	s.Store(registers+regDMASource, 8, source)
	s.Store(registers+regDMATarget, 8, target)
	s.Store(registers+regDMACount, 8, length)
	s.Store(registers+regDMACommand, 8, command)
}

// finishOperation is what the DPC does when the device is ready: it completes
// the request that the device worked for, if it is still here, or starts the
// one that waited for the device.
func finishOperation(s *wdf.Sys, ctx uint64) {
	lock := ctxLock.Load(s, ctx)
	var done wdf.WDFREQUEST
	s.WdfSpinLockAcquire(lock)
	ctxBusy.Store(s, ctx, false)
	request := ctxRequest.Load(s, ctx)
	switch {
	case request == 0:
	case !ctxStarted.Load(s, ctx):
		startOperation(s, ctx, request)
	case s.WdfRequestUnmarkCancelable(request) != wdf.StatusCancelled:
		ctxRequest.Store(s, ctx, 0)
		ctxStarted.Store(s, ctx, false)
		done = request
	}
	s.WdfSpinLockRelease(lock)
	if done != 0 {
		complete(s, ctx, done)
	}
}

// complete returns the result of the device's work. No lock is held: completing
// a request can present the next one in this very call (IOQ-3, IOQ-5).
func complete(s *wdf.Sys, ctx uint64, request wdf.WDFREQUEST) {
	var length uint64
	switch p := s.WdfRequestGetParameters(request); p.Type {
	case wdf.RequestTypeDeviceControl:
		output, _, _ := s.WdfRequestRetrieveOutputBuffer(request, 4)
		s.Store(output, 4, s.Load(ctxRegisters.Load(s, ctx)+regFactorial, 4))
		length = 4
	case wdf.RequestTypeWrite:
		length = p.Length
	case wdf.RequestTypeRead:
		var output uint64
		output, length, _ = s.WdfRequestRetrieveOutputBuffer(request, 1)
		p := make([]byte, length)
		s.ReadBytes(ctxBuffer.Load(s, ctx), p)
		s.WriteBytes(output, p)
	}
	s.WdfRequestCompleteWithInformation(request, wdf.StatusSuccess, length)
}

// takeBack takes a request out of the context. The device goes on working for
// nobody.
func takeBack(s *wdf.Sys, ctx uint64) {
	ctxRequest.Store(s, ctx, 0)
	ctxStarted.Store(s, ctx, false)
}

// evtRequestCancel completes a request that its application has cancelled. From
// here on it is ours: WdfRequestUnmarkCancelable answers STATUS_CANCELLED to
// everybody else (IOQ-9).
func evtRequestCancel(s *wdf.Sys, request wdf.WDFREQUEST) {
	ctx := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(s.WdfRequestGetIoQueue(request)), deviceContext)
	lock := ctxLock.Load(s, ctx)
	s.WdfSpinLockAcquire(lock)
	takeBack(s, ctx)
	s.WdfSpinLockRelease(lock)
	s.WdfRequestComplete(request, wdf.StatusCancelled)
}

// evtIoStop gives a request back that the device cannot finish: on power-down
// it is put back into the queue and presented again in D0, on removal it ends.
func evtIoStop(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, flags uint32) {
	ctx := s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), deviceContext)
	lock := ctxLock.Load(s, ctx)
	s.WdfSpinLockAcquire(lock)
	ours := ctxRequest.Load(s, ctx) == request && s.WdfRequestUnmarkCancelable(request) != wdf.StatusCancelled
	if ours {
		takeBack(s, ctx)
	}
	s.WdfSpinLockRelease(lock)
	switch {
	case !ours: // the DPC or the cancel routine has it and completes it
	case flags&wdf.RequestStopActionSuspend != 0:
		s.WdfRequestStopAcknowledge(request, true)
	default:
		s.WdfRequestComplete(request, wdf.StatusDeviceRemoved)
	}
}
