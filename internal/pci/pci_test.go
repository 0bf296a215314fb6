package pci

import (
	"testing"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func newBus(t *testing.T) (*kernel.Machine, *Bus) {
	t.Helper()
	m, err := kernel.New(kernel.Config{Processors: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, NewBus(m)
}

// Functions get addresses that do not overlap and vectors of their level, and
// are found at them once they are started.
func TestAssign(t *testing.T) {
	_, b := newBus(t)
	var slots []*Slot
	for _, o := range []Options{{}, {Messages: true, DIRQL: 7}, {DIRQL: 7, Affinity: 2}} {
		s, err := b.Add(device.NewEdu(), o)
		if err != nil {
			t.Fatal(err)
		}
		b.Start(s)
		slots = append(slots, s)
	}
	starts, vectors := map[uint64]bool{}, map[uint32]bool{}
	for i, s := range slots {
		_, r := b.Resources(s, nil)
		if len(r) != 2 || r[0].Type != wdf.CmResourceTypeMemory || r[1].Type != wdf.CmResourceTypeInterrupt {
			t.Fatalf("slot %d has resources %+v", i, r)
		}
		if starts[r[0].Start] || vectors[r[1].Vector] {
			t.Errorf("slot %d shares an address or a vector: %+v", i, r)
		}
		starts[r[0].Start], vectors[r[1].Vector] = true, true
		if r[1].Vector>>4 != uint32(r[1].Level) {
			t.Errorf("vector 0x%X is not of level %d (IRQL-3)", r[1].Vector, r[1].Level)
		}
		if v, name := b.ReadRegister(r[0].Start, 4); v != 0x010000ED {
			t.Errorf("%s reads 0x%X, not the identification", name, v)
		}
	}
	_, r := b.Resources(slots[1], nil)
	if r[1].Flags != wdf.CmResourceInterruptLatched|wdf.CmResourceInterruptMessage {
		t.Errorf("a message interrupt has flags 0x%X", r[1].Flags)
	}
	if _, r := b.Resources(slots[2], nil); r[1].Affinity != 2 {
		t.Errorf("the affinity is 0x%X", r[1].Affinity)
	}
}

// What is not there reads as ones; so does a function that was taken out
// (PWR-8), and its state comes back with a snapshot.
func TestRemovedFunction(t *testing.T) {
	m, b := newBus(t)
	s, err := b.Add(device.NewEdu(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.Start(s)
	_, r := b.Resources(s, nil)
	snapshot, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	b.Remove(s)
	for _, at := range []uint64{r[0].Start, 0xDEAD0000} {
		if v, _ := b.ReadRegister(at, 4); v != 0xFFFFFFFF {
			t.Errorf("0x%X reads 0x%X", at, v)
		}
	}
	m.Restore(snapshot)
	if v, _ := b.ReadRegister(r[0].Start, 4); v != 0x010000ED {
		t.Errorf("after the restore the identification reads 0x%X", v)
	}
}

// A function in D3 reads as ones, and the driver that asks is reported; one that
// is awake or was taken out is no driver's mistake (PWR-5, PWR-8).
func TestAccessInDx(t *testing.T) {
	m, b := newBus(t)
	s, err := b.Add(device.NewEdu(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.Start(s)
	_, r := b.Resources(s, nil)
	b.ReadRegister(r[0].Start, 4)
	b.PowerOff(s)
	if n := len(m.Findings()); n != 0 {
		t.Fatalf("%d findings without an access in D3", n)
	}
	if v, _ := b.ReadRegister(r[0].Start, 4); v != 0xFFFFFFFF {
		t.Errorf("in D3 a register reads 0x%X", v)
	}
	b.WriteRegister(r[0].Start+4, 4, 1)
	b.Remove(s)
	b.ReadRegister(r[0].Start, 4)
	if f := m.Findings(); len(f) != 2 || f[0].Clause != "PWR-5" || f[1].Clause != "PWR-5" {
		t.Errorf("findings %+v", f)
	}
}

// Wrong options and too many functions are errors.
func TestAddErrors(t *testing.T) {
	_, b := newBus(t)
	if _, err := b.Add(device.NewEdu(), Options{DIRQL: 12}); err == nil {
		t.Error("DIRQL 12 was accepted")
	}
	for i := 0; ; i++ {
		if _, err := b.Add(device.NewEdu(), Options{}); err != nil {
			if i != 16 {
				t.Errorf("function %d was refused: %s", i, err)
			}
			break
		}
	}
}

// A policy of specified processors narrows the affinity of the interrupt, and the
// share disposition is that of the requirement (WDFI-19, WDFI-21).
func TestWDFI19Required(t *testing.T) {
	_, b := newBus(t)
	s, err := b.Add(device.NewEdu(), Options{DIRQL: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		policy     wdf.InterruptPolicy
		processors uint64
		want       uint64
	}{
		{wdf.IrqPolicySpecifiedProcessors, 0b110, 0b10},
		{wdf.IrqPolicySpecifiedProcessors, 0b1000, 0b11}, // none that it can go to
		{wdf.IrqPolicyOneCloseProcessor, 0b10, 0b11},
	} {
		r := b.Requirements(s)
		r[0].Policy, r[0].Processors, r[0].ShareDisposition = c.policy, c.processors, wdf.CmResourceShareDeviceExclusive
		_, translated := b.Resources(s, r)
		got := translated[len(translated)-1]
		if got.Affinity != c.want || got.ShareDisposition != wdf.CmResourceShareDeviceExclusive {
			t.Errorf("policy %d, processors %b: affinity %b, share %d", c.policy, c.processors, got.Affinity, got.ShareDisposition)
		}
	}
}

// A rebalance gives a function addresses where it never was and other vectors, or
// its line instead of messages; what touches the old addresses is reported (WDFI-34).
// A snapshot has what is assigned.
func TestWDFI34Reassign(t *testing.T) {
	m, b := newBus(t)
	s, err := b.Add(device.NewEdu(), Options{Messages: true})
	if err != nil {
		t.Fatal(err)
	}
	b.Start(s)
	snapshot, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	_, first := b.Resources(s, nil)
	places, last := map[uint64]bool{first[0].Start: true}, first
	for n, c := range []Change{{}, {Line: true}, {Line: true}, {}} {
		b.Stop(s)
		b.ReadRegister(last[0].Start, 4)
		if f := m.Findings(); len(f) != n+1 || f[n].Clause != "WDFI-34" {
			t.Fatalf("findings %+v", f)
		}
		if err := b.Reassign(s, c); err != nil {
			t.Fatal(err)
		}
		b.Start(s)
		_, r := b.Resources(s, nil)
		if places[r[0].Start] || r[1].Vector == last[1].Vector {
			t.Errorf("%+v: 0x%X, vector 0x%X again", c, r[0].Start, r[1].Vector)
		}
		if got := r[1].Flags&wdf.CmResourceInterruptMessage == 0; got != c.Line {
			t.Errorf("%+v: flags 0x%X", c, r[1].Flags)
		}
		if v, name := b.ReadRegister(r[0].Start, 4); v != 0x010000ED {
			t.Errorf("%s reads 0x%X", name, v)
		}
		places[r[0].Start], last = true, r
	}
	m.Restore(snapshot)
	if _, r := b.Resources(s, nil); r[0].Start != first[0].Start || r[1].Vector != first[1].Vector {
		t.Errorf("after the restore %+v", r)
	}
	for range 1000 { // until there is no room any more
		if err := b.Reassign(s, Change{}); err != nil {
			t.Fatal(err)
		}
	}
}
