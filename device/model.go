package device

// A Model is the device behind a PCI function: its registers and what it does
// on its own.
//
// The [Function] calls a model only while the device can respond: present, in
// D0, and the space of the register enabled. Events are the exception: they
// come in D3hot too, but what the model then does to the outside has no effect.
// A call does all of its work before it returns, takes no virtual time (let
// work that takes time end in an event), and must not panic or loop for long,
// whatever the values.
//
// Everything that a later call can depend on is state and belongs into
// AppendState. Configuration that never changes after [NewFunction] does not.
type Model interface {
	// Info describes the function. It is called once, by NewFunction.
	Info() Info

	// Reset brings the device into its state after power-on. Events that it
	// had scheduled are cancelled and its line is deasserted before the call.
	Reset(bus Bus)

	// ReadRegister returns what a read of size bytes (1, 2, 4 or 8) at offset
	// of a BAR gives. offset+size lies within the BAR; offset need not be
	// aligned. Bits beyond size are dropped. All ones is what hardware gives
	// for a register that it does not have.
	ReadRegister(bus Bus, bar int, offset uint64, size int) uint64

	// WriteRegister is the same for a write; bits of value beyond size are zero.
	WriteRegister(bus Bus, bar int, offset uint64, size int, value uint64)

	// Event says that the event which the model scheduled with Bus.After is due.
	Event(bus Bus, id uint32)

	// AppendState appends the whole state to b and returns the result. It must
	// be canonical: states that behave alike give equal bytes.
	AppendState(b []byte) []byte

	// RestoreState sets the state from what AppendState appended. Bytes which
	// it never appends are an error, and leave the state as it was. The bus is
	// not involved: what AppendState does not cover (line, pending events) is
	// restored by others.
	RestoreState(b []byte) error
}

// An Announcer is a model that knows whether its interrupts have told the driver
// of everything. It is asked when nothing happens any more and the device is in D0.
type Announcer interface {
	// Unannounced says what the device has ready for the driver, and why no interrupt
	// will tell: "a packet lies in the ring; it came after ...". It is "" if there is
	// nothing, if the driver has switched the interrupt off, or if one will come. It
	// changes nothing.
	Unannounced(bus Bus) string
}

// Info describes a PCI function as its configuration space announces it. The
// zero value of a field means that the function does not have the thing.
type Info struct {
	Name string // short, for traces and errors; required

	VendorID          uint16 // not 0xffff, which means that no function is there
	DeviceID          uint16
	SubsystemVendorID uint16
	SubsystemID       uint16
	Class             uint32 // 24 bits: base class, subclass, programming interface
	Revision          uint8

	BARs []BAR

	InterruptPin uint8 // 0 none, 1 INTA

	Messages  int  // MSI messages: 0 (no MSI capability), 1, 2, 4, 8, 16 or 32
	Message64 bool // MSI capability has a 64-bit address
	MSIX      MSIX // a function can have both; one of them is enabled

	// Wake says that the function signals power management events (PME#) in D0 and
	// D3hot.
	Wake bool

	// NoSoftReset is the No_Soft_Reset bit of the power management capability.
	// Without it, the step from D3hot to D0 resets the function: registers and
	// configuration space, base addresses included.
	NoSoftReset bool
}

// A BAR is a range of registers behind a base address register.
type BAR struct {
	Index        int    // 0 to 5; Memory64 takes Index+1 too
	Size         uint64 // bytes, a power of two: memory at least 16, I/O 4 to 256
	Kind         BARKind
	Prefetchable bool // memory only
}

// BARKind is the address space of a BAR and the width of its address.
type BARKind uint8

const (
	Memory32 BARKind = iota // memory space, 32-bit address
	Memory64                // memory space, 64-bit address
	IO                      // I/O space
)

// String returns the name of the constant.
func (k BARKind) String() string {
	switch k {
	case Memory32:
		return "Memory32"
	case Memory64:
		return "Memory64"
	case IO:
		return "IO"
	}
	return "unknown BAR kind"
}
