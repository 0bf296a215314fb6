package device

import (
	"math"
	"strings"
	"testing"
)

func TestHeader(t *testing.T) {
	f := start(t, newProbe(), newFakeHost())
	for _, c := range []struct {
		at, size int
		want     uint32
	}{
		{ConfigVendorID, 2, 0x1234},
		{ConfigVendorID, 4, 0x56781234},
		{ConfigVendorID + 1, 4, 0x00567812}, // not aligned, across the command register
		{ConfigCommand, 2, 0},
		{ConfigStatus, 2, StatusCapabilities},
		{ConfigRevision, 1, 7},
		{ConfigRevision, 4, 0x02800107},
		{ConfigHeaderType, 1, 0},
		{ConfigSubsystemVendorID, 4, 0xdef09abc},
		{ConfigCapabilities, 1, powerCapability},
		{ConfigInterruptPin, 1, 1},
		{powerCapability, 4, 0x00030000 | msiCapability<<8 | CapabilityPower},
		{powerCapability + PowerControl, 2, 0},
		{msiCapability, 4, 2<<(16+MSICapableShift) | CapabilityMSI},
		{254, 4, 0xffffffff},
		{256, 1, 0xff},
		{-1, 2, 0xffff},
		{math.MaxInt, 4, 0xffffffff},
		{math.MinInt, 1, 0xff},
		{0, 3, 0xffffffff},
		{0, 8, 0xffffffff},
		{0, 0, 0xffffffff},
	} {
		if got := f.ReadConfig(c.at, c.size); got != c.want {
			t.Errorf("%d bytes at %#x: got %#x, want %#x", c.size, c.at, got, c.want)
		}
	}
}

// TestWritableBits writes ones and then zeros everywhere and looks at what
// stuck. Registers that are not in the table are read-only.
func TestWritableBits(t *testing.T) {
	writable := map[int]uint32{
		ConfigCommand:                 CommandIO | CommandMemory | CommandBusMaster | CommandParity | CommandSERR | CommandINTxDisable,
		ConfigCacheLineSize:           0xff,
		ConfigBAR0:                    0xfffff000,
		ConfigBAR0 + 4:                0xffffffc0,
		ConfigBAR0 + 8:                0,
		ConfigBAR0 + 12:               0xfffffffe,
		ConfigBAR0 + 16:               0xfffffff0,
		ConfigBAR0 + 20:               0xffffffff,
		ConfigInterruptLine:           0xff,
		powerCapability + 4:           PowerD3hot,
		msiCapability:                 (MSIEnable | 2<<MSIMultipleShift) << 16, // 7 is cut to the 4 messages there are
		msiCapability + MSIAddress:    0xfffffffc,
		msiCapability + MSIData32:     0xffff,
		msiCapability + MSIData64 + 4: 0,
	}
	f := start(t, newProbe(), newFakeHost())
	for at := 0; at < configSize; at += 4 {
		before := f.ReadConfig(at, 4)
		f.WriteConfig(at, 4, 0xffffffff)
		got := f.ReadConfig(at, 4) ^ before
		if got != writable[at] {
			t.Errorf("%#x: %#x is writable, want %#x", at, got, writable[at])
		}
		f.WriteConfig(at, 4, 0)
		if got := f.ReadConfig(at, 4); got != before {
			t.Errorf("%#x: writing 0 gives %#x, want %#x", at, got, before)
		}
	}
	for _, size := range []int{0, 3, 5, 8, -1} {
		f.WriteConfig(ConfigInterruptLine, size, 0x55)
	}
	equal(t, "interrupt line", f.ReadConfig(ConfigInterruptLine, 1), 0)
}

func TestBARSizing(t *testing.T) {
	f := start(t, newProbe(), newFakeHost())
	for i, want := range []uint32{
		0xfffff000,                                // 4 KB of memory
		0xffffffc0 | barIO,                        // 64 ports
		barMemory64 | barPrefetchable, 0xfffffffe, // 8 GB
		0xfffffff0 | barMemory64, 0xffffffff, // 16 bytes
	} {
		f.WriteConfig(ConfigBAR0+4*i, 4, 0xffffffff)
		equal(t, "mask of register", f.ReadConfig(ConfigBAR0+4*i, 4), want)
	}
	f.Reset()
	equal(t, "after reset", f.ReadConfig(ConfigBAR0+8, 4), barMemory64|barPrefetchable)
}

func TestDecode(t *testing.T) {
	f := start(t, newProbe(), newFakeHost())
	f.WriteConfig(ConfigBAR0, 4, 0xfebf1234) // the low 12 bits are not address
	f.WriteConfig(ConfigBAR0+4, 4, 0xc040)
	f.WriteConfig(ConfigBAR0+8, 4, 0xffffffff)
	f.WriteConfig(ConfigBAR0+12, 4, 0xffffffff) // the last 8 GB
	for _, c := range []struct {
		addr   uint64
		size   int
		bar    int
		offset uint64
		ok     bool
	}{
		{0xfebf1000, 4, 0, 0, true},
		{0xfebf1ffc, 4, 0, 0xffc, true},
		{0xfebf1ffd, 4, 0, 0, false},
		{0xfebf2000, 1, 0, 0, false},
		{0xfebf0fff, 1, 0, 0, false},
		{0xfebf1000, 0, 0, 0, false},
		{0xfebf1000, -4, 0, 0, false},
		{0xfebf1000, math.MaxInt, 0, 0, false},
		{0xc040, 4, 0, 0, false},                      // I/O space is another space
		{math.MaxUint64 - 7, 8, 2, 1<<33 - 8, true},   // up to the last byte
		{math.MaxUint64 - 6, 8, 0, 0, false},          // and not around
		{0, 4, 0, 0, false},                           // BAR 4 has no address
		{math.MaxUint64 - (1<<33 - 1), 1, 2, 0, true}, // its first byte
		{math.MaxUint64 - (1 << 33), 1, 0, 0, false},
	} {
		allOn(f)
		bar, offset, ok := f.Decode(c.addr, c.size)
		if bar != c.bar || offset != c.offset || ok != c.ok {
			t.Errorf("Decode(%#x, %d) = %d, %#x, %t", c.addr, c.size, bar, offset, ok)
		}
		f.WriteConfig(ConfigCommand, 2, CommandIO)
		if _, _, ok := f.Decode(c.addr, c.size); ok {
			t.Errorf("Decode(%#x, %d) with memory space disabled", c.addr, c.size)
		}
	}
	bar, offset, ok := f.DecodePort(0xc07e, 2)
	equal(t, "port", [3]any{bar, offset, ok}, [3]any{1, uint64(0x3e), true})
	f.WriteConfig(ConfigCommand, 2, CommandMemory)
	_, _, ok = f.DecodePort(0xc07e, 2)
	equal(t, "port with I/O space disabled", ok, false)
}

func TestInfoErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*Info)
		want   string
	}{
		{func(i *Info) { i.Name = "" }, "Name is empty"},
		{func(i *Info) { i.VendorID = 0xffff }, "vendor id 0xffff"},
		{func(i *Info) { i.Class = 1 << 24 }, "24 bits"},
		{func(i *Info) { i.InterruptPin = 2 }, "interrupt pin 2"},
		{func(i *Info) { i.Messages = 3 }, "3 MSI messages"},
		{func(i *Info) { i.Messages = 64 }, "64 MSI messages"},
		{func(i *Info) { i.Messages = -2 }, "-2 MSI messages"},
		{func(i *Info) { i.BARs[0].Index = -1 }, "index is outside"},
		{func(i *Info) { i.BARs[0].Index = 6 }, "index is outside"},
		{func(i *Info) { i.BARs[3].Index = 5 }, "index is outside 0 to 4"},
		{func(i *Info) { i.BARs[0].Index = math.MaxInt }, "index is outside"},
		{func(i *Info) { i.BARs[0].Index = 3 }, "register 3 is used twice"},
		{func(i *Info) { i.BARs[0].Size = 0 }, "size 0x0"},
		{func(i *Info) { i.BARs[0].Size = 0x1001 }, "size 0x1001"},
		{func(i *Info) { i.BARs[0].Size = 8 }, "size 0x8"},
		{func(i *Info) { i.BARs[0].Size = 1 << 32 }, "size 0x100000000"},
		{func(i *Info) { i.BARs[1].Size = 512 }, "kind IO"},
		{func(i *Info) { i.BARs[1].Prefetchable = true }, "prefetchable"},
		{func(i *Info) { i.BARs[1].Kind = 9 }, "unknown kind 9"},
	} {
		p := newProbe()
		c.change(&p.info)
		_, err := NewFunction(p, newFakeHost())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
	p := newProbe()
	f := start(t, p, newFakeHost())
	p.info.BARs[0].Size = 3 // a model's slice and a caller's are not the function's
	f.Info().BARs[0].Size = 5
	equal(t, "size", f.Info().BARs[0].Size, 0x1000)
	if _, err := NewFunction(nil, newFakeHost()); err == nil {
		t.Error("no error without a model")
	}
}

// TestInfoMinimal: what a function does not have is not in its configuration
// space.
func TestInfoMinimal(t *testing.T) {
	p := &probe{info: Info{Name: "nothing"}}
	h := newFakeHost()
	f := start(t, p, h)
	equal(t, "MSI capability", f.Capability(CapabilityMSI), 0)
	equal(t, "next capability", f.ReadConfig(powerCapability+1, 1), 0)
	f.WriteConfig(ConfigCommand, 2, 0xffff)
	equal(t, "command", f.ReadConfig(ConfigCommand, 2), CommandBusMaster|CommandParity|CommandSERR)
	f.SetLine(true)
	f.SendMessage(0)
	equal(t, "line without a pin", h.line, false)
	equal(t, "messages", len(h.messages), 0)
}
