package pci

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// connect connects an ISR that claims every interrupt, and returns how often it was
// called.
func connect(t *testing.T, m *kernel.Machine, r wdf.Resource) *int {
	t.Helper()
	calls := new(int)
	isr := m.Function(fmt.Sprintf("isr %X", r.Vector), func(*kernel.Thread, kernel.Args) uint64 { *calls++; return 1 })
	if _, st := m.Connect(kernel.ConnectParams{ServiceRoutine: isr, Vector: uint8(r.Vector), IRQL: r.Level, SynchronizeIRQL: r.Level,
		Latched: true, MessageSignaled: r.Flags&wdf.CmResourceInterruptMessage != 0, Affinity: r.Affinity}); st.Failed() {
		t.Fatal(st)
	}
	return calls
}

// What a function waits for comes as a power management event, if the bus lets it
// signal and it is not in D0, or by its wake line, always; not when it is gone.
func TestWAKE7Bus(t *testing.T) {
	for _, line := range []bool{false, true} {
		m, b := newBus(t)
		e := device.NewEdu()
		e.Wake = !line
		s, err := b.Add(e, Options{WakeLine: line})
		if err != nil {
			t.Fatal(err)
		}
		told, calls := 0, new(int)
		b.OnWake(func(slot uint32) { told++ })
		b.Start(s)
		if !b.CanWake(s) {
			t.Fatal("it cannot wake")
		}
		_, translated := b.Resources(s, nil)
		last := translated[len(translated)-1]
		if got := last.Flags&wdf.CmResourceInterruptWakeHint != 0; got != line {
			t.Errorf("line %t: the last resource has flags 0x%X", line, last.Flags)
		}
		if line {
			calls = connect(t, m, last)
		}
		trigger := func(wakes, interrupts int) {
			t.Helper()
			b.TriggerWake(s, 1000)
			m.Run()
			if !line && told != wakes || line && *calls != interrupts {
				t.Errorf("line %t: %d wakes, %d interrupts; want %d or %d", line, told, *calls, wakes, interrupts)
			}
		}
		trigger(0, 1)
		b.EnableWake(s, true)
		b.PowerOff(s)
		trigger(1, 2)
		b.EnableWake(s, false)
		trigger(1, 3)
		b.EnableWake(s, true) // it has not been forgotten
		if !line && told != 2 {
			t.Errorf("%d wakes", told)
		}
		b.Start(s)
		b.Remove(s)
		trigger(2, 3)
	}
}
