package device

import (
	"encoding/binary"
	"fmt"
)

// CapabilityMSIX is the id of the MSI-X capability (PCI Local Bus Specification
// 3.0, section 6.8.2).
const CapabilityMSIX = 0x11

// Offsets of registers from the start of the capability, bits of the message
// control register, and the layout of an entry of the table.
const (
	MSIXControl = 2 // 16 bits; the lowest 11: the number of entries minus 1, read-only
	MSIXTable   = 4 // 32 bits, read-only: offset of the table, and the index of its BAR
	MSIXPending = 8 // the same for the pending bits

	MSIXFunctionMask = 1 << 14
	MSIXEnable       = 1 << 15

	MSIXEntrySize    = 16
	MSIXEntryAddress = 0  // 8 bytes
	MSIXEntryData    = 8  // 4 bytes
	MSIXEntryControl = 12 // 4 bytes
	MSIXEntryMasked  = 1 << 0
)

const (
	msixCapability = 0x60
	msixMost       = 2048
)

// MSIX describes the MSI-X messages of a function. Accesses to the table and the
// pending bits do not reach the model.
type MSIX struct {
	Vectors int    // 0 (no MSI-X capability) to 2048
	BAR     int    // index of a memory BAR, in which
	Table   uint64 // is the offset of the table, and
	Pending uint64 // that of the pending bits, both multiples of 8
}

// pendingSize is the size of the pending bits in bytes: whole 64-bit words.
func (x *MSIX) pendingSize() uint64 { return uint64(x.Vectors+63) / 64 * 8 }

func (x *MSIX) tableSize() uint64 { return uint64(x.Vectors) * MSIXEntrySize }

// validate returns what makes the description impossible, or nil.
func (x *MSIX) validate(bars []BAR) error {
	if x.Vectors == 0 {
		return nil
	}
	if x.Vectors < 0 || x.Vectors > msixMost {
		return fmt.Errorf("%d MSI-X messages are not 0 to %d", x.Vectors, msixMost)
	}
	for _, b := range bars {
		if b.Index != x.BAR || b.Kind == IO {
			continue
		}
		switch {
		case x.Table%8 != 0 || x.Pending%8 != 0:
			return fmt.Errorf("MSI-X table at %#x, pending bits at %#x: not multiples of 8", x.Table, x.Pending)
		case x.Table > b.Size || b.Size-x.Table < x.tableSize() || x.Pending > b.Size || b.Size-x.Pending < x.pendingSize():
			return fmt.Errorf("MSI-X table or pending bits are not inside BAR %d", x.BAR)
		case x.Table < x.Pending+x.pendingSize() && x.Pending < x.Table+x.tableSize():
			return fmt.Errorf("MSI-X table and pending bits overlap")
		}
		return nil
	}
	return fmt.Errorf("MSI-X table in BAR %d, which is no memory BAR of the function", x.BAR)
}

func (l *layout) msix(info *Info) {
	x := &info.MSIX
	if x.Vectors == 0 {
		return
	}
	r, w := &l.reset, &l.writable
	last := powerCapability
	for r[last+1] != 0 {
		last = int(r[last+1])
	}
	r[last+1] = msixCapability
	r[msixCapability] = CapabilityMSIX
	r.put16(msixCapability+MSIXControl, uint16(x.Vectors-1))
	r.put32(msixCapability+MSIXTable, uint32(x.Table)|uint32(x.BAR))
	r.put32(msixCapability+MSIXPending, uint32(x.Pending)|uint32(x.BAR))
	w.put16(msixCapability+MSIXControl, MSIXEnable|MSIXFunctionMask)
}

// msixState is the table and the pending bits: what is behind the addresses.
type msixState struct {
	table   []byte // entries, as they read
	pending []byte
}

// resetMSIX brings them into their state after reset: all masked.
func (f *Function) resetMSIX() {
	x := &f.info.MSIX
	f.msix = msixState{table: make([]byte, x.tableSize()), pending: make([]byte, x.pendingSize())}
	for n := range x.Vectors {
		f.msix.table[n*MSIXEntrySize+MSIXEntryControl] = MSIXEntryMasked
	}
}

// msixControl returns the message control register, 0 without the capability.
func (f *Function) msixControl() uint16 {
	if f.info.MSIX.Vectors == 0 {
		return 0
	}
	return f.config.get16(msixCapability + MSIXControl)
}

// msixAccess tells whether an access is one to the table or the pending bits, and
// to which bytes. nil bytes: it is, and the specification leaves open what it does.
func (f *Function) msixAccess(bar int, offset uint64, size int) (p []byte, table, ok bool) {
	x := &f.info.MSIX
	if x.Vectors == 0 || bar != x.BAR {
		return nil, false, false
	}
	in := func(at uint64, all []byte) bool { return offset < at+uint64(len(all)) && at < offset+uint64(size) }
	from := x.Pending
	all := f.msix.pending
	if table = in(x.Table, f.msix.table); table {
		from, all = x.Table, f.msix.table
	} else if !in(from, all) {
		return nil, false, false
	}
	if size < 4 || offset%uint64(size) != 0 || offset < from || offset-from+uint64(size) > uint64(len(all)) {
		f.Note("access of %d bytes at %#x of the MSI-X table or pending bits: only whole words of 4 or 8 bytes are defined", size, offset)
		return nil, table, true
	}
	return all[offset-from:][:size], table, true
}

// readMSIX answers a read of the table or the pending bits.
func (f *Function) readMSIX(bar int, offset uint64, size int) (v uint64, ok bool) {
	p, _, ok := f.msixAccess(bar, offset, size)
	if !ok || p == nil {
		return ones(size), ok
	}
	for i := range p {
		v |= uint64(p[i]) << (8 * i)
	}
	return v, true
}

// writeMSIX carries out a write to the table; the pending bits are read-only.
func (f *Function) writeMSIX(bar int, offset uint64, size int, value uint64) (ok bool) {
	p, table, ok := f.msixAccess(bar, offset, size)
	if !ok || p == nil || !table {
		return ok
	}
	at := offset - f.info.MSIX.Table
	for i := range p {
		writable := byte(0xFF)
		switch n := (at + uint64(i)) % MSIXEntrySize; {
		case n == MSIXEntryAddress:
			writable = 0xFC
		case n == MSIXEntryControl:
			writable = MSIXEntryMasked
		case n > MSIXEntryControl:
			writable = 0
		}
		p[i] = byte(value>>(8*i)) & writable
	}
	f.sendPending()
	return true
}

// sendMSIX sends a message, or notes that it is pending: its entry or the function
// is masked.
func (f *Function) sendMSIX(n int) {
	entry := f.msix.table[n*MSIXEntrySize:][:MSIXEntrySize]
	if f.msixControl()&MSIXFunctionMask != 0 || entry[MSIXEntryControl]&MSIXEntryMasked != 0 {
		f.msix.pending[n/8] |= 1 << (n % 8)
		return
	}
	f.host.WriteMessage(f, binary.LittleEndian.Uint64(entry), binary.LittleEndian.Uint32(entry[MSIXEntryData:]))
}

// sendPending sends the messages that are pending and masked no more. It is called
// after every change of what masks them.
func (f *Function) sendPending() {
	control := f.msixControl()
	if control&MSIXEnable == 0 || control&MSIXFunctionMask != 0 || f.mayMaster() != nil {
		return
	}
	for n := range f.info.MSIX.Vectors {
		bit := byte(1) << (n % 8)
		if f.msix.pending[n/8]&bit != 0 && f.msix.table[n*MSIXEntrySize+MSIXEntryControl]&MSIXEntryMasked == 0 {
			f.msix.pending[n/8] &^= bit
			f.sendMSIX(n)
		}
	}
}

// restoreMSIX takes the table and the pending bits from a state, and returns what
// follows; the error says what a function cannot have.
func (f *Function) restoreMSIX(b []byte) (s msixState, rest []byte, err error) {
	x := &f.info.MSIX
	table, pending := int(x.tableSize()), int(x.pendingSize())
	if len(b) < table+pending {
		return s, nil, fmt.Errorf("%d bytes for the MSI-X table and pending bits, want %d", len(b), table+pending)
	}
	s.table, s.pending = append([]byte(nil), b[:table]...), append([]byte(nil), b[table:table+pending]...)
	for n := range x.Vectors {
		e := s.table[n*MSIXEntrySize:]
		if e[0]&3 != 0 || binary.LittleEndian.Uint32(e[MSIXEntryControl:])&^MSIXEntryMasked != 0 {
			return s, nil, fmt.Errorf("MSI-X entry %d is % x", n, e[:MSIXEntrySize])
		}
	}
	for n := x.Vectors; n < 8*pending; n++ {
		if s.pending[n/8]>>(n%8)&1 != 0 {
			return s, nil, fmt.Errorf("pending bit %d of %d MSI-X messages", n, x.Vectors)
		}
	}
	return s, b[table+pending:], nil
}
