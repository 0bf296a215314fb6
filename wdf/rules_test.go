package wdf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// Each rule about locks has a driver that breaks it and one that keeps it: section
// 8 of bugchecks.md.

// rules returns the rules of the findings that no test has looked at.
func rules(b *bench) (names []string) {
	for _, f := range b.take() {
		names = append(names, f.Rule)
	}
	return names
}

// ruleCase is what a callback of the driver does, and which rules that breaks.
type ruleCase struct {
	name string
	run  func(b *bench, s *wdf.Sys, l *ruleLocks)
	want []string
}

// ruleLocks are the locks of the driver.
type ruleLocks struct {
	spin      wdf.WDFSPINLOCK
	wait      wdf.WDFWAITLOCK
	interrupt wdf.WDFINTERRUPT // DIRQL
	passive   wdf.WDFINTERRUPT
}

func checkRules(t *testing.T, cases []ruleCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var l ruleLocks
			d := driver{interrupts: []interrupt{{vector: 0x51}, passive(interrupt{vector: 0x71})}}
			d.add = func(b *bench, s *wdf.Sys) {
				l = ruleLocks{spin: must(s.WdfSpinLockCreate(nil)), wait: must(s.WdfWaitLockCreate(nil)), interrupt: b.interrupts[0], passive: b.interrupts[1]}
			}
			b := newBench(t, d)
			b.startDevice()
			routine := b.fn("callback", func(s *wdf.Sys, _ kernel.Args) uint64 {
				c.run(b, s, &l)
				return 0
			})
			config := wdf.WorkItemConfig{Size: wdf.WorkItemConfigSize, EvtWorkItemFunc: routine}
			b.spawn(0, func(s *wdf.Sys) { s.WdfWorkItemEnqueue(must(s.WdfWorkItemCreate(&config, parent(b.device)))) })
			b.Run()
			if got := rules(b); !slices.Equal(got, c.want) {
				t.Errorf("rules %q, want %q\n%s", got, c.want, b.text())
			}
		})
	}
}

// ILK-9, OBJ-15, OBJ-17: acquire and release alternate, and are balanced at the end
// of each callback. What ends the run is a bug check of the callback's level.
func TestILK9OBJ15OBJ17LockRules(t *testing.T) {
	inner := func(b *bench, s *wdf.Sys, f func(s *wdf.Sys)) {
		s.WdfInterruptSynchronize(b.interrupts[1], b.object("inner", func(s *wdf.Sys, _ wdf.Handle) { f(s) }), 0)
	}
	checkRules(t, []ruleCase{
		{"WdfSpinlock kept", func(b *bench, s *wdf.Sys, l *ruleLocks) {
			for range 2 {
				s.WdfSpinLockAcquire(l.spin)
				s.WdfSpinLockRelease(l.spin)
			}
		}, nil},
		{"WdfSpinlock broken", func(b *bench, s *wdf.Sys, l *ruleLocks) { s.WdfSpinLockRelease(l.spin) }, []string{"KmdfIrql", "WdfSpinlock"}},
		{"WdfSpinLockRelease broken", func(b *bench, s *wdf.Sys, l *ruleLocks) { s.WdfSpinLockAcquire(l.spin) }, []string{"WdfSpinLockRelease", ""}},
		{"WdfWaitlock kept", func(b *bench, s *wdf.Sys, l *ruleLocks) {
			for range 2 {
				s.WdfWaitLockAcquire(l.wait, nil)
				s.WdfWaitLockRelease(l.wait)
			}
		}, nil},
		{"WdfWaitlock broken", func(b *bench, s *wdf.Sys, l *ruleLocks) {
			s.WdfWaitLockRelease(l.wait)
			s.EnterRegion() // it has left one too many
		}, []string{"WdfWaitlock"}},
		{"WdfWaitlockRelease broken", func(b *bench, s *wdf.Sys, l *ruleLocks) { s.WdfWaitLockAcquire(l.wait, nil) }, []string{"WdfWaitlockRelease", ""}},
		{"WdfWaitlockRelease in another callback", func(b *bench, s *wdf.Sys, l *ruleLocks) {
			s.WdfWaitLockAcquire(l.wait, nil)
			inner(b, s, func(s *wdf.Sys) { s.WdfWaitLockRelease(l.wait) })
		}, []string{"WdfWaitlockRelease"}},
		{"WdfWaitlockRelease of another callback's", func(b *bench, s *wdf.Sys, l *ruleLocks) {
			inner(b, s, func(s *wdf.Sys) { s.WdfWaitLockAcquire(l.wait, nil) })
			s.WdfWaitLockRelease(l.wait)
		}, []string{"WdfWaitlockRelease"}},
		{"WdfInterruptLock kept", func(b *bench, s *wdf.Sys, l *ruleLocks) {
			for _, i := range []wdf.WDFINTERRUPT{l.interrupt, l.passive} {
				s.WdfInterruptAcquireLock(i)
				s.WdfInterruptReleaseLock(i)
			}
		}, nil},
		{"WdfInterruptLock broken", func(b *bench, s *wdf.Sys, l *ruleLocks) { s.WdfInterruptReleaseLock(l.interrupt) }, []string{"WdfInterruptLock"}},
		{"WdfInterruptLock broken, passive", func(b *bench, s *wdf.Sys, l *ruleLocks) {
			s.WdfInterruptReleaseLock(l.passive)
			s.EnterRegion()
		}, []string{"WdfInterruptLock"}},
		{"WdfInterruptLockRelease broken", func(b *bench, s *wdf.Sys, l *ruleLocks) { s.WdfInterruptAcquireLock(l.interrupt) }, []string{"WdfInterruptLockRelease", ""}},
		{"WdfInterruptLockRelease broken, passive", func(b *bench, s *wdf.Sys, l *ruleLocks) { s.WdfInterruptTryToAcquireLock(l.passive) },
			[]string{"WdfInterruptLockRelease", ""}},
	})
}

// SER-8: a serialized callback that releases the callback lock, and a release by a
// thread that does not hold it, are verifier breaks; the lock stays as it is. Without
// the verifier the kernel releases a lock that is not held.
func TestSER8ReleasedByTheCallback(t *testing.T) {
	release := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) { s.WdfObjectReleaseLock(b.device) }
	var x uint64
	for _, verifier := range []bool{true, false} {
		d := serialized(&x, wdf.SynchronizationScopeDevice)
		d.interrupts[0].dpc = release
		d.profile = &kernel.Profile{FrameworkVerifier: verifier}
		b := newBench(t, d)
		b.spawn(0, func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) })
		b.Run()
		if verifier {
			b.wantFindings("verifier break: callback lock not held")
		} else {
			b.wantBugCheck("IRQL-15", 0x10)
		}
	}
	b := newBench(t, driver{})
	b.do(func(s *wdf.Sys) { s.WdfObjectReleaseLock(b.device) })
	b.wantFindings("verifier break: callback lock not held")
}

// SER-9: device before queue; the other order is a verifier break, with the verifier
// only. Spin locks and mutexes have orders of their own.
func TestSER9LockOrder(t *testing.T) {
	both := func(first, second wdf.Handle) func(s *wdf.Sys) {
		return func(s *wdf.Sys) {
			s.WdfObjectAcquireLock(first)
			s.WdfObjectAcquireLock(second)
			s.WdfObjectReleaseLock(second)
			s.WdfObjectReleaseLock(first)
		}
	}
	for _, c := range []struct {
		name         string
		verifier     bool
		queueFirst   bool
		passiveQueue bool
		want         []string
	}{
		{"SER-9 device, queue", true, false, false, nil},
		{"SER-9 queue, device", true, true, false, []string{"verifier break: callback lock order"}},
		{"SER-9 queue, device without the verifier", false, true, false, nil},
		{"SER-9 passive queue, device", true, true, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := queueSpec{attributes: &wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeQueue}}
			if c.passiveQueue {
				spec.attributes.ExecutionLevel = wdf.ExecutionLevelPassive
			}
			x := newIO(t, driver{profile: &kernel.Profile{FrameworkVerifier: c.verifier}}, spec)
			first, second := x.bench.device, x.queues[0]
			if c.queueFirst {
				first, second = second, first
			}
			x.do(both(first, second))
			x.wantFindings(c.want...)
		})
	}
}

// VER-5: with enhanced verification a PnP, power or queue callback that changes the
// IRQL is 0x10D/0xE, the critical region 0x10D/0xF; ISRs and DPCs are not looked at.
func TestVER5EnhancedVerification(t *testing.T) {
	profile := kernel.Profile{FrameworkVerifier: true, EnhancedVerifier: true} // Driver Verifier sees it, too
	raise := func(s *wdf.Sys) { s.KeRaiseIrql(wdf.DispatchLevel) }
	for name, c := range map[string]struct {
		pnp, queue func(s *wdf.Sys) // the framework presents a request inside a critical region
		kind       uint64
	}{
		"VER-5 IRQL":            {raise, raise, 0xE},
		"VER-5 critical region": {func(s *wdf.Sys) { s.EnterRegion() }, func(s *wdf.Sys) { s.LeaveRegion() }, 0xF},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, driver{profile: &profile, pnp: func(_ *bench, s *wdf.Sys, callback string) wdf.NTSTATUS {
				if callback == "D0Entry" {
					c.pnp(s)
				}
				return wdf.StatusSuccess
			}})
			b.stop(func(s *wdf.Sys) { b.startIn(s) })
			b.wantBugCheck("VER-5", 0x10D, c.kind)

			x := newIO(t, driver{profile: &profile}, queueSpec{present: func(_ *ioBench, s *wdf.Sys, _ wdf.WDFREQUEST, _ int) { c.queue(s) }})
			x.stop(func(s *wdf.Sys) { x.send(s, read4) })
			x.wantBugCheck("VER-5", 0x10D, c.kind)
		})
	}
	// A DPC may do what it wants with the critical region, as far as this check goes.
	b := newBench(t, driver{profile: &profile, interrupts: []interrupt{{vector: 0x51, dpc: func(_ *bench, s *wdf.Sys, _ wdf.WDFINTERRUPT) { s.KeEnterCriticalRegion() }}}})
	b.startDevice()
	b.spawn(0, func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) })
	b.Run()
	if f := b.Findings(); len(f) > 0 && f[0].Clause == "VER-5" {
		t.Errorf("a DPC: %s", f[0].Title())
	}
	// Nested regions are one: only in and out count.
	x := newIO(t, driver{profile: &profile}, queueSpec{present: func(_ *ioBench, s *wdf.Sys, _ wdf.WDFREQUEST, _ int) {
		s.KeEnterCriticalRegion()
		s.KeLeaveCriticalRegion()
	}})
	x.do(func(s *wdf.Sys) { x.send(s, read4) })
	x.wantFindings()
}

// VER-3: the routines that look at the level themselves do nothing above it when the
// verifier is on, and report; with it off there is no look, and the tool reports.
func TestVER3SelfChecks(t *testing.T) {
	type object struct {
		dpc   wdf.WDFDPC
		timer wdf.WDFTIMER
		work  wdf.WDFWORKITEM
		wait  wdf.WDFWAITLOCK
	}
	for name, call := range map[string]func(b *bench, s *wdf.Sys, o *object) any{
		"VER-3 WdfInterruptEnable":           func(b *bench, s *wdf.Sys, o *object) any { s.WdfInterruptEnable(b.interrupts[0]); return nil },
		"VER-3 WdfInterruptDisable":          func(b *bench, s *wdf.Sys, o *object) any { s.WdfInterruptDisable(b.interrupts[0]); return nil },
		"VER-3 WdfInterruptAcquireLock":      func(b *bench, s *wdf.Sys, o *object) any { s.WdfInterruptAcquireLock(b.interrupts[0]); return nil },
		"VER-3 WdfInterruptReleaseLock":      func(b *bench, s *wdf.Sys, o *object) any { s.WdfInterruptReleaseLock(b.interrupts[0]); return nil },
		"VER-3 WdfInterruptTryToAcquireLock": func(b *bench, s *wdf.Sys, o *object) any { return s.WdfInterruptTryToAcquireLock(b.interrupts[0]) },
		"VER-3 WdfInterruptSynchronize": func(b *bench, s *wdf.Sys, o *object) any {
			return s.WdfInterruptSynchronize(b.interrupts[0], b.fn("sync", func(*wdf.Sys, kernel.Args) uint64 { return 1 }), 0)
		},
		"VER-3 WdfDpcCancel":     func(b *bench, s *wdf.Sys, o *object) any { return s.WdfDpcCancel(o.dpc, true) },
		"VER-3 WdfTimerStop":     func(b *bench, s *wdf.Sys, o *object) any { return s.WdfTimerStop(o.timer, true) },
		"VER-3 WdfWorkItemFlush": func(b *bench, s *wdf.Sys, o *object) any { s.WdfWorkItemFlush(o.work); return nil },
		"VER-3 WdfWaitLockAcquire": func(b *bench, s *wdf.Sys, o *object) any {
			return s.WdfWaitLockAcquire(o.wait, nil) == wdf.StatusSuccess
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, verifier := range []bool{true, false} {
				var o object
				d := driver{profile: &kernel.Profile{FrameworkVerifier: verifier}, interrupts: []interrupt{passive(interrupt{latched: true})}}
				d.add = func(b *bench, s *wdf.Sys) {
					o = object{
						dpc:   must(s.WdfDpcCreate(&wdf.DPCConfig{Size: wdf.DPCConfigSize}, parent(b.device))),
						timer: must(s.WdfTimerCreate(&wdf.TimerConfig{Size: wdf.TimerConfigSize}, parent(b.device))),
						work:  must(s.WdfWorkItemCreate(&wdf.WorkItemConfig{Size: wdf.WorkItemConfigSize, EvtWorkItemFunc: 1}, parent(b.device))),
						wait:  must(s.WdfWaitLockCreate(nil)),
					}
				}
				b := newBench(t, d)
				b.startDevice()
				b.forget()
				var result any
				b.spawn(0, func(s *wdf.Sys) { atDispatch(s, func() { result = call(b, s, &o) }) })
				b.Run()
				all := titles(b.take())
				if verifier && (!slices.Equal(all, []string{"verifier break: KmdfIrql"}) || result == true) {
					t.Errorf("verifier on: %q, result %v", all, result)
				}
				if !verifier && (len(all) == 0 || all[0] != "KmdfIrql") {
					t.Errorf("verifier off: %q", all)
				}
			}
		})
	}
}

// A request that is completed in EvtDeviceSurpriseRemoval breaks
// EvtSurpriseRemoveNoRequestComplete; completed in EvtIoStop it does not (PWR-7).
func TestPWR7CompleteInSurpriseRemoval(t *testing.T) {
	for _, inStop := range []bool{true, false} {
		var x *ioBench
		spec := queueSpec{}
		if inStop {
			spec.stop = func(_ *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, _ int, _ uint32) {
				s.WdfRequestComplete(r, wdf.StatusDeviceRemoved)
			}
		}
		d := driver{pnp: func(_ *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
			if name == "SurpriseRemoval" && !inStop {
				s.WdfRequestComplete(x.sent[0], wdf.StatusDeviceRemoved)
			}
			return wdf.StatusSuccess
		}}
		x = newIO(t, d, spec)
		x.sendReads(1)
		x.do(func(s *wdf.Sys) { s.SurpriseRemove(x.bench.device) })
		if inStop {
			x.wantFindings()
		} else {
			x.wantFindings("EvtSurpriseRemoveNoRequestComplete")
		}
	}
}

// KmdfIrql in a callback whose level is fixed, KmdfIrql2 in one whose level depends on
// the execution level (IRQL-12).
func TestIRQL12KmdfIrqlRules(t *testing.T) {
	create := func(s *wdf.Sys) {
		old := s.KeRaiseIrql(5)
		s.WdfSpinLockCreate(nil)
		s.KeLowerIrql(old)
	}
	b := newBench(t, one(interrupt{work: func(_ *bench, s *wdf.Sys, _ wdf.WDFINTERRUPT) { create(s) }}))
	b.do(func(s *wdf.Sys) { s.WdfInterruptQueueWorkItemForIsr(b.interrupts[0]) })
	b.wantFindings("KmdfIrql")
	x := newIO(t, driver{}, queueSpec{present: func(_ *ioBench, s *wdf.Sys, _ wdf.WDFREQUEST, _ int) { create(s) }})
	x.do(func(s *wdf.Sys) { x.send(s, read4) })
	x.wantFindings("KmdfIrql2")
}

// Rules that only advise are findings if the profile asks for it: ParentObjectCheck,
// ParentObjectCheckLock, EvtIoStopCompleteOrStopAck.
func TestAdviceRules(t *testing.T) {
	advice := kernel.DefaultProfile
	advice.AdviceRules = true
	for _, profile := range []kernel.Profile{advice, kernel.DefaultProfile} {
		create := func(b *bench, s *wdf.Sys, a *wdf.ObjectAttributes) {
			s.WdfSpinLockCreate(a)
			s.WdfWaitLockCreate(a)
			_, _, st := s.WdfMemoryCreate(a, 0, 1, 8)
			b.status("WdfMemoryCreate", st, wdf.StatusSuccess)
		}
		b := newBench(t, driver{profile: &profile})
		b.do(func(s *wdf.Sys) {
			create(b, s, nil)
			create(b, s, parent(b.device))
		})
		var want []string
		if profile.AdviceRules {
			want = []string{"ParentObjectCheckLock", "ParentObjectCheckLock", "ParentObjectCheck"}
		}
		b.wantFindings(want...)

		// PLI-9: the lock of a passive-level interrupt in a request handler.
		y := newIO(t, driver{profile: &profile, interrupts: []interrupt{passive(interrupt{latched: true})}},
			queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, _ int) {
				s.WdfInterruptAcquireLock(x.interrupts[0])
				s.WdfInterruptReleaseLock(x.interrupts[0])
				if s.WdfInterruptTryToAcquireLock(x.interrupts[0]) {
					s.WdfInterruptReleaseLock(x.interrupts[0])
				}
				s.WdfRequestComplete(r, 0)
			}})
		y.do(func(s *wdf.Sys) { y.send(s, read4) })
		if profile.AdviceRules {
			y.wantFindings("passive-level interrupt lock in a request handler")
		} else {
			y.wantFindings()
		}

		silent := func(*ioBench, *wdf.Sys, wdf.WDFREQUEST, int, uint32) {}
		acknowledge := func(_ *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, _ int, _ uint32) { s.WdfRequestStopAcknowledge(r, false) }
		for _, stop := range []func(*ioBench, *wdf.Sys, wdf.WDFREQUEST, int, uint32){silent, acknowledge} {
			x := newIO(t, driver{profile: &profile}, queueSpec{stop: stop})
			x.sendReads(1)
			x.spawn(0, func(s *wdf.Sys) { s.SetPower(x.bench.device, wdf.PowerDeviceD3) })
			x.Run()
			got := rules(x.bench)
			if advised := slices.Contains(got, "EvtIoStopCompleteOrStopAck"); advised != (profile.AdviceRules && slices.Contains(got, "DrvAckIoStop")) {
				t.Errorf("%q", got)
			}
		}
	}
}

// BufAfterReqCompleted: the buffer of a request that was completed is named in the
// report of its use (IOQ-10); before the completion it may be used.
func TestIOQ10BufAfterReqCompleted(t *testing.T) {
	x := newIO(t, driver{}, queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, _ int) {
		buffer, _, _ := s.WdfRequestRetrieveOutputBuffer(r, 4)
		s.Store(buffer, 4, 1)
		s.WdfRequestCompleteWithInformation(r, 0, 4)
		s.Store(buffer, 4, 2)
	}})
	x.stop(func(s *wdf.Sys) { x.send(s, read4) })
	if f := x.Findings()[0]; f.Code != 0xD5 || f.Rule != "use after free" || !strings.Contains(f.Text, "BufAfterReqCompleted") {
		t.Errorf("%s %s", f.Title(), f.Text)
	}
}

// IOQ-5: a request that is sent while a spin lock is held breaks ReqSendWhileSpinlock;
// under the callback lock, or under no lock, it does not.
func TestIOQ5ReqSendWhileSpinlock(t *testing.T) {
	for name, c := range map[string]struct {
		lock, unlock func(x *sendBench, s *wdf.Sys, spin wdf.WDFSPINLOCK)
		want         []string
	}{
		"IOQ-5 no lock": {func(*sendBench, *wdf.Sys, wdf.WDFSPINLOCK) {}, func(*sendBench, *wdf.Sys, wdf.WDFSPINLOCK) {}, nil},
		"IOQ-5 spin lock": {func(_ *sendBench, s *wdf.Sys, l wdf.WDFSPINLOCK) { s.WdfSpinLockAcquire(l) },
			func(_ *sendBench, s *wdf.Sys, l wdf.WDFSPINLOCK) { s.WdfSpinLockRelease(l) }, []string{"ReqSendWhileSpinlock"}},
		"IOQ-5 callback lock": {func(x *sendBench, s *wdf.Sys, _ wdf.WDFSPINLOCK) { s.WdfObjectAcquireLock(x.bench.device) },
			func(x *sendBench, s *wdf.Sys, _ wdf.WDFSPINLOCK) { s.WdfObjectReleaseLock(x.bench.device) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sendScenario(t, wdf.LowerAnswer{}, func(x *sendBench) {
				x.then = func(s *wdf.Sys, r wdf.WDFREQUEST) { s.WdfRequestComplete(r, 0) }
				x.do(func(s *wdf.Sys) {
					spin := must(s.WdfSpinLockCreate(nil))
					r := x.retrieve(s, read4)
					s.WdfRequestFormatRequestUsingCurrentType(r)
					s.WdfRequestSetCompletionRoutine(r, x.routine, 5)
					c.lock(x, s, spin)
					s.WdfRequestSend(r, x.target, nil)
					c.unlock(x, s, spin)
				})
				x.wantFindings(c.want...)
			})
		})
	}
}

// IOQ-5: SpinLockSafe advises against a completion under a spin lock of the driver; the
// callback lock of automatic serialization is none.
func TestIOQ5SpinLockSafe(t *testing.T) {
	advice := kernel.DefaultProfile
	advice.AdviceRules = true
	for _, c := range []struct {
		name    string
		profile kernel.Profile
		locked  bool
		want    []string
	}{
		{"IOQ-5 under a spin lock", advice, true, []string{"SpinLockSafe"}},
		{"IOQ-5 under a spin lock, no advice", kernel.DefaultProfile, true, nil},
		{"IOQ-5 under the callback lock", advice, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var spin wdf.WDFSPINLOCK
			x := newIO(t, driver{profile: &c.profile, attributes: wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeDevice}},
				queueSpec{present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, _ int) {
					if c.locked {
						spin = must(s.WdfSpinLockCreate(parent(x.device)))
						s.WdfSpinLockAcquire(spin)
						defer s.WdfSpinLockRelease(spin)
					}
					s.WdfRequestComplete(r, wdf.StatusSuccess)
				}})
			x.do(func(s *wdf.Sys) { x.send(s, read4) })
			x.wantFindings(c.want...)
		})
	}
}
