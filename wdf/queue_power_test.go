package wdf_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

const pnpHeld = wdf.IoQueuePnpHeld

// acknowledge answers EvtIoStop.
func acknowledge(requeue bool) func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
	return func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
		s.WdfRequestStopAcknowledge(r, requeue)
	}
}

func TestIOQ12AcknowledgeAndResume(t *testing.T) {
	spec := queueSpec{kind: wdf.IoQueueDispatchParallel, stop: acknowledge(false), resume: keep}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(2)
		x.forget()
		x.power(wdf.PowerDeviceD3)
		x.want("SelfManagedIoSuspend stop1(1) stop2(1) D0ExitPreInterruptsDisabled D0Exit")
		x.sendReads(1) // it waits for D0
		x.want("")
		x.wantState(0, ready|pnpHeld, 1, 2)
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) }) // a kept request can be completed in Dx
		x.power(wdf.PowerDeviceD0)
		x.want("D0Entry D0EntryPostInterruptsEnabled resume2 io3( )io3 SelfManagedIoRestart")
		x.wantState(0, ready|wdf.IoQueueNoRequests, 0, 2)
	})
}

func TestIOQ12AcknowledgeWithRequeue(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{stop: acknowledge(true), resume: keep}}, func(x *ioBench) {
		x.sendReads(2)
		x.forget()
		x.power(wdf.PowerDeviceD3)
		x.wantState(0, ready|pnpHeld|wdf.IoQueueDriverNoRequests, 2, 0)
		x.forget()
		x.only = []string{"io1(", "io2(", "resume1"}
		x.power(wdf.PowerDeviceD0) // at the head, and not resumed
		x.want("io1(")
		x.wantState(0, ready, 1, 1)
	})
}

func TestIOQ12CompleteInStop(t *testing.T) {
	spec := queueSpec{kind: wdf.IoQueueDispatchParallel, stop: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
		s.WdfRequestComplete(r, wdf.StatusUnsuccessful)
	}}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.sendReads(2)
		x.power(wdf.PowerDeviceD3)
		x.wantState(0, ready|pnpHeld|idle, 0, 0)
		x.wantEnd(1, wdf.StatusUnsuccessful)
		x.wantEnd(2, wdf.StatusUnsuccessful)
	})
}

// Without EvtIoStop the framework waits for the end of the requests.
func TestIOQ12WithoutEvtIoStop(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
		x.sendReads(2)
		x.forget()
		x.spawn(0, func(s *wdf.Sys) { s.SetPower(x.bench.device, wdf.PowerDeviceD3) })
		x.do(func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.note("complete")
			s.WdfRequestComplete(x.sent[0], 0)
		})
		x.want("SelfManagedIoSuspend complete D0ExitPreInterruptsDisabled D0Exit")
		x.wantState(0, ready|pnpHeld|wdf.IoQueueDriverNoRequests, 1, 0)
	})
}

// A request that nobody answers for keeps the device in D0 until the power manager
// stops the system: 0x9F/3 for a power IRP, 0x9F/4 for a removal; the rule is
// DrvAckIoStop. Without EvtIoStop it is the same, but no rule. Another request, that
// is completed in time, keeps the rule.
func TestIOQ12NoAnswer(t *testing.T) {
	silent := queueSpec{stop: func(*ioBench, *wdf.Sys, wdf.WDFREQUEST, int, uint32) {}}
	sleep := func(s *wdf.Sys, x *ioBench) { s.SetPower(x.bench.device, wdf.PowerDeviceD3) }
	for _, c := range []struct {
		name   string
		spec   queueSpec
		change func(s *wdf.Sys, x *ioBench)
		kind   uint64
		rule   string
	}{
		{"IOQ-12 no answer", silent, sleep, 3, "DrvAckIoStop"},
		{"IOQ-12 no EvtIoStop", queueSpec{}, sleep, 3, ""},
		{"IOQ-12 removal", silent, func(s *wdf.Sys, x *ioBench) { s.RemoveDevice(x.bench.device) }, 4, "DrvAckIoStop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ioScenario(t, driver{}, []queueSpec{c.spec}, func(x *ioBench) {
				x.sendReads(1)
				x.stop(func(s *wdf.Sys) { c.change(s, x) })
				f := x.Findings()[0]
				if f.Rule != c.rule || !strings.Contains(f.Text, "the requests that it has") {
					t.Errorf("rule %q: %s", f.Rule, f.Text)
				}
				x.wantBugCheck("IOQ-12", 0x9F, c.kind)
			})
		})
	}
	ioScenario(t, driver{}, []queueSpec{silent}, func(x *ioBench) {
		x.sendReads(1)
		x.spawn(0, func(s *wdf.Sys) { sleep(s, x) })
		x.do(func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(500_000_000_000))
			s.WdfRequestComplete(x.sent[0], 0)
		})
	})
}

// A flush that never ends: the DPC of the power-down's flush spins for ever, which
// the DPC watchdog finds first; a work item that never ends ends in 0x9F (PWR-4).
func TestPWR4HangInD0Exit(t *testing.T) {
	hang := func(b *bench, s *wdf.Sys, _ wdf.WDFINTERRUPT) { s.BusyWait("nothing", func() bool { return false }) }
	b := newBench(t, driver{processors: 2, interrupts: []interrupt{{vector: 0x51, dpc: hang, affinity: 2}}})
	b.startDevice()
	b.spawn(0, func(s *wdf.Sys) {
		b.SendMessage(0x51)
		s.KeDelayExecutionThread(kernel.After(1_000_000))
		s.SetPower(b.device, wdf.PowerDeviceD3)
	})
	b.Run()
	b.wantBugCheck("WD-1", 0x133, 0)

	var event uint64
	wait := func(b *bench, s *wdf.Sys, _ wdf.WDFINTERRUPT) { s.KeWaitForSingleObject(event, kernel.Forever) }
	b = newBench(t, one(interrupt{work: wait}))
	event = b.Mem.Alloc(kernel.EventSize, 0, false, 0)
	b.startDevice()
	b.stop(func(s *wdf.Sys) {
		s.KeInitializeEvent(event, kernel.NotificationEvent, false)
		b.SendMessage(0x51)
		s.KeDelayExecutionThread(kernel.After(1_000_000))
		s.SetPower(b.device, wdf.PowerDeviceD3)
	})
	b.wantBugCheck("IOQ-12", 0x9F, 3)
}

// A state function that takes ten minutes: of a device that is not power-pageable
// the framework's own watchdog barks (WD-6), of another one the power manager's.
func TestWD6PowerRoutineTimedOut(t *testing.T) {
	for _, pageless := range []bool{true, false} {
		slow := false
		d := driver{pageless: pageless}
		d.pnp = func(_ *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
			if name == "D0Exit" && slow {
				s.KeDelayExecutionThread(kernel.After(601_000_000_000))
			}
			return wdf.StatusSuccess
		}
		b := newBench(t, d)
		b.startDevice()
		slow = true
		b.stop(func(s *wdf.Sys) { s.SetPower(b.device, wdf.PowerDeviceD3) })
		if pageless {
			b.wantBugCheck("WD-6", 0x10D, 1)
		} else {
			b.wantBugCheck("IOQ-12", 0x9F, 3)
		}
	}
	// Nine minutes are in order.
	scenario(t, driver{pageless: true, pnp: func(_ *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		s.KeDelayExecutionThread(kernel.After(540_000_000_000))
		return wdf.StatusSuccess
	}, few: true}, func(b *bench) {
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
	})
}

// An acknowledge where it does not count.
func TestIOQ12AcknowledgeOutsideEvtIoStop(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) { // no EvtIoStop was called
		x.sendReads(1)
		x.do(func(s *wdf.Sys) { s.WdfRequestStopAcknowledge(x.sent[0], false) })
		x.wantFindings("verifier break: StopAckWithinEvtIoStop")
	})
	spec := queueSpec{kind: wdf.IoQueueDispatchParallel, stop: func(*ioBench, *wdf.Sys, wdf.WDFREQUEST, int, uint32) {}}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) { // it has returned
		x.sendReads(2)
		x.spawn(0, func(s *wdf.Sys) { s.SetPower(x.bench.device, wdf.PowerDeviceD3) })
		x.do(func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			s.WdfRequestStopAcknowledge(x.sent[0], false)
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.note("complete")
			s.WdfRequestComplete(x.sent[1], 0) // this one visits the loop, which sees the answer
		})
		x.wantFindings("StopAckWithinEvtIoStop")
		x.wantState(0, ready|pnpHeld|wdf.IoQueueNoRequests, 0, 1)
	})
}

// A marked request is told with a flag; cancels wait while the driver is told
// (IOQ-8); what is cancelled is not told.
func TestIOQ12CancelDuringStop(t *testing.T) {
	var cb wdf.Callback
	mark := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { s.WdfRequestMarkCancelable(r, cb) }
	stop := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
		if n == 1 {
			s.CancelRequest(x.sent[0])
			s.CancelRequest(x.sent[2])
		}
		s.WdfRequestStopAcknowledge(r, false)
	}
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchParallel, present: mark, stop: stop}}, func(x *ioBench) {
		cb = doneBy(x)
		x.sendReads(3)
		x.forget()
		x.power(wdf.PowerDeviceD3)
		x.want("SelfManagedIoSuspend stop1(10000001) stop2(10000001) cancel1 cancel3 D0ExitPreInterruptsDisabled D0Exit")
		x.wantState(0, ready|pnpHeld|wdf.IoQueueNoRequests, 0, 1)
	})
}

func TestIOQ12RetrieveInDx(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
		x.power(wdf.PowerDeviceD3)
		x.sendReads(1)
		retrieve := func(want wdf.NTSTATUS) {
			x.do(func(s *wdf.Sys) {
				_, st := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
				x.status("WdfIoQueueRetrieveNextRequest", st, want)
			})
		}
		retrieve(wdf.StatusWdfPaused)
		x.power(wdf.PowerDeviceD0)
		x.do(func(s *wdf.Sys) { s.WdfIoQueueStop(x.queues[0], 0, 0) })
		retrieve(wdf.StatusWdfPaused)
		x.do(func(s *wdf.Sys) { s.WdfIoQueueStart(x.queues[0]) })
		retrieve(0)
	})
}

// A queue that is not power-managed does not care.
func TestIOQ12NotPowerManaged(t *testing.T) {
	spec := queueSpec{config: func(_ *ioBench, _ *wdf.Sys, c *wdf.IoQueueConfig) { c.PowerManaged = wdf.False }}
	ioScenario(t, driver{}, []queueSpec{spec}, func(x *ioBench) {
		x.power(wdf.PowerDeviceD3)
		x.forget()
		x.sendReads(1)
		x.want("io1( )io1")
		x.wantState(0, ready|wdf.IoQueueNoRequests, 0, 1)
	})
}

// Queues stop before interrupts are disabled: a DPC can still complete what the
// framework waits for.
func TestIOQ13QueuesStopBeforeInterrupts(t *testing.T) {
	var x *ioBench
	d := driver{interrupts: []interrupt{{vector: 0x51, dpc: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		s.WdfRequestComplete(x.sent[0], 0)
	}}}}
	ioScenario(t, d, []queueSpec{{}}, func(newest *ioBench) {
		x = newest
		x.sendReads(1)
		x.forget()
		x.spawn(0, func(s *wdf.Sys) { s.SetPower(x.bench.device, wdf.PowerDeviceD3) })
		x.do(func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			x.SendMessage(0x51)
		})
		x.want("SelfManagedIoSuspend isr0 dpc0 D0ExitPreInterruptsDisabled disable0 D0Exit")
	})
}

// Orderly removal: what waits is cancelled; the driver ends what it has.
func TestIOQ12Removal(t *testing.T) {
	stop := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
		if flags&wdf.RequestStopActionPurge != 0 {
			s.WdfRequestComplete(r, wdf.StatusDeviceRemoved)
		} else {
			s.WdfRequestStopAcknowledge(r, false)
		}
	}
	other := queueSpec{other: true, stop: stop, config: func(x *ioBench, s *wdf.Sys, c *wdf.IoQueueConfig) { c.PowerManaged = wdf.False }}
	forward := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) {
		if n == 2 {
			s.WdfRequestForwardToIoQueue(r, x.queues[1])
		}
	}
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchParallel, stop: stop, present: forward,
		config: func(_ *ioBench, _ *wdf.Sys, c *wdf.IoQueueConfig) { c.NumberOfPresentedRequests = 1 }}, other}, func(x *ioBench) {
		x.do(func(s *wdf.Sys) { // before the start there is nothing to open
			device := x.bench.device
			x.bench.device = 0
			x.send(s, read4)
			x.bench.device = device
		})
		x.wantEnd(1, wdf.StatusNoSuchDevice)
		x.sendReads(3)
		x.forget()
		x.remove()
		x.want("QueryRemove SelfManagedIoSuspend stop3(1) D0ExitPreInterruptsDisabled D0Exit ReleaseHardware stop3(2) SelfManagedIoFlush " +
			"stop2(2) SelfManagedIoCleanup")
		x.wantEnd(2, wdf.StatusDeviceRemoved)
		x.wantEnd(3, wdf.StatusDeviceRemoved)
		x.wantEnd(4, wdf.StatusCancelled)
		x.do(func(s *wdf.Sys) { x.send(s, read4) })
		x.wantEnd(5, wdf.StatusNoSuchDevice)
	})
}

// Surprise removal in D0: the queues stop as for a power-down; requests that come
// meanwhile wait, and then they are refused (PWR-7).
func TestPWR7SurpriseRemoval(t *testing.T) {
	var x *ioBench
	d := driver{pnp: func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "D0Exit" || name == "SelfManagedIoCleanup" {
			x.send(s, read4)
		}
		return 0
	}}
	stop := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
		s.WdfRequestComplete(r, wdf.StatusDeviceRemoved)
	}
	ioScenario(t, d, []queueSpec{{stop: stop}}, func(newest *ioBench) {
		x = newest
		x.sendReads(2)
		x.forget()
		x.do(func(s *wdf.Sys) { s.SurpriseRemove(x.bench.device) })
		x.want("SurpriseRemoval SelfManagedIoSuspend stop1(1) D0ExitPreInterruptsDisabled D0Exit ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup")
		x.wantEnd(1, wdf.StatusDeviceRemoved)
		x.wantEnd(2, wdf.StatusCancelled)
		x.wantEnd(3, wdf.StatusCancelled)
		x.wantEnd(4, wdf.StatusInvalidDeviceState)
	})
}

// A request that the driver keeps through the power-down of a surprise removal is
// told of again when the queue is purged: EvtIoStop with Suspend in D0, with Purge
// after EvtDeviceReleaseHardware (PWR-7, CON-20).
func TestPWR7KeptThroughSurpriseRemoval(t *testing.T) {
	stop := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
		if flags == wdf.RequestStopActionSuspend {
			s.WdfRequestStopAcknowledge(r, false)
		} else {
			s.WdfRequestComplete(r, wdf.StatusDeviceRemoved)
		}
	}
	ioScenario(t, driver{}, []queueSpec{{stop: stop}}, func(x *ioBench) {
		x.sendReads(1)
		x.forget()
		x.do(func(s *wdf.Sys) { s.SurpriseRemove(x.bench.device) })
		x.want("SurpriseRemoval SelfManagedIoSuspend stop1(1) D0ExitPreInterruptsDisabled D0Exit ReleaseHardware stop1(2) SelfManagedIoFlush SelfManagedIoCleanup")
		x.wantEnd(1, wdf.StatusDeviceRemoved)
	})
}

// Power-down against a completion on another processor: in every schedule the
// request ends once and the device leaves D0, whether EvtIoStop is called or not.
func TestIOQ12StopAgainstCompletion(t *testing.T) {
	var cb wdf.Callback
	x := newIO(t, driver{processors: 2}, queueSpec{
		present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { s.WdfRequestMarkCancelable(r, cb) },
		stop: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
			if s.WdfRequestUnmarkCancelable(r) == wdf.StatusSuccess {
				s.WdfRequestStopAcknowledge(r, true)
			}
		}})
	cb = doneBy(x)
	x.sendReads(1)
	x.forget()
	x.only = []string{"stop1(1)", "stop1(10000001)", "cancel1", "D0Exit", "off"}
	got := x.search(
		body{0, func(s *wdf.Sys) {
			s.SetPower(x.bench.device, wdf.PowerDeviceD3)
			x.note("off")
		}},
		body{1, func(s *wdf.Sys) { s.CancelRequest(x.sent[0]) }})
	x.wantOutcomes(got,
		"cancel1 D0Exit off",                 // the cancel was first
		"stop1(10000001) D0Exit off",         // back in the queue, and cancelled there
		"stop1(10000001) cancel1 D0Exit off", // the cancel came before the unmark; EvtRequestCancel waited
	)
}

// A queue that is deleted by its driver.
func TestOBJ20DeleteAQueue(t *testing.T) {
	spec := queueSpec{other: true, kind: wdf.IoQueueDispatchManual}
	forward := func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { s.WdfRequestForwardToIoQueue(r, x.queues[1]) }
	ioScenario(t, driver{}, []queueSpec{{present: forward}, spec}, func(x *ioBench) {
		x.sendReads(2)
		x.spawn(0, func(s *wdf.Sys) {
			r, _ := s.WdfIoQueueRetrieveNextRequest(x.queues[1])
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			s.WdfRequestComplete(r, 0) // the deletion waits for it
			x.note("completed")
		})
		x.do(func(s *wdf.Sys) {
			s.KeDelayExecutionThread(kernel.After(1_000))
			s.WdfObjectDelete(x.queues[1])
			x.note("deleted")
		})
		if got := x.noted(); !strings.HasSuffix(got, "completed deleted") {
			t.Errorf("got %s", got)
		}
		x.wantEnd(2, wdf.StatusCancelled)
		x.stop(func(s *wdf.Sys) { s.WdfIoQueueStart(x.queues[1]) })
		x.wantBugCheck("OBJ-18", 0x10D, 5, uint64(x.queues[1]), 0x1003)
	})
}
