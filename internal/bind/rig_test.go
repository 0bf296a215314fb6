package bind

import (
	"os"
	"testing"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/pci"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// rig is a machine on which edu.sys has started its device, and from which
// tests call routines as guest code does.
type rig struct {
	m        *kernel.Machine
	d        *Driver
	device   wdf.WDFDEVICE
	routines map[string]uint64 // addresses of all implemented routines
	snapshot *kernel.Snapshot
	body     func(t *kernel.Thread)
	thread   uint64 // routine of the thread that runs body
}

func parsed(t testing.TB, path string) *pe.File {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := pe.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newRig boots a machine and keeps a snapshot of it.
func newRig(t testing.TB) *rig {
	t.Helper()
	r := newColdRig(t)
	bus := r.bus(t)
	r.run(t, func(th *kernel.Thread) {
		s := r.d.f.Sys(th)
		if st := r.d.Entry(s); st.Failed() {
			t.Errorf("DriverEntry: %s", trace.StatusName(uint32(st)))
			return
		}
		h, st := s.AddDevice(bus.Number())
		if st.Failed() {
			t.Errorf("EvtDriverDeviceAdd: %s", trace.StatusName(uint32(st)))
			return
		}
		bus.start()
		if st := s.StartDevice(h, bus.raw, bus.translated); st.Failed() {
			t.Errorf("StartDevice: %s", trace.StatusName(uint32(st)))
		}
		r.device = h
	})
	r.keep(t)
	return r
}

// slot is the PCI function on the bus of a rig.
type slot struct {
	*pci.Slot
	b               *pci.Bus
	raw, translated []wdf.Resource
}

func (s *slot) start() {
	s.b.Start(s.Slot)
	s.raw, s.translated = s.b.Resources(s.Slot, nil)
}

func (r *rig) bus(t testing.TB) *slot {
	t.Helper()
	b := pci.NewBus(r.m)
	r.d.f.SetConfigSpace(b)
	s, err := b.Add(device.NewEdu(), pci.Options{DIRQL: 5})
	if err != nil {
		t.Fatal(err)
	}
	return &slot{Slot: s, b: b}
}

// newColdRig makes a machine with a driver that has not run yet.
func newColdRig(t testing.TB) *rig {
	t.Helper()
	m, err := kernel.New(kernel.Config{Processors: 1, Profile: kernel.DefaultProfile, Trace: &trace.Log{}, MaxSteps: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	r := &rig{m: m, routines: map[string]uint64{}}
	if r.d, err = Load(wdf.NewFramework(m), parsed(t, "../../drivers/edu/edu.sys"), "", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range ImplementedNames() {
		r.routines[name] = r.d.importAddress("test", name)
	}
	r.thread = m.InternalFunction("test thread", func(th *kernel.Thread, _ kernel.Args) uint64 { r.body(th); return 0 })
	return r
}

// keep takes the snapshot that restore goes back to.
func (r *rig) keep(t testing.TB) {
	t.Helper()
	var err error
	if r.snapshot, err = r.m.Snapshot(); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) restore() {
	r.m.Restore(r.snapshot)
	r.m.Trace.Events = r.m.Trace.Events[:0]
}

// run runs body in a thread until the machine is at rest.
func (r *rig) run(t testing.TB, body func(t *kernel.Thread)) kernel.Reason {
	t.Helper()
	r.body = body
	r.m.NewThread(kernel.ThreadParams{Name: "test", Role: "thread", Routine: r.thread, Foreground: true})
	return r.m.Run()
}

// guestCall calls a routine as guest code does: through its trap address.
func (r *rig) guestCall(th *kernel.Thread, name string, args ...uint64) uint64 {
	if r.routines[name] == 0 {
		panic("BUG: no routine " + name)
	}
	var a kernel.Args
	copy(a[:], args)
	return th.Invoke("test", r.routines[name], a)
}

// called restores the machine, calls a routine and returns its result and how
// the run ended.
func (r *rig) called(t testing.TB, name string, args ...uint64) (result uint64, why kernel.Reason) {
	t.Helper()
	r.restore()
	why = r.run(t, func(th *kernel.Thread) { result = r.guestCall(th, name, args...) })
	return result, why
}
