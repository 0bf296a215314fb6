package kernel_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// resource makes a resource.
func (b *bench) resource() uint64 {
	r := b.alloc(kernel.ResourceSize)
	b.do(func(t *kernel.Thread) { t.ExInitializeResourceLite(r) })
	return r
}

// inRegion runs f in a critical region.
func inRegion(t *kernel.Thread, f func()) {
	t.KeEnterCriticalRegion()
	f()
	t.KeLeaveCriticalRegion()
}

// Exclusive access excludes every other one, shared access only exclusive access: the
// outcomes of all schedules (IRQL-17).
func TestIRQL17ResourceExcludes(t *testing.T) {
	for _, procs := range []int{1, 2} {
		b := newBench(t, kernel.Config{Processors: procs, QuantumEnd: true})
		r, x := b.resource(), b.cell()
		reaches(t, b.outcomes(func() {
			for i := range 2 {
				b.thread(i%procs, func(t *kernel.Thread) {
					t.ExEnterCriticalRegionAndAcquireResourceExclusive(r)
					t.Store(x, 8, t.Load(x, 8)+1)
					t.ExReleaseResourceAndLeaveCriticalRegion(r)
				})
			}
		}, func() string { return fmt.Sprint(b.value(x)) }), "2")
	}
	b := newBench(t, kernel.Config{Processors: 2})
	r, both, inside := b.resource(), b.cell(), [2]uint64{b.cell(), b.cell()}
	reaches(t, b.outcomes(func() {
		for i := range 2 {
			b.thread(i, func(t *kernel.Thread) {
				t.ExEnterCriticalRegionAndAcquireResourceShared(r)
				t.Store(inside[i], 8, 1)
				if t.Load(inside[1-i], 8) != 0 {
					t.Store(both, 8, 1)
				}
				t.Store(inside[i], 8, 0)
				t.ExReleaseResourceAndLeaveCriticalRegion(r)
			})
		}
	}, func() string { return fmt.Sprint(b.value(both)) }), "0", "1")
}

// What each form of acquire answers without a wait, by who owns the resource and who
// waits for it (IRQL-17).
func TestIRQL17ResourceGranted(t *testing.T) {
	try := func(b *bench, t *kernel.Thread, r uint64) {
		b.note("E%d", b2u(t.ExAcquireResourceExclusiveLite(r, false)))
		b.note("S%d", b2u(t.ExAcquireResourceSharedLite(r, false)))
		b.note("V%d", b2u(t.ExAcquireSharedStarveExclusive(r, false)))
		b.note("W%d", b2u(t.ExAcquireSharedWaitForExclusive(r, false)))
		for t.ExIsResourceAcquiredSharedLite(r) > 0 {
			t.ExReleaseResourceLite(r)
		}
	}
	for _, c := range []struct {
		name       string
		owner, own func(t *kernel.Thread, r uint64) // what another thread, and this one, acquire first
		waiter     bool                             // a third thread waits for exclusive access
		want       string
	}{
		{name: "free", want: "E1 S1 V1 W1"},
		{name: "own exclusive", own: exclusive, want: "E1 S1 V1 W1"},
		{name: "own exclusive, a waiter", own: exclusive, waiter: true, want: "E1 S1 V1 W1"},
		{name: "own shared", own: shared, want: "E0 S1 V1 W1"},
		{name: "own shared, a waiter", own: shared, waiter: true, want: "E0 S1 V1 W0"},
		{name: "other exclusive", owner: exclusive, want: "E0 S0 V0 W0"},
		{name: "other shared", owner: shared, want: "E0 S1 V1 W1"},
		{name: "other shared, a waiter", owner: shared, waiter: true, want: "E0 S0 V1 W0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Processors: 1}, func(b *bench) {
				r := b.resource()
				b.do(func(t *kernel.Thread) {
					inRegion(t, func() {
						if c.owner != nil {
							b.thread(0, func(t *kernel.Thread) {
								t.KeEnterCriticalRegion()
								c.owner(t, r)
								t.KeDelayExecutionThread(kernel.After(10_000_000))
								t.ExReleaseResourceAndLeaveCriticalRegion(r)
							})
							t.KeDelayExecutionThread(kernel.After(1000))
						}
						if c.own != nil {
							c.own(t, r)
						}
						if c.waiter {
							b.thread(0, func(t *kernel.Thread) {
								t.ExEnterCriticalRegionAndAcquireResourceExclusive(r)
								t.ExReleaseResourceAndLeaveCriticalRegion(r)
							})
							t.KeDelayExecutionThread(kernel.After(1000))
							b.is("waiters", t.ExGetExclusiveWaiterCount(r), uint32(1))
						}
						try(b, t, r)
					})
				})
				b.noted(c.want)
			})
		})
	}
}

func exclusive(t *kernel.Thread, r uint64) { t.ExAcquireResourceExclusiveLite(r, true) }
func shared(t *kernel.Thread, r uint64)    { t.ExAcquireResourceSharedLite(r, true) }

// Who gets a resource when it is released or shared (IRQL-17): after exclusive access
// all that want to share it, else who has waited longest for exclusive access.
func TestIRQL17ResourceHandedOver(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(t *kernel.Thread, r uint64)
		last  func(t *kernel.Thread, r uint64)
		want  string
	}{
		{"exclusive released", exclusive, nil, "waiting 2 2 | s1 s3 e0 e2"},
		{"shared released", shared, nil, "waiting 2 2 | e0 s1 s3 e2"},
		{"converted", exclusive, func(t *kernel.Thread, r uint64) { t.ExConvertExclusiveToSharedLite(r) }, "waiting 2 2 s1 s3 | e0 e2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Processors: 1}, func(b *bench) {
				r := b.resource()
				b.do(func(t *kernel.Thread) {
					t.KeEnterCriticalRegion()
					c.first(t, r)
					for i := range 4 {
						b.thread(0, func(t *kernel.Thread) {
							t.KeEnterCriticalRegion()
							if i%2 == 0 {
								exclusive(t, r)
								b.note("e%d", i)
							} else {
								shared(t, r)
								b.note("s%d", i)
							}
							t.ExReleaseResourceAndLeaveCriticalRegion(r)
						})
						t.KeDelayExecutionThread(kernel.After(1000))
					}
					b.note("waiting %d %d", t.ExGetExclusiveWaiterCount(r), t.ExGetSharedWaiterCount(r))
					if c.last != nil {
						c.last(t, r)
						t.KeDelayExecutionThread(kernel.After(1000))
					}
					b.note("|")
					t.ExReleaseResourceAndLeaveCriticalRegion(r)
				})
				b.noted(c.want)
			})
		})
	}
}

// Counts, the release for another thread, and the end of a resource (IRQL-17).
func TestIRQL17ResourceOwners(t *testing.T) {
	scenario(t, kernel.Config{Processors: 1}, func(b *bench) {
		r := b.resource()
		b.do(func(t *kernel.Thread) {
			me := t.Object()
			inRegion(t, func() {
				exclusive(t, r)
				shared(t, r)
				b.note("%v %d", t.ExIsResourceAcquiredExclusiveLite(r), t.ExIsResourceAcquiredSharedLite(r))
				t.ExReleaseResourceLite(r)
				b.note("%v %d", t.ExIsResourceAcquiredExclusiveLite(r), t.ExIsResourceAcquiredSharedLite(r))
				t.ExConvertExclusiveToSharedLite(r)
				b.note("%v %d", t.ExIsResourceAcquiredExclusiveLite(r), t.ExIsResourceAcquiredSharedLite(r))
				b.thread(0, func(t *kernel.Thread) {
					inRegion(t, func() { t.ExReleaseResourceForThreadLite(r, me) })
				})
				t.KeDelayExecutionThread(kernel.After(1000))
				b.note("%v %d", t.ExIsResourceAcquiredExclusiveLite(r), t.ExIsResourceAcquiredSharedLite(r))
			})
			t.KeEnterGuardedRegion()
			shared(t, r)
			t.ExReleaseResourceLite(r)
			t.KeLeaveGuardedRegion()
			old := t.KeRaiseIrql(1) // APC_LEVEL disables APCs, too
			shared(t, r)
			t.ExReleaseResourceLite(r)
			t.KeLowerIrql(old)
			t.ExReinitializeResourceLite(r)
			t.ExDeleteResourceLite(r)
			t.ExFreePoolWithTag(r, 0)
		})
		b.noted("true 2 true 1 false 1 false 0")
	})
}

// Misuse of resources (IRQL-17).
func TestResourceBugChecks(t *testing.T) {
	at := func(code ...uint64) func(b *bench) [4]uint64 {
		return func(b *bench) (p [4]uint64) { copy(p[:], append(code, b.at(0))); return p }
	}
	held := func(f func(b *bench, t *kernel.Thread)) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			inRegion(t, func() {
				exclusive(t, b.at(0))
				f(b, t)
			})
		}
	}
	var thread uint64 // the one of the test
	owner := func(b *bench) [4]uint64 { return [4]uint64{b.at(0), thread} }
	left := func(b *bench, t *kernel.Thread) {
		t.KeEnterCriticalRegion()
		t.Invoke("callback", b.fn("callback", func(t *kernel.Thread, _ kernel.Args) uint64 {
			exclusive(t, b.at(0))
			return 0
		}), kernel.Args{})
		t.ExReleaseResourceAndLeaveCriticalRegion(b.at(0))
	}
	release := func(b *bench, t *kernel.Thread) { t.ExReleaseResourceLite(b.at(0)) }
	for _, c := range []crash{
		{name: "0x37 APCs enabled", body: func(b *bench, t *kernel.Thread) { shared(t, b.at(0)) }, code: 0xC4, params: at(0x37, 0, 0),
			rule: "WithinCriticalRegion"},
		{name: "0x37 APCs enabled, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			shared(t, b.at(0))
			inRegion(t, func() { release(b, t) })
		}, rule: "WithinCriticalRegion", ends: kernel.Done},
		{name: "0x38 APCs enabled", body: func(b *bench, t *kernel.Thread) {
			inRegion(t, func() { shared(t, b.at(0)) })
			release(b, t)
		}, code: 0xC4, params: at(0x38, 0, 0), rule: "WithinCriticalRegion"},
		{name: "0x3D unaligned", body: func(b *bench, t *kernel.Thread) {
			inRegion(t, func() { exclusive(t, b.at(0)+4) })
		}, code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x3D, 0, 0, b.at(0) + 4} }},
		{name: "0x20007 at DISPATCH_LEVEL", body: raised(2, func(b *bench, t *kernel.Thread) { exclusive(t, b.at(0)) }), code: 0xC4,
			params: with(0x20007, 2), rule: "IrqlExApcLte3"},
		{name: "0x11A at DISPATCH_LEVEL", body: raised(2, func(b *bench, t *kernel.Thread) {
			t.ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(b.at(0))
		}), code: 0xC4, params: with(0x11A, 2)},
		{name: "0xD0 initialized twice", body: func(b *bench, t *kernel.Thread) { t.ExInitializeResourceLite(b.at(0)) }, code: 0xC4,
			params: at(0xD0)},
		{name: "0xD1 deleted twice", body: func(b *bench, t *kernel.Thread) {
			t.ExDeleteResourceLite(b.at(0))
			t.ExDeleteResourceLite(b.at(0))
		}, code: 0xC4, params: at(0xD1)},
		{name: "0xD2 freed, not deleted", body: func(b *bench, t *kernel.Thread) { t.ExFreePoolWithTag(b.at(0), 0) }, code: 0xC4,
			params: func(b *bench) [4]uint64 { return [4]uint64{0xD2, b.at(0), b.at(0), kernel.ResourceSize} }},
		{name: "0xD2 freed, not deleted, bare", profile: bare, body: func(b *bench, t *kernel.Thread) { t.ExFreePoolWithTag(b.at(0), 0) },
			rule: "active resource", ends: kernel.Done},
		{name: "0xE3 not owned", body: func(b *bench, t *kernel.Thread) { inRegion(t, func() { release(b, t) }) }, code: 0xE3, params: owner},
		{name: "0xE3 released once more", body: held(func(b *bench, t *kernel.Thread) {
			release(b, t)
			release(b, t)
		}), code: 0xE3, params: owner},
		{name: "0xE3 for no thread", body: held(func(b *bench, t *kernel.Thread) { t.ExReleaseResourceForThreadLite(b.at(0), 0x1234) }), code: 0xE3,
			params: func(b *bench) [4]uint64 { return [4]uint64{b.at(0), 0x1234} }},
		{name: "0xE3 shared is converted", body: func(b *bench, t *kernel.Thread) {
			inRegion(t, func() {
				shared(t, b.at(0))
				t.ExConvertExclusiveToSharedLite(b.at(0))
			})
		}, code: 0xE3, params: owner},
		{name: "never initialized", body: func(b *bench, t *kernel.Thread) {
			r := b.alloc(kernel.ResourceSize)
			inRegion(t, func() { exclusive(t, r) })
		}, rule: "uninitialized lock", ends: kernel.Stopped},
		{name: "deleted while owned", body: func(b *bench, t *kernel.Thread) {
			inRegion(t, func() {
				exclusive(t, b.at(0))
				t.ExDeleteResourceLite(b.at(0))
			})
		}, rule: "lock owned at its end", ends: kernel.Done},
		{name: "ExclusiveResourceAccess", body: left, rule: "ExclusiveResourceAccess", ends: kernel.Done},
		{name: "shared and then exclusive", body: func(b *bench, t *kernel.Thread) {
			inRegion(t, func() {
				shared(t, b.at(0))
				exclusive(t, b.at(0))
			})
		}, rule: "self-deadlock", ends: kernel.Stopped},
		{name: "two that share it want it alone", body: func(b *bench, t *kernel.Thread) {
			both := func(t *kernel.Thread) {
				t.KeEnterCriticalRegion()
				shared(t, b.at(0))
				t.KeDelayExecutionThread(kernel.After(1000))
				exclusive(t, b.at(0))
			}
			b.thread(0, both)
			both(t)
		}, rule: "self-deadlock", ends: kernel.Stopped},
		{name: "two resources in two orders", body: twoResources, rule: "deadlock", ends: kernel.Stopped},
		{name: "a sharer waits for who waits for exclusive access", body: sharerBehindWaiter, rule: "deadlock", ends: kernel.Stopped},
	} {
		body := c.body
		c.body = func(b *bench, t *kernel.Thread) {
			thread = t.Object()
			t.ExInitializeResourceLite(b.alloc(kernel.ResourceSize))
			body(b, t)
		}
		if c.code != 0 {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
}

// twoResources: each of two threads has one resource and waits for the other one.
func twoResources(b *bench, t *kernel.Thread) {
	second := b.alloc(kernel.ResourceSize)
	t.ExInitializeResourceLite(second)
	take := func(t *kernel.Thread, r, then uint64) {
		t.KeEnterCriticalRegion()
		shared(t, r)
		t.KeDelayExecutionThread(kernel.After(1000))
		exclusive(t, then)
	}
	b.thread(0, func(t *kernel.Thread) { take(t, second, b.at(0)) })
	take(t, b.at(0), second)
}

// sharerBehindWaiter: the owner of a mutex wants to share a resource, behind a thread
// that waits for exclusive access; the one that shares it now waits for the mutex.
func sharerBehindWaiter(b *bench, t *kernel.Thread) {
	mutex := b.alloc(kernel.MutexSize)
	t.KeInitializeMutex(mutex)
	t.KeEnterCriticalRegion()
	shared(t, b.at(0))
	b.thread(0, func(t *kernel.Thread) {
		t.KeEnterCriticalRegion()
		exclusive(t, b.at(0))
	})
	t.KeDelayExecutionThread(kernel.After(1000))
	b.thread(0, func(t *kernel.Thread) {
		t.KeWaitForSingleObject(mutex, kernel.Forever)
		shared(t, b.at(0))
	})
	t.KeDelayExecutionThread(kernel.After(1000))
	t.KeWaitForSingleObject(mutex, kernel.Forever)
}

// A circle of waits for fast mutexes is found without Driver Verifier, too.
func TestIRQL9FastMutexCircle(t *testing.T) {
	c := crash{name: "two fast mutexes in two orders, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
		first, second := b.alloc(kernel.FastMutexSize), b.alloc(kernel.FastMutexSize)
		t.ExInitializeFastMutex(first)
		t.ExInitializeFastMutex(second)
		take := func(t *kernel.Thread, m, then uint64) {
			t.ExAcquireFastMutex(m)
			t.KeDelayExecutionThread(kernel.After(1000))
			t.ExAcquireFastMutex(then)
		}
		b.thread(0, func(t *kernel.Thread) { take(t, second, first) })
		take(t, first, second)
	}, rule: "deadlock", ends: kernel.Stopped}
	c.check(t)
}

// Shared access is ordered after exclusive access and before it, but not beside other
// shared access: what the race detector needs to know.
func TestIRQL17ResourceOrders(t *testing.T) {
	b := newBench(t, kernel.Config{})
	r := b.resource()
	w := &kernel.Watch{}
	b.Watch(w)
	b.do(func(t *kernel.Thread) {
		t.KeEnterCriticalRegion()
		for _, acquire := range []func(t *kernel.Thread, r uint64){shared, exclusive, shared} {
			acquire(t, r)
			t.ExReleaseResourceLite(r)
		}
		exclusive(t, r)
		t.ExConvertExclusiveToSharedLite(r)
		t.ExReleaseResourceAndLeaveCriticalRegion(r)
	})
	got := ""
	for _, rec := range w.Records {
		if name, ok := map[uint64]string{r: "all", r | 2: "sharers"}[rec.Addr]; ok {
			got += map[kernel.RecordKind]string{kernel.RecordAcquire: "<", kernel.RecordRelease: ">"}[rec.Kind] + name + " "
		}
	}
	const want = "<all >sharers <all <sharers >all <all >sharers <all <sharers >all >sharers "
	if got != want {
		t.Errorf("orders\n%s, want\n%s", got, want)
	}
}
