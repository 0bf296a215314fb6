package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// DMADirection is WDF_DMA_DIRECTION.
type DMADirection uint32

// Values of DMADirection.
const (
	DMAReadFromDevice DMADirection = 0
	DMAWriteToDevice  DMADirection = 1
)

// dmaState is the state of a transaction, with the framework's numbers: bug check
// 0x10D/8 shows it.
type dmaState uint8

const (
	dmaCreated     dmaState = 1
	dmaInitialized dmaState = 3
	dmaTransfer    dmaState = 4
	dmaCompleted   dmaState = 5
	dmaFailed      dmaState = 6
	dmaReleased    dmaState = 7
	dmaDeleted     dmaState = 8
)

func (d dmaState) String() string {
	return [...]string{"invalid", "created", "reserved", "initialized", "in transfer", "completed", "failed", "released", "deleted"}[d]
}

// dmaTransaction is a WDFDMATRANSACTION: a transfer, done in one fragment after
// the other.
type dmaTransaction struct {
	object, enabler id
	state           dmaState
	staging         bool // a fragment is being handed to the driver (packet profile)
	again           bool // the one that hands over has to go on with the next
	adapter         bool // device.dmaPacket is set for it
	referenced      bool // it counts in request.transactions
	request         requestID
	direction       DMADirection
	program         Callback // EvtProgramDma
	context         uint64
	maximum         uint64 // bytes of a fragment
	mdl, offset     uint64 // where the data begins
	length          uint64 // of the data
	remaining       uint64
	transferred     uint64
	fragment        uint64 // length of the present one
	list            uint64 // SCATTER_GATHER_LIST in memory, 0: none
	bounce          uint64 // consecutive memory in place of the driver's, 0: none
}

var (
	svcWdfDmaTransactionCreate                      = kernel.NewService("WdfDmaTransactionCreate")
	svcWdfDmaTransactionInitialize                  = kernel.NewService("WdfDmaTransactionInitialize")
	svcWdfDmaTransactionInitializeUsingRequest      = kernel.NewService("WdfDmaTransactionInitializeUsingRequest")
	svcWdfDmaTransactionInitializeUsingOffset       = kernel.NewService("WdfDmaTransactionInitializeUsingOffset")
	svcWdfDmaTransactionExecute                     = kernel.NewService("WdfDmaTransactionExecute")
	svcWdfDmaTransactionRelease                     = kernel.NewService("WdfDmaTransactionRelease")
	svcWdfDmaTransactionDmaCompleted                = kernel.NewService("WdfDmaTransactionDmaCompleted")
	svcWdfDmaTransactionDmaCompletedWithLength      = kernel.NewService("WdfDmaTransactionDmaCompletedWithLength")
	svcWdfDmaTransactionDmaCompletedFinal           = kernel.NewService("WdfDmaTransactionDmaCompletedFinal")
	svcWdfDmaTransactionGetBytesTransferred         = kernel.NewService("WdfDmaTransactionGetBytesTransferred")
	svcWdfDmaTransactionSetMaximumLength            = kernel.NewService("WdfDmaTransactionSetMaximumLength")
	svcWdfDmaTransactionGetRequest                  = kernel.NewService("WdfDmaTransactionGetRequest")
	svcWdfDmaTransactionGetCurrentDmaTransferLength = kernel.NewService("WdfDmaTransactionGetCurrentDmaTransferLength")
	svcWdfDmaTransactionGetDevice                   = kernel.NewService("WdfDmaTransactionGetDevice")
)

// ProgramDMA makes an EvtProgramDma of a function: called at DISPATCH_LEVEL with
// the address of a SCATTER_GATHER_LIST, which ScatterGatherList reads. What it
// returns does not matter.
func (s *Sys) ProgramDMA(fn func(s *Sys, t WDFDMATRANSACTION, device WDFDEVICE, context uint64, d DMADirection, list uint64) bool) Callback {
	return s.function(fn, func(t *kernel.Thread, a kernel.Args) uint64 {
		return boolValue(fn(s.f.Sys(t), Handle(a[0]), Handle(a[1]), a[2], DMADirection(a[3]), a[4]))
	})
}

// WdfDmaTransactionCreate makes a transaction as a child of the enabler. IRQL <=
// DISPATCH_LEVEL (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionCreate(enabler WDFDMAENABLER, a *ObjectAttributes) (WDFDMATRANSACTION, NTSTATUS) {
	s.Enter(svcWdfDmaTransactionCreate, uint64(enabler))
	parent := s.lookup(enabler, TypeDMAEnabler)
	s.Step()
	st := checkAttributes(a, false)
	switch {
	case st.Failed():
	case a != nil && a.ParentObject != 0:
		st = StatusWdfParentAssignmentNotAllowed
	default:
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	n := len(s.f.transactions)
	s.f.transactions = append(s.f.transactions, dmaTransaction{enabler: parent, state: dmaCreated})
	i := s.create(TypeDMATransaction, parent, n, a, "")
	s.f.transactions[n].object = i
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// transaction returns the row behind a WDFDMATRANSACTION handle. Rows move when
// others are made: not to be kept across a callback.
func (s *Sys) transaction(h WDFDMATRANSACTION) *dmaTransaction {
	return &s.f.transactions[s.row(h, TypeDMATransaction)]
}

func (s *Sys) enablerOf(t *dmaTransaction) *dmaEnabler {
	return &s.f.dmaEnablers[s.f.objects[t.enabler].index]
}

// requireState is bug check 0x10D/8 for a transaction in a state in which the
// routine cannot be called, whether or not the verifier is on.
func (s *Sys) requireState(t *dmaTransaction, ok bool, routine string) {
	if !ok {
		s.BugCheck(0x10D, [4]uint64{8, uint64(t.object.handle()), uint64(t.state)}, "DMA", fmt.Sprintf(
			"%s for %s, which is %s", routine, s.f.m.NameOf(uint64(t.object.handle())), t.state))
	}
}

// WdfDmaTransactionInitialize prepares the transfer of length bytes at va, which
// lie in the buffer of an MDL. IRQL <= DISPATCH_LEVEL (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionInitialize(h WDFDMATRANSACTION, program Callback, d DMADirection, mdl, va, length uint64) NTSTATUS {
	s.Enter(svcWdfDmaTransactionInitialize, uint64(h), uint64(program), uint64(d), mdl, va, length)
	return s.initializeAt(h, "WdfDmaTransactionInitialize", program, d, mdl, va, length)
}

// WdfDmaTransactionInitializeUsingOffset is WdfDmaTransactionInitialize for data
// that begins at an offset in the buffer of an MDL. IRQL <= DISPATCH_LEVEL
// (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionInitializeUsingOffset(h WDFDMATRANSACTION, program Callback, d DMADirection, mdl, offset, length uint64) NTSTATUS {
	s.Enter(svcWdfDmaTransactionInitializeUsingOffset, uint64(h), uint64(program), uint64(d), mdl, offset, length)
	va := offset
	if mdl != 0 {
		start, _ := s.MDLBuffer(mdl)
		va += start
	}
	return s.initializeAt(h, "WdfDmaTransactionInitializeUsingOffset", program, d, mdl, va, length)
}

func (s *Sys) initializeAt(h WDFDMATRANSACTION, routine string, program Callback, d DMADirection, mdl, va, length uint64) NTSTATUS {
	s.transaction(h)
	s.requirePointer(program != 0, "EvtProgramDmaFunction")
	s.requirePointer(mdl != 0, "Mdl")
	s.Step()
	start, count := s.MDLBuffer(mdl)
	t := s.transaction(h)
	switch {
	case length == 0, d > DMAWriteToDevice, va < start, va >= start+count:
		return s.LeaveStatus(StatusInvalidParameter)
	case !s.enablerOf(t).chained() && length > start+count-va:
		return s.LeaveStatus(StatusInvalidParameter)
	}
	return s.LeaveStatus(s.initialize(t, routine, program, d, mdl, va-start, uint64(uint32(length))))
}

// chained reports whether MDLs that continue in others can be transferred.
func (e *dmaEnabler) chained() bool { return e.version3 || e.profile.scatters() }

// WdfDmaTransactionInitializeUsingRequest prepares the transfer of the data of a
// read, write or I/O control. IRQL <= DISPATCH_LEVEL (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionInitializeUsingRequest(h WDFDMATRANSACTION, request WDFREQUEST, program Callback, d DMADirection) NTSTATUS {
	s.Enter(svcWdfDmaTransactionInitializeUsingRequest, uint64(h), uint64(request), uint64(program), uint64(d))
	const routine = "WdfDmaTransactionInitializeUsingRequest"
	s.transaction(h)
	s.requirePointer(program != 0, "EvtProgramDmaFunction")
	if d > DMAWriteToDevice {
		return s.LeaveStatus(StatusInvalidParameter)
	}
	r := s.request(request)
	s.Step()
	mdl, length, st := s.transferOf(r, routine, d)
	switch {
	case st.Failed():
		return s.LeaveStatus(st)
	case length == 0:
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	t := s.transaction(h)
	if _, count := s.MDLBuffer(mdl); !s.enablerOf(t).chained() && length > count {
		return s.LeaveStatus(StatusInvalidParameter)
	}
	if st = s.initialize(t, routine, program, d, mdl, 0, length); !st.Failed() {
		t.request = r
	}
	return s.LeaveStatus(st)
}

// transferOf returns the MDL and the length of the data of a request that goes in
// a direction.
func (s *Sys) transferOf(r requestID, routine string, d DMADirection) (mdl, length uint64, st NTSTATUS) {
	row := &s.f.requests[r]
	read := d == DMAReadFromDevice
	switch {
	case row.typ == RequestTypeRead && !read, row.typ == RequestTypeWrite && read,
		row.typ == RequestTypeCreate,
		!row.typ.transfers() && row.method == methodInDirect && read,
		!row.typ.transfers() && row.method == methodOutDirect && !read:
		return 0, 0, StatusInvalidDeviceRequest
	case row.typ.transfers():
		mdl, st = s.requestMDL(r, routine, RequestTypeCreate, read)
		return mdl, row.length(), st
	case row.method == methodBuffered:
		length = row.outputLength
		if !read {
			length = row.inputLength
		}
		mdl, st = s.requestMDL(r, routine, RequestTypeCreate, false)
		return mdl, length, st
	case row.method == methodNeither:
		s.verifierBreak(routine, "DMA", "%s for %s, whose buffers are addresses of the application (METHOD_NEITHER)", routine, s.f.requestName(r))
		return 0, 0, StatusInvalidDeviceRequest
	}
	mdl, st = s.requestMDL(r, routine, RequestTypeCreate, true)
	return mdl, row.outputLength, st
}

// initialize sets a transfer up. If the device cannot do it in fragments that are
// short enough, the transaction is released.
func (s *Sys) initialize(t *dmaTransaction, routine string, program Callback, d DMADirection, mdl, offset, length uint64) NTSTATUS {
	s.requireState(t, t.state == dmaCreated || t.state == dmaReleased, routine)
	if length > mem.MaxAlloc {
		s.Unsupported("a DMA transfer of more than 64 MB")
	}
	e := s.enablerOf(t)
	t.maximum, t.direction, t.program = e.maximumLength, d, program
	t.mdl, t.offset, t.length, t.remaining = mdl, offset, length, length
	if e.profile.scatters() {
		if st := s.checkFragments(t); st.Failed() {
			s.releaseTransaction(t)
			return st
		}
	}
	t.state = dmaInitialized
	return StatusSuccess
}

// WdfDmaTransactionExecute begins the transfer: EvtProgramDma is called for the
// first fragment, before the routine returns. If the status is not a success, the
// driver calls WdfDmaTransactionRelease. IRQL <= DISPATCH_LEVEL
// (fxdmatransactionbase.cpp).
func (s *Sys) WdfDmaTransactionExecute(h WDFDMATRANSACTION, context uint64) NTSTATUS {
	s.Enter(svcWdfDmaTransactionExecute, uint64(h), context)
	s.transaction(h)
	s.Step()
	n := s.row(h, TypeDMATransaction)
	t := &s.f.transactions[n]
	s.requireState(t, t.state == dmaInitialized, "WdfDmaTransactionExecute")
	s.referenceRequest(t)
	t.state, t.context = dmaTransfer, context
	if e := s.enablerOf(t); !e.profile.scatters() && !e.version3 {
		if s.device(e.device).dmaPacket {
			s.verifierBreak("WdfDmaTransactionExecute", "DMA", "%s is executed while another transaction of its packet-based device is under way",
				s.f.m.NameOf(uint64(h)))
			t.state, t.context = dmaFailed, 0
			s.dereferenceRequest(t)
			return s.LeaveStatus(StatusWdfBusy)
		}
		s.device(e.device).dmaPacket, t.adapter = true, true
	}
	st := s.stage(n)
	if t = &s.f.transactions[n]; st.Failed() {
		t.state, t.context = dmaFailed, 0
		s.freeFragment(t)
		s.dereferenceRequest(t)
	}
	return s.LeaveStatus(st)
}

// referenceRequest keeps the request of a transfer: completing it meanwhile is bug
// check 0x10D/3.
func (s *Sys) referenceRequest(t *dmaTransaction) {
	if t.request != 0 {
		s.f.requests[t.request].transactions++
		s.f.objects[s.f.requests[t.request].object].references++
		t.referenced = true
	}
}

func (s *Sys) dereferenceRequest(t *dmaTransaction) {
	if t.referenced {
		t.referenced = false
		s.f.requests[t.request].transactions--
		s.dereference(s.f.requests[t.request].object)
	}
}

// WdfDmaTransactionDmaCompleted says that the device has transferred a fragment.
// FALSE: there is another one, EvtProgramDma was called for it; the status is
// STATUS_MORE_PROCESSING_REQUIRED. TRUE: the transfer has ended, with the status.
// IRQL <= DISPATCH_LEVEL (fxdmatransactionbase.cpp).
func (s *Sys) WdfDmaTransactionDmaCompleted(h WDFDMATRANSACTION) (ended bool, st NTSTATUS) {
	s.Enter(svcWdfDmaTransactionDmaCompleted, uint64(h))
	return s.completeDMA(h, "WdfDmaTransactionDmaCompleted", nil, false)
}

// WdfDmaTransactionDmaCompletedWithLength is WdfDmaTransactionDmaCompleted for a
// fragment of which the device has transferred length bytes; the rest is part of
// what follows. IRQL <= DISPATCH_LEVEL (fxdmatransactionbase.cpp).
func (s *Sys) WdfDmaTransactionDmaCompletedWithLength(h WDFDMATRANSACTION, length uint64) (ended bool, st NTSTATUS) {
	s.Enter(svcWdfDmaTransactionDmaCompletedWithLength, uint64(h), length)
	return s.completeDMA(h, "WdfDmaTransactionDmaCompletedWithLength", &length, false)
}

// WdfDmaTransactionDmaCompletedFinal is WdfDmaTransactionDmaCompletedWithLength for
// a transfer that ends here. IRQL <= DISPATCH_LEVEL (fxdmatransactionbase.cpp).
func (s *Sys) WdfDmaTransactionDmaCompletedFinal(h WDFDMATRANSACTION, length uint64) (ended bool, st NTSTATUS) {
	s.Enter(svcWdfDmaTransactionDmaCompletedFinal, uint64(h), length)
	return s.completeDMA(h, "WdfDmaTransactionDmaCompletedFinal", &length, true)
}

func (s *Sys) completeDMA(h WDFDMATRANSACTION, routine string, length *uint64, final bool) (bool, NTSTATUS) {
	s.transaction(h)
	s.Step()
	n := s.row(h, TypeDMATransaction)
	t := &s.f.transactions[n]
	s.requireState(t, t.state == dmaTransfer, routine)
	st := StatusInvalidParameter
	if length == nil || *length <= t.fragment {
		done := t.fragment
		if length != nil {
			done = *length
		}
		t.transferred += done
		t.remaining += t.fragment - done
		t.fragment = done
		s.flushFragment(t)
		st = StatusSuccess
		if t.remaining > 0 && !final {
			if st = s.stage(n); !st.Failed() {
				return s.LeaveBool(false), StatusMoreProcessingRequired
			}
		}
	} else {
		s.verifierBreak(routine, "DMA", "%d bytes of a fragment of %d are reported", *length, t.fragment)
	}
	t = &s.f.transactions[n]
	t.state = dmaCompleted
	if st.Failed() {
		t.state = dmaFailed
	}
	s.freeFragment(t)
	s.dereferenceRequest(t)
	t.fragment = 0
	return s.LeaveBool(true), st
}

// WdfDmaTransactionRelease makes a transaction ready for the next
// WdfDmaTransactionInitialize. IRQL <= DISPATCH_LEVEL (fxdmatransactionbase.cpp).
func (s *Sys) WdfDmaTransactionRelease(h WDFDMATRANSACTION) NTSTATUS {
	s.Enter(svcWdfDmaTransactionRelease, uint64(h))
	s.transaction(h)
	s.Step()
	if t := s.transaction(h); t.state != dmaReleased {
		s.requireState(t, t.state != dmaTransfer || !s.f.m.Profile().FrameworkVerifier, "WdfDmaTransactionRelease")
		s.releaseTransaction(t)
	}
	return s.LeaveStatus(StatusSuccess)
}

func (s *Sys) releaseTransaction(t *dmaTransaction) {
	s.freeFragment(t)
	s.dereferenceRequest(t)
	*t = dmaTransaction{object: t.object, enabler: t.enabler, state: dmaReleased, staging: t.staging}
}

// rundownTransaction is the disposal of a transaction.
func (s *Sys) rundownTransaction(n int32) {
	t := &s.f.transactions[n]
	s.requireState(t, t.state != dmaTransfer || !s.f.m.Profile().FrameworkVerifier, "WdfObjectDelete")
	s.releaseTransaction(t)
	t.state = dmaDeleted
}

// WdfDmaTransactionGetBytesTransferred returns the bytes of all fragments that are
// done. IRQL <= DISPATCH_LEVEL (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionGetBytesTransferred(h WDFDMATRANSACTION) uint64 {
	s.Enter(svcWdfDmaTransactionGetBytesTransferred, uint64(h))
	n := s.transaction(h).transferred
	s.Leave(trace.Decimal, n)
	return n
}

// WdfDmaTransactionSetMaximumLength makes the fragments shorter than the enabler
// says; a longer length is ignored. Between the initialization and
// WdfDmaTransactionExecute: elsewhere the framework of Windows uses a NULL
// pointer. IRQL <= DISPATCH_LEVEL (fxdmatransactionbase.hpp).
func (s *Sys) WdfDmaTransactionSetMaximumLength(h WDFDMATRANSACTION, length uint64) {
	s.Enter(svcWdfDmaTransactionSetMaximumLength, uint64(h), length)
	s.transaction(h)
	s.Step()
	t := s.transaction(h)
	if t.mdl == 0 {
		s.Stop(kernel.Finding{Rule: "WdfDmaTransactionSetMaximumLength", Clause: "DMA", Text: fmt.Sprintf(
			"%s is %s: only an initialized transaction has a maximum length; the framework of Windows uses a NULL pointer here",
			s.f.m.NameOf(uint64(h)), t.state)})
	}
	if length < s.enablerOf(t).maximumLength {
		t.maximum = length
	}
	s.LeaveVoid()
}

// WdfDmaTransactionGetRequest returns the request of
// WdfDmaTransactionInitializeUsingRequest, 0 if there is none. IRQL <=
// DISPATCH_LEVEL (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionGetRequest(h WDFDMATRANSACTION) (request WDFREQUEST) {
	s.Enter(svcWdfDmaTransactionGetRequest, uint64(h))
	if r := s.transaction(h).request; r != 0 {
		request = s.f.requests[r].object.handle()
	}
	s.Leave(trace.Hex, uint64(request))
	return request
}

// WdfDmaTransactionGetCurrentDmaTransferLength returns the length of the fragment
// under way, 0 if there is none. IRQL <= DISPATCH_LEVEL
// (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionGetCurrentDmaTransferLength(h WDFDMATRANSACTION) uint64 {
	s.Enter(svcWdfDmaTransactionGetCurrentDmaTransferLength, uint64(h))
	n := s.transaction(h).fragment
	s.Leave(trace.Decimal, n)
	return n
}

// WdfDmaTransactionGetDevice returns the device of the enabler. IRQL <=
// DISPATCH_LEVEL (fxdmatransactionapi.cpp).
func (s *Sys) WdfDmaTransactionGetDevice(h WDFDMATRANSACTION) WDFDEVICE {
	s.Enter(svcWdfDmaTransactionGetDevice, uint64(h))
	d := s.enablerOf(s.transaction(h)).device.handle()
	s.Leave(trace.Hex, uint64(d))
	return d
}
