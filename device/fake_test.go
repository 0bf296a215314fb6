package device

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// Physical memory of the fake host.
const (
	ramBase = 0x10000
	ramSize = 0x4000
)

// fakeHost is a Host with a virtual clock, an event list and some memory.
type fakeHost struct {
	now      uint64
	events   []fakeEvent // in the order in which they were scheduled
	ram      []byte
	line     bool
	edges    int // changes of line
	wakes    int // power management events
	messages []fakeMessage
	notes    []string
	choice   int
	answers  []int // before choice
}

type fakeEvent struct {
	id  uint32
	due uint64
}

type fakeMessage struct {
	addr uint64
	data uint32
}

func newFakeHost() *fakeHost { return &fakeHost{ram: make([]byte, ramSize)} }

func (h *fakeHost) clone() *fakeHost {
	c := *h
	c.events, c.ram = slices.Clone(h.events), slices.Clone(h.ram)
	c.messages, c.notes = slices.Clone(h.messages), slices.Clone(h.notes)
	return &c
}

func (h *fakeHost) Now() uint64 { return h.now }

func (h *fakeHost) SetLine(_ *Function, asserted bool) {
	if h.line == asserted {
		panic("SetLine without a change")
	}
	h.line = asserted
	h.edges++
}

func (h *fakeHost) WriteMessage(_ *Function, addr uint64, data uint32) {
	h.messages = append(h.messages, fakeMessage{addr, data})
}

func (h *fakeHost) SignalWake(*Function) { h.wakes++ }

func (h *fakeHost) ReadPhysical(_ *Function, addr uint64, p []byte) error {
	m, err := h.memory(addr, len(p))
	copy(p, m)
	return err
}

func (h *fakeHost) WritePhysical(_ *Function, addr uint64, p []byte) error {
	m, err := h.memory(addr, len(p))
	copy(m, p)
	return err
}

func (h *fakeHost) memory(addr uint64, n int) ([]byte, error) {
	if addr < ramBase || addr-ramBase > ramSize || uint64(n) > ramSize-(addr-ramBase) {
		return nil, fmt.Errorf("no memory at %#x", addr)
	}
	return h.ram[addr-ramBase:][:n], nil
}

func (h *fakeHost) Schedule(f *Function, id uint32, delay uint64) {
	h.Cancel(f, id)
	h.events = append(h.events, fakeEvent{id, h.now + delay})
}

func (h *fakeHost) Cancel(_ *Function, id uint32) {
	h.events = slices.DeleteFunc(h.events, func(e fakeEvent) bool { return e.id == id })
}

func (h *fakeHost) CancelAll(*Function) { h.events = nil }

func (h *fakeHost) Choose(_ *Function, what string, n int) int {
	if len(h.answers) > 0 {
		a := h.answers[0]
		h.answers = h.answers[1:]
		return a % n
	}
	return h.choice
}

func (h *fakeHost) Note(_ *Function, format string, args ...any) {
	h.notes = append(h.notes, fmt.Sprintf(format, args...))
}

// advance lets ns pass and calls what becomes due, the earliest first.
func (h *fakeHost) advance(f *Function, ns uint64) {
	until := h.now + ns
	for {
		next := -1
		for i, e := range h.events {
			if e.due <= until && (next < 0 || e.due < h.events[next].due) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		e := h.events[next]
		h.events = slices.Delete(h.events, next, next+1)
		h.now = e.due
		f.Event(e.id)
	}
	h.now = until
}

// probe is a model that has every kind of BAR and 4 messages, counts the calls
// and remembers one value.
type probe struct {
	info  Info
	calls int
	value uint64
}

func newProbe() *probe {
	return &probe{info: Info{
		Name: "probe", VendorID: 0x1234, DeviceID: 0x5678, SubsystemVendorID: 0x9abc, SubsystemID: 0xdef0,
		Class: 0x028001, Revision: 7, InterruptPin: 1, Messages: 4,
		BARs: []BAR{
			{Index: 0, Size: 0x1000, Kind: Memory32},
			{Index: 1, Size: 64, Kind: IO},
			{Index: 2, Size: 1 << 33, Kind: Memory64, Prefetchable: true},
			{Index: 4, Size: 16, Kind: Memory64},
		},
	}}
}

func (p *probe) Info() Info { return p.info }
func (p *probe) Reset(Bus)  { p.calls++; p.value = 0 }
func (p *probe) ReadRegister(bus Bus, bar int, offset uint64, size int) uint64 {
	p.calls++
	return p.value
}
func (p *probe) WriteRegister(bus Bus, bar int, offset uint64, size int, value uint64) {
	p.calls++
	p.value = value
	bus.After(uint32(offset), value)
}
func (p *probe) Event(bus Bus, id uint32) { p.calls++; bus.SetLine(true) }
func (p *probe) AppendState(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, p.value)
}
func (p *probe) RestoreState(b []byte) error {
	if len(b) != 8 {
		return fmt.Errorf("%d bytes", len(b))
	}
	p.value = binary.LittleEndian.Uint64(b)
	return nil
}

// start returns a function that has been through power-on reset.
func start(t testing.TB, m Model, h Host) *Function {
	t.Helper()
	f, err := NewFunction(m, h)
	if err != nil {
		t.Fatal(err)
	}
	f.Reset()
	return f
}

// allOn enables all of the command register but INTx disable.
func allOn(f *Function) {
	f.WriteConfig(ConfigCommand, 2, CommandIO|CommandMemory|CommandBusMaster)
}

// enableMessages lets software of the fake machine choose MSI: 1<<order
// messages at 0xfee01000 with data 0x4048.
func enableMessages(f *Function, order uint32) {
	at := f.Capability(CapabilityMSI)
	data := MSIData32
	if f.info.Message64 {
		data = MSIData64
		f.WriteConfig(at+MSIAddressHi, 4, 0)
	}
	f.WriteConfig(at+MSIAddress, 4, 0xfee01000)
	f.WriteConfig(at+data, 2, 0x4048)
	f.WriteConfig(at+MSIControl, 2, MSIEnable|order<<MSIMultipleShift)
}

func setPower(f *Function, state uint32) {
	f.WriteConfig(f.Capability(CapabilityPower)+PowerControl, 2, state)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v (%#[2]v), want %v (%#[3]v)", what, got, want)
	}
}

// sameState fails if the two functions differ.
func sameState(t *testing.T, f, g *Function) {
	t.Helper()
	if !bytes.Equal(f.AppendState(nil), g.AppendState(nil)) || f.Line() != g.Line() {
		t.Error("the states differ")
	}
}
