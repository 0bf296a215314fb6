package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
)

// NTSTATUS codes of exceptions.
const (
	StatusBreakpoint              NTSTATUS = 0x80000003
	StatusSingleStep              NTSTATUS = 0x80000004
	StatusDatatypeMisalignment    NTSTATUS = 0x80000002
	StatusIllegalInstruction      NTSTATUS = 0xC000001D
	StatusNoncontinuableException NTSTATUS = 0xC0000025
	StatusInvalidDisposition      NTSTATUS = 0xC0000026
	StatusMutantNotOwned          NTSTATUS = 0xC0000046
	StatusSemaphoreLimitExceeded  NTSTATUS = 0xC0000047
	StatusIntegerDivideByZero     NTSTATUS = 0xC0000094
	StatusAssertionFailure        NTSTATUS = 0xC0000420
)

// Exception is a structured exception: something that a driver can handle with
// __try and __except.
type Exception struct {
	Code           NTSTATUS
	Noncontinuable bool     // a filter cannot have the code go on
	Address        uint64   // of the instruction, 0: where the routine that raises it was called
	Record         uint64   // address of the EXCEPTION_RECORD, 0: none in memory
	Context        uint64   // address of the CONTEXT
	Params         []uint64 // EXCEPTION_RECORD.ExceptionInformation, at most 15
	Text           string   // what happened, one line, if nobody handles it
	Clause         string
}

// highestUserAddress is the last byte of user space, a page of 64 KB below the
// end of the lower half (MmHighestUserAddress).
const highestUserAddress = 0x7FFF_FFFE_FFFF

// UserProbeAddress is where user addresses end (MmUserProbeAddress).
const UserProbeAddress = highestUserAddress + 1

// userHalf reports whether an address is in the lower half, where a fault is an
// exception; in the system's half it is a bug check that no driver can catch.
func userHalf(addr uint64) bool { return addr>>47 == 0 }

// Catchable reports whether a fault at the present IRQL is an exception: below
// DISPATCH_LEVEL, at a user address. All others are bug checks at once.
func (t *Thread) Catchable(f mem.Fault) bool {
	return t.IRQL() < DispatchLevel && userHalf(f.Addr) && f.Kind != mem.DevicePage
}

// AccessViolation returns the exception of a fault at a user address.
func AccessViolation(f mem.Fault, rip uint64) Exception {
	return Exception{Code: StatusAccessViolation, Address: rip, Params: []uint64{uint64(f.Access), f.Addr}, Clause: "exception",
		Text: fmt.Sprintf("%s of 0x%X: %s", f.Access, f.Addr, f.Kind)}
}

// raised is what a Try waits for.
type raised struct {
	depth     int        // frames when it began, plus 1; 0: no Try
	exception *Exception // on its way to the Try
}

// Try calls f and returns the exception that a routine of the kernel raised in
// it on behalf of its caller, nil if there was none. What f had begun is given
// up, as the frames of a Windows routine are unwound.
func (t *Thread) Try(f func()) (e *Exception) {
	outer := t.raised
	t.raised = raised{depth: len(t.stack) + 1}
	defer func() {
		if e = t.raised.exception; e != nil {
			_ = recover()
			t.stack = t.stack[:t.raised.depth-1]
		}
		t.raised = outer
	}()
	f()
	return nil
}

// Raise raises an exception in a routine that a driver called. It does not
// return: either a Try of this activation gets it, or nobody handles it.
func (t *Thread) Raise(e Exception) {
	if d := t.raised.depth - 1; d >= 0 && !t.activationAbove(d) {
		t.raised.exception = &e
		panic(unwound{})
	}
	if e.Address == 0 {
		e.Address = t.Caller()
	}
	t.Unhandled(e)
}

// activationAbove reports whether an activation began above a frame: an
// interrupt does not raise into what it interrupts.
func (t *Thread) activationAbove(depth int) bool {
	for i := depth; i < len(t.stack); i++ {
		if t.stack[i].kind <= WorkItemActivation {
			return true
		}
	}
	return false
}

// Unhandled ends the run because nobody handles an exception: 0x3D in an ISR,
// 0x1E in a DPC, 0x3B below a system service, else 0x7E.
func (t *Thread) Unhandled(e Exception) {
	params := [4]uint64{uint64(e.Code), e.Address}
	code := uint32(0x7E)
	params[2], params[3] = e.Record, e.Context
	switch kind, _ := t.Activation(); {
	case kind == ISRActivation && t.IRQL() > DispatchLevel: // a passive-level ISR is in a system thread
		code, params = 0x3D, [4]uint64{e.Record, e.Context}
	case kind == DPCActivation || t.IRQL() >= DispatchLevel:
		code = 0x1E
		params[2], params[3] = 0, 0
		copy(params[2:], e.Params)
	case kind == ThreadActivation && t.user:
		code = 0x3B
		params[2], params[3] = e.Context, 0
	}
	t.BugCheck(code, params, e.Clause, e.Text)
}
