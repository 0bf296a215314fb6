package patterns

import (
	"encoding/binary"
	"fmt"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/drivers/patterns/kit"
)

const (
	ringReceivers  = kit.Received | kit.Overrun // causes of message 0; the others are message 1
	ringSlots      = 8                          // of the ring at most
	ringUnlistened = 64                         // packets that can be asked for at most
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
	drained                       uint32 // 1: the last look for a packet found none
}

var (
	_ device.Model     = (*Ring)(nil)
	_ device.Announcer = (*Ring)(nil)
)

// NewRing returns a ring device with room for 4 packets, to which everything
// takes 10 us.
func NewRing() *Ring { return &Ring{Slots: 4, Delay: 10_000} }

// Info implements [device.Model].
func (r *Ring) Info() device.Info {
	return device.Info{
		Name: "ring", VendorID: 0x1234, DeviceID: 0x7269, Class: 0x020000, Revision: 1,
		BARs:         []device.BAR{{Size: kit.Length, Kind: device.Memory32}},
		InterruptPin: 1, Messages: 2, Message64: true,
	}
}

// Reset implements [device.Model].
func (r *Ring) Reset(device.Bus) { *r = Ring{Slots: r.Slots, Delay: r.Delay} }

// ReadRegister implements [device.Model].
func (r *Ring) ReadRegister(bus device.Bus, bar int, offset uint64, size int) uint64 {
	switch offset {
	case kit.Cause:
		causes := r.causes
		r.clear(bus, causes)
		return uint64(causes)
	case kit.Status:
		return uint64(r.causes | r.busy*kit.Busy)
	case kit.Enable:
		return uint64(r.enable)
	case kit.Packet:
		return uint64(r.take())
	case kit.Sent:
		return uint64(r.sent)
	case kit.Response:
		return uint64(r.response)
	}
	return ^uint64(0)
}

// take takes the oldest packet out of the ring.
func (r *Ring) take() uint32 {
	if r.taken == r.arrived {
		r.drained = 1
		return 0
	}
	r.drained = 0
	r.taken++
	return r.taken
}

// WriteRegister implements [device.Model].
func (r *Ring) WriteRegister(bus device.Bus, bar int, offset uint64, size int, value uint64) {
	v := uint32(value)
	switch offset {
	case kit.Enable:
		before := r.requesting()
		r.enable = v & kit.AllCauses
		r.request(bus, before)
	case kit.Acknowledge:
		r.clear(bus, v)
	case kit.Listen:
		if r.awaited == 0 && v != 0 {
			bus.After(ringArrives, r.Delay)
		}
		r.awaited = min(r.awaited+min(v, ringUnlistened), ringUnlistened)
	case kit.Transmit:
		if r.sending == 0 {
			bus.After(ringLeaves, r.Delay)
		}
		r.sending = min(r.sending+1, ringUnlistened)
	case kit.Command:
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
			r.raise(bus, kit.Overrun)
			return
		}
		r.arrived++
		if r.causes&kit.Received != 0 {
			bus.Note("packet %d comes, and its cause is set already", r.arrived)
		}
		r.raise(bus, kit.Received)
	case id == ringLeaves && r.sending > 0:
		if r.sending--; r.sending > 0 {
			bus.After(ringLeaves, r.Delay)
		}
		r.sent++
		r.raise(bus, kit.SentOne)
	case id == ringDone && r.busy != 0:
		r.busy, r.response = 0, ^r.command
		r.raise(bus, kit.Done)
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
	for n, causes := range []uint32{ringReceivers, kit.AllCauses &^ ringReceivers} {
		if before&causes == 0 && now&causes != 0 && bus.MessagesEnabled() > 0 {
			bus.SendMessage(n)
		}
	}
}

// Unannounced implements [device.Announcer]. Packets that the driver leaves in the
// ring on purpose do not count: that it wants all shows in its looking until there
// is none.
func (r *Ring) Unannounced(bus device.Bus) string {
	switch requesting := r.requesting(); {
	case bus.MessagesEnabled() > 0 && requesting != 0:
		return fmt.Sprintf("the causes 0x%X are set, their message was sent when the first of them came, and no other message comes "+
			"before they are cleared", requesting)
	case r.arrived != r.taken && r.drained != 0 && r.enable&kit.Received != 0 && r.causes&kit.Received == 0:
		return "a packet lies in the ring; it came after the driver had found the ring empty, and the driver has cleared its cause " +
			"without another look"
	}
	return ""
}

// words lists the state.
func (r *Ring) words() []*uint32 {
	return []*uint32{&r.causes, &r.enable, &r.awaited, &r.arrived, &r.taken, &r.lost, &r.sending, &r.sent, &r.command, &r.response, &r.busy, &r.drained}
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
