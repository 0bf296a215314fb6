package device

import "slices"

// Unknown is a device of which nothing is known: whatever a driver reads from a
// register may be anything. Each read is a decision (see [Bus.Choose]) between
// what was last written there, 0, all ones, what was last read, the numbers in
// Values, one bit alone, and any number. The default is what was last written, 0
// before that; where a driver reads the same answer again and again, as code
// that polls does, the default becomes another one after Patience reads, so that
// polling ends.
//
// It interrupts at any time, as often as Interrupts after each [Unknown.Arm]:
// through the message that the decision says if messages are enabled, through
// its line if not. The next access to a register releases the line, or, if it is
// decided so, one of the next accesses.
//
// What such a device does proves nothing about the results of a driver. It shows
// what a driver does with answers that it did not expect: hardware that is
// broken, that is about to be removed, or that an attacker made.
//
// The exported fields are for before [NewFunction]; they are not part of the
// state.
type Unknown struct {
	Identity   Identity
	BARs       []BAR    // nil: UnknownBARs
	Messages   int      // of MSI, as in Info
	Vectors    int      // of MSI-X, with the table in a BAR of its own
	Values     []uint64 // that the driver knows: registers may have them
	Interrupts int      // after each Arm; 0: 6
	Patience   int      // equal answers before the default changes; 0: 8

	left      uint32 // interrupts
	held      uint8  // accesses for which the line was held
	asserted  bool
	polled    unknownPolled
	registers []unknownRegister // sorted by BAR and offset
}

// Identity is what PCI devices are told apart by.
type Identity struct {
	VendorID, DeviceID, SubsystemVendorID, SubsystemID uint16
	Class                                              uint32
	Revision                                           uint8
}

// unknownRegister is a register that was accessed.
type unknownRegister struct {
	bar     uint8
	offset  uint64
	written uint64
	read    uint64 // the last answer
	equal   uint32 // answers in a row that were the same
	turn    uint32 // how often the default has changed
}

// unknownPolled is the register that was read last, and how often in a row.
type unknownPolled struct {
	bar    uint8
	offset uint64
	times  uint32
}

// Bounds of the device.
const (
	unknownRegisters = 1024 // that have a memory; the others share that of the last one
	unknownHolds     = 3    // accesses that leave the line asserted, in a row
	unknownPause     = 50_000

	unknownTableBAR  = 3 // with Vectors
	unknownTableSize = 4096
)

// UnknownBARs returns the registers that an unknown device has unless it is said
// otherwise: memory of 1 MB, 256 I/O ports, and two more ranges of memory.
func UnknownBARs() []BAR {
	return []BAR{
		{Index: 0, Size: 1 << 20, Kind: Memory32},
		{Index: 1, Size: 256, Kind: IO},
		{Index: 2, Size: 64 << 10, Kind: Memory32},
		{Index: 4, Size: 1 << 20, Kind: Memory64, Prefetchable: true},
	}
}

var _ Model = (*Unknown)(nil)

// Info implements [Model].
func (u *Unknown) Info() Info {
	bars := u.BARs
	if bars == nil {
		bars = UnknownBARs()
	}
	var x MSIX
	if u.Vectors > 0 {
		bars = append(slices.Clip(bars), BAR{Index: unknownTableBAR, Size: unknownTableSize, Kind: Memory32})
		x = MSIX{Vectors: u.Vectors, BAR: unknownTableBAR, Pending: unknownTableSize / 2}
	}
	i := &u.Identity
	return Info{
		Name: "unknown", VendorID: i.VendorID, DeviceID: i.DeviceID, SubsystemVendorID: i.SubsystemVendorID, SubsystemID: i.SubsystemID,
		Class: i.Class, Revision: i.Revision,
		BARs: bars, InterruptPin: 1, Messages: u.Messages, Message64: u.Messages > 0, MSIX: x,
	}
}

// Arm lets the device interrupt again, as often as Interrupts. bus is its
// function.
func (u *Unknown) Arm(bus Bus) {
	u.left = uint32(orDefault(u.Interrupts, 6))
	bus.After(0, unknownPause)
}

func orDefault(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

// Reset implements [Model]. Interrupts that were left come afterwards.
func (u *Unknown) Reset(bus Bus) {
	u.registers, u.asserted, u.held = nil, false, 0
	u.polled = unknownPolled{}
	if u.left > 0 {
		bus.After(0, unknownPause)
	}
}

// Event implements [Model]: the device interrupts.
func (u *Unknown) Event(bus Bus, _ uint32) {
	if u.left == 0 {
		return
	}
	if u.left--; u.left > 0 {
		bus.After(0, unknownPause)
	}
	if n := bus.MessagesEnabled(); n > 0 {
		bus.SendMessage(bus.Choose("which message is sent", n))
		return
	}
	u.asserted, u.held = true, 0
	bus.SetLine(true)
}

// ReadRegister implements [Model].
func (u *Unknown) ReadRegister(bus Bus, bar int, offset uint64, size int) uint64 {
	u.poll(bar, offset)
	r := u.register(bar, offset)
	list := u.answers(r, size)
	v, why := u.choose(bus, r, list, size)
	if why != "" {
		bus.Note("BAR %d at %#x reads %#x: %s", bar, offset, v, why)
	}
	r.keep(v, orDefault(u.Patience, 8))
	u.accessed(bus)
	return v
}

// poll counts reads of one register in a row.
func (u *Unknown) poll(bar int, offset uint64) {
	if p := &u.polled; p.times == 0 || p.bar != uint8(bar) || p.offset != offset {
		p.bar, p.offset, p.times = uint8(bar), offset, 0
	}
	u.polled.times++
}

// Polled returns the register that was read last and how often in a row, without
// an access to another one between.
func (u *Unknown) Polled() (bar int, offset uint64, times int) {
	return int(u.polled.bar), u.polled.offset, int(u.polled.times)
}

// keep notes an answer. After many equal ones the default changes.
func (r *unknownRegister) keep(v uint64, patience int) {
	if v != r.read {
		r.read, r.equal = v, 0
	}
	if r.equal++; r.equal >= uint32(patience) {
		r.equal = 0
		r.turn++
	}
}

// WriteRegister implements [Model].
func (u *Unknown) WriteRegister(bus Bus, bar int, offset uint64, size int, value uint64) {
	u.polled = unknownPolled{}
	u.register(bar, offset).written = value
	u.accessed(bus)
}

// accessed releases the line, or holds it a little longer.
func (u *Unknown) accessed(bus Bus) {
	if !u.asserted {
		return
	}
	if u.held < unknownHolds && bus.Choose("whether the line is released", 2) == 1 {
		u.held++
		return
	}
	u.asserted = false
	bus.SetLine(false)
}

// answers lists what a read may give; the default is in turn one of them.
func (u *Unknown) answers(r *unknownRegister, size int) []uint64 {
	list := make([]uint64, 0, 4+len(u.Values))
	add := func(v uint64) {
		for _, have := range list {
			if have == v {
				return
			}
		}
		list = append(list, v)
	}
	add(r.written & ones(size))
	add(0)
	add(ones(size))
	add(r.read & ones(size))
	for _, v := range u.Values {
		if v <= ones(size) {
			add(v)
		}
	}
	return list
}

// choose decides what a read gives; why says how it comes about, if it is not
// what usually comes.
func (u *Unknown) choose(bus Bus, r *unknownRegister, list []uint64, size int) (v uint64, why string) {
	n := len(list)
	first := int(r.turn) % n
	switch c := bus.Choose("what a register reads", n+2); {
	case c == n:
		return 1 << bus.Choose("which bit", 8*size), "one bit"
	case c == n+1:
		for i := range size {
			v |= uint64(bus.Choose("a byte", 256)) << (8 * i)
		}
		return v, "any number"
	case c > 0:
		return list[(first+c)%n], "one of the likely answers"
	}
	if r.turn > 0 {
		return list[first], "the answer before did not satisfy the driver"
	}
	return list[0], ""
}

// register returns the memory of a register.
func (u *Unknown) register(bar int, offset uint64) *unknownRegister {
	at := 0
	for at < len(u.registers) && u.registers[at].before(bar, offset) {
		at++
	}
	if at < len(u.registers) && u.registers[at].bar == uint8(bar) && u.registers[at].offset == offset {
		return &u.registers[at]
	}
	if len(u.registers) == unknownRegisters {
		return &u.registers[len(u.registers)-1]
	}
	u.registers = append(u.registers, unknownRegister{})
	copy(u.registers[at+1:], u.registers[at:])
	u.registers[at] = unknownRegister{bar: uint8(bar), offset: offset}
	return &u.registers[at]
}

func (r *unknownRegister) before(bar int, offset uint64) bool {
	return r.bar < uint8(bar) || r.bar == uint8(bar) && r.offset < offset
}
