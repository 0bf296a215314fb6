package patterns

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/drivers/patterns/kit"
)

// wire is a bus that counts messages.
type wire struct {
	device.Bus
	enabled, sent int
}

func (w *wire) MessagesEnabled() int     { return w.enabled }
func (w *wire) SendMessage(int)          { w.sent++ }
func (w *wire) SetLine(bool)             {}
func (w *wire) After(uint32, uint64)     {}
func (w *wire) Note(string, ...any)      {}
func (w *wire) write(r *Ring, at, v int) { r.WriteRegister(w, 0, uint64(at), 4, uint64(v)) }
func (w *wire) read(r *Ring, at int)     { r.ReadRegister(w, 0, uint64(at), 4) }

// The device knows what it has told the driver of.
func TestRingUnannounced(t *testing.T) {
	arrive := func(r *Ring, w *wire) { r.Event(w, ringArrives) }
	drain := func(r *Ring, w *wire) { w.read(r, kit.Packet); w.read(r, kit.Packet) }
	acknowledge := func(r *Ring, w *wire) { w.write(r, kit.Acknowledge, kit.Received) }
	for _, c := range []struct {
		name     string
		messages int
		steps    []func(*Ring, *wire)
		want     string
	}{
		{"nothing", 1, nil, ""},
		{"acknowledged, then drained", 1, []func(*Ring, *wire){arrive, acknowledge, drain}, ""},
		{"drained, then acknowledged", 1, []func(*Ring, *wire){arrive, drain, acknowledge}, ""},
		{"a packet between drain and acknowledgement", 1, []func(*Ring, *wire){arrive, drain, arrive, acknowledge}, "a packet lies in the ring"},
		{"the same with a line", 0, []func(*Ring, *wire){arrive, drain, arrive, acknowledge}, "a packet lies in the ring"},
		{"a packet before the drain", 1, []func(*Ring, *wire){arrive, arrive, drain, acknowledge}, ""},
		{"a packet that the driver has left", 1, []func(*Ring, *wire){arrive, acknowledge}, ""},
		{"the interrupt is off", 1, []func(*Ring, *wire){arrive, drain, arrive, acknowledge, func(r *Ring, w *wire) { w.write(r, kit.Enable, 0) }}, ""},
		{"no acknowledgement", 1, []func(*Ring, *wire){arrive, drain}, "the causes 0x1 are set"},
		{"no acknowledgement, with a line", 0, []func(*Ring, *wire){arrive, drain}, ""}, // it is asserted
	} {
		r, w := NewRing(), &wire{enabled: c.messages}
		w.write(r, kit.Enable, kit.AllCauses)
		w.write(r, kit.Listen, 4)
		for _, step := range c.steps {
			step(r, w)
		}
		if got := r.Unannounced(w); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q; %d messages were sent", c.name, got, c.want, w.sent)
		}
	}
}
