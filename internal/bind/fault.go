package bind

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/internal/x86"
)

// refused turns what the processor cannot do into what Windows does.
func (d *Driver) refused(t *kernel.Thread, c *x86.CPU, stop x86.Stop) {
	switch stop {
	case x86.StopPageable:
		d.pageable(t, c)
	case x86.StopFault:
		d.fault(t, c, c.Fault)
	case x86.StopException:
		d.exception(t, c)
	case x86.StopUnsupported:
		text, n := x86.Text(c.Bytes, c.RIP)
		t.Unsupported(fmt.Sprintf("the instruction % X (%s) at %s", c.Bytes[:n], text, d.site(c.RIP)))
	default:
		panic("BUG: stop " + stop.String())
	}
}

// site is an address of code with its symbol, if it has one.
func (d *Driver) site(rip uint64) string {
	if at := fmt.Sprintf("0x%X", rip); d.m.NameOf(rip) != at {
		return d.m.NameOf(rip) + " (" + at + ")"
	}
	return d.m.NameOf(rip)
}

// pageable is a touch of pageable memory at DISPATCH_LEVEL or above (IRQL-10).
func (d *Driver) pageable(t *kernel.Thread, c *x86.CPU) {
	irql := t.IRQL()
	addr, kind := c.Access.Addr, uint64(0)
	what := "pageable data is touched"
	switch {
	case c.Fault.Access == mem.Fetch && c.Fault.Addr != 0:
		addr, kind, what = c.Fault.Addr, 8, "pageable code is executed"
	case c.Access.Kind != x86.Read:
		kind = 1
	}
	t.BugCheck(0xD1, [4]uint64{addr, uint64(irql), kind, c.RIP}, "IRQL-10", fmt.Sprintf(
		"%s at %s: it may not be resident, and cannot be paged in here", what, trace.LevelName(irql)))
}

// endless ends a run in which a routine executes without end and without
// looking at anything that others could change.
func (d *Driver) endless(t *kernel.Thread, c *x86.CPU) {
	text := fmt.Sprintf("%s executes %d instructions in a row without an access or a call that others could notice: it does not end",
		d.m.NameOf(c.RIP), slice*maxSlices)
	if t.IRQL() >= kernel.DispatchLevel {
		text += "; Windows would end in DPC_WATCHDOG_VIOLATION (0x133)"
	}
	t.Stop(kernel.Finding{Rule: "endless loop", Clause: "WD-1", Text: text})
}

// overflow reports whether an address is in the guard page below the stack of a
// thread.
func (d *Driver) overflow(t *kernel.Thread, addr uint64) bool {
	bottom := d.stackTop(t.ID()) - stackSize
	return addr < bottom && addr >= bottom-mem.PageSize
}

// fault reports an access or a fetch that cannot be done.
func (d *Driver) fault(t *kernel.Thread, c *x86.CPU, f mem.Fault) {
	if f.Kind == mem.NotCanonical {
		d.protection(t, c, f)
		return
	}
	size := int(c.Access.Size)
	if d.overflow(t, f.Addr) {
		t.BugCheck(0x7F, [4]uint64{8, f.Addr}, "kernel stack", fmt.Sprintf(
			"the kernel stack of %d bytes is used up: recursion, or too many local variables", stackSize))
	}
	if f.Access != mem.Fetch {
		t.CheckUser(f.Addr)
	}
	if t.Catchable(f) {
		d.raise(t, c, kernel.AccessViolation(f, c.RIP))
		return
	}
	t.GuestFault(f, c.RIP)
	// Without special pool the access is done all the same (VER-7).
	if f.Access == mem.Load {
		c.Supply(d.m.Mem.LoadAnyway(f.Addr, size))
		return
	}
	d.m.Mem.StoreAnyway(f.Addr, size, c.Access.Value.Lo)
	c.Allow()
}

// protection is an access or a jump to an address that is not canonical: no page
// fault, but #GP, of which Windows knows no address, or #SS, which it cannot handle.
func (d *Driver) protection(t *kernel.Thread, c *x86.CPU, f mem.Fault) {
	text := fmt.Sprintf("%s of 0x%X: %s", f.Access, f.Addr, f.Kind)
	if c.FaultException().Vector == x86.StackFault {
		t.BugCheck(0x7F, [4]uint64{x86.StackFault}, "exception", text+"; RSP or RBP is wrong")
	}
	d.raise(t, c, kernel.Exception{Code: kernel.StatusAccessViolation, Address: c.RIP, Clause: "exception",
		Text: text + ": a general protection fault", Params: []uint64{0, ^uint64(0)}})
}

// exceptions are those of the processor, as Windows names them.
var exceptions = map[uint8]struct {
	status kernel.NTSTATUS
	text   string
}{
	x86.DivideError:   {kernel.StatusIntegerDivideByZero, "an integer is divided by zero, or the quotient is too large"},
	x86.Debug:         {kernel.StatusSingleStep, "a single step"},
	x86.Breakpoint:    {kernel.StatusBreakpoint, "a breakpoint, without a debugger"},
	x86.InvalidOpcode: {kernel.StatusIllegalInstruction, "an illegal instruction: UD2, or bytes that are none"},
	x86.GeneralProtection: {kernel.StatusAccessViolation,
		"a general protection fault: an operand is not aligned, or a register gets a value that it cannot have"},
	assertion: {kernel.StatusAssertionFailure, "an assertion of the driver failed (NT_ASSERT)"},
}

// assertion is INT 2Ch, which DbgRaiseAssertionFailure is.
const assertion = 0x2C

// exception is an exception of the processor.
func (d *Driver) exception(t *kernel.Thread, c *x86.CPU) {
	e := &c.Exception
	if e.Vector == x86.FastFail {
		code := c.R[x86.RCX] & 0xFFFFFFFF
		t.BugCheck(0x139, [4]uint64{code}, "fail fast", fmt.Sprintf("the driver stops itself with fast-fail code %d", code))
	}
	if e.Vector == x86.FloatingPoint { // the kernel handles those of applications only
		t.BugCheck(0x7F, [4]uint64{x86.FloatingPoint}, "exception", "an SSE floating-point exception that MXCSR does not mask")
	}
	x, known := exceptions[e.Vector]
	if !known {
		t.Unsupported(fmt.Sprintf("interrupt 0x%X (INT n) at %s", e.Vector, d.site(c.RIP)))
	}
	raised := kernel.Exception{Code: x.status, Address: c.RIP, Clause: "exception", Text: x.text}
	if e.Vector == x86.GeneralProtection {
		raised.Params = []uint64{0, ^uint64(0)} // what Windows knows of it
	}
	d.raise(t, c, raised)
}
