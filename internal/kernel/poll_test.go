package kernel_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// A loop that polls what nothing will change is a finding; one that somebody
// ends is none, and takes no time of its own.
func TestSpinWithoutEnd(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		b.thread(0, func(t *kernel.Thread) { t.Spin("it reads X", func() bool { return false }) })
		b.thread(1, func(t *kernel.Thread) { t.Store(b.cell(), 8, 1) })
		b.run(kernel.Stopped)
		if f := b.Findings(); len(f) != 1 || f[0].Rule != "livelock" || !strings.HasPrefix(f[0].Text, "it reads X") {
			t.Errorf("findings: %+v", f)
		}
	})
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		cell := b.cell()
		b.thread(0, func(t *kernel.Thread) { t.Spin("it reads the cell", func() bool { return b.value(cell) != 0 }) })
		b.thread(1, func(t *kernel.Thread) {
			for range 50 {
				t.Load(b.cell(), 8)
			}
			t.Store(cell, 8, 1)
		})
		b.run(kernel.Done)
		if f := b.Findings(); len(f) != 0 {
			t.Errorf("findings: %+v", f)
		}
	})
}

// At DISPATCH_LEVEL the watchdog of Windows ends it, and says what is polled.
func TestWD1SpinInDPC(t *testing.T) {
	scenario(t, kernel.Config{Tunables: fast}, func(b *bench) {
		b.thread(0, func(th *kernel.Thread) {
			inDPC(func(_ *bench, t *kernel.Thread) { t.Spin("it reads X", func() bool { return false }) })(b, th)
		})
		b.run(kernel.Stopped)
		if f := b.Findings(); len(f) != 1 || f[0].Code != 0x133 || !strings.Contains(f[0].Text, "it reads X") {
			t.Errorf("findings: %+v", f)
		}
	})
}

// registers is a bus with a few registers that behave differently.
type registers struct {
	m     *kernel.Machine
	state byte
}

func (r *registers) ReadRegister(pa uint64, size int) (uint64, string) {
	switch pa & 0xFF {
	case 0x10: // a read changes the state
		r.state++
	case 0x20: // the value is decided
		return uint64(r.m.ChooseDevice(2)), "choice"
	case 0x30: // a read makes something happen later
		r.m.ScheduleDevice(0, 0, 1000, false)
	case 0x40: // the value depends on the time
		r.m.Whim()
	}
	return 0, "register"
}

func (r *registers) WriteRegister(pa uint64, size int, value uint64) string {
	r.state = byte(value)
	return "register"
}

func (*registers) ReadPort(uint32, int) (uint64, string) { return 0xFF, "no port" }
func (*registers) WritePort(uint32, int, uint64) string  { return "no port" }

func (r *registers) Event(device, event uint32)  {}
func (r *registers) Snapshot() any               { return r.state }
func (r *registers) Restore(s any)               { r.state = s.(byte) }
func (r *registers) AppendState(b []byte) []byte { return append(b, r.state) }

// Only a read that always gives the same is one that a busy wait can be blocked
// at.
func TestPollTellsSteadyReads(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		bus := &registers{m: b.Machine}
		b.SetBus(bus)
		va := b.MapIoSpace(0xF0000000, 0x1000)
		b.do(func(th *kernel.Thread) {
			for off := uint64(0); off <= 0x40; off += 0x10 {
				if p := th.Poll(va+off, 4); p.Steady != (off == 0) {
					t.Errorf("register 0x%X: %+v", off, p)
				}
			}
			before := th.Poll(va, 4)
			th.Store(va, 4, 99)
			if p := th.Poll(va, 4); p.Device == before.Device || p.Device != b.DeviceState() {
				t.Errorf("the state of the devices is %x and %x", before.Device, p.Device)
			}
			if p := th.Poll(0xFFFFF78000000008, 8); p.Steady {
				t.Errorf("the time of the shared user page: %+v", p)
			}
		})
	})
}
