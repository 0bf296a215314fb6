package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
)

// The functions of this file are what the I/O manager does for those who send
// requests: applications, and for internal I/O controls other drivers. They are
// not for drivers under test.

// RequestParams say what a sender asks for.
type RequestParams struct {
	Type          RequestType
	IoControlCode uint32
	Input         []byte // write, I/O control
	OutputLength  uint64 // read, I/O control: bytes of room for the answer
	Output        []byte // I/O control with METHOD_IN_DIRECT or METHOD_NEITHER: what is in that room before
}

// RequestResult is what a sender gets back.
type RequestResult struct {
	Status      NTSTATUS
	Information uint64
	Output      []byte
}

var (
	svcNtReadFile            = kernel.NewLenientService("NtReadFile")
	svcNtWriteFile           = kernel.NewLenientService("NtWriteFile")
	svcNtDeviceIoControlFile = kernel.NewLenientService("NtDeviceIoControlFile")
	svcIoCallDriver          = kernel.NewLenientService("IoCallDriver")
	svcGetOverlappedResult   = kernel.NewLenientService("GetOverlappedResult")
)

// SendRequest sends a request to a device and returns when the framework has it:
// its queue may have presented it to the driver in this thread. PASSIVE_LEVEL for
// applications.
func (s *Sys) SendRequest(device WDFDEVICE, p RequestParams) WDFREQUEST {
	h := s.PrepareRequest(device, p)
	s.SubmitRequest(h)
	return h
}

// PrepareRequest makes a request that SubmitRequest will send. Its handle can be
// given to another thread that cancels it.
func (s *Sys) PrepareRequest(device WDFDEVICE, p RequestParams) WDFREQUEST {
	f := s.f
	dev := f.object(device)
	if dev != 0 && (f.objects[dev].typ != TypeDevice || f.objects[dev].state != live) {
		dev = 0
	}
	row := request{device: dev, typ: p.Type, code: p.IoControlCode, inputLength: uint64(len(p.Input)), outputLength: p.OutputLength,
		fromApp: true}
	name := "ioctl"
	switch p.Type {
	case RequestTypeRead:
		row.inputLength, name = 0, "read"
	case RequestTypeWrite:
		row.outputLength, name = 0, "write"
	case RequestTypeDeviceControl:
	case RequestTypeDeviceControlInternal:
		name = "internal " + name
	default:
		s.Unsupported(fmt.Sprintf("requests of type 0x%X", uint32(p.Type)))
	}
	row.outputLength = max(row.outputLength, uint64(len(p.Output)))
	if p.Type != RequestTypeDeviceControlInternal {
		row.file, row.openStatus = s.fileOf(dev)
	}
	s.prepareBuffers(&row, &p)
	f.requests = append(f.requests, row)
	r := requestID(len(f.requests) - 1)
	var a *ObjectAttributes
	if dev != 0 {
		t := s.device(dev).requestAttributes
		a = &ObjectAttributes{ContextType: t.context, EvtCleanupCallback: t.cleanup, EvtDestroyCallback: t.destroy}
	}
	i := s.create(TypeRequest, 0, int(r), a, "")
	f.requests[r].object = i
	if f.m.Trace.On() {
		f.m.SetName(uint64(i.handle()), fmt.Sprintf("%s %d", name, r))
	}
	return i.handle()
}

// SubmitRequest sends a request that PrepareRequest has made.
func (s *Sys) SubmitRequest(h WDFREQUEST) {
	f, r := s.f, s.f.sentRequest(h)
	dev := f.requests[r].device
	svc := svcNtDeviceIoControlFile
	switch f.requests[r].typ {
	case RequestTypeRead:
		svc = svcNtReadFile
	case RequestTypeWrite:
		svc = svcNtWriteFile
	case RequestTypeDeviceControlInternal:
		svc = svcIoCallDriver
	}
	if f.requests[r].typ.transfers() {
		s.Enter(svc, uint64(dev.handle()), uint64(h))
	} else {
		s.Enter(svc, uint64(dev.handle()), uint64(h), uint64(f.requests[r].code))
	}
	s.Step()
	row := &f.requests[r]
	row.phase, row.sender = requestSent, int32(s.ID())
	f.files[row.file].requests++
	region := s.IRQL() <= APCLevel
	if region {
		s.EnterRegion()
	}
	q, st := s.route(r)
	if st.Failed() {
		s.finish(r, st)
	} else {
		st = StatusPending
		f.objects[row.object].parent = dev
		f.adopt(dev, row.object)
		if c := s.device(dev).settings.inCallerContext; c != 0 {
			s.tellInCaller(r, c)
		} else {
			s.dispatch(q, r)
		}
	}
	if region {
		s.LeaveRegion()
	}
	s.LeaveStatus(st)
}

// route returns the queue that a request goes to, or why it is refused. An
// application has the device open since it was started; what comes during a
// surprise removal still reaches the framework.
func (s *Sys) route(r requestID) (queueID, NTSTATUS) {
	f := s.f
	row := &f.requests[r]
	switch {
	case row.device == 0, f.objects[row.device].state != live:
		return 0, StatusNoSuchDevice
	case row.openStatus.Failed():
		return 0, row.openStatus
	}
	if d := s.device(row.device); !d.accepting && !d.surprise {
		return 0, StatusNoSuchDevice
	}
	if row.noBuffer {
		return 0, StatusInsufficientResources
	}
	q := f.queueFor(row.device, row.typ)
	switch {
	case s.device(row.device).settings.inCallerContext != 0:
	case q == 0:
		return 0, StatusInvalidDeviceRequest
	case !f.queues[q].accepts || f.queues[q].gone:
		return 0, StatusInvalidDeviceState
	}
	return q, StatusSuccess
}

// AwaitRequest waits until a request has ended and returns what came of it.
// PASSIVE_LEVEL.
func (s *Sys) AwaitRequest(h WDFREQUEST) RequestResult {
	s.Enter(svcGetOverlappedResult, uint64(h))
	f, r := s.f, s.f.sentRequest(h)
	s.Step()
	s.WaitForRelease(uint64(h), "the end of "+f.requestName(r), func() bool { return f.requests[r].phase == requestDone })
	result := f.result(r)
	if p := f.requests[r].output; p != 0 {
		f.m.Mem.Free(p, s.ActivationID())
		f.requests[r].output = 0
	}
	s.freeUserBuffers(r)
	s.LeaveStatus(result.Status)
	return result
}

func (f *Framework) result(r requestID) RequestResult {
	row := &f.requests[r]
	result := RequestResult{Status: row.status, Information: row.information}
	if row.output != 0 {
		result.Output = make([]byte, min(row.information, row.outputLength))
		f.m.Mem.Read(row.output, result.Output)
	}
	return result
}

// RequestResult returns what came of a request so far; done is false if it has
// not ended. An observation, not a step.
func (f *Framework) RequestResult(h WDFREQUEST) (result RequestResult, done bool) {
	r := f.sentRequest(h)
	return f.result(r), f.requests[r].phase == requestDone
}

// sentRequest returns the request behind a handle that PrepareRequest has
// returned.
func (f *Framework) sentRequest(h WDFREQUEST) requestID {
	r := f.formerRequest(h)
	if r == 0 {
		panic(fmt.Sprintf("BUG: 0x%X is not a request that was sent", uint64(h)))
	}
	return r
}
