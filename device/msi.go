package device

import "math/bits"

// CapabilityMSI is the id of the message signalled interrupts capability (PCI
// Local Bus Specification 3.0, section 6.8.1). Per-vector masking is not
// implemented, so the structure ends with the message data.
const CapabilityMSI = 0x05

// Offsets of 16- and 32-bit registers from the start of the capability, and
// bits of the message control register.
const (
	MSIControl   = 2
	MSIAddress   = 4
	MSIAddressHi = 8  // with a 64-bit address only
	MSIData32    = 8  // message data with a 32-bit address
	MSIData64    = 12 // message data with a 64-bit address

	MSIEnable        = 1 << 0
	MSICapableShift  = 1 // 3 bits, read-only: log2 of Info.Messages
	MSIMultipleShift = 4 // 3 bits: log2 of the messages that the driver enabled
	MSI64            = 1 << 7
)

// msiCapability is where the capability is.
const msiCapability = 0x50

func (l *layout) msi(info *Info) {
	if info.Messages == 0 {
		return
	}
	r, w := &l.reset, &l.writable
	r[powerCapability+1] = msiCapability
	r[msiCapability] = CapabilityMSI
	control := uint16(log2(info.Messages)) << MSICapableShift
	if info.Message64 {
		control |= MSI64
		w.put32(msiCapability+MSIAddressHi, 0xffffffff)
	}
	r.put16(msiCapability+MSIControl, control)
	w.put16(msiCapability+MSIControl, MSIEnable|7<<MSIMultipleShift)
	w.put32(msiCapability+MSIAddress, 0xfffffffc)
	w.put16(msiCapability+info.msiData(), 0xffff)
}

func (i *Info) msiData() int {
	if i.Message64 {
		return MSIData64
	}
	return MSIData32
}

// limitMessages brings a multiple message enable beyond what the function can
// send (the specification leaves its effect open) down to that.
func (f *Function) limitMessages() {
	if f.info.Messages == 0 {
		return
	}
	control := f.config.get16(msiCapability + MSIControl)
	most := uint16(log2(f.info.Messages))
	if control>>MSIMultipleShift&7 > most {
		control = control&^(7<<MSIMultipleShift) | most<<MSIMultipleShift
		f.config.put16(msiCapability+MSIControl, control)
	}
}

// MessagesEnabled implements [Bus].
func (f *Function) MessagesEnabled() int {
	switch {
	case f.removed:
		return 0
	case f.msixControl()&MSIXEnable != 0:
		return f.info.MSIX.Vectors
	case f.info.Messages == 0:
		return 0
	}
	control := f.config.get16(msiCapability + MSIControl)
	if control&MSIEnable == 0 {
		return 0
	}
	return 1 << (control >> MSIMultipleShift & 7)
}

// SendMessage implements [Bus]. A number that the model's Info does not have is
// noted and lost.
func (f *Function) SendMessage(n int) {
	enabled, most := f.MessagesEnabled(), max(f.info.Messages, f.info.MSIX.Vectors)
	switch {
	case f.removed:
		return
	case n < 0 || n >= most:
		f.Note("message %d is lost: the model has %d", n, most)
		return
	case enabled == 0:
		f.Note("message %d is lost: messages are not enabled", n)
		return
	}
	if err := f.mayMaster(); err != nil {
		f.Note("message %d is lost: %v", n, err)
		return
	}
	if f.msixControl()&MSIXEnable != 0 {
		if n >= f.info.MSIX.Vectors {
			n %= f.info.MSIX.Vectors
		}
		f.sendMSIX(n)
		return
	}
	addr := uint64(f.config.get32(msiCapability + MSIAddress))
	if f.info.Message64 {
		addr |= uint64(f.config.get32(msiCapability+MSIAddressHi)) << 32
	}
	// The function may change only the low bits, as many as select one of the
	// enabled messages; the upper half of the data is zero.
	low := uint32(enabled - 1)
	data := uint32(f.config.get16(msiCapability + f.info.msiData()))
	f.host.WriteMessage(f, addr, data&^low|uint32(n)&low)
}

// log2 returns the exponent of a power of two.
func log2(n int) int { return bits.TrailingZeros(uint(n)) }
