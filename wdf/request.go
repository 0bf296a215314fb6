package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// RequestType is WDF_REQUEST_TYPE.
type RequestType uint32

// Values of RequestType: major function codes.
const (
	RequestTypeCreate                RequestType = 0x0
	RequestTypeRead                  RequestType = 0x3
	RequestTypeWrite                 RequestType = 0x4
	RequestTypeDeviceControl         RequestType = 0xE
	RequestTypeDeviceControlInternal RequestType = 0xF
)

// slot returns the index of a type in device.queueByType, -1 for one that queues
// do not get.
func (t RequestType) slot() int {
	switch t {
	case RequestTypeRead:
		return 0
	case RequestTypeWrite:
		return 1
	case RequestTypeDeviceControl:
		return 2
	case RequestTypeDeviceControlInternal:
		return 3
	}
	return -1
}

// transfers reports whether requests of the type are reads or writes.
func (t RequestType) transfers() bool { return t == RequestTypeRead || t == RequestTypeWrite }

// Status values of requests and queues.
const (
	StatusWdfNoCallback     NTSTATUS = 0xC020020B
	StatusWdfPaused         NTSTATUS = 0xC0200203
	StatusWdfBusy           NTSTATUS = 0xC0200204
	StatusNoSuchDevice      NTSTATUS = 0xC000000E
	StatusInternalError     NTSTATUS = 0xC00000E5
	StatusDeviceBusy        NTSTATUS = 0x80000011
	StatusInvalidBufferSize NTSTATUS = 0xC0000206
)

// requestPhase is how far a request has come, as its sender sees it.
type requestPhase uint8

const (
	requestPrepared requestPhase = iota
	requestSent
	requestDone
)

// request is a WDFREQUEST together with the IRP under it.
type request struct {
	object, device id
	typ            RequestType
	code           uint32 // of an I/O control
	inputLength    uint64
	outputLength   uint64
	fromApp        bool // the framework made it for an IRP
	requestBuffers

	// The IRP.
	phase         requestPhase
	irpCancelled  bool     // Irp->Cancel
	cancelRoutine bool     // set while the IRP can be cancelled: whoever clears it has the request
	sender        int32    // thread
	file          int32    // in the table of files, 0: none
	openStatus    NTSTATUS // of its open
	transactions  int32    // DMA transactions under way with its buffers
	status        NTSTATUS
	information   uint64
	output        uint64 // what the sender gets
	irpBlock      uint64 // IRP in memory, 0: nobody asked for it

	// The request.
	queue                queueID // whose it is, 0: none yet
	queueLink, ownerLink requestLink
	fromQueue            bool     // the queue is to be told of its end
	owned                bool     // the driver has it: it was presented or retrieved
	inCaller             bool     // EvtIoInCallerContext has it
	presented            bool     // it was so once: the callbacks of its attributes count
	handler              Callback // to which it was presented, for reports
	toldNoQueue          uint32   // activation that was told that it has no queue any more, for reports
	formerBuffer         uint64   // that it had until it was completed, for reports
	formerIRP            uint64   // the same
	completed            bool     // its end has begun
	cancelled            bool     // the framework knows that it is cancelled
	marked               bool     // WdfRequestMarkCancelable
	unmarkFailed         bool     // WdfRequestUnmarkCancelable returned STATUS_CANCELLED
	cancelTold           bool     // EvtRequestCancel or EvtIoCanceledOnQueue was called
	cancelCallback       Callback
	heldAtMark           [2]uint64  // spin locks that were held by WdfRequestMarkCancelable
	stopTold             bool       // EvtIoStop was called and has no answer
	inStop               bool       // EvtIoStop is running
	answer               stopAnswer // what WdfRequestStopAcknowledge said
	inputMemory          id         // WDFMEMORY of the buffer
	outputMemory         id

	// Requests that are sent to an I/O target.
	next              nextStack
	completion        Callback
	completionContext uint64
	send              int32  // in the table of sendings, 0: the driver below does not have it
	sendCancelled     bool   // WdfRequestCancelSentRequest
	params            uint64 // WDF_REQUEST_COMPLETION_PARAMS in memory, 0: none
}

// length returns the bytes of a read or write.
func (r *request) length() uint64 {
	if r.typ == RequestTypeRead {
		return r.outputLength
	}
	return r.inputLength
}

func (f *Framework) requestName(r requestID) string {
	return f.m.NameOf(uint64(f.requests[r].object.handle()))
}

// formerRequest returns the request behind a handle, also if the request object
// is gone; 0 if the handle never was one of a request.
func (f *Framework) formerRequest(h WDFREQUEST) requestID {
	if i := f.former(h); f.objects[i].typ == TypeRequest {
		return requestID(f.objects[i].index)
	}
	return 0
}

// request returns the number of the row behind a WDFREQUEST handle. The handle of
// a request that has ended is bug check 0x10D/5 as every stale handle.
func (s *Sys) request(h WDFREQUEST) requestID {
	if r := s.f.formerRequest(h); r != 0 && s.f.object(h) == 0 {
		s.requestGone(h, "InvalidReqAccess", "IOQ-10", "is used after it was completed")
	}
	return requestID(s.row(h, TypeRequest))
}

func (s *Sys) requestGone(h WDFREQUEST, rule, clause, text string) {
	s.Stop(kernel.Finding{Code: 0x10D, Params: [4]uint64{5, uint64(h), uint64(TypeRequest)}, Rule: rule, Clause: clause,
		About: s.f.completedAbout(s.f.formerRequest(h)), Text: s.f.m.NameOf(uint64(h)) + " " + text})
}

// completedAbout is what uses of a request after its completion are about, and
// completions by two: who has a request of this callback, and until when.
func (f *Framework) completedAbout(r requestID) string {
	return "completed request|" + f.handlerName(r)
}

// subject is what a use of a block that belonged to a request is about, "" for
// other blocks.
func (f *Framework) subject(block uint64) string {
	for i := range f.requests {
		row := &f.requests[i]
		mine := block == row.formerBuffer || block == row.formerIRP
		for n := f.objects[row.object].contexts; n != 0 && row.object != 0; n = f.contexts[n].next {
			mine = mine || f.contexts[n].addr == block
		}
		if mine {
			return f.completedAbout(requestID(i))
		}
	}
	return ""
}

// handlerName names the callback that got a request.
func (f *Framework) handlerName(r requestID) string {
	if c := f.requests[r].handler; c != 0 {
		return f.m.NameOf(uint64(c))
	}
	return "not presented by a callback"
}

// completionBreak is verifierBreak for a request that is or may be completed by
// somebody else.
func (s *Sys) completionBreak(r requestID, rule, clause, text string) {
	s.breakWith(kernel.Finding{Rule: rule, Clause: clause, Text: text, About: s.f.completedAbout(r)})
}

// PendingHandlers names the callbacks whose requests the driver has.
func (f *Framework) PendingHandlers() []string {
	var list []string
	for i := range f.requests {
		if row := &f.requests[i]; row.owned && !row.completed && row.phase != requestDone {
			list = append(list, f.handlerName(requestID(i)))
		}
	}
	return list
}

// verifyOwned checks that the driver has a request. If not, the framework's
// verifier breaks and the routine does nothing; without the verifier the run
// ends, for the framework would spoil its lists.
func (s *Sys) verifyOwned(r requestID, verb string) NTSTATUS {
	row := &s.f.requests[r]
	if row.owned {
		return StatusSuccess
	}
	where := "it is in a queue"
	switch {
	case row.completed:
		where = "it was completed"
	case !row.fromApp:
		where = "it has made it itself: delete it instead"
	}
	text := fmt.Sprintf("%s is %s, but the driver does not have it: %s", s.f.requestName(r), verb, where)
	if !s.f.m.Profile().FrameworkVerifier {
		s.Stop(kernel.Finding{Rule: "InvalidReqAccess", Clause: "IOQ-10", Text: text + "; Windows would damage its lists of requests"})
	}
	if row.completed {
		s.completionBreak(r, "InvalidReqAccess", "IOQ-10", text)
	} else {
		s.verifierBreak("InvalidReqAccess", "IOQ-10", "%s", text)
	}
	return StatusInvalidDeviceRequest
}

// verifyNotMarked checks that a request is not marked cancelable. If it is, the
// verifier breaks and the routine does nothing.
func (s *Sys) verifyNotMarked(r requestID, rule, clause, text string) bool {
	if !s.f.requests[r].marked {
		return true
	}
	s.verifierBreak(rule, clause, "%s %s", s.f.requestName(r), text)
	return false
}

// verifyAlive checks that a request that something still refers to has not been
// completed.
func (s *Sys) verifyAlive(r requestID, routine string) bool {
	if !s.f.requests[r].completed {
		return true
	}
	s.completionBreak(r, "InvalidReqAccess", "IOQ-10", fmt.Sprintf("%s for %s, which is completed already", routine, s.f.requestName(r)))
	return false
}

var (
	svcWdfRequestSetInformation   = kernel.NewService("WdfRequestSetInformation")
	svcWdfRequestGetInformation   = kernel.NewService("WdfRequestGetInformation")
	svcWdfRequestGetStatus        = kernel.NewService("WdfRequestGetStatus")
	svcWdfRequestGetParameters    = kernel.NewService("WdfRequestGetParameters")
	svcWdfRequestGetRequestorMode = kernel.NewService("WdfRequestGetRequestorMode")
	svcWdfRequestGetIoQueue       = kernel.NewService("WdfRequestGetIoQueue")
	svcWdfRequestForwardToIoQueue = kernel.NewService("WdfRequestForwardToIoQueue")
	svcWdfRequestRequeue          = kernel.NewService("WdfRequestRequeue")
)

// WdfRequestSetInformation sets the number of bytes that WdfRequestComplete will
// return. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestSetInformation(h WDFREQUEST, information uint64) {
	s.Enter(svcWdfRequestSetInformation, uint64(h), information)
	if r := s.request(h); s.verifyAlive(r, "WdfRequestSetInformation") {
		s.f.requests[r].information = information
	}
	s.LeaveVoid()
}

// WdfRequestGetInformation returns what WdfRequestSetInformation has set. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfRequestGetInformation(h WDFREQUEST) (information uint64) {
	s.Enter(svcWdfRequestGetInformation, uint64(h))
	if r := s.request(h); s.verifyAlive(r, "WdfRequestGetInformation") {
		information = s.f.requests[r].information
	}
	s.Leave(trace.Hex, information)
	return information
}

// WdfRequestGetStatus returns the status of the IRP, which is STATUS_SUCCESS
// before it has ended. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestGetStatus(h WDFREQUEST) NTSTATUS {
	s.Enter(svcWdfRequestGetStatus, uint64(h))
	return s.LeaveStatus(s.f.requests[s.request(h)].status)
}

// RequestParameters is WDF_REQUEST_PARAMETERS.
type RequestParameters struct {
	Type               RequestType
	MinorFunction      uint8
	Length             uint64 // read, write
	OutputBufferLength uint64 // I/O control
	InputBufferLength  uint64
	IoControlCode      uint32
}

// WdfRequestGetParameters returns what the sender has asked for. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfRequestGetParameters(h WDFREQUEST) (p RequestParameters) {
	s.Enter(svcWdfRequestGetParameters, uint64(h))
	if r := s.request(h); s.verifyAlive(r, "WdfRequestGetParameters") {
		row := &s.f.requests[r]
		p.Type = row.typ
		if row.typ.transfers() {
			p.Length = row.length()
		} else {
			p.OutputBufferLength, p.InputBufferLength, p.IoControlCode = row.outputLength, row.inputLength, row.code
		}
	}
	s.LeaveVoid()
	return p
}

// Values of KPROCESSOR_MODE.
const (
	KernelMode = 0
	UserMode   = 1
)

// requestorMode: applications send all but internal I/O controls.
func (r *request) requestorMode() uint8 {
	if r.typ == RequestTypeDeviceControlInternal {
		return KernelMode
	}
	return UserMode
}

// WdfRequestGetRequestorMode returns KernelMode or UserMode. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfRequestGetRequestorMode(h WDFREQUEST) uint8 {
	s.Enter(svcWdfRequestGetRequestorMode, uint64(h))
	m := s.f.requests[s.request(h)].requestorMode()
	s.Leave(trace.Decimal, uint64(m))
	return m
}

// WdfRequestGetIoQueue returns the queue from which the driver got a request, 0
// after its end. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestGetIoQueue(h WDFREQUEST) (queue WDFQUEUE) {
	s.Enter(svcWdfRequestGetIoQueue, uint64(h))
	row := &s.f.requests[s.request(h)]
	switch {
	case row.completed:
		row.toldNoQueue = s.ActivationID()
	case row.queue != 0:
		queue = s.f.queues[row.queue].object.handle()
	}
	s.Leave(trace.Hex, uint64(queue))
	return queue
}

// WdfRequestForwardToIoQueue puts a request that the driver has at the end of
// another queue of the device, which may present it before the routine returns.
// STATUS_WDF_BUSY: that queue accepts none, and the driver still has the request.
// IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestForwardToIoQueue(h WDFREQUEST, queue WDFQUEUE) NTSTATUS {
	s.Enter(svcWdfRequestForwardToIoQueue, uint64(h), uint64(queue))
	to := s.queue(queue)
	r := s.request(h)
	s.Step()
	f := s.f
	if s.verifyOwned(r, "forwarded").Failed() ||
		!s.verifyNotMarked(r, "ReqNotCanceledLocal", "IOQ-10", "is forwarded while it is marked cancelable") {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	from := f.requests[r].queue
	switch {
	case to == from, f.queues[to].device != f.queues[from].device:
		s.verifierBreak("WdfRequestForwardToIoQueue", "IOQ-1", "%s is forwarded from %s to %s: only another queue of the same device can get it",
			f.requestName(r), f.queueName(from), f.queueName(to))
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	case !f.queues[to].accepts:
		return s.LeaveStatus(StatusWdfBusy)
	}
	s.forward(r, from, to)
	return s.LeaveStatus(StatusSuccess)
}

// forward moves a request to another queue. It counts as one of the old queue
// until the new one has taken it: a sequential queue does not present its next
// one before that.
func (s *Sys) forward(r requestID, from, to queueID) {
	f := s.f
	s.SetPosition(uint64(from) << 8)
	f.takeBack(from, r)
	f.queues[from].driverCount++
	f.requests[r].queue = to
	s.note(trace.Framework, f.requestName(r), "is forwarded to %s", f.queueName(to))
	if f.insertCancelable(to, listWaiting, r, false) {
		f.checkFilled(to)
	} else {
		s.cancelOnQueue(to, r)
		s.SetPosition(uint64(from)<<8 | 1)
		s.Step()
	}
	s.dispatch(to, 0)
	s.SetPosition(uint64(from)<<8 | 2)
	s.Step()
	f.queues[from].driverCount--
	s.visit(from)
	s.queueChanged(from)
}

// WdfRequestRequeue puts a request back at the head of the manual queue from
// which the driver has it. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestRequeue(h WDFREQUEST) NTSTATUS {
	s.Enter(svcWdfRequestRequeue, uint64(h))
	r := s.request(h)
	s.Step()
	if s.verifyOwned(r, "requeued").Failed() ||
		!s.verifyNotMarked(r, "ReqNotCanceledLocal", "IOQ-10", "is requeued while it is marked cancelable") {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	q := s.f.requests[r].queue
	if s.f.queues[q].kind != IoQueueDispatchManual {
		s.verifierBreak("WdfRequestRequeue", "IOQ-1", "%s is requeued, but %s is not a manual queue", s.f.requestName(r), s.f.queueName(q))
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.SetPosition(uint64(q) << 8)
	s.requeue(q, r)
	s.dispatch(q, 0)
	return s.LeaveStatus(StatusSuccess)
}
