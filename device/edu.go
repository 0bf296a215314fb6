package device

import (
	"encoding/binary"
	"fmt"
)

// Registers of the edu device, all in BAR 0.
const (
	eduID           = 0x00 // RO, 4 bytes
	eduLiveness     = 0x04 // RW, 4: reads the complement of what was written
	eduFactorial    = 0x08 // RW, 4: operand, later result
	eduStatus       = 0x20 // RW, 4
	eduInterrupts   = 0x24 // RO, 4: what requests service
	eduRaise        = 0x60 // WO, 4: sets bits of eduInterrupts
	eduAcknowledge  = 0x64 // WO, 4: clears bits of eduInterrupts
	eduWide         = 0x80 // from here on 4 or 8 bytes
	eduSource       = 0x80 // RW
	eduDestination  = 0x88 // RW
	eduCount        = 0x90 // RW, bytes
	eduCommand      = 0x98 // RW
	eduBuffer       = 0x40000
	eduBufferSize   = 4096
	eduBARSize      = 1 << 20
	eduIDValue      = 0x010000ed // version 1.0
	eduNotAvailable = ^uint64(0)
)

// Bits of eduStatus, eduInterrupts and eduCommand.
const (
	eduComputing          = 1 << 0 // RO
	eduFactorialInterrupt = 1 << 7

	eduInterruptFactorial = 0x001
	eduInterruptDMA       = 0x100

	eduDMARun       = 1 << 0
	eduDMAToRAM     = 1 << 1
	eduDMAInterrupt = 1 << 2
)

// Events of the edu device.
const (
	eduFactorialDone = 1
	eduDMADone       = 2
)

// Edu is the edu device of QEMU, made for teaching how to write drivers
// (docs/specs/edu.rst and hw/misc/edu.c there): PCI 1234:11e8, 1 MB of registers
// in BAR 0, INTx and one MSI message, a factorial unit and a DMA engine with a
// buffer of 4096 bytes. It behaves as in QEMU, down to what that document
// leaves open:
//
//   - An access of another size than the register's, or to no register, reads
//     all ones or is ignored. The DMA buffer is no register: DMA only.
//   - 4 bytes written to a DMA register clear its upper half.
//   - While the factorial unit or the DMA engine works, writes to its registers
//     are ignored. So is a DMA command without the start bit, always.
//   - Each raise while an interrupt is pending sends another message; the line
//     is asserted as long as one is pending.
//   - DMA that fails (bus mastering off, nothing at that address) completes and
//     interrupts as if it had not; the device has no way to report it. The
//     buffer receives all ones.
//
// It differs where it must:
//
//   - Work takes virtual time, and the interrupt is raised in the instant in
//     which the work is done.
//   - DMA outside the buffer, where QEMU aborts or corrupts its memory depending
//     on the version, moves nothing and raises nothing: it just ends.
//   - Reset clears every register (QEMU keeps them), and power management
//     exists: the way from D3hot to D0 is a reset.
//
// A note in the trace says when an access is ignored, an address is cut to
// DMAMask, or DMA fails.
//
// The exported fields are for before [NewFunction]; they are not part of the
// state.
type Edu struct {
	FactorialTime uint64 // ns that a computation takes
	DMATime       uint64 // ns that a transfer takes, and
	DMAByteTime   uint64 // ns more per byte
	DMAMask       uint64 // address bits that the device drives
	Wake          bool   // as in Info, which QEMU's has not

	liveness   uint32
	factorial  uint32
	status     uint32
	interrupts uint32

	source, destination, count, command uint64

	buffer [eduBufferSize]byte
}

var _ Model = (*Edu)(nil)

// NewEdu returns an edu device that computes for 1 us, moves memory in 10 us
// and 1 ns per byte (QEMU: 100 ms), and has QEMU's 28 bits of DMA address.
func NewEdu() *Edu {
	return &Edu{FactorialTime: 1_000, DMATime: 10_000, DMAByteTime: 1, DMAMask: 1<<28 - 1}
}

// Info implements [Model]. Class 00ff00 (unclassified) and the subsystem ids
// are what QEMU's device has, too.
func (e *Edu) Info() Info {
	return Info{
		Name:              "edu",
		VendorID:          0x1234,
		DeviceID:          0x11e8,
		SubsystemVendorID: 0x1af4,
		SubsystemID:       0x1100,
		Class:             0x00ff00,
		Revision:          0x10,
		BARs:              []BAR{{Index: 0, Size: eduBARSize, Kind: Memory32}},
		InterruptPin:      1,
		Messages:          1,
		Message64:         true,
		Wake:              e.Wake,
	}
}

// Reset implements [Model].
func (e *Edu) Reset(Bus) {
	*e = Edu{FactorialTime: e.FactorialTime, DMATime: e.DMATime, DMAByteTime: e.DMAByteTime, DMAMask: e.DMAMask, Wake: e.Wake}
}

// ReadRegister implements [Model].
func (e *Edu) ReadRegister(bus Bus, bar int, offset uint64, size int) uint64 {
	if !eduSize(offset, size) {
		bus.Note("read of %d bytes at %#x gives all ones: not a size of this device there", size, offset)
		return eduNotAvailable
	}
	switch offset {
	case eduID:
		return eduIDValue
	case eduLiveness:
		return uint64(e.liveness)
	case eduFactorial:
		return uint64(e.factorial)
	case eduStatus:
		return uint64(e.status)
	case eduInterrupts:
		return uint64(e.interrupts)
	case eduSource, eduDestination, eduCount, eduCommand:
		return *e.dmaRegister(offset)
	}
	bus.Note("read at %#x gives all ones: no register to read", offset)
	return eduNotAvailable
}

// WriteRegister implements [Model].
func (e *Edu) WriteRegister(bus Bus, bar int, offset uint64, size int, value uint64) {
	if !eduSize(offset, size) {
		bus.Note("write of %d bytes at %#x is ignored: not a size of this device there", size, offset)
		return
	}
	switch offset {
	case eduLiveness:
		e.liveness = ^uint32(value)
	case eduFactorial:
		e.startFactorial(bus, uint32(value))
	case eduStatus:
		e.status = e.status&^eduFactorialInterrupt | uint32(value)&eduFactorialInterrupt
	case eduRaise:
		e.raise(bus, uint32(value))
	case eduAcknowledge:
		e.interrupts &^= uint32(value)
		bus.SetLine(e.interrupts != 0)
	case eduSource, eduDestination, eduCount, eduCommand:
		e.writeDMA(bus, offset, value)
	default:
		bus.Note("write at %#x is ignored: no register to write", offset)
	}
}

// eduSize tells whether the device takes accesses of that size there.
func eduSize(offset uint64, size int) bool {
	return size == 4 || size == 8 && offset >= eduWide
}

// Event implements [Model].
func (e *Edu) Event(bus Bus, id uint32) {
	switch {
	case id == eduFactorialDone && e.status&eduComputing != 0:
		e.endFactorial(bus)
	case id == eduDMADone && e.command&eduDMARun != 0:
		e.endDMA(bus)
	}
}

// raise makes bits request service. With messages, each call is a message as
// long as anything does.
func (e *Edu) raise(bus Bus, bits uint32) {
	e.interrupts |= bits
	if e.interrupts != 0 && bus.MessagesEnabled() != 0 {
		bus.SendMessage(0)
	}
	bus.SetLine(e.interrupts != 0)
}

func (e *Edu) startFactorial(bus Bus, operand uint32) {
	if e.status&eduComputing != 0 {
		bus.Note("write of the factorial register is ignored: computing")
		return
	}
	e.factorial = operand
	e.status |= eduComputing
	bus.After(eduFactorialDone, e.FactorialTime)
}

func (e *Edu) endFactorial(bus Bus) {
	e.factorial = factorial(e.factorial)
	e.status &^= eduComputing
	if e.status&eduFactorialInterrupt != 0 {
		e.raise(bus, eduInterruptFactorial)
	}
}

// factorial returns n! modulo 2^32, which is 0 from 34! on: that has 32 factors
// of two.
func factorial(n uint32) uint32 {
	if n >= 34 {
		return 0
	}
	product := uint32(1)
	for ; n > 0; n-- {
		product *= n
	}
	return product
}

// AppendState implements [Model].
func (e *Edu) AppendState(b []byte) []byte {
	for _, v := range [...]uint32{e.liveness, e.factorial, e.status, e.interrupts} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range [...]uint64{e.source, e.destination, e.count, e.command} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return append(b, e.buffer[:]...)
}

// eduStateSize is the length of what AppendState appends.
const eduStateSize = 4*4 + 4*8 + eduBufferSize

// RestoreState implements [Model].
func (e *Edu) RestoreState(b []byte) error {
	if len(b) != eduStateSize {
		return fmt.Errorf("edu: state of %d bytes, want %d", len(b), eduStateSize)
	}
	if status := binary.LittleEndian.Uint32(b[8:]); status&^(eduComputing|eduFactorialInterrupt) != 0 {
		return fmt.Errorf("edu: state with status %#x", status)
	}
	for i, p := range [...]*uint32{&e.liveness, &e.factorial, &e.status, &e.interrupts} {
		*p = binary.LittleEndian.Uint32(b[4*i:])
	}
	for i, p := range [...]*uint64{&e.source, &e.destination, &e.count, &e.command} {
		*p = binary.LittleEndian.Uint64(b[16+8*i:])
	}
	copy(e.buffer[:], b[48:])
	return nil
}
