package wdf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/wdf"
)

// twoInterrupts is a driver with two message interrupts.
func twoInterrupts() driver {
	return driver{interrupts: []interrupt{{vector: 0x51}, {vector: 0x71}}}
}

// failing makes one callback of a driver fail.
func failing(d driver, name string) driver {
	d.pnp = func(_ *bench, _ *wdf.Sys, callback string) wdf.NTSTATUS {
		if callback == name {
			return wdf.StatusUnsuccessful
		}
		return wdf.StatusSuccess
	}
	return d
}

// failStart starts the device, which fails, and removes it.
func failStart(b *bench, want wdf.NTSTATUS, starting, removal string) {
	b.Helper()
	b.forget()
	b.do(func(s *wdf.Sys) { b.status("StartDevice", b.startIn(s), want) })
	b.wantSteps(starting)
	b.remove()
	b.wantSteps(removal)
}

const (
	up         = "connect0 enable0 connect1 enable1 "
	down       = "disable1 flush1 disconnect1 disable0 flush0 disconnect0 "
	afterwards = "ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup"
)

// The order through a whole life (WDFI-22, WDFI-24, WDFI-28 a).
func TestWDFI22WDFI24OrderOfCallbacks(t *testing.T) {
	scenario(t, twoInterrupts(), func(b *bench) {
		b.forget()
		b.startDevice()
		b.wantSteps("PrepareHardware D0Entry " + up + "D0EntryPostInterruptsEnabled SelfManagedIoInit")
		b.power(wdf.PowerDeviceD3)
		b.wantSteps("SelfManagedIoSuspend D0ExitPreInterruptsDisabled " + down + "D0Exit")
		b.power(wdf.PowerDeviceD0)
		b.wantSteps("D0Entry " + up + "D0EntryPostInterruptsEnabled SelfManagedIoRestart")
		b.remove()
		b.wantSteps("QueryRemove SelfManagedIoSuspend D0ExitPreInterruptsDisabled " + down + "D0Exit " + afterwards)
	})
}

// An orderly removal from Dx has nothing to power down.
func TestWDFI24RemovalInDx(t *testing.T) {
	scenario(t, twoInterrupts(), func(b *bench) {
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		b.forget()
		b.remove()
		b.wantSteps("QueryRemove " + afterwards)
	})
}

// The interrupts of a device that is not power-pageable stay connected in Dx
// (WDFI-28 c); its removal in Dx disconnects without EvtInterruptDisable (PWR-7).
func TestWDFI28NotPowerPageable(t *testing.T) {
	d := twoInterrupts()
	d.pageless = true
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.power(wdf.PowerDeviceD3)
		b.wantSteps("SelfManagedIoSuspend D0ExitPreInterruptsDisabled disable1 flush1 disable0 flush0 D0Exit")
		b.SendMessage(0x51)
		b.run()
		b.wantSteps("isr0")
		b.power(wdf.PowerDeviceD0)
		b.wantSteps("D0Entry enable0 enable1 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
		b.power(wdf.PowerDeviceD3)
		b.forget()
		b.remove()
		b.wantSteps("QueryRemove flush1 disconnect1 flush0 disconnect0 " + afterwards)
	})
}

// Surprise removal: litmus L-47 (PWR-7, WDFI-25).
func TestWDFI25SurpriseRemoval(t *testing.T) {
	surprise := func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) { s.SurpriseRemove(b.device) })
	}
	scenario(t, twoInterrupts(), func(b *bench) { // a: in D0
		b.startDevice()
		surprise(b)
		b.wantSteps("SurpriseRemoval SelfManagedIoSuspend D0ExitPreInterruptsDisabled " + down + "D0Exit " + afterwards)
	})
	scenario(t, twoInterrupts(), func(b *bench) { // b: in Dx
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		surprise(b)
		b.wantSteps("SurpriseRemoval " + afterwards)
	})
	d := twoInterrupts()
	d.pageless = true
	scenario(t, d, func(b *bench) { // c: in Dx, not power-pageable
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		surprise(b)
		b.wantSteps("SurpriseRemoval flush1 disconnect1 flush0 disconnect0 " + afterwards)
	})
}

// EvtDeviceReleaseHardware is called once, also if EvtDevicePrepareHardware
// failed; self-managed I/O that was not begun is not ended.
func TestWDFI22PrepareHardwareFails(t *testing.T) {
	scenario(t, failing(twoInterrupts(), "PrepareHardware"), func(b *bench) {
		failStart(b, wdf.StatusUnsuccessful, "PrepareHardware ReleaseHardware", "")
	})
}

// EvtDeviceD0Exit is not called after a failed EvtDeviceD0Entry (PWR-6).
func TestWDFI22D0EntryFails(t *testing.T) {
	scenario(t, failing(twoInterrupts(), "D0Entry"), func(b *bench) {
		failStart(b, wdf.StatusUnsuccessful, "PrepareHardware D0Entry ReleaseHardware", "")
	})
}

// EvtInterruptEnable of the second interrupt fails: litmus L-73 (WDFI-22,
// WDFI-25, PWR-6).
func TestWDFI22EnableFails(t *testing.T) {
	d := twoInterrupts()
	d.interrupts[1].enable = func(*bench, *wdf.Sys, wdf.WDFINTERRUPT) wdf.NTSTATUS { return wdf.StatusIODeviceError }
	scenario(t, d, func(b *bench) {
		failStart(b, wdf.StatusIODeviceError, `PrepareHardware D0Entry connect0 enable0 connect1 enable1
			flush1 disconnect1 disable0 flush0 disconnect0 D0Exit ReleaseHardware`, "")
	})
}

// The second connect fails, because its vector is taken: nothing of the second
// interrupt is undone (WDFI-22, INT-12).
func TestWDFI22ConnectFails(t *testing.T) {
	d := twoInterrupts()
	d.interrupts[1].vector = 0x51
	scenario(t, d, func(b *bench) {
		failStart(b, wdf.StatusInvalidParameter, `PrepareHardware D0Entry connect0 enable0 disable0 flush0 disconnect0 D0Exit ReleaseHardware`, "")
	})
}

// EvtDeviceD0EntryPostInterruptsEnabled fails (PWR-6).
func TestWDFI22PostInterruptsEnabledFails(t *testing.T) {
	scenario(t, failing(twoInterrupts(), "D0EntryPostInterruptsEnabled"), func(b *bench) {
		failStart(b, wdf.StatusUnsuccessful, "PrepareHardware D0Entry "+up+"D0EntryPostInterruptsEnabled "+down+"D0Exit ReleaseHardware", "")
	})
}

// EvtDeviceSelfManagedIoInit fails: it is not suspended, but flushed and cleaned
// up when the device is removed.
func TestWDFI22SelfManagedIoInitFails(t *testing.T) {
	scenario(t, failing(twoInterrupts(), "SelfManagedIoInit"), func(b *bench) {
		failStart(b, wdf.StatusUnsuccessful, "PrepareHardware D0Entry "+up+`D0EntryPostInterruptsEnabled SelfManagedIoInit
			D0ExitPreInterruptsDisabled `+down+"D0Exit ReleaseHardware", "SelfManagedIoFlush SelfManagedIoCleanup")
	})
}

// A return to D0 that fails (PWR-6).
func TestWDFI22PowerUpFromDxFails(t *testing.T) {
	fail := false
	d := twoInterrupts()
	d.pnp = func(_ *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if fail && name == "SelfManagedIoRestart" {
			return wdf.StatusUnsuccessful
		}
		return wdf.StatusSuccess
	}
	scenario(t, d, func(b *bench) {
		fail = true
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		b.forget()
		b.do(func(s *wdf.Sys) {
			b.status("SetPower", s.SetPower(b.device, wdf.PowerDeviceD0), wdf.StatusUnsuccessful)
		})
		b.wantSteps("D0Entry " + up + "D0EntryPostInterruptsEnabled SelfManagedIoRestart D0ExitPreInterruptsDisabled " + down + "D0Exit")
		b.remove()
		b.wantSteps("QueryRemove " + afterwards)
	})
}

// EvtDeviceQueryRemove can refuse: nothing happens.
func TestQueryRemoveRefuses(t *testing.T) {
	scenario(t, failing(twoInterrupts(), "QueryRemove"), func(b *bench) {
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) { b.status("RemoveDevice", s.RemoveDevice(b.device), wdf.StatusUnsuccessful) })
		b.wantSteps("QueryRemove")
		b.SendMessage(0x51)
		b.run()
		b.wantSteps("isr0")
	})
}

// A failing EvtInterruptDisable does not end the walk (WDFI-24, WDFI-25).
func TestWDFI25DisableFails(t *testing.T) {
	d := twoInterrupts()
	d.interrupts[1].disable = func(*bench, *wdf.Sys, wdf.WDFINTERRUPT) wdf.NTSTATUS { return wdf.StatusUnsuccessful }
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.power(wdf.PowerDeviceD3)
		b.wantSteps("SelfManagedIoSuspend D0ExitPreInterruptsDisabled " + down + "D0Exit")
	})
}

// IRQL and power states of the PnP and power callbacks (IRQL-7).
func TestPowerCallbacksArePassive(t *testing.T) {
	d := twoInterrupts()
	d.pnp = func(_ *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if irql := s.KeGetCurrentIrql(); irql != wdf.PassiveLevel {
			return wdf.StatusUnsuccessful
		}
		return wdf.StatusSuccess
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.remove()
	})
}

// When EvtDeviceD0Exit starts no EvtInterruptDpc that was queued before the
// flush is running or queued, whatever the schedule: litmus L-44 (WDFI-26,
// PWR-1). EvtInterruptDisable and the DPC may come in either order, and overlap.
func TestWDFI26D0ExitAfterTheDPC(t *testing.T) {
	var x uint64
	d := driver{processors: 2, few: true, interrupts: []interrupt{{vector: 0x51, affinity: 0b10}}}
	d.interrupts[0].dpc = func(b *bench, s *wdf.Sys, _ wdf.WDFINTERRUPT) {
		s.Load(x, 8)
		b.note("dpcEnd")
	}
	b := newBench(t, d)
	x = b.Mem.Alloc(8, 0, false, 0)
	b.startDevice()
	b.only = []string{"dpc0", "dpcEnd", "disable0", "D0Exit"}
	b.wantOutcomes(b.explore(
		body{0, func(s *wdf.Sys) {
			s.WdfInterruptQueueDpcForIsr(b.interrupts[0])
			s.SetPower(b.device, wdf.PowerDeviceD3)
		}},
	), "dpc0 dpcEnd disable0 D0Exit")
	queued := false
	b.before = func() { queued = false }
	got := b.explore(
		body{1, func(s *wdf.Sys) {
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfInterruptQueueDpcForIsr(b.interrupts[0])
			queued = true
			s.KeLowerIrql(old)
		}},
		body{0, func(s *wdf.Sys) {
			s.BusyWait("the DPC to be queued", func() bool { return queued })
			s.SetPower(b.device, wdf.PowerDeviceD3)
		}},
	)
	b.wantOutcomes(got, "disable0 dpc0 dpcEnd D0Exit", "dpc0 dpcEnd disable0 D0Exit", "dpc0 disable0 dpcEnd D0Exit")
}

// The flush comes before the disconnect: a message between them queues a DPC
// that can run after EvtDeviceD0Exit began (WDFI-27). For a latched line the
// framework discards such interrupts.
func TestWDFI27LateInterrupt(t *testing.T) {
	for _, line := range []bool{false, true} {
		d := driver{processors: 2, few: true, interrupts: []interrupt{{vector: 0x51, line: line, latched: true, affinity: 0b10,
			dpc: nothing}}}
		b := newBench(t, d)
		b.startDevice()
		b.only = []string{"D0Exit", "dpc0"}
		b.sendFree(0x51)
		got := b.explore(
			body{0, func(s *wdf.Sys) { s.SetPower(b.device, wdf.PowerDeviceD3) }},
		)
		late := slices.ContainsFunc(got, func(o string) bool { return strings.HasPrefix(o, "D0Exit dpc0") })
		if late == line {
			t.Errorf("line %v: DPC after EvtDeviceD0Exit reached: %v; outcomes %q", line, late, got)
		}
		if !slices.Contains(got, "D0Exit") || !slices.Contains(got, "dpc0 D0Exit") {
			t.Errorf("line %v: outcomes %q", line, got)
		}
	}
}
