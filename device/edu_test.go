package device

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// eduBench is an edu device with everything enabled.
type eduBench struct {
	*Function
	t *testing.T
	h *fakeHost
	e *Edu
}

func newEduBench(t *testing.T) *eduBench {
	h, e := newFakeHost(), NewEdu()
	f := start(t, e, h)
	allOn(f)
	return &eduBench{f, t, h, e}
}

func (b *eduBench) read(offset uint64) uint32 { return uint32(b.ReadRegister(0, offset, 4)) }

func (b *eduBench) write(offset uint64, value uint64) {
	size := 4
	if offset >= eduWide {
		size = 8
	}
	b.WriteRegister(0, offset, size, value)
}

func (b *eduBench) want(offset uint64, value uint32) {
	b.t.Helper()
	if got := b.read(offset); got != value {
		b.t.Errorf("register %#x: got %#x, want %#x", offset, got, value)
	}
}

func (b *eduBench) noted(part string) {
	b.t.Helper()
	if len(b.h.notes) == 0 || !strings.Contains(b.h.notes[len(b.h.notes)-1], part) {
		b.t.Errorf("notes %q, want %q in the last", b.h.notes, part)
	}
	b.h.notes = nil
}

// startDMA writes the four registers of a transfer.
func (b *eduBench) startDMA(source, destination, count, command uint64) {
	b.write(eduSource, source)
	b.write(eduDestination, destination)
	b.write(eduCount, count)
	b.write(eduCommand, command)
}

func TestEduIdentity(t *testing.T) {
	b := newEduBench(t)
	equal(t, "ids", b.ReadConfig(ConfigVendorID, 4), 0x11e81234)
	equal(t, "class, revision", b.ReadConfig(ConfigRevision, 4), 0x00ff0010)
	b.WriteConfig(ConfigBAR0, 4, 0xffffffff)
	equal(t, "size", -b.ReadConfig(ConfigBAR0, 4), 1<<20)
	equal(t, "MSI control", b.ReadConfig(b.Capability(CapabilityMSI)+MSIControl, 2), MSI64)
	equal(t, "pin", b.ReadConfig(ConfigInterruptPin, 1), 1)
}

// TestEduRegisters writes a value to a device after reset and reads it back.
func TestEduRegisters(t *testing.T) {
	const none = math.MaxUint64
	for _, c := range []struct {
		offset uint64
		size   int
		write  uint64
		read   uint64 // of the same size
	}{
		{eduID, 4, 5, 0x010000ed},
		{eduID, 8, 5, none},
		{eduID, 2, 5, 0xffff},
		{eduID + 1, 4, 5, 0xffffffff},
		{eduLiveness, 4, 0x12345678, 0xedcba987},
		{eduLiveness, 1, 0, 0xff},
		{eduFactorial, 4, 5, 5}, // computing
		{eduFactorial, 8, 5, none},
		{eduStatus, 4, 0xffffffff, eduFactorialInterrupt},
		{eduStatus, 4, eduComputing, 0},
		{eduInterrupts, 4, 5, 0},
		{eduRaise, 4, 5, 0xffffffff},
		{eduAcknowledge, 4, 5, 0xffffffff},
		{0x0c, 4, 5, 0xffffffff},
		{0x7c, 8, 5, none},
		{eduSource, 8, 0x1122334455667788, 0x1122334455667788},
		{eduSource, 4, 0x55667788, 0x55667788},
		{eduSource + 4, 4, 5, 0xffffffff}, // no upper half of its own
		{eduSource, 2, 5, 0xffff},
		{eduDestination, 8, none, none},
		{eduCount, 8, 1 << 40, 1 << 40},
		{eduCommand, 8, 0xfe, 0}, // does not start
		{eduCommand, 8, 0xff, 0xff},
		{eduCommand, 4, 0x1, 0x1},
		{0xa0, 8, 5, none},
		{eduBuffer, 4, 5, 0xffffffff},
		{eduBARSize - 8, 8, 5, none},
	} {
		b := newEduBench(t)
		b.WriteRegister(0, c.offset, c.size, c.write)
		if got := b.ReadRegister(0, c.offset, c.size); got != c.read {
			t.Errorf("%d bytes at %#x: wrote %#x, read %#x, want %#x", c.size, c.offset, c.write, got, c.read)
		}
	}
	b := newEduBench(t)
	b.WriteRegister(0, eduSource, 8, none)
	b.WriteRegister(0, eduSource, 4, 7)
	equal(t, "4 bytes clear the others", b.ReadRegister(0, eduSource, 8), 7)
}

func TestEduFactorial(t *testing.T) {
	for _, c := range []struct{ n, want uint32 }{
		{0, 1}, {1, 1}, {5, 120}, {12, 479001600}, {13, 1932053504}, {33, 0x80000000}, {34, 0}, {35, 0}, {math.MaxUint32, 0},
	} {
		b := newEduBench(t)
		b.write(eduFactorial, uint64(c.n))
		b.want(eduStatus, eduComputing)
		b.h.advance(b.Function, b.e.FactorialTime-1)
		b.want(eduFactorial, c.n)
		b.h.advance(b.Function, 1)
		b.want(eduFactorial, c.want)
		b.want(eduStatus, 0)
		b.want(eduInterrupts, 0)
	}
}

func TestEduFactorialBusy(t *testing.T) {
	b := newEduBench(t)
	b.write(eduFactorial, 4)
	b.h.advance(b.Function, 10)
	b.write(eduFactorial, 5)
	b.noted("computing")
	b.write(eduStatus, eduFactorialInterrupt) // in time for this computation
	b.want(eduStatus, eduComputing|eduFactorialInterrupt)
	b.h.advance(b.Function, b.e.FactorialTime-10)
	b.want(eduFactorial, 24)
	b.want(eduStatus, eduFactorialInterrupt)
	b.want(eduInterrupts, eduInterruptFactorial)
	equal(t, "line", b.h.line, true)
	b.write(eduAcknowledge, eduInterruptFactorial)
	equal(t, "line", b.h.line, false)
}

func TestEduLine(t *testing.T) {
	b := newEduBench(t)
	for _, c := range []struct {
		offset, value uint64
		status        uint32
	}{
		{eduRaise, 0, 0},
		{eduRaise, 0x6, 0x6},
		{eduRaise, 0x80000001, 0x80000007},
		{eduRaise, 0, 0x80000007},
		{eduAcknowledge, 0x7, 0x80000000},
		{eduAcknowledge, 0, 0x80000000},
		{eduAcknowledge, 0xffffffff, 0},
	} {
		b.write(c.offset, c.value)
		b.want(eduInterrupts, c.status)
		equal(t, "line", b.h.line, c.status != 0)
	}
	equal(t, "changes", b.h.edges, 2)
	equal(t, "messages", len(b.h.messages), 0)
}

func TestEduMessages(t *testing.T) {
	b := newEduBench(t)
	enableMessages(b.Function, 0)
	for _, c := range []struct {
		offset, value uint64
		messages      int // in all
	}{
		{eduRaise, 0, 0},
		{eduRaise, 1, 1},
		{eduRaise, 1, 2}, // still pending, another message
		{eduRaise, 0, 3},
		{eduAcknowledge, 1, 3},
		{eduRaise, 4, 4},
	} {
		b.write(c.offset, c.value)
		equal(t, "messages", len(b.h.messages), c.messages)
		equal(t, "line", b.h.line, false)
	}
	equal(t, "message", b.h.messages[0], fakeMessage{0xfee01000, 0x4048})
	b.WriteConfig(b.Capability(CapabilityMSI)+MSIControl, 2, 0)
	equal(t, "line once messages are disabled", b.h.line, true)
}

func TestEduDMA(t *testing.T) {
	b := newEduBench(t)
	text := []byte("from memory to the device and back")
	n := uint64(len(text))
	copy(b.h.ram[0x100:], text)

	b.startDMA(ramBase+0x100, eduBuffer+8, n, eduDMARun)
	b.want(eduCommand, eduDMARun)
	b.write(eduCount, 1)
	b.noted("DMA is running")
	b.write(eduCommand, eduDMARun|eduDMAToRAM)
	b.noted("DMA is running")
	b.h.advance(b.Function, b.e.DMATime+n*b.e.DMAByteTime-1)
	b.want(eduCommand, eduDMARun)
	b.h.advance(b.Function, 1)
	b.want(eduCommand, 0)
	b.want(eduInterrupts, 0)
	equal(t, "buffer", bytes.Equal(b.e.buffer[8:8+n], text), true)

	b.startDMA(eduBuffer+8, ramBase+0x200, n, eduDMARun|eduDMAToRAM|eduDMAInterrupt)
	b.h.advance(b.Function, b.e.DMATime+n*b.e.DMAByteTime)
	b.want(eduCommand, eduDMAToRAM|eduDMAInterrupt)
	b.want(eduInterrupts, eduInterruptDMA)
	equal(t, "line", b.h.line, true)
	equal(t, "memory", bytes.Equal(b.h.ram[0x200:0x200+n], text), true)
	equal(t, "notes", len(b.h.notes), 0)
}

func TestEduDMAMask(t *testing.T) {
	b := newEduBench(t)
	b.h.ram[0] = 0x5a
	b.startDMA(1<<28|ramBase, eduBuffer, 1, eduDMARun)
	b.h.advance(b.Function, 1e6)
	b.noted("DMA address 0x10010000 is cut to 0x10000")
	equal(t, "buffer", b.e.buffer[0], 0x5a)
}

func TestEduDMARange(t *testing.T) {
	for _, c := range []struct {
		local, count uint64
		ok           bool
	}{
		{eduBuffer, 4096, true},
		{eduBuffer + 4095, 1, true},
		{eduBuffer + 4096, 0, true},
		{eduBuffer, 0, true},
		{eduBuffer, 4097, false},
		{eduBuffer + 4095, 2, false},
		{eduBuffer + 4097, 0, false},
		{eduBuffer - 1, 1, false},
		{0, 1, false},
		{eduBuffer, math.MaxUint64, false},
		{eduBuffer + 1, math.MaxUint64, false},
		{math.MaxUint64, 1, false},
		{math.MaxUint64, eduBuffer + 2, false},
	} {
		for _, direction := range []uint64{0, eduDMAToRAM} {
			b := newEduBench(t)
			for i := range b.e.buffer {
				b.e.buffer[i] = 1
			}
			source, destination := uint64(ramBase), c.local
			if direction != 0 {
				source, destination = destination, source
			}
			b.startDMA(source, destination, c.count, eduDMARun|eduDMAInterrupt|direction)
			b.h.advance(b.Function, 1e6)
			b.want(eduCommand, uint32(eduDMAInterrupt|direction))
			equal(t, "interrupt", b.h.line, c.ok)
			if !c.ok {
				b.noted("outside the buffer")
				equal(t, "moved", bytes.Count(b.e.buffer[:], []byte{1})+bytes.Count(b.h.ram, []byte{0}), eduBufferSize+ramSize)
			}
		}
	}
}

func TestEduDMAFails(t *testing.T) {
	b := newEduBench(t)
	b.WriteConfig(ConfigCommand, 2, CommandMemory)
	b.startDMA(ramBase, eduBuffer, 4, eduDMARun|eduDMAInterrupt)
	b.h.advance(b.Function, 1e6)
	b.noted("bus mastering is disabled")
	equal(t, "buffer", b.e.buffer[3], 0xff)
	b.want(eduInterrupts, eduInterruptDMA)

	allOn(b.Function)
	b.startDMA(eduBuffer, 0x100, 4, eduDMARun|eduDMAToRAM)
	b.h.advance(b.Function, 1e6)
	b.noted("no memory at 0x100")
}

// TestEduPowerDown: work that ends in D3hot reaches nobody, and D0 starts anew.
func TestEduPowerDown(t *testing.T) {
	b := newEduBench(t)
	enableMessages(b.Function, 0)
	b.write(eduStatus, eduFactorialInterrupt)
	b.write(eduFactorial, 5)
	b.startDMA(ramBase, eduBuffer, 8, eduDMARun|eduDMAInterrupt)
	setPower(b.Function, PowerD3hot)
	b.h.advance(b.Function, 1e6)
	equal(t, "messages", len(b.h.messages), 0)
	b.want(eduFactorial, 0xffffffff)
	setPower(b.Function, PowerD0)
	allOn(b.Function)
	b.want(eduFactorial, 0)
	b.want(eduInterrupts, 0)
	equal(t, "times are kept", b.e.FactorialTime, 1000)
}

func TestEduRestore(t *testing.T) {
	b := newEduBench(t)
	b.write(eduStatus, eduFactorialInterrupt)
	b.write(eduFactorial, 5)
	b.startDMA(ramBase, eduBuffer, 8, eduDMARun|eduDMAInterrupt)
	b.write(eduRaise, 2)

	c := newEduBench(t)
	if err := c.RestoreState(b.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	host := b.h.clone()
	*c.h = *host
	b.h.advance(b.Function, 1e6)
	c.h.advance(c.Function, 1e6)
	sameState(t, b.Function, c.Function)
	c.want(eduInterrupts, eduInterruptDMA|eduInterruptFactorial|2)

	state := c.AppendState(nil)
	state[stateHeader+8] = 2
	for _, bad := range [][]byte{state, state[:len(state)-1], append(bytes.Clone(state), 0)} {
		if c.RestoreState(bad) == nil {
			t.Error("no error")
		}
	}
	sameState(t, b.Function, c.Function)
}
