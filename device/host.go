package device

// A Host is the machine around functions. f says which function asks; what it
// asks has passed the rules of its configuration space. These methods record or
// answer and return: they call no methods of f and let nothing of the machine
// run meanwhile, for the function is in the middle of a step.
type Host interface {
	// Now returns the virtual time in nanoseconds.
	Now() uint64

	// SetLine is called when the interrupt pin changed; it starts deasserted.
	SetLine(f *Function, asserted bool)

	// WriteMessage is the memory write of an MSI message.
	WriteMessage(f *Function, addr uint64, data uint32)

	// SignalWake is called when the function asserts PME#.
	SignalWake(f *Function)

	// ReadPhysical and WritePhysical access len(p) > 0 bytes of memory, all or
	// nothing; addr+len(p) may overflow. The error says what is at the first
	// address that is not memory: registers of functions count as none, there
	// are no transfers between devices.
	ReadPhysical(f *Function, addr uint64, p []byte) error
	WritePhysical(f *Function, addr uint64, p []byte) error

	// Schedule arranges the call f.Event(id), delay nanoseconds from now, and
	// replaces a pending one with that id. Now()+delay does not overflow.
	Schedule(f *Function, id uint32, delay uint64)

	// Cancel forgets a pending event, if there is one; CancelAll forgets every
	// event of f.
	Cancel(f *Function, id uint32)
	CancelAll(f *Function)

	// Choose returns a number from 0 to n-1, with n at least 2.
	Choose(f *Function, what string, n int) int

	// Note puts a line about f into the trace.
	Note(f *Function, format string, args ...any)
}
