package wdf

import "github.com/dirql/dirql/internal/kernel"

var (
	svcWdfDeviceInitSetIoInCallerContextCallback = kernel.NewService("WdfDeviceInitSetIoInCallerContextCallback")
	svcWdfDeviceEnqueueRequest                   = kernel.NewService("WdfDeviceEnqueueRequest")
)

// WdfDeviceInitSetIoInCallerContextCallback registers EvtIoInCallerContext, which
// gets each request in the thread of its sender before a queue does. PASSIVE_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetIoInCallerContextCallback(init *DeviceInit, c Callback) {
	s.Enter(svcWdfDeviceInitSetIoInCallerContextCallback)
	s.requirePointer(init != nil, "DeviceInit")
	s.requirePointer(c != 0, "EvtIoInCallerContext")
	init.settings.inCallerContext = c
	s.LeaveVoid()
}

// IoInCallerContext makes an EvtIoInCallerContext of a function.
func (s *Sys) IoInCallerContext(fn func(s *Sys, device WDFDEVICE, request WDFREQUEST)) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]))
		return 0
	})
}

// tellInCaller calls EvtIoInCallerContext for a request. The driver completes it
// there, or gives it to its queue with WdfDeviceEnqueueRequest.
func (s *Sys) tellInCaller(r requestID, c Callback) {
	row := &s.f.requests[r]
	row.owned, row.presented, row.inCaller = true, true, true
	s.call("EvtIoInCallerContext", c, uint64(row.device.handle()), uint64(row.object.handle()))
}

// verifyInCaller checks that a request is one that EvtIoInCallerContext has.
func (s *Sys) verifyInCaller(r requestID, routine string) bool {
	if s.f.requests[r].inCaller || !s.f.m.Profile().FrameworkVerifier {
		return true
	}
	s.verifierBreak(routine, "IRQL-16", "%s for %s outside of EvtIoInCallerContext: the process of the sender may not be the current one", routine,
		s.f.requestName(r))
	return false
}

// WdfDeviceEnqueueRequest gives a request that EvtIoInCallerContext has to the
// queue for its type, which may present it before the routine returns. If it
// fails, the driver still has the request. IRQL <= DISPATCH_LEVEL (fxpkgio.cpp).
func (s *Sys) WdfDeviceEnqueueRequest(device WDFDEVICE, h WDFREQUEST) NTSTATUS {
	s.Enter(svcWdfDeviceEnqueueRequest, uint64(device), uint64(h))
	dev := s.lookup(device, TypeDevice)
	r := s.request(h)
	s.Step()
	f := s.f
	if !s.verifyInCaller(r, "WdfDeviceEnqueueRequest") {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if s.verifyOwned(r, "enqueued").Failed() {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	q := f.queueFor(dev, f.requests[r].typ)
	switch {
	case q == 0:
		s.verifierBreak("WdfDeviceEnqueueRequest", "IOQ-1", "there is no queue for %s", f.requestName(r))
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	case !f.queues[q].accepts || f.queues[q].gone:
		return s.LeaveStatus(StatusWdfBusy)
	}
	row := &f.requests[r]
	row.owned, row.inCaller = false, false
	if row.irpCancelled {
		row.queue = q
		s.cancelOnQueue(q, r)
	} else {
		s.dispatch(q, r)
	}
	return s.LeaveStatus(StatusSuccess)
}
