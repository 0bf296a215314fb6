package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/wdf"
)

func soft(i interrupt) interrupt {
	i.config = func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) { c.ReportInactiveOnPowerDown = wdf.True }
	return i
}

// ReportInactiveOnPowerDown: the interrupt stays connected in Dx, in name only, and
// becomes active again before EvtInterruptEnable; a removal disconnects it (WDFI-28
// b, INT-20).
func TestWDFI28SoftDisconnect(t *testing.T) {
	isr := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool { return true }
	scenario(t, driver{interrupts: []interrupt{soft(interrupt{vector: 0x51, isr: isr}), {vector: 0x71, isr: isr}}}, func(b *bench) {
		b.startDevice()
		b.forget()
		b.power(wdf.PowerDeviceD3)
		b.wantSteps(shutdown + "disable1 flush1 disconnect1 disable0 flush0 inactive0 D0Exit")
		b.SendMessage(0x51)
		b.run()
		b.wantSteps("")
		b.power(wdf.PowerDeviceD0)
		b.wantSteps("D0Entry active0 enable0 connect1 enable1 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
		b.SendMessage(0x51)
		b.run()
		b.wantSteps("isr0")
		b.power(wdf.PowerDeviceD3)
		b.forget()
		b.remove()
		b.wantSteps("QueryRemove flush0 disconnect0 " + afterwards)
	})
	// The removal from D0, and a device that is not power-pageable, ignore it.
	scenario(t, driver{interrupts: []interrupt{soft(interrupt{vector: 0x51, isr: isr})}}, func(b *bench) {
		b.startDevice()
		b.forget()
		b.remove()
		b.wantSteps("QueryRemove " + shutdown + "disable0 flush0 disconnect0 D0Exit " + afterwards)
	})
	scenario(t, driver{pageless: true, interrupts: []interrupt{soft(interrupt{vector: 0x51, isr: isr})}}, func(b *bench) {
		b.startDevice()
		b.forget()
		b.power(wdf.PowerDeviceD3)
		b.power(wdf.PowerDeviceD0)
		b.wantSteps(shutdown + "disable0 flush0 D0Exit D0Entry enable0 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
	})
}

// A power-up that fails disconnects what was soft-disconnected (PWR-6).
func TestPWR6SoftDisconnected(t *testing.T) {
	fail := false
	d := driver{interrupts: []interrupt{soft(interrupt{vector: 0x51})}}
	d.pnp = func(_ *bench, _ *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "D0Entry" && fail {
			return wdf.StatusUnsuccessful
		}
		return wdf.StatusSuccess
	}
	scenario(t, d, func(b *bench) {
		fail = false
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		b.forget()
		fail = true
		b.do(func(s *wdf.Sys) {
			b.status("SetPower", s.SetPower(b.device, wdf.PowerDeviceD0), wdf.StatusUnsuccessful)
		})
		b.wantSteps("D0Entry flush0 disconnect0")
	})
}

// WdfInterruptReportInactive stops the calls of the ISR, WdfInterruptReportActive
// lets them come again; what is already so has no effect; an interrupt that is not
// connected is a verifier break (WDFI-30).
func TestWDFI30ReportActive(t *testing.T) {
	isr := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool { return true }
	scenario(t, one(interrupt{isr: isr}), func(b *bench) {
		report := func(active bool) {
			b.do(func(s *wdf.Sys) {
				atDispatch(s, func() {
					if active {
						s.WdfInterruptReportActive(b.interrupts[0])
					} else {
						s.WdfInterruptReportInactive(b.interrupts[0])
					}
				})
			})
			b.SendMessage(0x51)
			b.run()
		}
		report(true)
		report(false)
		b.wantFindings("verifier break: WdfInterruptReportActive while not connected", "verifier break: WdfInterruptReportInactive while not connected")
		b.startDevice()
		b.forget()
		report(true)
		b.wantSteps("isr0")
		report(false)
		report(false)
		b.wantSteps("inactive0")
		report(true)
		b.wantSteps("active0 isr0")
		report(false)
		b.forget()
		b.power(wdf.PowerDeviceD3) // WdfInterruptReportInactive does not survive a disconnect
		b.power(wdf.PowerDeviceD0)
		b.forget()
		b.SendMessage(0x51)
		b.run()
		b.wantSteps("isr0")
	})
}

// What WdfInterruptEnable connects in Dx is not disconnected by a removal: the
// interrupt object ends while it is connected, a verifier break (WDFI-29).
func TestWDFI29EnabledInDxAndRemoved(t *testing.T) {
	scenario(t, one(interrupt{}), func(b *bench) {
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		b.do(func(s *wdf.Sys) { s.WdfInterruptEnable(b.interrupts[0]) })
		b.remove()
		b.wantFindings("verifier break: interrupt deleted while it is connected")
	})
}
