package patterns

import (
	"encoding/binary"
	"fmt"

	"github.com/dirql/dirql/device"
)

// Registers of the ring device, 4 bytes each in BAR 0; pattern.h has the same.
const (
	ringCause       = 0x00 // read: causes since the last read, which clears them
	ringStatus      = 0x04 // read: the same without clearing; ringBusy
	ringEnable      = 0x08 // causes that interrupt
	ringAcknowledge = 0x0C // write: clears causes
	ringListen      = 0x10 // write: the wire brings so many more packets
	ringPacket      = 0x14 // read: takes a packet out of the ring, 0: there is none
	ringTransmit    = 0x18 // write: sends a packet
	ringSent        = 0x1C // read: packets that have been sent
	ringCommand     = 0x20 // write: begins a command
	ringResponse    = 0x24 // read: the complement of the last command that was carried out
	ringBARSize     = 0x1000
)

// Causes.
const (
	ringReceive    = 1 << 0 // a packet has come
	ringTransmit1  = 1 << 1 // a packet has been sent
	ringCommand1   = 1 << 2 // a command was carried out
	ringOverrun    = 1 << 3 // a packet came when the ring was full, and is lost
	ringBusy       = 1 << 31
	ringCauses     = ringReceive | ringTransmit1 | ringCommand1 | ringOverrun
	ringReceivers  = ringReceive | ringOverrun // causes of message 0; the others are message 1
	ringSlots      = 8                         // of the ring at most
	ringUnlistened = 64                        // packets that can be asked for at most
)

// Events: the id is the number of the cause.
const (
	ringArrives = iota
	ringLeaves
	ringDone
)

// Ring is the device of the patterns: a small network adapter with a ring of
// packets that came, a queue of packets that go, and commands with a response.
// It has a line, or two messages: one for what comes and one for the rest.
//
// The packets that come are numbered from 1.
type Ring struct {
	Slots uint32 // of the ring, 1 to 8
	Delay uint64 // ns that everything takes

	causes, enable                uint32
	awaited, arrived, taken, lost uint32 // packets: to come, that came and were kept, that were read, that were lost
	sending, sent                 uint32
	command, response, busy       uint32
}

var _ device.Model = (*Ring)(nil)

// NewRing returns a ring device with room for 4 packets, to which everything
// takes 10 us.
func NewRing() *Ring { return &Ring{Slots: 4, Delay: 10_000} }

// Info implements [device.Model].
func (r *Ring) Info() device.Info {
	return device.Info{
		Name: "ring", VendorID: 0x1234, DeviceID: 0x7269, Class: 0x020000, Revision: 1,
		BARs:         []device.BAR{{Size: ringBARSize, Kind: device.Memory32}},
		InterruptPin: 1, Messages: 2, Message64: true,
	}
}

// Reset implements [device.Model].
func (r *Ring) Reset(device.Bus) { *r = Ring{Slots: r.Slots, Delay: r.Delay} }

// ReadRegister implements [device.Model].
func (r *Ring) ReadRegister(bus device.Bus, bar int, offset uint64, size int) uint64 {
	switch offset {
	case ringCause:
		causes := r.causes
		r.clear(bus, causes)
		return uint64(causes)
	case ringStatus:
		return uint64(r.causes | r.busy*ringBusy)
	case ringEnable:
		return uint64(r.enable)
	case ringPacket:
		return uint64(r.take())
	case ringSent:
		return uint64(r.sent)
	case ringResponse:
		return uint64(r.response)
	}
	return ^uint64(0)
}

// take takes the oldest packet out of the ring.
func (r *Ring) take() uint32 {
	if r.taken == r.arrived {
		return 0
	}
	r.taken++
	return r.taken
}

// WriteRegister implements [device.Model].
func (r *Ring) WriteRegister(bus device.Bus, bar int, offset uint64, size int, value uint64) {
	v := uint32(value)
	switch offset {
	case ringEnable:
		before := r.requesting()
		r.enable = v & ringCauses
		r.request(bus, before)
	case ringAcknowledge:
		r.clear(bus, v)
	case ringListen:
		if r.awaited == 0 && v != 0 {
			bus.After(ringArrives, r.Delay)
		}
		r.awaited = min(r.awaited+min(v, ringUnlistened), ringUnlistened)
	case ringTransmit:
		if r.sending == 0 {
			bus.After(ringLeaves, r.Delay)
		}
		r.sending = min(r.sending+1, ringUnlistened)
	case ringCommand:
		if r.busy == 0 {
			r.command, r.busy = v, 1
			bus.After(ringDone, r.Delay)
		}
	}
}

// Event implements [device.Model].
func (r *Ring) Event(bus device.Bus, id uint32) {
	switch {
	case id == ringArrives && r.awaited > 0:
		if r.awaited--; r.awaited > 0 {
			bus.After(ringArrives, r.Delay)
		}
		if r.arrived-r.taken >= min(r.Slots, ringSlots) {
			r.lost++
			r.raise(bus, ringOverrun)
			return
		}
		r.arrived++
		r.raise(bus, ringReceive)
	case id == ringLeaves && r.sending > 0:
		if r.sending--; r.sending > 0 {
			bus.After(ringLeaves, r.Delay)
		}
		r.sent++
		r.raise(bus, ringTransmit1)
	case id == ringDone && r.busy != 0:
		r.busy, r.response = 0, ^r.command
		r.raise(bus, ringCommand1)
	}
}

// requesting returns the causes that request an interrupt.
func (r *Ring) requesting() uint32 { return r.causes & r.enable }

func (r *Ring) raise(bus device.Bus, cause uint32) {
	before := r.requesting()
	r.causes |= cause
	r.request(bus, before)
}

func (r *Ring) clear(bus device.Bus, causes uint32) {
	before := r.requesting()
	r.causes &^= causes
	r.request(bus, before)
}

// request interrupts: the line is asserted as long as there is a cause; a
// message is sent when one of its causes comes and there was none.
func (r *Ring) request(bus device.Bus, before uint32) {
	now := r.requesting()
	bus.SetLine(now != 0)
	for n, causes := range []uint32{ringReceivers, ringCauses &^ ringReceivers} {
		if before&causes == 0 && now&causes != 0 && bus.MessagesEnabled() > 0 {
			bus.SendMessage(n)
		}
	}
}

// words lists the state.
func (r *Ring) words() []*uint32 {
	return []*uint32{&r.causes, &r.enable, &r.awaited, &r.arrived, &r.taken, &r.lost, &r.sending, &r.sent, &r.command, &r.response, &r.busy}
}

// AppendState implements [device.Model].
func (r *Ring) AppendState(b []byte) []byte {
	for _, w := range r.words() {
		b = binary.LittleEndian.AppendUint32(b, *w)
	}
	return b
}

// RestoreState implements [device.Model].
func (r *Ring) RestoreState(b []byte) error {
	words := r.words()
	if len(b) != 4*len(words) {
		return fmt.Errorf("ring: state of %d bytes, want %d", len(b), 4*len(words))
	}
	for i, w := range words {
		*w = binary.LittleEndian.Uint32(b[4*i:])
	}
	return nil
}
