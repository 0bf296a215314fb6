package wdf_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// named returns attributes whose cleanup and destroy callbacks note the name of
// the object and the IRQL: -A@0, ~A@0.
func named(b *bench, name string, parent wdf.Handle) *wdf.ObjectAttributes {
	note := func(sign string) wdf.Callback {
		return b.fn(sign+name, func(s *wdf.Sys, _ kernel.Args) uint64 {
			b.note("%s%s@%d", sign, name, s.IRQL())
			return 0
		})
	}
	return &wdf.ObjectAttributes{ParentObject: parent, EvtCleanupCallback: note("-"), EvtDestroyCallback: note("~")}
}

// must returns the handle of an object that was made.
func must(h wdf.Handle, st wdf.NTSTATUS) wdf.Handle {
	if st.Failed() {
		panic(fmt.Sprintf("the object was not made: 0x%X", uint32(st)))
	}
	return h
}

func newDPC(s *wdf.Sys, a *wdf.ObjectAttributes) wdf.Handle {
	return must(s.WdfDpcCreate(&wdf.DPCConfig{Size: 24}, a))
}

// Cleanup callbacks of children come before that of the parent, then destroy
// callbacks of children before that of the parent; siblings in order of creation.
func TestDeletionOrder(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			root := newDPC(s, named(b, "root", b.device))
			first := must(s.WdfSpinLockCreate(named(b, "first", root)))
			must(s.WdfWaitLockCreate(named(b, "second", root)))
			must(s.WdfSpinLockCreate(named(b, "grandchild", first)))
			s.WdfObjectDelete(root)
		})
		b.want("-grandchild@0 -first@0 -second@0 -root@0 ~grandchild@0 ~first@0 ~second@0 ~root@0")
	})
}

// A removed device takes its objects along, an unloaded driver what belongs to
// it. The objects of the device are gone before the device.
func TestDeletionWithDeviceAndDriver(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			newDPC(s, named(b, "dpc", b.device))
			must(s.WdfSpinLockCreate(named(b, "lock of the device", b.device)))
			must(s.WdfSpinLockCreate(named(b, "lock of the driver", 0)))
		})
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		b.forget()
		b.remove()
		b.want("QueryRemove ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup -dpc@0 -lock of the device@0 ~dpc@0 ~lock of the device@0")
		b.do(func(s *wdf.Sys) { s.Unload() })
		b.want("-lock of the driver@0 ~lock of the driver@0")
	})
}

var objectContext = wdf.NewContextType("OBJECT_CONTEXT")

var contextWord = wdf.NewField[uint64](objectContext, "Word")

// A context is there until the destroy callback has returned; a touch of the
// context of a deleted object is 0xD5 (VER-7).
func TestContextOfDeletedObject(t *testing.T) {
	b := newBench(t, driver{})
	var ctx uint64
	b.forget()
	b.stop(func(s *wdf.Sys) {
		a := &wdf.ObjectAttributes{ContextType: objectContext}
		a.EvtCleanupCallback = b.object("cleanup", func(s *wdf.Sys, h wdf.Handle) {
			b.note("%d", contextWord.Load(s, s.WdfObjectGetTypedContext(h, objectContext)))
		})
		a.EvtDestroyCallback = b.object("destroy", func(s *wdf.Sys, h wdf.Handle) {
			b.note("%d", contextWord.Load(s, s.WdfObjectGetTypedContext(h, objectContext)))
		})
		h := must(s.WdfSpinLockCreate(a))
		ctx = s.WdfObjectGetTypedContext(h, objectContext)
		b.note("%d", contextWord.Load(s, ctx)) // zeroed
		contextWord.Store(s, ctx, 7)
		s.WdfObjectDelete(h)
		contextWord.Load(s, ctx)
	})
	b.want("0 cleanup 7 destroy 7")
	b.wantBugCheck("VER-7", 0xD5, ctx)
}

// A reference keeps an object after its cleanup, also when its parent goes; the
// last dereference destroys it.
func TestReferences(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			root := newDPC(s, named(b, "root", b.device))
			a := named(b, "child", root)
			a.ContextType = objectContext
			child := must(s.WdfSpinLockCreate(a))
			s.WdfObjectReference(child)
			s.WdfObjectReference(child)
			s.WdfObjectDelete(child)
			s.WdfObjectDelete(root)
			contextWord.Load(s, s.WdfObjectGetTypedContext(child, objectContext))
			s.WdfObjectDereference(child)
			b.note("last")
			s.WdfObjectDereference(child)
		})
		b.want("-child@0 -root@0 ~root@0 last ~child@0")
		b.do(func(s *wdf.Sys) { // the parent goes first
			root := newDPC(s, named(b, "root 2", b.device))
			child := must(s.WdfSpinLockCreate(named(b, "child 2", root)))
			s.WdfObjectReference(child)
			s.WdfObjectDelete(root)
			s.WdfObjectDereference(child)
		})
		b.want("-child 2@0 -root 2@0 ~root 2@0 ~child 2@0")
	})
}

// Dropping the reference that belongs to the framework is 0x10D/7 (OBJ-21), also
// in the cleanup callback.
func TestOBJ21OverDereference(t *testing.T) {
	b := newBench(t, driver{})
	var h wdf.Handle
	b.stop(func(s *wdf.Sys) {
		h = must(s.WdfSpinLockCreate(nil))
		s.WdfObjectDereference(h)
	})
	b.wantBugCheck("OBJ-21", 0x10D, 7, uint64(h))

	b = newBench(t, driver{})
	b.stop(func(s *wdf.Sys) {
		h = must(s.WdfSpinLockCreate(&wdf.ObjectAttributes{EvtCleanupCallback: b.object("cleanup", func(s *wdf.Sys, h wdf.Handle) {
			s.WdfObjectDereference(h)
		})}))
		s.WdfObjectDelete(h)
	})
	b.wantBugCheck("OBJ-21", 0x10D, 7, uint64(h))
}

// WdfObjectDelete on what the framework deletes: a verifier break, or a line in
// the trace, and no effect (OBJ-20).
func TestOBJ20CannotBeDeleted(t *testing.T) {
	var o objects
	d := objectDriver(&o)
	var queue wdf.WDFQUEUE
	add := d.add
	d.add = func(b *bench, s *wdf.Sys) {
		add(b, s)
		c := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchManual)
		queue = must(s.WdfIoQueueCreate(b.device, &c, nil))
	}
	delete := func(b *bench) {
		b.startDevice()
		for _, h := range []wdf.Handle{o.driver, o.device, o.interrupt, b.list, queue} {
			b.do(func(s *wdf.Sys) { s.WdfObjectDelete(h) })
			if b.d.profile == nil {
				b.wantFindings("verifier break: STATUS_CANNOT_DELETE")
			}
		}
		b.forget()
		b.SendMessage(0x51)
		b.run()
		b.want("isr0 dpc0")
		b.remove()
	}
	scenario(t, d, delete)
	d.profile = &kernel.Profile{DriverVerifier: true}
	scenario(t, d, delete)
}

// A second WdfObjectDelete is a verifier break without effect; on an object that
// is gone it is an invalid handle.
func TestDoubleDelete(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			h := must(s.WdfSpinLockCreate(named(b, "lock", 0)))
			s.WdfObjectReference(h)
			s.WdfObjectDelete(h)
			s.WdfObjectDelete(h)
			s.WdfObjectDereference(h)
		})
		b.want("-lock@0 ~lock@0")
		b.wantFindings("verifier break: double delete")
		b.do(func(s *wdf.Sys) { // in the cleanup callback
			a := named(b, "again", 0)
			a.EvtCleanupCallback = b.object("cleanup", func(s *wdf.Sys, h wdf.Handle) { s.WdfObjectDelete(h) })
			s.WdfObjectDelete(must(s.WdfSpinLockCreate(a)))
		})
		b.want("cleanup ~again@0")
		b.wantFindings("verifier break: double delete")
	})
	b := newBench(t, driver{})
	b.stop(func(s *wdf.Sys) {
		h := must(s.WdfSpinLockCreate(nil))
		s.WdfObjectDelete(h)
		s.WdfObjectDelete(h)
	})
	b.wantBugCheck("OBJ-18", 0x10D, 5)
}

// While the parent is being deleted, a child is deleted with it and not before,
// and nothing can be added.
func TestDeletionDuringTheParents(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			root := newDPC(s, named(b, "root", b.device))
			a := named(b, "first", root)
			var second wdf.Handle
			a.EvtCleanupCallback = b.object("cleanup", func(s *wdf.Sys, h wdf.Handle) {
				s.WdfObjectDelete(second)
				_, st := s.WdfSpinLockCreate(named(b, "late", root))
				b.status("WdfSpinLockCreate", st, wdf.StatusDeletePending)
				_, st = s.WdfDpcCreate(&wdf.DPCConfig{Size: 24}, named(b, "late 2", root))
				b.status("WdfDpcCreate", st, wdf.StatusDeletePending)
				_, st = s.WdfWaitLockCreate(named(b, "late 3", root))
				b.status("WdfWaitLockCreate", st, wdf.StatusDeletePending)
				_, st = s.WdfObjectAllocateContext(root, &wdf.ObjectAttributes{ContextType: objectContext})
				b.status("WdfObjectAllocateContext", st, wdf.StatusDeletePending)
			})
			must(s.WdfSpinLockCreate(a))
			second = must(s.WdfSpinLockCreate(named(b, "second", root)))
			s.WdfObjectDelete(root)
		})
		b.want("cleanup -second@0 -root@0 ~first@0 ~second@0 ~root@0")
	})
}

// Above PASSIVE_LEVEL a work item deletes what waits when it is disposed of
// (OBJ-4), and what has such a child; the handle is good until then. Others are
// deleted at once.
func TestOBJ4DeletionAtDispatch(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			dpc := newDPC(s, named(b, "dpc", b.device))
			lock := must(s.WdfSpinLockCreate(named(b, "lock", 0)))
			family := must(s.WdfSpinLockCreate(named(b, "parent", b.device)))
			newDPC(s, named(b, "child", family))
			atDispatch(s, func() {
				s.WdfObjectDelete(dpc)
				s.WdfObjectDelete(lock)
				s.WdfObjectDelete(family)
				s.WdfDpcWdmGetDpc(dpc)
				b.note("below")
				s.WdfObjectDelete(dpc)
			})
		})
		b.want("-lock@2 ~lock@2 below -dpc@0 ~dpc@0 -child@0 -parent@0 ~child@0 ~parent@0")
		b.wantFindings("verifier break: double delete")
		b.do(func(s *wdf.Sys) { // the last reference
			dpc := newDPC(s, named(b, "dpc 2", b.device))
			s.WdfObjectReference(dpc)
			s.WdfObjectDelete(dpc)
			atDispatch(s, func() {
				s.WdfObjectDereference(dpc)
				b.note("below")
			})
		})
		b.want("-dpc 2@0 below ~dpc 2@0")
	})
}

// A device outlasts the deletions of its objects that were handed to a work
// item.
func TestDeviceWaitsForDeferredDeletions(t *testing.T) {
	b := newBench(t, driver{processors: 2, attributes: wdf.ObjectAttributes{}})
	b.startDevice()
	var dpc wdf.Handle
	b.do(func(s *wdf.Sys) { dpc = newDPC(s, named(b, "dpc", b.device)) })
	b.only = []string{"-dpc@0", "~dpc@0", "removed"}
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) {
		atDispatch(s, func() { s.WdfObjectDelete(dpc) })
		s.RemoveDevice(b.device)
		b.note("removed")
	}}), "-dpc@0 ~dpc@0 removed")
}

// Contexts of one type are there once; the callbacks of added contexts come
// after those of the object.
func TestAllocateContext(t *testing.T) {
	second := wdf.NewContextType("SECOND_CONTEXT")
	scenario(t, driver{}, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			a := named(b, "own", 0)
			a.ContextType = objectContext
			h := must(s.WdfSpinLockCreate(a))
			added := named(b, "added", 0)
			added.ContextType, added.ContextSizeOverride = second, 64
			p, st := s.WdfObjectAllocateContext(h, added)
			b.status("WdfObjectAllocateContext", st, wdf.StatusSuccess)
			q, st := s.WdfObjectAllocateContext(h, added)
			b.status("WdfObjectAllocateContext", st, wdf.StatusObjectNameExists)
			if p != q || p != s.WdfObjectGetTypedContext(h, second) || p == s.WdfObjectGetTypedContext(h, objectContext) {
				t.Errorf("contexts at 0x%X and 0x%X", p, q)
			}
			s.Store(p+56, 8, 1) // the override is the size
			s.WdfObjectDelete(h)
		})
		b.want("-own@0 -added@0 ~own@0 ~added@0")
	})
}

// Attributes that do not fit.
func TestAttributes(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			for _, c := range []struct {
				name string
				a    wdf.ObjectAttributes
				want wdf.NTSTATUS
			}{
				{"override without type", wdf.ObjectAttributes{ContextSizeOverride: 8}, wdf.StatusWdfObjectAttributesInvalid},
				{"override too small", wdf.ObjectAttributes{ContextType: objectContext, ContextSizeOverride: 4}, wdf.StatusWdfObjectAttributesInvalid},
				{"level out of range", wdf.ObjectAttributes{ExecutionLevel: 4}, wdf.StatusWdfObjectAttributesInvalid},
				{"scope out of range", wdf.ObjectAttributes{SynchronizationScope: 5}, wdf.StatusWdfObjectAttributesInvalid},
				{"level", wdf.ObjectAttributes{ExecutionLevel: wdf.ExecutionLevelPassive}, wdf.StatusWdfExecutionLevelInvalid},
				{"scope", wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeQueue}, wdf.StatusWdfSynchronizationScopeInvalid},
				{"scope none", wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeNone}, wdf.StatusSuccess},
			} {
				_, st := s.WdfSpinLockCreate(&c.a)
				b.status("WdfSpinLockCreate, "+c.name, st, c.want)
				_, st = s.WdfWaitLockCreate(&c.a)
				b.status("WdfWaitLockCreate, "+c.name, st, c.want)
				c.a.ParentObject = b.device
				_, st = s.WdfDpcCreate(&wdf.DPCConfig{Size: 24}, &c.a)
				b.status("WdfDpcCreate, "+c.name, st, c.want)
			}
		})
	})
}

func TestUserObject(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			lock, st := s.WdfSpinLockCreate(nil)
			b.status("parent", st, 0)
			child, st := s.WdfObjectCreate(&wdf.ObjectAttributes{ParentObject: lock, ContextType: wmiContext, EvtCleanupCallback: b.object("cleanup", nil)})
			b.status("WdfObjectCreate", st, 0)
			wmiValue.Store(s, s.WdfObjectGetTypedContext(child, wmiContext), 7)
			b.want("")
			s.WdfObjectDelete(lock)
			b.want("cleanup")
			s.WdfVerifierDbgBreakPoint()
		})
		b.wantFindings("verifier break: WdfVerifierDbgBreakPoint")
	})
}
