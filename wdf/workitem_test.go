package wdf_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func TestOBJ10Create(t *testing.T) {
	with := func(change func(c *wdf.WorkItemConfig)) func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
		return func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
			c := wdf.WorkItemConfigInit(1)
			c.AutomaticSerialization = false
			change(&c)
			_, st := s.WdfWorkItemCreate(&c, a)
			return st
		}
	}
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			tryChildren(b, s, with(func(*wdf.WorkItemConfig) {}),
				createChild{"size", wdf.StatusInfoLengthMismatch, with(func(c *wdf.WorkItemConfig) { c.Size = 32 })},
				createChild{"no callback", wdf.StatusInvalidParameter, with(func(c *wdf.WorkItemConfig) { c.EvtWorkItemFunc = 0 })},
				createChild{"size before callback", wdf.StatusInfoLengthMismatch, with(func(c *wdf.WorkItemConfig) { c.Size, c.EvtWorkItemFunc = 0, 0 })},
				createChild{"execution level", wdf.StatusWdfExecutionLevelInvalid, func(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.NTSTATUS {
					a.ExecutionLevel = wdf.ExecutionLevelPassive
					return with(func(*wdf.WorkItemConfig) {})(s, a)
				}},
			)
			c := wdf.WorkItemConfigInit(1)
			work := must(s.WdfWorkItemCreate(&c, parent(b.device)))
			if p := s.WdfWorkItemGetParentObject(work); p != b.device {
				t.Errorf("parent 0x%X", p)
			}
		})
	})
	if c := wdf.WorkItemConfigInit(3); c != (wdf.WorkItemConfig{Size: 24, EvtWorkItemFunc: 3, AutomaticSerialization: true}) {
		t.Errorf("WorkItemConfigInit: %+v", c)
	}
}

// workDriver is a driver with a WDFWORKITEM. Its runs are noted as [1 1].
func workDriver(h *wdf.WDFWORKITEM, f func(b *bench, s *wdf.Sys, run int)) driver {
	return driver{add: func(b *bench, s *wdf.Sys) {
		runs := 0
		b.before = func() { runs = 0 }
		c := wdf.WorkItemConfigInit(b.fn("work item", func(s *wdf.Sys, a kernel.Args) uint64 {
			runs++
			n := runs
			b.note("[%d", n)
			if wdf.Handle(a[0]) != *h || s.IRQL() != wdf.PassiveLevel {
				b.Errorf("EvtWorkItem gets 0x%X at %d", a[0], s.IRQL())
			}
			if f != nil {
				f(b, s, n)
			}
			b.note("%d]", n)
			return 0
		}))
		c.AutomaticSerialization = false
		*h = must(s.WdfWorkItemCreate(&c, parent(b.device)))
	}}
}

// Enqueue is ignored while the work item is enqueued and has not started
// (OBJ-11).
func TestOBJ11Enqueue(t *testing.T) {
	var work wdf.WDFWORKITEM
	scenario(t, workDriver(&work, nil), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			atDispatch(s, func() {
				s.WdfWorkItemEnqueue(work)
				s.WdfWorkItemEnqueue(work)
			})
			s.WdfWorkItemEnqueue(work)
		})
		b.want("[1 1] [2 2]")
	})
}

// It is accepted during the callback; the second run may follow, overlap, or end
// first (OBJ-11).
func TestOBJ11EnqueueDuringTheCallback(t *testing.T) {
	var work wdf.WDFWORKITEM
	d := workDriver(&work, func(b *bench, s *wdf.Sys, run int) {
		if run == 1 {
			s.WdfWorkItemEnqueue(work)
		}
		s.KeStallExecutionProcessor(1)
	})
	d.processors = 2
	b := newBench(t, d)
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { s.WdfWorkItemEnqueue(work) }}),
		"[1 1] [2 2]", "[1 [2 1] 2]", "[1 [2 2] 1]")
}

// Flush waits until nothing is enqueued or running (OBJ-12).
func TestOBJ12Flush(t *testing.T) {
	var work wdf.WDFWORKITEM
	d := workDriver(&work, func(b *bench, s *wdf.Sys, run int) {
		if run == 1 {
			s.WdfWorkItemEnqueue(work)
		}
		s.KeStallExecutionProcessor(1)
	})
	d.processors = 2
	b := newBench(t, d)
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) {
		s.WdfWorkItemEnqueue(work)
		s.WdfWorkItemFlush(work)
		b.note("flushed")
		s.WdfWorkItemFlush(work) // nothing to wait for
	}}), "[1 1] [2 2] flushed", "[1 [2 1] 2] flushed", "[1 [2 2] 1] flushed")

	// Two threads that flush are both released.
	b = newBench(t, workDriver(&work, nil))
	b.do(func(s *wdf.Sys) {
		old := s.KeRaiseIrql(wdf.DispatchLevel)
		s.WdfWorkItemEnqueue(work)
		for range 2 {
			b.spawn(0, func(s *wdf.Sys) { s.WdfWorkItemFlush(work) })
		}
		s.KeLowerIrql(old)
		s.WdfWorkItemFlush(work)
	})
}

// Flush in the callback returns at once, with a verifier break; above
// PASSIVE_LEVEL as well (OBJ-12, VER-3).
func TestOBJ12FlushInOwnCallback(t *testing.T) {
	var work wdf.WDFWORKITEM
	scenario(t, workDriver(&work, func(b *bench, s *wdf.Sys, run int) { s.WdfWorkItemFlush(work) }), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfWorkItemEnqueue(work) })
		b.want("[1 1]")
		b.wantFindings("verifier break: WdfWorkItemFlush in the work item's callback")
	})
	// The framework remembers one thread only: with a second run it would wait
	// for ever.
	d := workDriver(&work, func(b *bench, s *wdf.Sys, run int) {
		if run == 1 {
			s.WdfWorkItemEnqueue(work)
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			s.WdfWorkItemFlush(work)
		}
	})
	b := newBench(t, d)
	b.stop(func(s *wdf.Sys) {
		s.WdfWorkItemEnqueue(work)
		s.KeDelayExecutionThread(kernel.After(10_000_000))
	})
	b.want("[1 [2 2]")
	b.wantFindings("deadlock")
}

// A work item may delete itself in its callback; it is cleaned up there and
// destroyed after the callback has returned (OBJ-13). Otherwise the deletion
// waits for the callback.
func TestOBJ13Delete(t *testing.T) {
	for _, own := range []bool{true, false} {
		d := driver{processors: 1, add: func(b *bench, s *wdf.Sys) {
			c := wdf.WorkItemConfigInit(b.fn("work item", func(s *wdf.Sys, a kernel.Args) uint64 {
				b.note("[")
				s.KeDelayExecutionThread(kernel.After(1000))
				if own {
					s.WdfObjectDelete(wdf.Handle(a[0]))
				}
				b.note("]")
				return 0
			}))
			c.AutomaticSerialization = false
			a := named(b, "work", b.device)
			work := must(s.WdfWorkItemCreate(&c, a))
			s.WdfWorkItemEnqueue(work)
			if !own {
				s.WdfObjectDelete(work)
				b.note("deleted")
			}
		}}
		want := "[ -work@0 ] ~work@0"
		if !own {
			want = "[ ] -work@0 ~work@0 deleted"
		}
		scenario(t, d, func(b *bench) { b.want(want) })
	}
}

// Enqueue on a work item that is being deleted is refused (OBJ-11).
func TestOBJ11EnqueueDeleted(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			c := wdf.WorkItemConfigInit(b.object("work item", nil))
			c.AutomaticSerialization = false
			a := parent(b.device)
			a.EvtCleanupCallback = b.object("cleanup", func(s *wdf.Sys, h wdf.Handle) {
				s.WdfWorkItemEnqueue(h)
				b.note("%d", s.WdfWorkItemGetParentObject(h))
			})
			work := must(s.WdfWorkItemCreate(&c, a))
			b.forget()
			s.WdfObjectDelete(work)
		})
		b.want("cleanup 0")
		b.wantFindings("verifier break: WdfWorkItemEnqueue on a deleted work item")
	})
}

// Work items start in queue order; they may end in any (OBJ-14).
func TestOBJ14Order(t *testing.T) {
	var work [3]wdf.WDFWORKITEM
	b := newBench(t, driver{processors: 2, add: func(b *bench, s *wdf.Sys) {
		for n := range work {
			c := wdf.WorkItemConfigInit(b.fn(fmt.Sprint("work item ", n), func(s *wdf.Sys, a kernel.Args) uint64 {
				b.note("[%d", n)
				s.KeStallExecutionProcessor(1)
				b.note("%d]", n)
				return 0
			}))
			c.AutomaticSerialization = false
			work[n] = must(s.WdfWorkItemCreate(&c, parent(b.device)))
		}
	}})
	got := b.explore(body{0, func(s *wdf.Sys) {
		atDispatch(s, func() {
			for _, w := range work[:2] {
				s.WdfWorkItemEnqueue(w)
			}
		})
	}})
	for _, o := range got {
		if strings.Index(o, "[0") > strings.Index(o, "[1") {
			t.Errorf("not in queue order: %s", o)
		}
	}
	for _, want := range []string{"[0 0] [1 1]", "[0 [1 0] 1]", "[0 [1 1] 0]"} {
		if !slices.Contains(got, want) {
			t.Errorf("not reached: %s; outcomes %q", want, got)
		}
	}
}

// A work item can start after EvtDeviceD0Exit: the framework does not wait for
// it. Litmus L-46 (PWR-2).
func TestPWR2WorkItemAfterD0Exit(t *testing.T) {
	var work wdf.WDFWORKITEM
	d := workDriver(&work, nil)
	d.processors = 2
	b := newBench(t, d)
	b.startDevice()
	b.only = []string{"D0Exit", "[1"}
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) {
		s.WdfWorkItemEnqueue(work)
		s.SetPower(b.device, wdf.PowerDeviceD3)
	}}), "[1 D0Exit", "D0Exit [1")
}
