package wdf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// WDFI-1: an invalid device is 0x10D/5, before a NULL Configuration, which is
// 0x10D/4. The NULL pointer to the handle is for drivers in C: drivers/model.
func TestWDFI1HandlesAndPointers(t *testing.T) {
	b := newBench(t, driver{})
	b.stop(func(s *wdf.Sys) { s.WdfInterruptCreate(0, nil, nil) })
	b.wantBugCheck("OBJ-18", 0x10D, 5, 0, 0x1002)
	b = newBench(t, driver{})
	b.stop(func(s *wdf.Sys) { s.WdfInterruptCreate(b.device, nil, nil) })
	b.wantBugCheck("OBJ-19", 0x10D, 4)
}

// WDFI-13, SER-3: an interrupt whose only callbacks run at PASSIVE_LEVEL is passive
// for automatic serialization; with a DPC it is not, whatever its ISR.
func TestWDFI13SER3PassiveInterrupts(t *testing.T) {
	for _, c := range []struct {
		name               string
		passive, dpc, work bool
		passiveParent      bool
		want               wdf.NTSTATUS
	}{
		{"WDFI-13 passive, neither", true, false, false, true, wdf.StatusSuccess},
		{"WDFI-13 passive, neither, other parent", true, false, false, false, wdf.StatusWdfIncompatibleExecutionLevel},
		{"WDFI-13 passive with a DPC", true, true, false, false, wdf.StatusSuccess},
		{"WDFI-13 passive with a DPC, passive parent", true, true, false, true, wdf.StatusWdfIncompatibleExecutionLevel},
		{"WDFI-13 passive with a work item", true, false, true, true, wdf.StatusSuccess},
		{"WDFI-13 DIRQL, neither, passive parent", false, false, false, true, wdf.StatusWdfIncompatibleExecutionLevel},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := driver{attributes: wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeDevice}}
			if c.passiveParent {
				d.attributes.ExecutionLevel = wdf.ExecutionLevelPassive
			}
			d.add = func(b *bench, s *wdf.Sys) {
				config := isrOnly(b)
				config.AutomaticSerialization, config.PassiveHandling = true, c.passive
				if c.dpc {
					config.EvtInterruptDpc = 1
				}
				if c.work {
					config.EvtInterruptWorkItem = 1
				}
				_, st := s.WdfInterruptCreate(b.device, &config, nil)
				b.status(c.name, st, c.want)
			}
			newBench(t, d)
		})
	}
}

// A descriptor of several messages is spread over consecutive objects, each with a
// vector of its own, and they interrupt independently (WDFI-16, INT-14).
func TestWDFI16SeveralMessages(t *testing.T) {
	isr := func(*bench, *wdf.Sys, wdf.WDFINTERRUPT) bool { return true }
	d := driver{interrupts: []interrupt{{isr: isr}, {isr: isr}}, resources: twoMessages}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.SendMessage(0x63)
		b.run()
		b.SendMessage(0x62)
		b.run()
		b.want("isr1 isr0")
	})
}

// The context of an interrupt is reached from its callbacks (WDFI-35).
func TestWDFI35Context(t *testing.T) {
	var handle wdf.WDFINTERRUPT
	d := driver{}
	d.add = func(b *bench, s *wdf.Sys) {
		b.d.interrupts = []interrupt{{vector: 0x51, isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
			wdf.Add(s, contextWord, s.WdfObjectGetTypedContext(i, objectContext), 1)
			return true
		}}}
		handle = must(s.WdfInterruptCreate(b.device, b.config(s, 0), &wdf.ObjectAttributes{ContextType: objectContext}))
		b.interrupts = []wdf.WDFINTERRUPT{handle}
	}
	b := newBench(t, d)
	b.startDevice()
	for range 3 {
		b.SendMessage(0x51)
		b.run()
	}
	b.do(func(s *wdf.Sys) { b.note("%d", contextWord.Load(s, s.WdfObjectGetTypedContext(handle, objectContext))) })
	if got := b.history[len(b.history)-1]; got != "3" {
		t.Errorf("counted %s", got)
	}
}

// In a serialized EvtInterruptDpc the interrupt lock can be taken: callback lock first
// (SER-10). The other order is not possible: WdfObjectAcquireLock at DIRQL is reported.
func TestSER10InterruptLockInside(t *testing.T) {
	var x uint64
	d := serialized(&x, wdf.SynchronizationScopeDevice)
	d.interrupts[0].dpc = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		s.WdfInterruptAcquireLock(i)
		b.note("irql%d", s.KeGetCurrentIrql())
		s.WdfInterruptReleaseLock(i)
	}
	b := newBench(t, d)
	x = b.Mem.Alloc(8, 0, false, 0)
	b.startDevice()
	b.forget()
	b.do(func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) })
	b.want("dpc0 irql5")
	b.wantFindings()
	b.do(func(s *wdf.Sys) {
		s.WdfInterruptAcquireLock(b.interrupts[0])
		s.WdfObjectAcquireLock(b.device)
		s.WdfObjectReleaseLock(b.device)
		s.WdfInterruptReleaseLock(b.interrupts[0])
	})
	for _, f := range b.take() {
		if f.Rule != "KmdfIrql" {
			t.Errorf("under the interrupt lock: %s", f.Title())
		}
	}
}

// WdfInterruptAcquireLock above SynchronizeIrql raises to a lower level (ILK-2,
// IRQL-6); up to it all is well: TestILK1Levels.
func TestILK2AboveSynchronizeIrql(t *testing.T) {
	b := newBench(t, one(interrupt{}))
	b.startDevice()
	b.stop(func(s *wdf.Sys) {
		s.KeRaiseIrql(6)
		s.WdfInterruptAcquireLock(b.interrupts[0])
	})
	b.wantBugCheck("IRQL-6", 0xC4, 0x30, 6, 5)
}

// The window in which the lock may be used is that in which it works: from
// EvtInterruptEnable to EvtInterruptDisable it is there, before and after it is not
// (ILK-4).
func TestILK4Window(t *testing.T) {
	d := one(interrupt{})
	try := func(b *bench, s *wdf.Sys) {
		s.WdfInterruptAcquireLock(b.interrupts[0])
		b.note("irql%d", s.KeGetCurrentIrql())
		s.WdfInterruptReleaseLock(b.interrupts[0])
	}
	d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if len(b.interrupts) > 0 {
			try(b, s)
		}
		return wdf.StatusSuccess
	}
	b := newBench(t, d)
	b.startDevice()
	b.power(wdf.PowerDeviceD3)
	b.want("PrepareHardware irql0 D0Entry irql0 enable0 D0EntryPostInterruptsEnabled irql5 SelfManagedIoInit irql5 " +
		"SelfManagedIoSuspend irql5 D0ExitPreInterruptsDisabled irql5 disable0 D0Exit irql0")
	const acquire, release = "verifier break: WdfInterruptAcquireLock while not connected", "verifier break: WdfInterruptReleaseLock while not connected"
	b.wantFindings(acquire, release, acquire, release, acquire, release)
}

// While the interrupt lock is held the rules of DIRQL hold: routines for
// DISPATCH_LEVEL are reported (ILK-8).
func TestILK8WhileHeld(t *testing.T) {
	for name, call := range map[string]func(x *ioBench, s *wdf.Sys){
		"ILK-8 WdfRequestComplete":   func(x *ioBench, s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) },
		"ILK-8 WdfSpinLockAcquire":   func(x *ioBench, s *wdf.Sys) { s.WdfSpinLockAcquire(must(s.WdfSpinLockCreate(nil))) },
		"ILK-8 WdfObjectAcquireLock": func(x *ioBench, s *wdf.Sys) { s.WdfObjectAcquireLock(x.bench.device) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newIO(t, one(interrupt{}), queueSpec{})
			x.sendReads(1)
			x.spawn(0, func(s *wdf.Sys) {
				s.WdfInterruptAcquireLock(x.interrupts[0])
				call(x, s)
			})
			x.Run()
			if all := rules(x.bench); len(all) == 0 || all[0] != "KmdfIrql" {
				t.Errorf("%q", all)
			}
		})
	}
}

// No EvtInterruptIsr, and no EvtInterruptDpc that was queued before the flush, begins
// after EvtDeviceD0Exit did (PWR-1), wherever the interrupt comes; the exceptions are
// those of WDFI-27. Here the device interrupts before the power-down ends.
func TestPWR1NothingAfterD0Exit(t *testing.T) {
	d := driver{processors: 2, few: true, interrupts: []interrupt{{vector: 0x51, affinity: 2, isr: func(_ *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		s.WdfInterruptQueueDpcForIsr(i)
		return true
	}, dpc: nothing}}}
	b := newBench(t, d)
	b.startDevice()
	b.only = []string{"isr0", "dpc0", "disable0", "D0Exit"}
	got := b.explore(body{0, func(s *wdf.Sys) {
		b.SendMessage(0x51)
		s.SetPower(b.device, wdf.PowerDeviceD3)
	}})
	for _, o := range got {
		if at := slices.Index(strings.Fields(o), "D0Exit"); at >= 0 && at != len(strings.Fields(o))-1 && slices.Index(strings.Fields(o), "isr0") < slices.Index(strings.Fields(o), "disable0") {
			t.Errorf("something begins after EvtDeviceD0Exit: %s", o)
		}
	}
	if !slices.Contains(got, "isr0 dpc0 disable0 D0Exit") || !slices.Contains(got, "isr0 disable0 dpc0 D0Exit") {
		t.Errorf("outcomes %q", got)
	}
}

// A DPC that is queued by a DPC during the flush can run after EvtDeviceD0Exit began
// (PWR-3).
func TestPWR3DPCOfADPC(t *testing.T) {
	var second wdf.WDFDPC
	d := driver{processors: 3, few: true, interrupts: []interrupt{{vector: 0x51, affinity: 2, dpc: func(_ *bench, s *wdf.Sys, _ wdf.WDFINTERRUPT) {
		s.WdfDpcEnqueue(second)
	}}}}
	d.add = func(b *bench, s *wdf.Sys) {
		second = must(s.WdfDpcCreate(&wdf.DPCConfig{Size: wdf.DPCConfigSize, EvtDpcFunc: b.object("second", nil)}, parent(b.device)))
		s.KeSetTargetProcessorDpc(s.WdfDpcWdmGetDpc(second), 2)
	}
	b := newBench(t, d)
	b.startDevice()
	b.only = []string{"second", "D0Exit"}
	got := b.explore(body{0, func(s *wdf.Sys) {
		b.SendMessage(0x51)
		s.SetPower(b.device, wdf.PowerDeviceD3)
	}})
	if !slices.Contains(got, "D0Exit second") || !slices.Contains(got, "second D0Exit") {
		t.Errorf("outcomes %q", got)
	}
}

// The ISR of a device that is not power-pageable can be called in Dx, by another
// device on its line: it knows the power state and returns FALSE (PWR-5, PWR-8: a
// device that is gone reads as all ones).
func TestPWR5PWR8SharedLineInDx(t *testing.T) {
	var status uint64
	d := driver{pageless: true, interrupts: []interrupt{{vector: 0x51, line: true, shared: true, isr: func(b *bench, s *wdf.Sys, _ wdf.WDFINTERRUPT) bool {
		v := s.Load(status, 4)
		b.note("0x%X", v)
		return v != 0xFFFFFFFF && v&1 != 0
	}}}}
	b := newBench(t, d)
	line := b.AddLine("pin", 0x51, false)
	status = b.Mem.Alloc(8, 0, false, 0)
	b.startDevice()
	other, st := b.Connect(kernel.ConnectParams{Name: "other", Vector: 0x51, IRQL: 5, SynchronizeIRQL: 5, Shared: true, Affinity: 1,
		ServiceRoutine: b.InternalFunction("other", func(*kernel.Thread, kernel.Args) uint64 {
			b.note("other")
			b.SetLine(line, 1, false)
			return 1
		})})
	if st.Failed() || other == 0 {
		t.Fatalf("the other device: 0x%X", uint32(st))
	}
	b.power(wdf.PowerDeviceD3)
	b.forget()
	for _, v := range []uint64{0, 0xFFFFFFFF} {
		b.Mem.Store(status, 4, v)
		b.SetLine(line, 1, true)
		b.run()
	}
	b.want("isr0 0x0 other isr0 0xFFFFFFFF other")
	b.wantFindings()
}

// VER-6, VER-1: a verifier break is a finding and the run goes on as the source does
// after it; with the framework verifier off it is a line of the trace, and the call
// does the same.
func TestVER1VER6Profiles(t *testing.T) {
	for _, c := range []struct {
		profile kernel.Profile
		want    []string
	}{
		{kernel.DefaultProfile, []string{"verifier break: STATUS_CANNOT_DELETE"}},
		{kernel.Profile{DriverVerifier: true}, nil},
	} {
		b := newBench(t, driver{profile: &c.profile, interrupts: []interrupt{{vector: 0x51, isr: func(*bench, *wdf.Sys, wdf.WDFINTERRUPT) bool { return true }}}})
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfObjectDelete(b.interrupts[0]) }) // litmus L-51
		b.SendMessage(0x51)
		b.run()
		b.want("isr0")
		b.wantFindings(c.want...)
	}
}
