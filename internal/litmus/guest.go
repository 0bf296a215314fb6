package litmus

import (
	"fmt"

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

// guest is the driver of a test. It stands between the machine and the code of the driver (kernel.Executor), to see
// which routine runs. What decides about a run does not change after the setup.
type guest struct {
	*bench
	driver     *bind.Driver
	threads    []threadRoutine  // by index of the program
	conditions map[string]*Expr // that the driver looks at, by text
	watch      kernel.Watch     // records the accesses of the present run
}

type threadRoutine struct{ routine, context uint64 }

// newGuest loads a driver into the machine of a test.
func newGuest(b *bench, file *pe.File) (*guest, error) {
	driver, err := bind.Load(b.f, file, "", nil)
	if err != nil {
		return nil, err
	}
	g := &guest{bench: b, driver: driver, threads: make([]threadRoutine, len(b.test.Programs)), conditions: map[string]*Expr{}}
	driver.Provide(harnessModule, g.exports())
	driver.OnAccess(g.accessed)
	b.m.SetExecutor(g)
	return g, nil
}

// Execute implements kernel.Executor: it notes the runs of routines that the test counts.
func (g *guest) Execute(t *kernel.Thread, addr uint64, a kernel.Args) uint64 {
	o := g.runs(t, a[0])
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

// runs returns the object whose routine is called with a first argument, NoObject for any other routine.
func (g *guest) runs(t *kernel.Thread, first uint64) ObjectID {
	role := t.Role()
	for i := range g.test.Objects {
		if as, object := g.routineOf(ObjectID(i)); as != "" && as == role && object == first {
			return ObjectID(i)
		}
	}
	return NoObject
}

// routineOf says as what the routine of an object whose runs are counted is called, and with which first argument.
func (g *guest) routineOf(id ObjectID) (role string, first uint64) {
	o, in := &g.test.Objects[id], &g.objects[id]
	switch o.Kind {
	case KindInterrupt:
		return "EvtInterruptIsr", uint64(in.handle)
	case KindInterruptDPC:
		return "EvtInterruptDpc", uint64(g.objects[o.DPC.Interrupt].handle)
	case KindInterruptWork:
		return "EvtInterruptWorkItem", uint64(g.objects[o.DPC.Interrupt].handle)
	case KindKDPC, KindThreadedDPC:
		return "DPC", in.addr
	case KindWDFDPC:
		return "EvtDpcFunc", uint64(in.handle)
	case KindWorkItem:
		return "EvtWorkItem", uint64(in.handle)
	case KindTimer:
		return "EvtTimerFunc", uint64(in.handle)
	case KindQueue:
		return "EvtIoRead", uint64(in.handle)
	case KindRequest:
		return "EvtRequestCancel", uint64(in.handle)
	}
	return "", 0
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
	g.startAtFirst(s)
	if g.err != nil {
		return
	}
	for i := range g.test.Objects {
		switch o := &g.test.Objects[i]; {
		case o.Kind != KindRequest:
		case g.test.hasQueue():
			g.createRequest(s, o)
			g.nameObject(o)
		default: // the driver says which request it is
			s.SendRequest(g.device, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: controlCode})
		}
	}
	g.checkComplete()
}

// registers appends the registers of the device to its resources.
func (g *guest) registers(list []wdf.Resource) []wdf.Resource {
	if n := len(g.test.registers()); n > 0 {
		list = append(list, wdf.Resource{Type: wdf.CmResourceTypeMemory, Start: registerBase, Length: uint64(n) * 8})
	}
	return list
}

// checkComplete checks that the driver has everything that the test has.
func (g *guest) checkComplete() {
	for i := range g.test.Objects {
		o := &g.test.Objects[i]
		switch {
		case kinds(KindInterruptDPC, KindInterruptWork, KindRegister, KindRing).has(o.Kind): // of the interrupt, or of the device
		case o.Interrupt.Late && g.test.Device.NotStarted: // the driver makes it later
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

// introduce says what an object of the test is in the driver: the handle of a framework object, or an address.
func (g *guest) introduce(s *wdf.Sys, o *Object, v uint64) error {
	in := &g.objects[o.ID]
	g.m.SetName(v, o.Name)
	switch o.Kind {
	case KindInterrupt:
		in.handle = wdf.Handle(v)
		if d := o.Interrupt.DPC; d != NoObject {
			g.objects[d].addr = g.f.InterruptKDPC(in.handle)
			g.m.SetName(g.objects[d].addr, g.test.Objects[d].Name)
		}
	case KindWDFDPC:
		in.handle, in.addr = wdf.Handle(v), s.WdfDpcWdmGetDpc(wdf.Handle(v))
	case KindWDFSpinLock:
		in.handle, in.addr = wdf.Handle(v), g.f.SpinLockCell(wdf.Handle(v))
	case KindTimer:
		in.handle, in.addr = wdf.Handle(v), g.f.TimerKTIMER(wdf.Handle(v))
	case KindRequest, KindWorkItem, KindQueue:
		in.handle = wdf.Handle(v)
	default:
		if _, f := g.m.Mem.Load(v, 8); f.Kind != mem.NoFault {
			return fmt.Errorf("%s is not in memory: %s at 0x%X", o.Name, f.Kind, v)
		}
		in.addr = v
		if o.Kind == KindSpinLock {
			g.m.NameLock(v, o.Name)
		}
	}
	if in.handle != 0 && in.addr != 0 {
		g.m.SetName(in.addr, o.Name)
	}
	return nil
}

// watchMemory has the search decide before accesses to the memory of the test's objects only. Everything else that the
// driver reads, such as handles and import tables, was written in the setup: stray checks that.
func (g *guest) watchMemory() {
	g.watch.Visible = &kernel.VisibleSet{}
	for i := range g.test.Objects {
		if o := &g.test.Objects[i]; o.bytes() > 0 {
			g.watch.Visible.Add(g.objects[i].addr, uint32(o.bytes()))
		}
	}
	g.m.Watch(&g.watch)
}

// stray names memory that the driver wrote in the run although it does not belong to an object of the test, "" if there
// is none.
func (g *guest) stray() string {
	for i := range g.watch.Records {
		r := &g.watch.Records[i]
		stack := g.m.Mem.Prot(r.Addr)&mem.Private != 0
		if r.Kind.Access() && r.Kind != kernel.RecordRead && !stack && !g.watch.Visible.Has(r.Addr, r.Size) {
			return fmt.Sprintf("%s writes %s, which is not an object of the test", g.m.NameOf(r.PC), g.m.MemoryText(r.Addr, uint64(r.Size)))
		}
	}
	return ""
}
