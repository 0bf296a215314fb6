package device

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// TestRegisterAccess: which accesses reach the model, and what the others give.
func TestRegisterAccess(t *testing.T) {
	on := func(f *Function) {}
	for _, c := range []struct {
		name   string
		setup  func(f *Function)
		bar    int
		offset uint64
		size   int
		reach  bool
		ones   uint64
	}{
		{"byte", on, 0, 0xfff, 1, true, 0xff},
		{"quad", on, 0, 0xff8, 8, true, math.MaxUint64},
		{"port", on, 1, 60, 4, true, 0xffffffff},
		{"second half of a 64-bit BAR", on, 3, 0, 4, false, 0xffffffff},
		{"no such BAR", on, -1, 0, 4, false, 0xffffffff},
		{"size 3", on, 0, 0, 3, false, math.MaxUint64},
		{"size 0", on, 0, 0, 0, false, math.MaxUint64},
		{"size 16", on, 0, 0, 16, false, math.MaxUint64},
		{"beyond", on, 0, 0x1000, 4, false, 0xffffffff},
		{"across the end", on, 0, 0xfff, 2, false, 0xffff},
		{"far beyond", on, 0, math.MaxUint64, 8, false, math.MaxUint64},
		{"memory disabled", func(f *Function) { f.WriteConfig(ConfigCommand, 2, CommandIO) }, 0, 0, 4, false, 0xffffffff},
		{"memory disabled, port", func(f *Function) { f.WriteConfig(ConfigCommand, 2, CommandIO) }, 1, 0, 4, true, 0xffffffff},
		{"I/O disabled", func(f *Function) { f.WriteConfig(ConfigCommand, 2, CommandMemory) }, 1, 0, 4, false, 0xffffffff},
		{"D3hot", func(f *Function) { setPower(f, PowerD3hot) }, 0, 0, 4, false, 0xffffffff},
		{"removed", (*Function).Remove, 0, 0, 2, false, 0xffff},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProbe()
			f := start(t, p, newFakeHost())
			allOn(f)
			c.setup(f)
			p.value, p.calls = 0x8877665544332211, 0
			want := c.ones
			if c.reach {
				want &= p.value
			}
			equal(t, "read", f.ReadRegister(c.bar, c.offset, c.size), want)
			f.WriteRegister(c.bar, c.offset, c.size, 0x0102030405060708)
			if c.reach {
				equal(t, "calls", p.calls, 2)
				equal(t, "written", p.value, 0x0102030405060708&c.ones)
			} else {
				equal(t, "calls", p.calls, 0)
			}
		})
	}
}

// TestLine: level of the pin and Interrupt Status bit of a model that asserts
// its line all the time.
func TestLine(t *testing.T) {
	h := newFakeHost()
	f := start(t, newProbe(), h)
	msi := f.Capability(CapabilityMSI) + MSIControl
	f.SetLine(true)
	for _, c := range []struct {
		what        string
		change      func()
		pin, status bool
	}{
		{"asserted", func() { f.SetLine(true) }, true, true},
		{"INTx disable", func() { f.WriteConfig(ConfigCommand, 2, CommandINTxDisable) }, false, true},
		{"INTx enable", func() { f.WriteConfig(ConfigCommand+1, 1, 0) }, true, true},
		{"messages enabled", func() { f.WriteConfig(msi, 2, MSIEnable) }, false, false},
		{"and INTx disabled", func() { f.WriteConfig(ConfigCommand, 2, CommandINTxDisable) }, false, false},
		{"messages disabled", func() { f.WriteConfig(msi, 2, 0) }, false, true},
		{"INTx enabled", func() { f.WriteConfig(ConfigCommand, 2, 0) }, true, true},
		{"D3hot", func() { setPower(f, PowerD3hot) }, false, true},
		{"D0 with its reset", func() { setPower(f, PowerD0) }, false, false},
		{"asserted again", func() { f.SetLine(true) }, true, true},
		{"reset", f.Reset, false, false},
	} {
		c.change()
		status := f.ReadConfig(ConfigStatus, 2)&StatusInterrupt != 0
		if h.line != c.pin || f.Line() != c.pin || status != c.status {
			t.Errorf("%s: pin %t, status bit %t; want %t, %t", c.what, h.line, status, c.pin, c.status)
		}
	}
	equal(t, "changes that the host saw", h.edges, 8)
}

func TestMessages(t *testing.T) {
	h := newFakeHost()
	f := start(t, newProbe(), h) // 4 messages, 32-bit address
	allOn(f)
	for _, c := range []struct {
		order   uint32 // log2 of the messages that software asks for
		n       int
		enabled int
		data    uint32 // of 0x4048; 0 none
	}{
		{0, 0, 1, 0x4048},
		{0, 3, 1, 0x4048},
		{1, 3, 2, 0x4049},
		{2, 3, 4, 0x404b},
		{2, 1, 4, 0x4049},
		{7, 2, 4, 0x404a}, // more than there are
		{2, 4, 4, 0},
		{2, -1, 4, 0},
	} {
		h.messages = nil
		enableMessages(f, c.order)
		equal(t, "enabled", f.MessagesEnabled(), c.enabled)
		f.SendMessage(c.n)
		if c.data == 0 {
			equal(t, "messages", len(h.messages), 0)
		} else if len(h.messages) != 1 || h.messages[0] != (fakeMessage{0xfee01000, c.data}) {
			t.Errorf("order %d, message %d: %#x", c.order, c.n, h.messages)
		}
	}

	h.messages, h.notes = nil, nil
	f.WriteConfig(ConfigCommand, 2, 0)
	f.SendMessage(0) // bus mastering off
	allOn(f)
	setPower(f, PowerD3hot)
	f.SendMessage(0)
	setPower(f, PowerD0)
	allOn(f)
	equal(t, "enabled after reset", f.MessagesEnabled(), 0)
	f.SendMessage(0)
	equal(t, "messages", len(h.messages), 0)
	equal(t, "notes", len(h.notes), 3)
}

func TestMessage64(t *testing.T) {
	h := newFakeHost()
	f := start(t, NewEdu(), h)
	allOn(f)
	enableMessages(f, 0)
	f.WriteConfig(f.Capability(CapabilityMSI)+MSIAddressHi, 4, 0x12)
	f.SendMessage(0)
	equal(t, "message", h.messages[0], fakeMessage{0x12_fee01000, 0x4048})
}

func TestDMA(t *testing.T) {
	h := newFakeHost()
	f := start(t, newProbe(), h)
	p := []byte{1, 2, 3, 4}
	check := func(what string, addr uint64, want error) {
		t.Helper()
		q := bytes.Clone(p)
		if err := f.WriteMemory(addr, q); !errors.Is(err, want) {
			t.Errorf("%s: write: %v, want %v", what, err, want)
		}
		clear(q)
		if err := f.ReadMemory(addr, q); !errors.Is(err, want) {
			t.Errorf("%s: read: %v, want %v", what, err, want)
		}
		if want == nil && !bytes.Equal(q, p) || want != nil && !bytes.Equal(q, []byte{255, 255, 255, 255}) {
			t.Errorf("%s: read %v", what, q)
		}
	}
	check("bus mastering off", ramBase, ErrBusMaster)
	equal(t, "bytes that arrived", bytes.Count(h.ram, []byte{0}), ramSize)
	allOn(f)
	check("on", ramBase, nil)
	check("last bytes", ramBase+ramSize-4, nil)
	setPower(f, PowerD3hot)
	check("D3hot", ramBase, ErrPower)
	setPower(f, PowerD0)
	allOn(f)

	equal(t, "status", f.ReadConfig(ConfigStatus, 2)&StatusMasterAbort, 0)
	q := []byte{1, 2}
	if f.ReadMemory(ramBase+ramSize-1, q) == nil || q[0] != 255 || q[1] != 255 {
		t.Errorf("read beyond memory: %v", q)
	}
	if f.WriteMemory(math.MaxUint64, q) == nil {
		t.Error("write beyond memory")
	}
	equal(t, "status", f.ReadConfig(ConfigStatus, 2)&StatusMasterAbort, StatusMasterAbort)
	f.WriteConfig(ConfigStatus, 2, 0)
	equal(t, "status", f.ReadConfig(ConfigStatus, 2)&StatusMasterAbort, StatusMasterAbort)
	f.WriteConfig(ConfigStatus, 2, StatusMasterAbort)
	equal(t, "status", f.ReadConfig(ConfigStatus, 2)&StatusMasterAbort, 0)

	f.Remove()
	check("removed", ramBase, ErrRemoved)
}

func TestPowerStates(t *testing.T) {
	for _, keep := range []bool{false, true} {
		p := newProbe()
		p.info.NoSoftReset = keep
		h := newFakeHost()
		f := start(t, p, h)
		allOn(f)
		f.WriteConfig(ConfigBAR0, 4, 0xfebf1000)
		f.WriteRegister(0, 0, 4, 1000)
		f.SetLine(true)

		control := f.Capability(CapabilityPower) + PowerControl
		for _, c := range []struct{ write, want uint32 }{{1, 0}, {2, 0}, {3, 3}, {1, 3}, {2, 3}, {3, 3}} {
			f.WriteConfig(control, 1, c.write)
			equal(t, "power state", f.ReadConfig(control, 1)&PowerStateMask, c.want)
		}
		equal(t, "pin in D3hot", h.line, false)
		_, _, ok := f.Decode(0xfebf1000, 4)
		equal(t, "decodes in D3hot", ok, true)

		setPower(f, PowerD0)
		equal(t, "pin in D0", h.line, keep)
		equal(t, "command kept", f.ReadConfig(ConfigCommand, 2) != 0, keep)
		equal(t, "address kept", f.ReadConfig(ConfigBAR0, 4) != 0, keep)
		equal(t, "register kept", p.value != 0, keep)
		equal(t, "event kept", len(h.events) != 0, keep)
	}
}

func TestSurpriseRemoval(t *testing.T) {
	p := newProbe()
	h := newFakeHost()
	f := start(t, p, h)
	allOn(f)
	f.WriteConfig(ConfigBAR0, 4, 0xfebf1000)
	f.WriteRegister(0, 0, 4, 1000)
	f.SetLine(true)
	before := f.config

	f.Remove()
	f.Remove()
	p.calls = 0
	equal(t, "removed", f.Removed(), true)
	equal(t, "line", h.line, false)
	equal(t, "events", len(h.events), 0)
	equal(t, "config", f.ReadConfig(ConfigVendorID, 4), 0xffffffff)
	equal(t, "config byte", f.ReadConfig(ConfigStatus, 1), 0xff)
	bar, offset, ok := f.Decode(0xfebf1004, 4)
	equal(t, "decoded", [3]any{bar, offset, ok}, [3]any{0, uint64(4), true})

	f.WriteConfig(ConfigCommand, 2, 0)
	f.Event(0)
	f.Reset()
	f.SetLine(true)
	f.SendMessage(0)
	f.After(1, 1)
	f.Cancel(1)
	equal(t, "choice", f.Choose("x", 2), 0)
	equal(t, "messages enabled", f.MessagesEnabled(), 0)
	equal(t, "calls of the model", p.calls, 0)
	equal(t, "events", len(h.events), 0)
	equal(t, "messages", len(h.messages), 0)
	equal(t, "line", h.line, false)
	equal(t, "configuration unchanged", f.config == before, true)
}

func TestBusServices(t *testing.T) {
	h := newFakeHost()
	f := start(t, newProbe(), h)
	h.now, h.choice = 5, 1
	f.After(1, math.MaxUint64)
	f.After(1, 7)
	f.After(2, math.MaxUint64)
	equal(t, "events", len(h.events), 2)
	equal(t, "replaced", h.events[0], fakeEvent{1, 12})
	equal(t, "end of time", h.events[1], fakeEvent{2, math.MaxUint64})
	f.Cancel(2)
	equal(t, "events", len(h.events), 1)
	equal(t, "now", f.Now(), 5)
	equal(t, "choice", f.Choose("x", 2), 1)
	for _, n := range []int{1, 0, -1} {
		equal(t, "no choice", f.Choose("x", n), 0)
	}
	defer func() {
		if recover() == nil {
			t.Error("a host that chooses 1 of 1 is our bug")
		}
	}()
	h.choice = 2
	f.Choose("x", 2)
}

// announcer is a probe that always has something for the driver.
type announcer struct{ *probe }

func (announcer) Unannounced(Bus) string { return "something" }

// Unannounced is asked of models that know, in D0, as long as they are there.
func TestUnannounced(t *testing.T) {
	equal(t, "a model that does not know", start(t, newProbe(), newFakeHost()).Unannounced(), "")
	f := start(t, announcer{newProbe()}, newFakeHost())
	equal(t, "in D0", f.Unannounced(), "something")
	setPower(f, PowerD3hot)
	equal(t, "in D3hot", f.Unannounced(), "")
	setPower(f, PowerD0)
	equal(t, "in D0 again", f.Unannounced(), "something")
	f.Remove()
	equal(t, "removed", f.Unannounced(), "")
}

// A function signals wake when its events are enabled: in D3hot also later, in D0
// only then; what is said of events outlives the reset on the way to D0.
func TestWake(t *testing.T) {
	const control = powerCapability + PowerControl
	set := func(f *Function, v uint32) { f.WriteConfig(control, 2, v) }
	for _, can := range []bool{false, true} {
		h := newFakeHost()
		e := NewEdu()
		e.Wake = can
		f := start(t, e, h)
		if got := f.ReadConfig(powerCapability+PowerCapabilities, 2)>>11 != 0; got != can {
			t.Errorf("can wake %t: the capability says %t", can, got)
		}
		want := func(what string, n int) {
			t.Helper()
			if !can {
				n = 0
			}
			equal(t, what, h.wakes, n)
		}
		f.SignalWake()
		set(f, PowerEventEnable)
		want("in D0, not enabled, and then enabled", 0)
		f.SignalWake()
		f.SignalWake()
		want("in D0, enabled", 1)
		set(f, PowerEventStatus|PowerD3hot)
		f.SignalWake()
		want("in D3hot, not enabled", 1)
		set(f, PowerEventEnable|PowerD3hot)
		want("enabled later", 2)
		set(f, PowerEventEnable|PowerD0)
		if got := f.ReadConfig(control, 2); can && got != PowerEventEnable|PowerEventStatus {
			t.Errorf("after the way to D0 the control register is %#x", got)
		}
		set(f, PowerEventEnable|PowerEventStatus|PowerD3hot)
		g := start(t, e, h.clone())
		if err := g.RestoreState(f.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		f.Remove()
		f.SignalWake()
		want("removed", 2)
	}
}
