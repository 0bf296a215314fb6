package wdf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// createChild is a case of a ...Create routine of an object with a parent.
type createChild struct {
	clause string
	want   wdf.NTSTATUS
	call   func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS
}

// tryChildren does the cases with the device as the parent, and what is the same
// for DPCs, timers and work items with good.
func tryChildren(b *bench, s *wdf.Sys, good func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS, cases ...createChild) {
	b.status("OBJ-1 no attributes", good(s, nil), wdf.StatusWdfParentNotSpecified)
	b.status("OBJ-1 no parent", good(s, &wdf.ObjectAttributes{}), wdf.StatusWdfParentNotSpecified)
	b.status("OBJ-1 no device", good(s, parent(s.WdfGetDriver())), wdf.StatusInvalidDeviceRequest)
	b.status("OBJ-1 no device", good(s, parent(must(s.WdfSpinLockCreate(nil)))), wdf.StatusInvalidDeviceRequest)
	b.status("OBJ-1 device", good(s, parent(b.device)), wdf.StatusSuccess)
	b.status("OBJ-1 leads to a device", good(s, parent(must(s.WdfSpinLockCreate(parent(b.device))))), wdf.StatusSuccess)
	for _, c := range cases {
		b.status(c.clause, c.call(s, parent(b.device)), c.want)
	}
}

func TestOBJ1Create(t *testing.T) {
	size := func(n uint32) func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
		return func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
			_, st := s.WdfDpcCreate(&wdf.DPCConfig{Size: n, EvtDpcFunc: 1}, a)
			return st
		}
	}
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			tryChildren(b, s, size(24),
				createChild{"OBJ-1 size 0", wdf.StatusInfoLengthMismatch, size(0)},
				createChild{"OBJ-1 size 32", wdf.StatusInfoLengthMismatch, size(32)},
				createChild{"execution level", wdf.StatusWdfExecutionLevelInvalid, func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
					a.ExecutionLevel = wdf.ExecutionLevelDispatch
					return size(24)(s, a)
				}})
			dpc := newDPC(s, parent(b.device))
			if p := s.WdfDpcGetParentObject(dpc); p != b.device {
				t.Errorf("parent 0x%X", p)
			}
			b.forget()
			b.note("%v", s.WdfDpcEnqueue(dpc)) // a NULL EvtDpcFunc does nothing
		})
		b.want("true")
	})
	c := wdf.DPCConfigInit(5)
	if c != (wdf.DPCConfig{Size: 24, EvtDpcFunc: 5, AutomaticSerialization: true}) {
		t.Errorf("DPCConfigInit: %+v", c)
	}
}

// withDPC adds a WDFDPC to a driver. Its runs are noted as [ ].
func withDPC(d driver, name string, h *wdf.WDFDPC, f func(b *bench, s *wdf.Sys)) driver {
	before := d.add
	d.add = func(b *bench, s *wdf.Sys) {
		if before != nil {
			before(b, s)
		}
		c := wdf.DPCConfigInit(b.fn(name, func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("%s[", name)
			if wdf.Handle(a[0]) != *h || s.IRQL() != wdf.DispatchLevel {
				b.Errorf("EvtDpcFunc gets 0x%X at %d", a[0], s.IRQL())
			}
			if f != nil {
				f(b, s)
			}
			b.note("%s]", name)
			return 0
		}))
		*h = must(s.WdfDpcCreate(&c, parent(b.device)))
	}
	return d
}

// Enqueue is KeInsertQueueDpc with NULL arguments, at any level (OBJ-2).
func TestOBJ2Enqueue(t *testing.T) {
	var dpc wdf.WDFDPC
	scenario(t, withDPC(driver{}, "D", &dpc, nil), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(kernel.HighLevel)
			b.note("%v", s.WdfDpcEnqueue(dpc))
			b.note("%v", s.WdfDpcEnqueue(dpc))
			kdpc := s.WdfDpcWdmGetDpc(dpc)
			b.note("%d %d", s.Load(kdpc+40, 8), s.Load(kdpc+48, 8))
			s.KeLowerIrql(old)
			b.note("%v", s.WdfDpcEnqueue(dpc))
		})
		b.want("true false 0 0 D[ D] D[ D] true")
	})
}

// Cancel without wait is KeRemoveQueueDpc, at any level (OBJ-3).
func TestOBJ3CancelWithoutWait(t *testing.T) {
	var dpc wdf.WDFDPC
	scenario(t, withDPC(driver{}, "D", &dpc, nil), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(kernel.HighLevel)
			b.note("%v", s.WdfDpcCancel(dpc, false))
			s.WdfDpcEnqueue(dpc)
			b.note("%v", s.WdfDpcCancel(dpc, false))
			s.KeLowerIrql(old)
			b.note("%v", s.WdfDpcCancel(dpc, true))
		})
		b.want("false true false")
	})
}

// With wait at raised level: litmus L-18 b and c (OBJ-3, VER-3).
func TestOBJ3CancelWithWaitInADPC(t *testing.T) {
	for _, c := range []struct {
		verifier, queued bool
		noted            string
		findings         []string
	}{
		{true, true, "false other D[ D]", []string{"verifier break: KmdfIrql"}},
		{true, false, "false other", []string{"verifier break: KmdfIrql"}},
		{false, true, "true other", []string{"KmdfIrql"}},
		{false, false, "", []string{"KmdfIrql", "bug check 0xA IRQL_NOT_LESS_OR_EQUAL (0x0, 0x2, 0x0, 0x0)"}},
	} {
		var dpc, other wdf.WDFDPC
		d := withDPC(withDPC(driver{}, "D", &dpc, nil), "other", &other, func(b *bench, s *wdf.Sys) {
			if c.queued {
				s.WdfDpcEnqueue(dpc)
			}
			b.note("%v", s.WdfDpcCancel(dpc, true))
			b.note("other")
		})
		d.profile = &kernel.Profile{FrameworkVerifier: c.verifier, DriverVerifier: true}
		b := newBench(t, d)
		b.only = []string{"true", "false", "other", "D[", "D]"}
		b.forget()
		b.spawn(0, func(s *wdf.Sys) { s.WdfDpcEnqueue(other) })
		b.Run()
		b.want(c.noted)
		b.wantFindings(c.findings...)
	}
}

// With wait, FALSE means that what was queued before has ended (OBJ-3).
func TestOBJ3CancelWithWait(t *testing.T) {
	var dpc wdf.WDFDPC
	var x uint64
	d := withDPC(driver{processors: 2}, "D", &dpc, func(b *bench, s *wdf.Sys) { s.Load(x, 8) })
	b := newBench(t, d)
	x = b.Mem.Alloc(8, 0, false, 0)
	b.wantOutcomes(b.explore(
		body{1, func(s *wdf.Sys) { atDispatch(s, func() { s.WdfDpcEnqueue(dpc) }) }},
		body{0, func(s *wdf.Sys) { b.note("%v", s.WdfDpcCancel(dpc, true)) }},
	),
		"true",
		"D[ D] false",
		"false D[ D]", // it came after the call
	)
}

// A cancel with wait that succeeds returns although an older run is active on
// another processor (OBJ-3).
func TestOBJ3TrueWithAnOlderRun(t *testing.T) {
	var dpc wdf.WDFDPC
	var x uint64
	d := withDPC(driver{processors: 2}, "D", &dpc, func(b *bench, s *wdf.Sys) { s.Load(x, 8) })
	d.add = func(add func(b *bench, s *wdf.Sys)) func(b *bench, s *wdf.Sys) {
		return func(b *bench, s *wdf.Sys) {
			add(b, s)
			s.KeSetTargetProcessorDpc(s.WdfDpcWdmGetDpc(dpc), 1) // OBJ-5
			s.KeSetImportanceDpc(s.WdfDpcWdmGetDpc(dpc), kernel.HighImportance)
		}
	}(d.add)
	b := newBench(t, d)
	x = b.Mem.Alloc(8, 0, false, 0)
	got := b.explore(body{0, func(s *wdf.Sys) {
		s.WdfDpcEnqueue(dpc)
		s.WdfDpcEnqueue(dpc)
		b.note("%v", s.WdfDpcCancel(dpc, true))
	}})
	if !slices.Contains(got, "D[ true D]") {
		t.Errorf("outcomes %q", got)
	}
	for _, o := range got {
		if strings.Contains(o, "D[ false") {
			t.Errorf("outcome %s", o)
		}
	}
}

// The KDPC of WdfDpcWdmGetDpc takes target and importance (OBJ-5, DPC-6).
func TestOBJ5WdmGetDpc(t *testing.T) {
	var dpc wdf.WDFDPC
	d := withDPC(driver{processors: 2}, "D", &dpc, func(b *bench, s *wdf.Sys) { b.note("on%d", s.Processor()) })
	scenario(t, d, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			s.KeSetTargetProcessorDpc(s.WdfDpcWdmGetDpc(dpc), 1)
			s.WdfDpcEnqueue(dpc)
		})
		b.want("D[ on1 D]")
	})
}

// Deleting a queued DPC waits until it has run (OBJ-4); after the disposal it
// has no parent.
func TestOBJ4DeleteQueued(t *testing.T) {
	b := newBench(t, driver{processors: 2})
	var dpc wdf.WDFDPC
	var x uint64
	b.do(func(s *wdf.Sys) {
		c := wdf.DPCConfigInit(b.fn("D", func(s *wdf.Sys, _ kernel.Args) uint64 {
			b.note("[")
			s.Load(x, 8)
			b.note("]")
			return 0
		}))
		a := parent(b.device)
		a.EvtCleanupCallback = b.object("cleanup", func(s *wdf.Sys, h wdf.Handle) { b.note("%d", s.WdfDpcGetParentObject(h)) })
		dpc = must(s.WdfDpcCreate(&c, a))
	})
	x = b.Mem.Alloc(8, 0, false, 0)
	queued := false
	b.before = func() { queued = false }
	b.wantOutcomes(b.explore(
		body{1, func(s *wdf.Sys) {
			atDispatch(s, func() {
				s.WdfDpcEnqueue(dpc)
				queued = true
			})
		}},
		body{0, func(s *wdf.Sys) {
			s.BusyWait("the DPC to be queued", func() bool { return queued })
			s.WdfObjectDelete(dpc)
			b.note("deleted")
		}},
	), "[ ] cleanup 0 deleted")
}

// A DPC that is queued after its disposal is found when its memory goes (OBJ-4,
// DPC-26).
func TestOBJ4QueuedAfterTheDisposal(t *testing.T) {
	b := newBench(t, driver{processors: 2})
	b.stop(func(s *wdf.Sys) {
		c := wdf.DPCConfigInit(b.object("F", nil))
		a := parent(b.device)
		a.EvtDestroyCallback = b.object("destroy", func(s *wdf.Sys, h wdf.Handle) {
			s.KeSetTargetProcessorDpc(s.WdfDpcWdmGetDpc(h), 1) // Medium: P1 does not run it at once
			s.WdfDpcEnqueue(h)
		})
		s.WdfObjectDelete(must(s.WdfDpcCreate(&c, a)))
	})
	b.wantBugCheck("DPC-26", 0xC7, 1)
}

// A DPC object with a queued mark of its own per object: litmus L-76 a (OBJ-22).
func TestOBJ22IndependentObjects(t *testing.T) {
	var a, c wdf.WDFDPC
	d := withDPC(withDPC(driver{interrupts: []interrupt{{vector: 0x51}}}, "A", &a, nil), "B", &c, nil)
	d.interrupts[0].isr = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		b.note("%v %v %v", s.WdfDpcEnqueue(a), s.WdfDpcEnqueue(c), s.WdfDpcEnqueue(a))
		return true
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.SendMessage(0x51)
		b.run()
		b.want("isr0 true true false A[ A] B[ B]")
	})
}

// Two DPC objects on two processors may overlap; with automatic serialization of
// device scope never: litmus L-76 b (OBJ-22, SER-1). With queue scope and a queue
// as the parent of each they may, as each has the lock of its own queue.
func TestOBJ22TwoProcessors(t *testing.T) {
	for _, scope := range []wdf.SynchronizationScope{wdf.SynchronizationScopeNone, wdf.SynchronizationScopeQueue, wdf.SynchronizationScopeDevice} {
		var dpcs [2]wdf.WDFDPC
		var x uint64
		d := driver{processors: 2, attributes: wdf.ObjectAttributes{SynchronizationScope: scope}}
		d.add = func(b *bench, s *wdf.Sys) {
			for n, name := range []string{"A", "B"} {
				q := wdf.IoQueueConfigInit(wdf.IoQueueDispatchManual)
				queue := must(s.WdfIoQueueCreate(b.device, &q, nil))
				c := wdf.DPCConfigInit(b.fn(name, func(s *wdf.Sys, a kernel.Args) uint64 {
					b.note("%s[", name)
					s.Load(x, 8)
					b.note("%s]", name)
					return 0
				}))
				dpcs[n] = must(s.WdfDpcCreate(&c, parent(queue)))
			}
		}
		b := newBench(t, d)
		x = b.Mem.Alloc(8, 0, false, 0)
		want := []string{"A[ A] B[ B]", "B[ B] A[ A]"}
		if scope != wdf.SynchronizationScopeDevice {
			want = append(want, "A[ B[ A] B]", "A[ B[ B] A]", "B[ A[ A] B]", "B[ A[ B] A]")
		}
		b.wantOutcomes(b.explore(
			body{0, func(s *wdf.Sys) { s.WdfDpcEnqueue(dpcs[0]) }},
			body{1, func(s *wdf.Sys) { s.WdfDpcEnqueue(dpcs[1]) }},
		), want...)
	}
}
