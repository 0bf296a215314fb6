package device

import (
	"bytes"
	"testing"
)

func startUnknown(t *testing.T, u *Unknown) (*Function, *fakeHost) {
	t.Helper()
	h := newFakeHost()
	f := start(t, u, h)
	allOn(f)
	return f, h
}

// By default a register reads what was written, 0 before that.
func TestUnknownRemembers(t *testing.T) {
	f, _ := startUnknown(t, &Unknown{})
	equal(t, "before", f.ReadRegister(0, 0x10, 4), 0)
	f.WriteRegister(0, 0x10, 4, 0x12345678)
	equal(t, "written", f.ReadRegister(0, 0x10, 4), 0x12345678)
	equal(t, "a part", f.ReadRegister(0, 0x10, 2), 0x5678)
	equal(t, "another register", f.ReadRegister(0, 0x14, 4), 0)
	equal(t, "another BAR", f.ReadRegister(1, 0x10, 4), 0)
	f.Reset()
	allOn(f)
	equal(t, "after reset", f.ReadRegister(0, 0x10, 4), 0)
}

// Each answer can be decided for: likely ones, numbers that the driver knows, a
// bit, any number.
func TestUnknownAnswers(t *testing.T) {
	for _, c := range []struct {
		answers []int
		want    uint64
	}{
		{[]int{0}, 0x11}, {[]int{1}, 0}, {[]int{2}, 0xFFFF}, {[]int{3}, 0xBEEF}, {[]int{4, 9}, 1 << 9}, {[]int{5, 0x34, 0x12}, 0x1234},
	} {
		f, h := startUnknown(t, &Unknown{Values: []uint64{0xBEEF, 0x12345}})
		f.WriteRegister(0, 0, 2, 0x11)
		h.answers = c.answers
		equal(t, "read", f.ReadRegister(0, 0, 2), c.want)
		equal(t, "answers left", len(h.answers), 0)
		equal(t, "notes", len(h.notes) > 0, c.answers[0] != 0)
	}
}

// Code that polls gets each likely answer after a while.
func TestUnknownEndsPolling(t *testing.T) {
	for _, wanted := range []uint64{0, 0xFF, 0x5A, 0x33} {
		f, _ := startUnknown(t, &Unknown{Values: []uint64{0x5A}})
		f.WriteRegister(0, 8, 1, 0x33)
		n := 0
		for f.ReadRegister(0, 8, 1) != wanted && n < 100 {
			n++
		}
		if n == 100 {
			t.Errorf("0x%X never came", wanted)
		}
		_, at, times := f.model.(*Unknown).Polled()
		if at != 8 || times != n+1 {
			t.Errorf("register 0x%X is said to have been read %d times, not %d", at, times, n+1)
		}
	}
}

// It interrupts as often as it was armed for, by message or by line; the next
// access releases the line, unless it is decided otherwise.
func TestUnknownInterrupts(t *testing.T) {
	u := &Unknown{Messages: 4, Interrupts: 3}
	f, h := startUnknown(t, u)
	h.advance(f, 1e9)
	equal(t, "edges before", h.edges, 0)
	u.Arm(f)
	h.advance(f, unknownPause)
	equal(t, "line", h.line, true)
	h.answers = []int{0, 1}
	f.ReadRegister(0, 0, 4)
	equal(t, "line, held", h.line, true)
	f.WriteRegister(0, 0, 4, 1)
	equal(t, "line, released", h.line, false)
	h.advance(f, 1e9)
	equal(t, "edges", h.edges, 3) // raised, released, raised for the rest
	enableMessages(f, 2)
	u.Arm(f)
	h.answers = []int{3}
	h.advance(f, 1e9)
	equal(t, "messages", len(h.messages), 3)
	equal(t, "the first", h.messages[0].data, 0x4048+3)
	u.Arm(f)
	f.Reset()
	allOn(f)
	h.advance(f, 1e9)
	equal(t, "edges after a reset", h.edges, 5) // messages released the line, now it is raised again
}

// random is a source of numbers (SplitMix64).
type random uint64

func (r *random) next() uint64 {
	*r += 0x9E3779B97F4A7C15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func (r *random) to(n int) int { return int(r.next() % uint64(n)) }

// A state that went to another device behaves the same; what is no state is
// refused, and leaves the device as it was.
func TestUnknownState(t *testing.T) {
	rng := random(1)
	for range 50 {
		u := &Unknown{Messages: 2, Values: []uint64{7}}
		f, h := startUnknown(t, u)
		u.Arm(f)
		use := func(f *Function, h *fakeHost, rng *random) (v uint64) {
			for range 40 {
				h.answers = []int{rng.to(9), rng.to(256), rng.to(256), rng.to(256), rng.to(256)}
				switch rng.to(4) {
				case 0:
					f.WriteRegister(0, uint64(rng.to(6)), 4, rng.next())
				case 1:
					h.advance(f, unknownPause)
				default:
					v = v*31 + f.ReadRegister(rng.to(2), uint64(rng.to(6)), 2)
				}
			}
			return v
		}
		use(f, h, &rng)
		g := start(t, &Unknown{Messages: 2, Values: []uint64{7}}, h.clone())
		if err := g.RestoreState(f.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		sameState(t, f, g)
		gh := h.clone()
		g.host = gh
		same := rng
		equal(t, "what it answers then", use(g, gh, &same), use(f, h, &rng))
		sameState(t, f, g)
	}
	u := &Unknown{}
	f, _ := startUnknown(t, u)
	f.WriteRegister(0, 0, 4, 1)
	f.WriteRegister(0, 4, 4, 1)
	good := u.AppendState(nil)
	for name, change := range map[string]func(b []byte) []byte{
		"short":             func(b []byte) []byte { return b[:len(b)-1] },
		"empty":             func(b []byte) []byte { return nil },
		"held for ever":     func(b []byte) []byte { b[4] = unknownHolds + 1; return b },
		"half a line":       func(b []byte) []byte { b[5] = 2; return b },
		"polled 0 times":    func(b []byte) []byte { b[6] = 1; return b },
		"registers swapped": func(b []byte) []byte { b[unknownHead+1] = 5; return b },
		"too many":          func(b []byte) []byte { return append(b, make([]byte, unknownPerItem*unknownRegisters)...) },
	} {
		if err := u.RestoreState(change(bytes.Clone(good))); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !bytes.Equal(u.AppendState(nil), good) {
			t.Errorf("%s: the state has changed", name)
		}
	}
}

// A driver that touches every register does not make the state grow without
// bound.
func TestUnknownBounds(t *testing.T) {
	u := &Unknown{}
	f, _ := startUnknown(t, u)
	for i := range uint64(5000) {
		f.WriteRegister(0, 4*i, 4, i)
	}
	equal(t, "registers", len(u.registers), unknownRegisters)
	if err := u.RestoreState(u.AppendState(nil)); err != nil {
		t.Error(err)
	}
}
