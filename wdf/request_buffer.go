package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// transferMethod says how the I/O manager hands the buffers of a request over,
// with the values of the lowest bits of an I/O control code.
type transferMethod uint8

const (
	methodBuffered  transferMethod = 0 // in a system buffer
	methodInDirect  transferMethod = 1 // the application's pages, locked: for data to the device
	methodOutDirect transferMethod = 2 // the same, for data from the device
	methodNeither   transferMethod = 3 // addresses of the application, as they come
)

func (m transferMethod) direct() bool { return m == methodInDirect || m == methodOutDirect }

// requestBuffers are the buffers of the IRP under a request.
type requestBuffers struct {
	method       transferMethod
	noBuffer     bool        // the I/O manager found no memory
	process      mem.Process // of the sender, if it has the buffers
	systemBuffer uint64      // AssociatedIrp.SystemBuffer; 0: none
	userInput    uint64      // addresses in the sender's process; 0: none
	userOutput   uint64
	mdl          uint64 // MdlAddress, of a direct transfer; 0: none
	systemMDL    uint64 // of the system buffer; 0: the driver has not asked for it
}

// prepareBuffers makes the buffers of a request: what the I/O manager and the
// application do before the driver is called.
func (s *Sys) prepareBuffers(row *request, p *RequestParams) {
	row.method = s.transferMethod(row)
	output := p.Output
	switch {
	case row.method == methodNeither:
		row.userInput = s.userBuffer(row, row.inputLength, p.Input)
		row.userOutput = s.userBuffer(row, row.outputLength, output)
	case row.method.direct() && row.typ == RequestTypeWrite:
		row.userInput = s.userBuffer(row, row.inputLength, p.Input)
		row.mdl = s.lockedMDL(row.userInput, row.inputLength, false)
	case row.method.direct():
		s.makeSystemBuffer(row, row.inputLength, p.Input)
		row.userOutput = s.userBuffer(row, row.outputLength, output)
		row.mdl = s.lockedMDL(row.userOutput, row.outputLength, row.method == methodOutDirect)
	default:
		s.makeSystemBuffer(row, max(row.inputLength, row.outputLength), p.Input)
	}
}

// transferMethod returns the method of a request: an I/O control says it itself,
// for reads and writes the driver has said it.
func (s *Sys) transferMethod(row *request) transferMethod {
	if row.device == 0 {
		return methodBuffered
	}
	if !row.typ.transfers() {
		if row.typ == RequestTypeDeviceControlInternal && row.code&3 != 0 {
			s.Unsupported(fmt.Sprintf("internal I/O control 0x%X: transfer methods other than METHOD_BUFFERED", row.code))
		}
		return transferMethod(row.code & 3)
	}
	switch s.device(row.device).settings.ioType {
	case IoTypeNeither:
		return methodNeither
	case IoTypeDirect:
		if row.typ == RequestTypeWrite {
			return methodInDirect
		}
		return methodOutDirect
	case IoTypeBufferedOrDirect:
		s.Unsupported("reads and writes with WdfDeviceIoBufferedOrDirect")
	}
	return methodBuffered
}

func (s *Sys) makeSystemBuffer(row *request, size uint64, contents []byte) {
	if size > 0 {
		row.systemBuffer = s.f.m.Mem.Alloc(size, kernel.PoolTag("IoSB"), false, s.ActivationID())
		row.noBuffer = row.systemBuffer == 0
		s.f.m.Mem.Write(row.systemBuffer, contents)
	}
}

// userBuffer maps a buffer into the process of the sender.
func (s *Sys) userBuffer(row *request, size uint64, contents []byte) uint64 {
	if size == 0 {
		return 0
	}
	p := s.AllocateUser(size)
	row.process = s.Process()
	row.noBuffer = row.noBuffer || p == 0
	s.f.m.Mem.WriteUser(row.process, p, contents)
	return p
}

// lockedMDL returns an MDL of a buffer of the sender with its pages locked.
func (s *Sys) lockedMDL(addr, size uint64, write bool) uint64 {
	if addr == 0 {
		return 0
	}
	mdl := s.AllocateMDL(addr, size)
	s.LockPages(mdl, write)
	return mdl
}

// freeBuffers is the end of the buffers that the driver has: the sender gets the
// output.
func (s *Sys) freeBuffers(r requestID) {
	f := s.f
	row := &f.requests[r]
	if row.status>>30 != 3 {
		s.returnOutput(row)
	}
	if row.systemBuffer != 0 {
		f.m.SetName(row.systemBuffer, "the buffer of "+f.requestName(r)+", which is completed: rule BufAfterReqCompleted")
		row.formerBuffer = row.systemBuffer
		s.FreeBlock(row.systemBuffer)
	}
	s.FreeMDL(row.systemMDL)
	s.FreeMDL(row.mdl)
	s.freeIRP(r)
	row.systemBuffer, row.systemMDL, row.mdl = 0, 0, 0
}

// returnOutput copies the output to where the sender can read it.
func (s *Sys) returnOutput(row *request) {
	n := min(row.information, row.outputLength)
	if n == 0 || row.typ == RequestTypeWrite {
		return
	}
	p := make([]byte, n)
	switch {
	case row.userOutput != 0:
		s.f.m.Mem.ReadUser(row.process, row.userOutput, p)
	case row.systemBuffer != 0:
		s.f.m.Mem.Read(row.systemBuffer, p)
	default:
		return
	}
	row.output = s.f.m.Mem.Alloc(n, kernel.PoolTag("User"), false, s.ActivationID())
	s.f.m.Mem.Write(row.output, p)
}

// freeUserBuffers unmaps the buffers of a sender that has its answer.
func (s *Sys) freeUserBuffers(r requestID) {
	row := &s.f.requests[r]
	if row.userInput != 0 {
		s.f.m.Mem.UnmapUser(row.process, row.userInput, row.inputLength)
	}
	if row.userOutput != 0 {
		s.f.m.Mem.UnmapUser(row.process, row.userOutput, row.outputLength)
	}
	row.userInput, row.userOutput = 0, 0
}

// buffer returns the buffer of a request for one direction, at an address of the
// kernel. A request that has none there is STATUS_INVALID_DEVICE_REQUEST, one of
// no bytes STATUS_BUFFER_TOO_SMALL.
func (s *Sys) buffer(r requestID, routine string, output bool) (addr, length uint64, st NTSTATUS) {
	row := &s.f.requests[r]
	wrong := RequestTypeRead
	length = row.inputLength
	if output {
		wrong, length = RequestTypeWrite, row.outputLength
	}
	switch {
	case !s.verifyAlive(r, routine):
		return 0, 0, StatusInternalError
	case row.typ == wrong:
		return 0, 0, StatusInvalidDeviceRequest
	case length == 0:
		return 0, 0, StatusBufferTooSmall
	case row.method == methodNeither && row.typ.transfers():
		s.verifierBreak(routine, "IRQL-16", "%s for %s, whose buffer is an address of the application (WdfDeviceIoNeither)", routine, s.f.requestName(r))
		return 0, 0, StatusInvalidDeviceRequest
	case row.method == methodNeither:
		return 0, 0, StatusInvalidDeviceRequest
	case row.mdl != 0 && (output || row.typ == RequestTypeWrite):
		return s.MapMDL(row.mdl), length, StatusSuccess
	}
	return row.systemBuffer, length, StatusSuccess
}

var (
	svcWdfRequestRetrieveInputBuffer            = kernel.NewService("WdfRequestRetrieveInputBuffer")
	svcWdfRequestRetrieveOutputBuffer           = kernel.NewService("WdfRequestRetrieveOutputBuffer")
	svcWdfRequestRetrieveInputMemory            = kernel.NewService("WdfRequestRetrieveInputMemory")
	svcWdfRequestRetrieveOutputMemory           = kernel.NewService("WdfRequestRetrieveOutputMemory")
	svcWdfRequestRetrieveInputWdmMdl            = kernel.NewService("WdfRequestRetrieveInputWdmMdl")
	svcWdfRequestRetrieveOutputWdmMdl           = kernel.NewService("WdfRequestRetrieveOutputWdmMdl")
	svcWdfRequestRetrieveUnsafeUserInputBuffer  = kernel.NewLenientService("WdfRequestRetrieveUnsafeUserInputBuffer")
	svcWdfRequestRetrieveUnsafeUserOutputBuffer = kernel.NewLenientService("WdfRequestRetrieveUnsafeUserOutputBuffer")
	svcWdfRequestProbeAndLockUserBufferForRead  = kernel.NewLenientService("WdfRequestProbeAndLockUserBufferForRead")
	svcWdfRequestProbeAndLockUserBufferForWrite = kernel.NewLenientService("WdfRequestProbeAndLockUserBufferForWrite")
)

// WdfRequestRetrieveInputBuffer returns the bytes that came with a write or an
// I/O control; STATUS_BUFFER_TOO_SMALL if they are fewer than minimum. The buffer
// goes with the request. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestRetrieveInputBuffer(h WDFREQUEST, minimum uint64) (buffer, length uint64, st NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveInputBuffer, uint64(h), minimum)
	return s.retrieveBuffer(h, "WdfRequestRetrieveInputBuffer", minimum, false)
}

// WdfRequestRetrieveOutputBuffer returns the room for what a read or an I/O
// control asks for; STATUS_BUFFER_TOO_SMALL if it is less than minimum. With
// buffered I/O it is the same memory as the input of an I/O control. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfRequestRetrieveOutputBuffer(h WDFREQUEST, minimum uint64) (buffer, length uint64, st NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveOutputBuffer, uint64(h), minimum)
	return s.retrieveBuffer(h, "WdfRequestRetrieveOutputBuffer", minimum, true)
}

func (s *Sys) retrieveBuffer(h WDFREQUEST, routine string, minimum uint64, output bool) (buffer, length uint64, st NTSTATUS) {
	buffer, length, st = s.buffer(s.request(h), routine, output)
	if !st.Failed() && length < minimum {
		buffer, length, st = 0, 0, StatusBufferTooSmall
	}
	return buffer, length, s.LeaveStatus(st)
}

// WdfRequestRetrieveInputMemory returns the memory object of the bytes that came
// with a request. It goes with the request. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestRetrieveInputMemory(h WDFREQUEST) (WDFMEMORY, NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveInputMemory, uint64(h))
	return s.retrieveMemory(h, "WdfRequestRetrieveInputMemory", false)
}

// WdfRequestRetrieveOutputMemory returns the memory object of the room for the
// output. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestRetrieveOutputMemory(h WDFREQUEST) (WDFMEMORY, NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveOutputMemory, uint64(h))
	return s.retrieveMemory(h, "WdfRequestRetrieveOutputMemory", true)
}

func (s *Sys) retrieveMemory(h WDFREQUEST, routine string, output bool) (WDFMEMORY, NTSTATUS) {
	r := s.request(h)
	addr, length, st := s.buffer(r, routine, output)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	row := &s.f.requests[r]
	m := row.inputMemory
	if output {
		m = row.outputMemory
	}
	if m == 0 {
		m = s.addMemory(memory{buffer: addr, size: length, request: r}, row.object, nil)
		s.f.objects[m].noDelete = true
		if row = &s.f.requests[r]; output {
			row.outputMemory = m
		} else {
			row.inputMemory = m
		}
	}
	return m.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfRequestRetrieveInputWdmMdl returns an MDL of what came with a write or an
// I/O control. It goes with the request. IRQL <= DISPATCH_LEVEL
// (fxrequestapi.cpp, fxrequestkm.cpp).
func (s *Sys) WdfRequestRetrieveInputWdmMdl(h WDFREQUEST) (mdl uint64, st NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveInputWdmMdl, uint64(h))
	mdl, st = s.requestMDL(s.request(h), "WdfRequestRetrieveInputWdmMdl", RequestTypeRead, false)
	return mdl, s.LeaveStatus(st)
}

// WdfRequestRetrieveOutputWdmMdl returns an MDL of the room for what a read or an
// I/O control asks for. With METHOD_BUFFERED it is the one that
// WdfRequestRetrieveInputWdmMdl has made, with the length of the input, if that was
// called before. IRQL <= DISPATCH_LEVEL (fxrequestapi.cpp, fxrequestkm.cpp).
func (s *Sys) WdfRequestRetrieveOutputWdmMdl(h WDFREQUEST) (mdl uint64, st NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveOutputWdmMdl, uint64(h))
	mdl, st = s.requestMDL(s.request(h), "WdfRequestRetrieveOutputWdmMdl", RequestTypeWrite, true)
	return mdl, s.LeaveStatus(st)
}

// requestMDL returns the MDL of one direction; wrong is the type that has none.
func (s *Sys) requestMDL(r requestID, routine string, wrong RequestType, output bool) (uint64, NTSTATUS) {
	row := &s.f.requests[r]
	length := row.inputLength
	if output {
		length = row.outputLength
	}
	switch {
	case row.typ == wrong:
		return 0, StatusInvalidDeviceRequest
	case !s.verifyAlive(r, routine):
		return 0, StatusInternalError
	case row.method == methodNeither && row.typ.transfers():
		s.verifierBreak(routine, "IRQL-16", "%s for %s, whose buffer is an address of the application (WdfDeviceIoNeither)", routine, s.f.requestName(r))
		return 0, StatusInvalidDeviceRequest
	case row.method == methodNeither:
		return 0, StatusInvalidDeviceRequest
	case row.method.direct() && (output || row.typ == RequestTypeWrite):
		if row.mdl == 0 {
			return 0, StatusBufferTooSmall
		}
		return row.mdl, StatusSuccess
	case row.systemBuffer == 0, length == 0:
		return 0, StatusBufferTooSmall
	}
	if row.systemMDL == 0 {
		row.systemMDL = s.AllocateMDL(row.systemBuffer, length)
		s.BuildMDL(row.systemMDL)
	}
	return row.systemMDL, StatusSuccess
}

// WdfRequestRetrieveUnsafeUserInputBuffer returns the application's address of what
// came with a write of a device with WdfDeviceIoNeither, or with an I/O control of
// METHOD_NEITHER. Only in EvtIoInCallerContext. PASSIVE_LEVEL (fxrequestapi.cpp).
func (s *Sys) WdfRequestRetrieveUnsafeUserInputBuffer(h WDFREQUEST, minimum uint64) (buffer, length uint64, st NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveUnsafeUserInputBuffer, uint64(h), minimum)
	return s.unsafeBuffer(h, "WdfRequestRetrieveUnsafeUserInputBuffer", minimum, false)
}

// WdfRequestRetrieveUnsafeUserOutputBuffer returns the application's address of the
// room for the answer: see WdfRequestRetrieveUnsafeUserInputBuffer. PASSIVE_LEVEL
// (fxrequestapi.cpp).
func (s *Sys) WdfRequestRetrieveUnsafeUserOutputBuffer(h WDFREQUEST, minimum uint64) (buffer, length uint64, st NTSTATUS) {
	s.Enter(svcWdfRequestRetrieveUnsafeUserOutputBuffer, uint64(h), minimum)
	return s.unsafeBuffer(h, "WdfRequestRetrieveUnsafeUserOutputBuffer", minimum, true)
}

func (s *Sys) unsafeBuffer(h WDFREQUEST, routine string, minimum uint64, output bool) (buffer, length uint64, st NTSTATUS) {
	r := s.request(h)
	row := &s.f.requests[r]
	buffer, length = row.userInput, row.inputLength
	wrong := RequestTypeRead
	if output {
		buffer, length, wrong = row.userOutput, row.outputLength, RequestTypeWrite
	}
	switch {
	case s.levelBreak(routine, "IRQL-12", PassiveLevel), !s.verifyInCaller(r, routine),
		row.typ == wrong, row.typ == RequestTypeDeviceControlInternal:
		st = StatusInvalidDeviceRequest
	case row.method != methodNeither:
		s.verifierBreak(routine, "IRQL-16", "%s for %s, which is not of METHOD_NEITHER or of a device with WdfDeviceIoNeither", routine, s.f.requestName(r))
		st = StatusInvalidDeviceRequest
	case length < minimum:
		st = StatusBufferTooSmall
	}
	if st.Failed() {
		return 0, 0, s.LeaveStatus(st)
	}
	return buffer, length, s.LeaveStatus(st)
}

// StatusInvalidUserBuffer is STATUS_INVALID_USER_BUFFER.
const StatusInvalidUserBuffer NTSTATUS = 0xC00000E8

// WdfRequestProbeAndLockUserBufferForRead locks the pages of a buffer of the
// application, which the driver will read, and maps them to a kernel address. The
// memory object goes with the request. In the thread of the application only:
// STATUS_ACCESS_VIOLATION elsewhere, or if the application cannot read the buffer.
// PASSIVE_LEVEL (fxrequestapi.cpp, fxrequestkm.cpp).
func (s *Sys) WdfRequestProbeAndLockUserBufferForRead(h WDFREQUEST, buffer, length uint64) (WDFMEMORY, NTSTATUS) {
	s.Enter(svcWdfRequestProbeAndLockUserBufferForRead, uint64(h), buffer, length)
	return s.probeAndLock(h, "WdfRequestProbeAndLockUserBufferForRead", buffer, length, false)
}

// WdfRequestProbeAndLockUserBufferForWrite is WdfRequestProbeAndLockUserBufferForRead
// for a buffer that the driver will write. PASSIVE_LEVEL (fxrequestapi.cpp,
// fxrequestkm.cpp).
func (s *Sys) WdfRequestProbeAndLockUserBufferForWrite(h WDFREQUEST, buffer, length uint64) (WDFMEMORY, NTSTATUS) {
	s.Enter(svcWdfRequestProbeAndLockUserBufferForWrite, uint64(h), buffer, length)
	return s.probeAndLock(h, "WdfRequestProbeAndLockUserBufferForWrite", buffer, length, true)
}

func (s *Sys) probeAndLock(h WDFREQUEST, routine string, buffer, length uint64, write bool) (WDFMEMORY, NTSTATUS) {
	r := s.request(h)
	s.requirePointer(buffer != 0, "Buffer")
	if s.levelBreak(routine, "IRQL-12", PassiveLevel) || s.verifyOwned(r, "probed").Failed() {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.Step()
	row := &s.f.requests[r]
	length = uint64(uint32(length))
	switch {
	case length == 0:
		return 0, s.LeaveStatus(StatusInvalidUserBuffer)
	case row.requestorMode() == UserMode && int(row.sender) != s.ID() && s.f.m.Profile().FrameworkVerifier,
		!mem.IsUser(buffer), !mem.IsUser(buffer + length - 1):
		return 0, s.LeaveStatus(kernel.StatusAccessViolation)
	}
	mdl := s.AllocateMDL(buffer, length)
	if mdl == 0 {
		return 0, s.LeaveStatus(StatusInsufficientResources)
	}
	if st := s.LockPages(mdl, write); st.Failed() {
		s.FreeMDL(mdl)
		return 0, s.LeaveStatus(st)
	}
	m := s.addMemory(memory{buffer: s.MapMDL(mdl), size: length, request: r, mdl: mdl}, row.object, nil)
	return m.handle(), s.LeaveStatus(StatusSuccess)
}
