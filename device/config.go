package device

import "encoding/binary"

// Offsets in the configuration space of a type 0 header (PCI Local Bus
// Specification 3.0, section 6.1). The size in bytes follows the name.
const (
	ConfigVendorID          = 0x00 // 2
	ConfigDeviceID          = 0x02 // 2
	ConfigCommand           = 0x04 // 2
	ConfigStatus            = 0x06 // 2
	ConfigRevision          = 0x08 // 1
	ConfigClass             = 0x09 // 3
	ConfigCacheLineSize     = 0x0c // 1
	ConfigHeaderType        = 0x0e // 1
	ConfigBAR0              = 0x10 // 4, six of them
	ConfigSubsystemVendorID = 0x2c // 2
	ConfigSubsystemID       = 0x2e // 2
	ConfigCapabilities      = 0x34 // 1
	ConfigInterruptLine     = 0x3c // 1
	ConfigInterruptPin      = 0x3d // 1
)

// Bits of the command register that a function here implements.
const (
	CommandIO          = 1 << 0  // respond to I/O space; hardwired to 0 without an I/O BAR
	CommandMemory      = 1 << 1  // respond to memory space; hardwired to 0 without a memory BAR
	CommandBusMaster   = 1 << 2  // DMA and messages
	CommandParity      = 1 << 6  // no effect
	CommandSERR        = 1 << 8  // no effect
	CommandINTxDisable = 1 << 10 // hardwired to 0 without an interrupt pin
)

// Bits of the status register that a function here implements.
const (
	StatusInterrupt    = 1 << 3  // INTx is requested, even if INTx is disabled
	StatusCapabilities = 1 << 4  // capability list present
	StatusMasterAbort  = 1 << 13 // a DMA found no memory; written 1 to clear
)

// configSize is the size of the configuration space in bytes: a conventional
// one, without the extended space of PCI Express.
const configSize = 256

type configSpace [configSize]byte

func (c *configSpace) get16(at int) uint16    { return binary.LittleEndian.Uint16(c[at:]) }
func (c *configSpace) get32(at int) uint32    { return binary.LittleEndian.Uint32(c[at:]) }
func (c *configSpace) put16(at int, v uint16) { binary.LittleEndian.PutUint16(c[at:], v) }
func (c *configSpace) put32(at int, v uint32) { binary.LittleEndian.PutUint32(c[at:], v) }

// A layout is how the configuration space of a function is built; it follows
// from its Info and never changes.
type layout struct {
	reset    configSpace // values after reset
	writable configSpace // bits that software sets and clears
	clear    configSpace // bits that software clears by writing 1
}

func newLayout(info *Info) *layout {
	l := &layout{}
	l.header(info)
	for _, b := range info.BARs {
		l.bar(b)
	}
	l.power(info)
	l.msi(info)
	l.msix(info)
	return l
}

func (l *layout) header(info *Info) {
	r := &l.reset
	r.put16(ConfigVendorID, info.VendorID)
	r.put16(ConfigDeviceID, info.DeviceID)
	r.put16(ConfigStatus, StatusCapabilities)
	r.put32(ConfigRevision, info.Class<<8|uint32(info.Revision))
	r.put16(ConfigSubsystemVendorID, info.SubsystemVendorID)
	r.put16(ConfigSubsystemID, info.SubsystemID)
	r[ConfigCapabilities] = powerCapability
	r[ConfigInterruptPin] = info.InterruptPin

	command := uint16(CommandBusMaster | CommandParity | CommandSERR)
	for _, b := range info.BARs {
		command |= b.enableBit()
	}
	if info.InterruptPin != 0 {
		command |= CommandINTxDisable
	}
	l.writable.put16(ConfigCommand, command)
	l.writable[ConfigCacheLineSize] = 0xff
	l.writable[ConfigInterruptLine] = 0xff
	l.clear.put16(ConfigStatus, StatusMasterAbort)
}

// ReadConfig returns size bytes (1, 2 or 4) of configuration space at offset.
// Another size, an access beyond the 256 bytes and a removed device give all
// ones. An access need not be aligned.
func (f *Function) ReadConfig(offset, size int) uint32 {
	if f.removed || !validConfigAccess(offset, size) {
		return uint32(ones(size))
	}
	var v uint32
	for i := range size {
		v |= uint32(f.configByte(offset+i)) << (8 * i)
	}
	return v
}

// configByte returns a byte of configuration space with the bits that are
// computed rather than stored.
func (f *Function) configByte(at int) byte {
	b := f.config[at]
	if at == ConfigStatus && f.intxRequested() {
		b |= StatusInterrupt
	}
	return b
}

// WriteConfig writes the low size bytes (1, 2 or 4) of value to configuration
// space at offset. Read-only bits keep their value; what ReadConfig answers
// with all ones is ignored.
func (f *Function) WriteConfig(offset, size int, value uint32) {
	if f.removed || !validConfigAccess(offset, size) {
		return
	}
	before, woke := f.powerState(), f.wakes()
	for i := range size {
		at, b := offset+i, byte(value>>(8*i))
		w := f.layout.writable[at]
		f.config[at] = f.config[at]&^w | b&w
		f.config[at] &^= b & f.layout.clear[at]
	}
	f.limitMessages()
	f.changePower(before)
	f.updateLine()
	f.updateWake(woke)
	f.sendPending()
}

func validConfigAccess(offset, size int) bool {
	switch size {
	case 1, 2, 4:
		return offset >= 0 && offset <= configSize-size
	}
	return false
}

func (f *Function) command() uint16 { return f.config.get16(ConfigCommand) }

// Capability returns the offset in configuration space of the capability with
// that id (CapabilityPower, CapabilityMSI, CapabilityMSIX), or 0 if the function has none.
func (f *Function) Capability(id uint8) int {
	at := int(f.layout.reset[ConfigCapabilities])
	for at != 0 && f.layout.reset[at] != id {
		at = int(f.layout.reset[at+1])
	}
	return at
}

// ones returns all ones as a read of size bytes gives them.
func ones(size int) uint64 {
	switch size {
	case 1, 2, 4:
		return 1<<(8*size) - 1
	}
	return ^uint64(0)
}
