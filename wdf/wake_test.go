package wdf_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// wakeDevice is a driver with one wake interrupt, on a latched line at vector 0x51.
func wakeDevice(pageless bool) driver {
	return driver{processors: 2, pageless: pageless, late: []interrupt{{vector: 0x51, line: true, latched: true, wakeHint: true,
		config: func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) { c.PassiveHandling, c.CanWakeDevice = true, true },
		isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
			b.note("irql%d", s.KeGetCurrentIrql())
			return true
		}}}}
}

// wakeBench starts the device and takes it to D3.
func wakeBench(t *testing.T, d driver, armed bool) (b *bench, line int) {
	b = newBench(t, d)
	line = b.AddLine("pin", 0x51, true)
	b.startDevice()
	b.do(func(s *wdf.Sys) {
		s.ArmForWake(b.device, armed)
		b.status("SetPower", s.SetPower(b.device, wdf.PowerDeviceD3), wdf.StatusSuccess)
	})
	return b, line
}

const shutdown = "SelfManagedIoSuspend D0ExitPreInterruptsDisabled "

// An armed wake interrupt stays connected in Dx, without EvtInterruptDisable
// (WAKE-1), and brings the device back: EvtDeviceD0Entry, then EvtInterruptIsr at
// PASSIVE_LEVEL, then the rest of the power-up (WAKE-2, litmus L-70 a).
func TestWAKE1WAKE2WAKE3ArmedInDx(t *testing.T) {
	b, line := wakeBench(t, wakeDevice(false), true)
	if got := b.steps(); !strings.HasSuffix(got, shutdown+"D0Exit") {
		t.Errorf("power-down: %s", got)
	}
	b.forget()
	b.pulse(line)
	b.run()
	b.wantSteps("D0Entry isr0 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
	b.pulse(line) // WAKE-3: in D0 there is no transition
	b.run()
	b.wantSteps("isr0")
	b.remove()
	b.wantFindings()
}

// The DPC and the work item of an armed wake interrupt are flushed before
// EvtDeviceD0Exit, although it stays connected (WAKE-1).
func TestWAKE1Flush(t *testing.T) {
	d := wakeDevice(false)
	d.late[0].work = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		s.KeDelayExecutionThread(kernel.After(1_000_000))
		b.note("end")
	}
	d.late[0].isr = nil
	b := newBench(t, d)
	line := b.AddLine("pin", 0x51, true)
	b.startDevice()
	b.only = []string{"isr0", "work0", "end", "D0Exit"}
	b.forget()
	b.do(func(s *wdf.Sys) {
		s.ArmForWake(b.device, true)
		b.pulse(line)
		s.KeDelayExecutionThread(kernel.After(10_000))
		s.SetPower(b.device, wdf.PowerDeviceD3)
	})
	b.want("isr0 work0 end D0Exit")
}

// Edges while the device wakes give one more call, after the first has returned
// (WAKE-2).
func TestWAKE2OneCallAtATime(t *testing.T) {
	d := wakeDevice(false)
	d.late[0].isr = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		s.KeDelayExecutionThread(kernel.After(1000))
		b.note("end")
		return true
	}
	b, line := wakeBench(t, d, true)
	b.d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "D0Entry" {
			for range 3 {
				b.pulse(line)
				s.KeStallExecutionProcessor(1)
			}
		}
		return wdf.StatusSuccess
	}
	b.only = []string{"isr0", "D0Entry", "end"}
	b.forget()
	b.pulse(line)
	b.run()
	b.want("D0Entry isr0 end isr0 end")
	b.wantFindings()
}

// Not armed: a power-pageable device has no call after EvtDeviceD0Exit began
// (litmus L-70 c); one that is not gets the call in Dx (d) (WAKE-4).
func TestWAKE4NotArmed(t *testing.T) {
	b, line := wakeBench(t, wakeDevice(false), false)
	if got := b.steps(); !strings.HasSuffix(got, shutdown+"disable0 flush0 disconnect0 D0Exit") {
		t.Errorf("power-down: %s", got)
	}
	b.forget()
	b.pulse(line)
	b.run()
	b.wantSteps("")

	b, line = wakeBench(t, wakeDevice(true), false)
	if got := b.steps(); !strings.HasSuffix(got, shutdown+"disable0 flush0 D0Exit") {
		t.Errorf("power-down, not pageable: %s", got)
	}
	b.forget()
	b.pulse(line)
	b.run()
	b.wantSteps("isr0")
	b.wantFindings()
}

// Not power-pageable and armed: EvtInterruptDisable is called, the interrupt stays
// connected, and it wakes the device.
func TestWAKE4ArmedNotPageable(t *testing.T) {
	b, line := wakeBench(t, wakeDevice(true), true)
	b.forget()
	b.pulse(line)
	b.run()
	b.wantSteps("D0Entry isr0 enable0 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
	b.wantFindings()
}

// An interrupt between the beginning of the power-down and EvtDeviceD0Exit: in no
// schedule does EvtInterruptIsr begin after EvtDeviceD0Exit began, unless the device
// is armed and comes back (WAKE-2, WAKE-4).
func TestWAKE4DuringThePowerDown(t *testing.T) {
	for _, armed := range []bool{true, false} {
		d := wakeDevice(false)
		d.late[0].isr = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool { return true }
		d.few = true
		b := newBench(t, d)
		line := b.AddLine("pin", 0x51, true)
		b.startDevice()
		b.only = []string{"isr0", "D0Exit"}
		want := []string{"D0Exit", "isr0 D0Exit"}
		if armed {
			want = []string{"D0Exit isr0", "isr0 D0Exit"} // the first: it has come back
		}
		got := b.explore(body{0, func(s *wdf.Sys) {
			s.ArmForWake(b.device, armed)
			s.SetPower(b.device, wdf.PowerDeviceD3)
		}}, body{1, func(s *wdf.Sys) { s.Step(); b.pulse(line) }})
		b.wantOutcomes(got, want...)
	}
}

// EvtDeviceD0Entry fails: the waiting service routine is let go without
// EvtInterruptIsr, and the interrupt is disabled and disconnected (WAKE-5, litmus
// L-70 b). The device has failed.
func TestWAKE5FailedWake(t *testing.T) {
	fail := false
	d := wakeDevice(false)
	d.pnp = func(_ *bench, _ *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "D0Entry" && fail {
			return wdf.StatusUnsuccessful
		}
		return wdf.StatusSuccess
	}
	b, line := wakeBench(t, d, true)
	b.f.SetPnpManager(&manager{})
	fail = true
	b.forget()
	b.pulse(line)
	b.run()
	b.wantSteps("D0Entry disable0 flush0 disconnect0 SurpriseRemoval ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup")
	b.wantFindings()
}

// A wake that takes more than a minute is a verifier break, and the wait goes on
// (WAKE-6).
func TestWAKE6Stuck(t *testing.T) {
	b, line := wakeBench(t, wakeDevice(false), true)
	b.d.pnp = func(_ *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "D0Entry" {
			s.KeDelayExecutionThread(kernel.After(200_000_000_000))
		}
		return wdf.StatusSuccess
	}
	b.forget()
	b.pulse(line)
	b.run()
	b.wantSteps("D0Entry isr0 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
	b.wantFindings("verifier break: wake interrupt stuck")
}

// A device that is removed while its wake interrupt is armed: EvtInterruptDisable
// first, then the disconnect (WDFI-25, PWR-7).
func TestPWR7WakeInterruptInDx(t *testing.T) {
	for _, surprise := range []bool{true, false} {
		b, _ := wakeBench(t, wakeDevice(false), true)
		b.forget()
		want := "disable0 flush0 disconnect0 ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup"
		if surprise {
			b.do(func(s *wdf.Sys) { s.SurpriseRemove(b.device) })
			want = "SurpriseRemoval " + want
		} else {
			b.remove()
			want = "QueryRemove " + want
		}
		b.wantSteps(want)
		b.wantFindings()
	}
}
