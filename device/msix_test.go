package device

import (
	"bytes"
	"slices"
	"testing"
)

// msixProbe is a probe with 3 MSI-X messages: the table at 0x800 of BAR 0, the
// pending bits at 0xC00.
func msixProbe() *probe {
	p := newProbe()
	p.info.MSIX = MSIX{Vectors: 3, BAR: 0, Table: 0x800, Pending: 0xC00}
	return p
}

// program gives each message an address and data, unmasks the first, and enables
// them.
func program(f *Function) {
	for n := range uint64(3) {
		at := 0x800 + n*MSIXEntrySize
		f.WriteRegister(0, at+MSIXEntryAddress, 8, 0xFEE00000+n<<12)
		f.WriteRegister(0, at+MSIXEntryData, 4, 0x50+n)
	}
	f.WriteRegister(0, 0x800+MSIXEntryControl, 4, 0)
	control := f.Capability(CapabilityMSIX) + MSIXControl
	f.WriteConfig(control, 2, MSIXEnable)
}

func TestMSIXTable(t *testing.T) {
	p, h := msixProbe(), newFakeHost()
	f := start(t, p, h)
	allOn(f)
	at := f.Capability(CapabilityMSIX)
	equal(t, "entries - 1", f.ReadConfig(at+MSIXControl, 2), 2)
	equal(t, "table", f.ReadConfig(at+MSIXTable, 4), 0x800)
	equal(t, "pending bits", f.ReadConfig(at+MSIXPending, 4), 0xC00)
	equal(t, "masked after reset", f.ReadRegister(0, 0x80C, 4), 1)
	calls := p.calls
	f.WriteRegister(0, 0x800, 8, 0x12345678_FEE00FFF)
	equal(t, "address", f.ReadRegister(0, 0x800, 8), 0x12345678_FEE00FFC)
	f.WriteRegister(0, 0x808, 8, 0xFFFFFFFF_00000051)
	equal(t, "data and control", f.ReadRegister(0, 0x808, 8), 0x1_00000051)
	f.WriteRegister(0, 0xC00, 8, ^uint64(0))
	equal(t, "pending bits are read-only", f.ReadRegister(0, 0xC00, 8), 0)
	for _, c := range []struct {
		at   uint64
		size int
	}{{0x800, 1}, {0x802, 4}, {0x82C, 8}, {0x7FC, 8}} {
		notes := len(h.notes)
		equal(t, "undefined access", f.ReadRegister(0, c.at, c.size), ones(c.size))
		f.WriteRegister(0, c.at, c.size, 0)
		equal(t, "notes", len(h.notes), notes+2)
	}
	equal(t, "calls of the model", p.calls, calls)
	f.WriteRegister(0, 0x7F0, 4, 7)
	equal(t, "calls of the model beside the table", p.calls, calls+1)
	f.Reset()
	allOn(f)
	equal(t, "address after reset", f.ReadRegister(0, 0x800, 8), 0)
}

// A message of a masked entry or function is pending, once, and sent when it is
// masked no more.
func TestMSIXMessages(t *testing.T) {
	h := newFakeHost()
	f := start(t, msixProbe(), h)
	allOn(f)
	f.SendMessage(0)
	equal(t, "messages while disabled", len(h.messages), 0)
	program(f)
	equal(t, "enabled", f.MessagesEnabled(), 3)
	f.SendMessage(0)
	f.SendMessage(1)
	f.SendMessage(1)
	f.SendMessage(3) // of the 4 of MSI: modulo 3
	want := []fakeMessage{{0xFEE00000, 0x50}, {0xFEE00000, 0x50}}
	same := func(what string) {
		t.Helper()
		if !slices.Equal(h.messages, want) {
			t.Errorf("%s: messages %x, want %x", what, h.messages, want)
		}
	}
	same("one is masked")
	equal(t, "pending bits", f.ReadRegister(0, 0xC00, 8), 2)
	control := f.Capability(CapabilityMSIX) + MSIXControl
	f.WriteConfig(control, 2, MSIXEnable|MSIXFunctionMask)
	f.WriteRegister(0, 0x800+MSIXEntrySize+MSIXEntryControl, 4, 0)
	f.SendMessage(0)
	same("the function is masked")
	equal(t, "pending bits", f.ReadRegister(0, 0xC00, 4), 3)
	f.WriteConfig(control, 2, MSIXEnable)
	want = append(want, fakeMessage{0xFEE00000, 0x50}, fakeMessage{0xFEE01000, 0x51})
	same("nothing is masked")
	equal(t, "pending bits", f.ReadRegister(0, 0xC00, 4), 0)
	f.WriteConfig(ConfigCommand, 2, CommandMemory)
	f.SendMessage(0)
	same("bus mastering is off")
	f.WriteConfig(control, 2, 0)
	equal(t, "disabled", f.MessagesEnabled(), 0)
}

func TestMSIXState(t *testing.T) {
	h := newFakeHost()
	f := start(t, msixProbe(), h)
	allOn(f)
	program(f)
	f.SendMessage(2)
	state := f.AppendState(nil)
	g := start(t, msixProbe(), h.clone())
	if err := g.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	sameState(t, f, g)
	at := stateHeader
	for name, change := range map[string]func(b []byte){
		"address bits":  func(b []byte) { b[at] |= 1 },
		"control bits":  func(b []byte) { b[at+MSIXEntryControl+2] = 1 },
		"pending of no": func(b []byte) { b[at+3*MSIXEntrySize] |= 8 },
	} {
		b := bytes.Clone(state)
		change(b)
		if g.RestoreState(b) == nil {
			t.Errorf("%s: no error", name)
		}
		sameState(t, f, g)
	}
	if g.RestoreState(state[:at+20]) == nil {
		t.Error("half a table: no error")
	}
}

func TestMSIXInfo(t *testing.T) {
	for name, x := range map[string]MSIX{
		"no such BAR":      {Vectors: 1, BAR: 5},
		"too many":         {Vectors: 2049, Pending: 0x8000},
		"not aligned":      {Vectors: 1, Table: 4, Pending: 64},
		"outside":          {Vectors: 1, Table: 0, Pending: 1 << 40},
		"they overlap":     {Vectors: 16, Table: 0, Pending: 248},
		"a negative count": {Vectors: -1},
	} {
		p := newProbe()
		p.info.MSIX = x
		if _, err := NewFunction(p, newFakeHost()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
