package litmus

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/bind"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// A test whose programs are routines of a driver binary (Options.Driver). Setup, steps, outcome and allowed set are
// those of the test; objects and programs are the driver's. It makes them in EvtDriverDeviceAdd and tells the test of
// them through the routines of harness.go.

// guest is the driver of a test. What is in it does not change after the setup. It stands between the machine and the
// code of the driver (kernel.Executor), to see which routine runs.
type guest struct {
	*bench
	driver  *bind.Driver
	threads []threadRoutine // by index of the program
}

type threadRoutine struct{ routine, context uint64 }

// newGuest loads a driver into the machine of a test.
func newGuest(b *bench, file *pe.File) (*guest, error) {
	driver, err := bind.Load(b.f, file, "", nil)
	if err != nil {
		return nil, err
	}
	g := &guest{bench: b, driver: driver, threads: make([]threadRoutine, len(b.test.Programs))}
	driver.Provide(harnessModule, g.exports())
	driver.OnAccess(g.accessed)
	b.m.SetExecutor(g)
	return g, nil
}

// Execute implements kernel.Executor: it notes the runs of ISRs and DPC routines.
func (g *guest) Execute(t *kernel.Thread, addr uint64, a kernel.Args) uint64 {
	o := g.runs(t, &a)
	if o == NoObject {
		return g.driver.Execute(t, addr, a)
	}
	cpu := t.Processor()
	run := g.state.started(o, cpu)
	v := g.driver.Execute(t, addr, a)
	g.state.ended(o, cpu, run)
	return v
}

// Calls implements kernel.Executor.
func (g *guest) Calls(t *kernel.Thread) [][]string { return g.driver.Calls(t) }

// runs returns the object whose routine is called, which the routine gets as its first argument: a KDPC, a WDFDPC, or
// the WDFINTERRUPT of an ISR or a DPC. NoObject stands for any other routine.
func (g *guest) runs(t *kernel.Thread, a *kernel.Args) ObjectID {
	kind, _ := t.Activation()
	for i := range g.test.Objects {
		o := &g.test.Objects[i]
		first := uint64(g.objects[i].handle)
		switch o.Kind {
		case KindKDPC:
			first = g.objects[i].addr
		case KindInterruptDPC:
			first = uint64(g.objects[o.DPC.Interrupt].handle)
		}
		of := kind == kernel.ISRActivation && o.Kind == KindInterrupt || kind == kernel.DPCActivation && dpcKinds.has(o.Kind)
		if of && first != 0 && first == a[0] {
			return o.ID
		}
	}
	return NoObject
}

// accessed puts an access to a shared variable into the trace, as those of programs are.
func (g *guest) accessed(t *kernel.Thread, a bind.Access) {
	for i := range g.test.Objects {
		o := &g.test.Objects[i]
		if o.Kind != KindVar || g.objects[i].addr != a.Addr {
			continue
		}
		what := "read"
		switch {
		case a.Locked:
			g.note(t.Processor(), "interlocked operation on %s = %s", o.Name, g.valueOf(o.Cell.Type, int64(a.Value)))
			return
		case a.Write:
			what = "write"
		}
		g.recordAccess(t.Processor(), what, o.ID, int64(a.Value))
	}
}

// makeDriver loads the driver, starts its device and sends it the requests of the test.
func (g *guest) makeDriver(s *wdf.Sys) {
	if st := g.driver.Entry(s); st.Failed() {
		g.fail("DriverEntry: %s", trace.StatusName(uint32(st)))
		return
	}
	h, st := s.AddDevice(0)
	if st.Failed() {
		g.fail("EvtDriverDeviceAdd: %s", trace.StatusName(uint32(st)))
		return
	}
	g.device = h
	resources := g.resources()
	if n := len(g.test.registers()); n > 0 {
		resources = append(resources, wdf.Resource{Type: wdf.CmResourceTypeMemory, Start: registerBase, Length: uint64(n) * 8})
	}
	if st := s.StartDevice(h, resources, slices.Clone(resources)); st.Failed() {
		g.fail("the device does not start: %s", trace.StatusName(uint32(st)))
		return
	}
	for i := range g.test.Objects {
		if g.test.Objects[i].Kind == KindRequest {
			s.SendRequest(g.device, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: controlCode})
		}
	}
	g.checkComplete()
}

// checkComplete checks that the driver has everything that the test has.
func (g *guest) checkComplete() {
	for i := range g.test.Objects {
		o := &g.test.Objects[i]
		switch o.Kind {
		case KindInterruptDPC, KindRegister, KindRing: // of the interrupt, or of the device
		default:
			if in := &g.objects[i]; in.addr == 0 && in.handle == 0 {
				g.fail("the driver does not say what %s is (LitmusObject)", o.Name)
			}
		}
	}
	for i := range g.test.Programs {
		if p := &g.test.Programs[i]; p.Kind == ProgramThread && g.threads[i].routine == 0 {
			g.fail("the driver has no %s (LitmusThread)", p.Name)
		}
	}
}

// nameObject says what an object of the test is in the driver: the handle of a framework object, or an address.
func (g *guest) nameObject(s *wdf.Sys, name string, v uint64) error {
	o := g.test.Object(name)
	if o == nil {
		return fmt.Errorf("there is no object %s", name)
	}
	in := &g.objects[o.ID]
	g.m.SetName(v, name)
	switch o.Kind {
	case KindInterrupt:
		in.handle = wdf.Handle(v)
		if d := o.Interrupt.DPC; d != NoObject {
			g.objects[d].addr = g.f.InterruptKDPC(in.handle)
			g.m.SetName(g.objects[d].addr, g.test.Objects[d].Name)
		}
	case KindWDFDPC:
		in.handle, in.addr = wdf.Handle(v), s.WdfDpcWdmGetDpc(wdf.Handle(v))
		g.m.SetName(in.addr, name)
	case KindWDFSpinLock, KindRequest:
		in.handle = wdf.Handle(v)
	default:
		if _, f := g.m.Mem.Load(v, 8); f.Kind != mem.NoFault {
			return fmt.Errorf("%s is not in memory: %s at 0x%X", name, f.Kind, v)
		}
		in.addr = v
		if o.Kind == KindSpinLock {
			g.m.NameLock(v, name)
		}
	}
	return nil
}

// late reports whether a run that has ended was too late for a free step that has to come: it is not a run of the test.
// Programs of tests wait for such steps in place (OpUntil); routines of drivers do not.
func (g *guest) late(reason kernel.Reason) bool {
	for i := range g.test.Steps {
		if s := &g.test.Steps[i]; s.Free && s.Must && g.state.done>>i&1 == 0 {
			return reason == kernel.Done
		}
	}
	return false
}

// threadAt returns the index of the program that is the thread at a processor, -1 if there is none.
func (t *Test) threadAt(processor int) int {
	return slices.IndexFunc(t.Programs, func(p Program) bool { return p.Kind == ProgramThread && p.Processor == processor })
}
