package device

// numBARs is the number of base address registers of a type 0 header.
const numBARs = 6

// Read-only bits of a base address register (PCI Local Bus Specification 3.0,
// section 6.2.5.1).
const (
	barIO           = 1 << 0
	barMemory64     = 1 << 2
	barPrefetchable = 1 << 3
	barIOBits       = 0x3
	barMemoryBits   = 0xf
)

// at returns the offset of the BAR in configuration space.
func (b BAR) at() int { return ConfigBAR0 + 4*b.Index }

// enableBit returns the bit of the command register that switches the BAR on.
func (b BAR) enableBit() uint16 {
	if b.Kind == IO {
		return CommandIO
	}
	return CommandMemory
}

// bar lays out the base address registers of one BAR. The address bits below
// its size are hardwired to 0, so that software finds the size by writing all
// ones and reading what stuck.
func (l *layout) bar(b BAR) {
	kind, writable := uint32(0), -b.Size
	switch b.Kind {
	case IO:
		kind = barIO
	case Memory64:
		kind = barMemory64
		l.writable.put32(b.at()+4, uint32(writable>>32))
	}
	if b.Prefetchable {
		kind |= barPrefetchable
	}
	l.reset.put32(b.at(), kind)
	l.writable.put32(b.at(), uint32(writable))
}

// address returns the base address that software gave the BAR.
func (f *Function) address(b BAR) uint64 {
	low := uint64(f.config.get32(b.at()))
	switch b.Kind {
	case IO:
		return low &^ barIOBits
	case Memory64:
		return uint64(f.config.get32(b.at()+4))<<32 | low&^barMemoryBits
	}
	return low &^ barMemoryBits
}

// Decode tells which register of the function lies at a physical address: ok
// if all size bytes (size > 0) are in one memory BAR, memory space is enabled
// and the BAR has an address other than 0, which counts as unassigned.
//
// A function in D3hot or removed still decodes, and its registers read all
// ones. So does an address that the machine routes to devices and no function
// decodes; that is for the machine to answer.
func (f *Function) Decode(addr uint64, size int) (bar int, offset uint64, ok bool) {
	return f.decode(CommandMemory, addr, size)
}

// DecodePort is Decode for an address in I/O space.
func (f *Function) DecodePort(port uint32, size int) (bar int, offset uint64, ok bool) {
	return f.decode(CommandIO, uint64(port), size)
}

func (f *Function) decode(space uint16, addr uint64, size int) (bar int, offset uint64, ok bool) {
	if size <= 0 || f.command()&space == 0 {
		return 0, 0, false
	}
	for _, b := range f.info.BARs {
		base := f.address(b)
		if b.enableBit() != space || base == 0 || addr < base {
			continue
		}
		if b.contains(addr-base, size) {
			return b.Index, addr - base, true
		}
	}
	return 0, 0, false
}

// contains tells whether size bytes at offset lie within the BAR.
func (b BAR) contains(offset uint64, size int) bool {
	return size > 0 && offset < b.Size && uint64(size) <= b.Size-offset
}
