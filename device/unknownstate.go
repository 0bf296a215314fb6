package device

import (
	"encoding/binary"
	"fmt"
)

// Sizes of the state of an Unknown, in bytes.
const (
	unknownHead    = 4 + 1 + 1 + unknownPoll
	unknownPoll    = 1 + 8 + 4
	unknownPerItem = 1 + 8 + 8 + 8 + 4 + 4
)

// AppendState implements [Model].
func (u *Unknown) AppendState(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, u.left)
	asserted := byte(0)
	if u.asserted {
		asserted = 1
	}
	b = append(b, u.held, asserted)
	var polled [unknownPoll]byte // zero without polling: states that behave alike are equal bytes
	if u.polled.times > 0 {
		polled[0] = u.polled.bar
		binary.LittleEndian.PutUint64(polled[1:], u.polled.offset)
		binary.LittleEndian.PutUint32(polled[9:], u.polled.times)
	}
	b = append(b, polled[:]...)
	for i := range u.registers {
		r := &u.registers[i]
		b = append(b, r.bar)
		for _, v := range [...]uint64{r.offset, r.written, r.read} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		b = binary.LittleEndian.AppendUint32(b, r.equal)
		b = binary.LittleEndian.AppendUint32(b, r.turn)
	}
	return b
}

// RestoreState implements [Model].
func (u *Unknown) RestoreState(b []byte) error {
	if len(b) < unknownHead || (len(b)-unknownHead)%unknownPerItem != 0 || (len(b)-unknownHead)/unknownPerItem > unknownRegisters {
		return fmt.Errorf("unknown device: state of %d bytes", len(b))
	}
	if b[4] > unknownHolds || b[5] > 1 {
		return fmt.Errorf("unknown device: state with line %d, held %d", b[5], b[4])
	}
	var list []unknownRegister
	for p := b[unknownHead:]; len(p) > 0; p = p[unknownPerItem:] {
		r := unknownRegister{bar: p[0], offset: binary.LittleEndian.Uint64(p[1:]), written: binary.LittleEndian.Uint64(p[9:]),
			read: binary.LittleEndian.Uint64(p[17:]), equal: binary.LittleEndian.Uint32(p[25:]), turn: binary.LittleEndian.Uint32(p[29:])}
		if n := len(list); n > 0 && !list[n-1].before(int(r.bar), r.offset) {
			return fmt.Errorf("unknown device: registers of the state are not in order")
		}
		list = append(list, r)
	}
	p := b[unknownHead-unknownPoll:]
	polled := unknownPolled{p[0], binary.LittleEndian.Uint64(p[1:]), binary.LittleEndian.Uint32(p[9:])}
	if polled.times == 0 && polled != (unknownPolled{}) {
		return fmt.Errorf("unknown device: state with a register that was read 0 times")
	}
	u.polled = polled
	u.left, u.held, u.asserted, u.registers = binary.LittleEndian.Uint32(b), b[4], b[5] == 1, list
	return nil
}
