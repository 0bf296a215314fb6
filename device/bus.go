package device

import "errors"

// A Bus is what a model may do. It is valid during every call of the model, and
// [Function] implements it. A model need not keep track of whether the driver
// let it: what is off has no effect, as on hardware.
type Bus interface {
	// Now returns the virtual time in nanoseconds.
	Now() uint64

	// SetLine says whether the device requests service through its interrupt
	// pin. The pin follows as long as the driver lets it: not while INTx is
	// disabled or messages are enabled, and not in D3hot.
	SetLine(asserted bool)

	// SendMessage sends message n (from 0) of MSI-X, if that is enabled, or of MSI.
	// If the driver enabled fewer messages, n is taken modulo their number. A message
	// of MSI-X that is masked is pending, and sent when it is masked no more. While
	// messages are not enabled, bus mastering is off or the function is in D3hot, the
	// message is lost.
	SendMessage(n int)

	// MessagesEnabled returns the number of messages that the driver enabled: of
	// MSI-X all or 0, of MSI 0 or a power of two up to Info.Messages. With 0, use the
	// line.
	MessagesEnabled() int

	// SignalWake signals a power management event, if the driver's power policy has
	// enabled them (PME_En): the device wants to be in D0. In D3hot it is
	// remembered until they are; a device in D0 has its interrupt for that.
	SignalWake()

	// ReadMemory fills p from physical memory at addr. The error is one of this
	// package (ErrBusMaster, ErrPower, ErrRemoved) or the Host's, if part of
	// the range is not memory; then p is all ones.
	ReadMemory(addr uint64, p []byte) error

	// WriteMemory writes p to physical memory at addr. With an error (see
	// ReadMemory), nothing was written.
	WriteMemory(addr uint64, p []byte) error

	// After schedules Model.Event(id) delay nanoseconds from now, also if that
	// is 0: never during this call. It replaces a pending event with that id.
	After(id uint32, delay uint64)

	// Cancel forgets the pending event with that id, if there is one.
	Cancel(id uint32)

	// Choose decides what the device may do either way: it returns a number
	// from 0 to n-1, and 0 should be what a usual device does. What is named is
	// the decision, in a few words; it becomes part of replay files. With n
	// below 2 there is nothing to decide.
	Choose(what string, n int) int

	// Note puts a line into the trace. Use it for what explains a driver's
	// mistake; the accesses themselves are in the trace already.
	Note(format string, args ...any)
}

// Errors of [Bus.ReadMemory] and [Bus.WriteMemory].
var (
	ErrBusMaster = errors.New("bus mastering is disabled in the command register")
	ErrPower     = errors.New("the device is in D3hot")
	ErrRemoved   = errors.New("the device has been removed")
)
