package wdf_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// idleDriver is a driver whose device goes to D2 when it was idle for 10 ms.
func idleDriver(change func(c *wdf.IdleSettings)) driver {
	return driver{interrupts: []interrupt{{vector: 0x51, dpc: nothing}}, add: func(b *bench, s *wdf.Sys) {
		c := wdf.IdleSettingsInit(wdf.IdleCannotWakeFromS0)
		c.IdleTimeout, c.DxState = 10, wdf.PowerDeviceD2
		if change != nil {
			change(&c)
		}
		b.status("WdfDeviceAssignS0IdleSettings", s.WdfDeviceAssignS0IdleSettings(b.device, &c), 0)
	}}
}

const (
	idleDown = "SelfManagedIoSuspend D0ExitPreInterruptsDisabled disable0 D0Exit"
	idleUp   = "D0Entry enable0 D0EntryPostInterruptsEnabled SelfManagedIoRestart"
	ms       = 1_000_000
)

func TestPWRIdlePowerDown(t *testing.T) {
	ioScenario(t, idleDriver(nil), []queueSpec{{present: completeNow}}, func(x *ioBench) {
		x.wantState(0, ready|pnpHeld|idle, 0, 0)
		x.sendReads(1) // takes the device to D0, and is presented there
		x.wantEnd(1, 0)
		x.want("D0Entry enable0 D0EntryPostInterruptsEnabled io1( )io1 SelfManagedIoRestart " + idleDown)
	})
}

// The power framework takes an idle device to its idle state at once, or after the
// hint, and back when the system wakes.
func TestPWRIdleSystemManaged(t *testing.T) {
	for _, hint := range []bool{false, true} {
		d := idleDriver(func(c *wdf.IdleSettings) {
			c.IdleTimeoutType, c.IdleTimeout = wdf.SystemManagedIdleTimeout, 100
			if hint {
				c.IdleTimeoutType = wdf.SystemManagedIdleTimeoutWithHint
			}
		})
		ioScenario(t, d, nil, func(x *ioBench) {
			x.forget()
			x.do(func(s *wdf.Sys) {
				s.WdfDeviceStopIdle(x.bench.device, true)
				s.WdfDeviceResumeIdle(x.bench.device)
				s.KeDelayExecutionThread(kernel.After(90 * ms))
				x.note("90ms")
			})
			if hint {
				x.want(idleUp + " 90ms " + idleDown)
			} else {
				x.want(idleUp + " " + idleDown + " 90ms")
			}
			x.power(wdf.PowerDeviceD3)
			x.power(wdf.PowerDeviceD0)
			x.want(idleUp + " " + idleDown)
		})
	}
}

// A request that the driver has keeps the device in D0.
func TestPWRIdleRequestKeepsD0(t *testing.T) {
	ioScenario(t, idleDriver(nil), []queueSpec{{}}, func(x *ioBench) {
		x.forget()
		x.sendReads(1)
		x.do(func(s *wdf.Sys) { s.KeDelayExecutionThread(kernel.After(50 * ms)) })
		x.want("D0Entry enable0 D0EntryPostInterruptsEnabled io1( )io1 SelfManagedIoRestart")
		x.do(func(s *wdf.Sys) { s.WdfRequestComplete(x.sent[0], 0) })
		x.want(idleDown)
	})
}

// The device waits for its timeout, and what comes before it starts it anew.
func TestPWRIdleTimeout(t *testing.T) {
	ioScenario(t, idleDriver(func(c *wdf.IdleSettings) { c.IdleTimeout = 0 }), []queueSpec{{present: completeNow}}, func(x *ioBench) {
		x.forget()
		x.do(func(s *wdf.Sys) {
			b := x.bench
			b.status("stop", s.WdfDeviceStopIdle(b.device, true), 0)
			s.WdfDeviceResumeIdle(b.device)
			s.KeDelayExecutionThread(kernel.After(3000 * ms))
			b.status("stop again", s.WdfDeviceStopIdle(b.device, false), 0)
			s.WdfDeviceResumeIdle(b.device)
			s.KeDelayExecutionThread(kernel.After(4900 * ms))
			b.note("4.9s")
			s.KeDelayExecutionThread(kernel.After(200 * ms))
			b.note("5.1s")
		})
		x.want(idleUp + " 4.9s " + idleDown + " 5.1s")
	})
}

func TestPWRStopIdle(t *testing.T) {
	ioScenario(t, idleDriver(nil), nil, func(x *ioBench) {
		b := x.bench
		b.forget()
		b.do(func(s *wdf.Sys) {
			b.status("without a wait", s.WdfDeviceStopIdle(b.device, false), wdf.StatusPending)
			s.KeDelayExecutionThread(kernel.After(50 * ms))
			b.want(idleUp)
			b.status("in D0", s.WdfDeviceStopIdleNoTrack(b.device, true), wdf.StatusSuccess)
			s.WdfDeviceResumeIdleNoTrack(b.device)
			s.KeDelayExecutionThread(kernel.After(50 * ms))
			b.want("")
			s.WdfDeviceResumeIdle(b.device)
			s.KeDelayExecutionThread(kernel.After(50 * ms))
			b.want(idleDown)
			b.status("with a wait", s.WdfDeviceStopIdle(b.device, true), wdf.StatusSuccess)
			b.want(idleUp)
			s.WdfDeviceResumeIdle(b.device)
		})
		b.do(func(s *wdf.Sys) { s.WdfDeviceResumeIdle(b.device) })
		b.wantFindings("verifier break: WdfDeviceResumeIdle")
	})
}

func TestPWRStopIdleNotStarted(t *testing.T) {
	scenario(t, idleDriver(nil), func(b *bench) {
		b.do(func(s *wdf.Sys) {
			b.status("before the start", s.WdfDeviceStopIdle(b.device, false), wdf.StatusPowerStateInvalid)
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			b.status("a wait at DISPATCH_LEVEL", s.WdfDeviceStopIdle(b.device, true), wdf.StatusInvalidDeviceRequest)
			s.KeLowerIrql(old)
		})
		b.wantFindings("verifier break: KmdfIrql")
	})
	notOwner := driver{init: func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) { s.WdfDeviceInitSetPowerPolicyOwnership(init, false) }}
	scenario(t, notOwner, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) {
			b.status("not the owner", s.WdfDeviceStopIdle(b.device, false), wdf.StatusInvalidDeviceState)
			c := wdf.IdleSettingsInit(wdf.IdleCannotWakeFromS0)
			b.status("settings", s.WdfDeviceAssignS0IdleSettings(b.device, &c), wdf.StatusInvalidDeviceRequest)
			w := wdf.WakeSettingsInit()
			b.status("wake settings", s.WdfDeviceAssignSxWakeSettings(b.device, &w), wdf.StatusInvalidDeviceRequest)
		})
	})
}

// Without settings a reference in D0 succeeds and changes nothing.
func TestPWRStopIdleWithoutSettings(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) {
			b.status("stop", s.WdfDeviceStopIdle(b.device, true), wdf.StatusSuccess)
			s.WdfDeviceResumeIdle(b.device)
		})
	})
}

func TestPWRIdleSettingsChecks(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			for _, test := range []struct {
				name   string
				change func(c *wdf.IdleSettings)
				want   wdf.NTSTATUS
			}{
				{"size", func(c *wdf.IdleSettings) { c.Size = 35 }, wdf.StatusInfoLengthMismatch},
				{"D0", func(c *wdf.IdleSettings) { c.DxState = wdf.PowerDeviceD0 }, wdf.StatusInvalidParameter},
				{"caps", func(c *wdf.IdleSettings) { c.IdleCaps = 4 }, wdf.StatusInvalidParameter},
				{"user", func(c *wdf.IdleSettings) { c.UserControl = 0 }, wdf.StatusInvalidParameter},
				{"enabled", func(c *wdf.IdleSettings) { c.Enabled = 3 }, wdf.StatusInvalidParameter},
				{"type", func(c *wdf.IdleSettings) { c.IdleTimeoutType = 3 }, wdf.StatusInvalidParameter},
				{"wake", func(c *wdf.IdleSettings) { c.IdleCaps = wdf.IdleCanWakeFromS0 }, wdf.StatusPowerStateInvalid},
				{"wake, up", func(c *wdf.IdleSettings) {
					c.IdleCaps, c.PowerUpIdleDeviceOnSystemWake = wdf.IdleCanWakeFromS0, wdf.True
				}, wdf.StatusInvalidParameter},
				{"1.7", func(c *wdf.IdleSettings) { c.Size, c.PowerUpIdleDeviceOnSystemWake = 24, 9 }, wdf.StatusSuccess},
			} {
				c := wdf.IdleSettingsInit(wdf.IdleCannotWakeFromS0)
				test.change(&c)
				b.status(test.name, s.WdfDeviceAssignS0IdleSettings(b.device, &c), test.want)
			}
			w := wdf.WakeSettingsInit()
			b.status("Sx wake", s.WdfDeviceAssignSxWakeSettings(b.device, &w), wdf.StatusPowerStateInvalid)
			w.Size = 17
			b.status("Sx wake size", s.WdfDeviceAssignSxWakeSettings(b.device, &w), wdf.StatusInfoLengthMismatch)
			b.status("wake status of an FDO", s.WdfDeviceIndicateWakeStatus(b.device, 0), wdf.StatusInvalidDeviceState)
			b.status("wake status pending", s.WdfDeviceIndicateWakeStatus(b.device, wdf.StatusPending), wdf.StatusInvalidParameter)
		})
	})
}

// A device that is idle when the system wakes stays where it is, unless its
// settings say otherwise; before a removal it comes back.
func TestPWRIdleAndSystemSleep(t *testing.T) {
	sleep := func(x *ioBench) {
		x.power(wdf.PowerDeviceD3)
		if got := systemAction(x.bench); got != wdf.PowerActionSleep {
			x.Errorf("asleep: system power action %d", got)
		}
		x.power(wdf.PowerDeviceD0)
		if got := systemAction(x.bench); got != wdf.PowerActionNone {
			x.Errorf("awake: system power action %d", got)
		}
	}
	ioScenario(t, idleDriver(nil), []queueSpec{{present: completeNow}}, func(x *ioBench) {
		x.forget()
		sleep(x)
		x.want("")
		x.remove()
		x.want(idleUp + " QueryRemove " + idleDown + " ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup")
	})
	up := idleDriver(func(c *wdf.IdleSettings) { c.PowerUpIdleDeviceOnSystemWake = wdf.True })
	ioScenario(t, up, []queueSpec{{present: completeNow}}, func(x *ioBench) {
		x.forget()
		sleep(x)
		x.want(idleUp + " " + idleDown)
	})
}

func systemAction(b *bench) (action uint32) {
	b.do(func(s *wdf.Sys) { action = s.WdfDeviceGetSystemPowerAction(b.device) })
	return action
}

// A device that does not come back has failed: references fail.
func TestPWRIdlePowerUpFails(t *testing.T) {
	d := idleDriver(nil)
	fail := false
	d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "D0Entry" && fail {
			return wdf.StatusUnsuccessful
		}
		return 0
	}
	ioScenario(t, d, nil, func(x *ioBench) {
		b := x.bench
		fail = true
		m := &manager{}
		b.f.SetPnpManager(m)
		b.do(func(s *wdf.Sys) { b.status("stop", s.WdfDeviceStopIdle(b.device, true), wdf.StatusPowerStateInvalid) })
		fail = false
		if m.failed != 1 || m.restart {
			b.Errorf("DeviceFailed was called %d times, restart %t", m.failed, m.restart)
		}
	})
}

// manager is a wdf.PnpManager that counts.
type manager struct {
	failed  int
	restart bool
	wakes   bool // the device can
	waiting bool // for wake
}

func (m *manager) BusPower(uint32, bool) {}
func (m *manager) CanWake(uint32) bool   { return m.wakes }
func (m *manager) BusWake(_ uint32, on bool) {
	m.waiting = on
}

func (m *manager) DeviceFailed(s *wdf.Sys, device wdf.WDFDEVICE, restart bool) {
	m.failed++
	m.restart = restart
	s.SurpriseRemove(device)
}

func TestDeviceSetFailed(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		m := &manager{}
		b.f.SetPnpManager(m)
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfDeviceSetFailed(b.device, 3) })
		b.wantFindings("verifier break: WDF_DEVICE_FAILED_ACTION")
		b.want("")
		b.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfDeviceSetFailed(b.device, wdf.DeviceFailedAttemptRestart)
			s.WdfDeviceSetFailed(b.device, wdf.DeviceFailedAttemptRestart)
			s.KeLowerIrql(old)
		})
		b.want("SurpriseRemoval SelfManagedIoSuspend D0ExitPreInterruptsDisabled D0Exit ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup")
		if m.failed != 1 || !m.restart {
			b.Errorf("DeviceFailed was called %d times, restart %t", m.failed, m.restart)
		}
	})
}

// However the idle timer, a request and a reference of another processor fall
// together, the request is served in D0 and the device is idle in the end.
func TestPWRIdleInEverySchedule(t *testing.T) {
	d := driver{processors: 2, few: true, add: func(b *bench, s *wdf.Sys) {
		c := wdf.IdleSettingsInit(wdf.IdleCannotWakeFromS0)
		c.IdleTimeout = 1
		b.status("WdfDeviceAssignS0IdleSettings", s.WdfDeviceAssignS0IdleSettings(b.device, &c), 0)
	}}
	x := newIO(t, d, queueSpec{present: completeNow})
	var r wdf.WDFREQUEST
	x.before = func() { x.sent = nil }
	got := x.search(
		body{0, func(s *wdf.Sys) {
			r = x.send(s, read4)
			x.note("read 0x%X", uint32(s.AwaitRequest(r).Status))
		}},
		body{1, func(s *wdf.Sys) {
			if st := s.WdfDeviceStopIdle(x.bench.device, false); st.Failed() {
				x.note("stop 0x%X", uint32(st))
			}
			s.WdfDeviceResumeIdle(x.bench.device)
		}},
	)
	for _, outcome := range got {
		if strings.Contains(outcome, "stop") || !strings.Contains(outcome, "read 0x0") || !strings.HasSuffix(outcome, "D0Exit") {
			t.Errorf("outcome %s", outcome)
		}
	}
}

func TestPowerCapabilities(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			c := &wdf.DevicePowerCapabilities{Size: 79, DeviceWake: wdf.PowerDeviceD2, IdealDxStateForSx: wdf.PowerDeviceMaximum}
			s.WdfDeviceSetPowerCapabilities(b.device, c)
			c.Size, c.DeviceState[6] = 80, 6
			s.WdfDeviceSetPowerCapabilities(b.device, c)
			c.DeviceState[6] = wdf.PowerDeviceMaximum
			s.WdfDeviceSetPowerCapabilities(b.device, c)
			i := wdf.IdleSettingsInit(wdf.IdleCanWakeFromS0)
			i.DxState = wdf.PowerDeviceD3
			b.status("deeper than it wakes from", s.WdfDeviceAssignS0IdleSettings(b.device, &i), wdf.StatusPowerStateInvalid)
		})
		b.wantFindings("verifier break: WDF_DEVICE_POWER_CAPABILITIES.Size", "verifier break: WDF_DEVICE_POWER_CAPABILITIES")
		b.stop(func(s *wdf.Sys) {
			i := wdf.IdleSettingsInit(wdf.IdleCanWakeFromS0)
			s.WdfDeviceAssignS0IdleSettings(b.device, &i)
		})
		if f := b.take(); len(f) != 1 || !f[0].Unsupported {
			b.Errorf("findings %v", titles(f))
		}
	})
}

func TestStaticStopRemove(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) {
			s.WdfDeviceSetStaticStopRemove(b.device, false)
			b.status("refused", s.RemoveDevice(b.device), wdf.StatusInvalidDeviceState)
			s.WdfDeviceSetStaticStopRemove(b.device, true)
			b.want("")
		})
		b.remove()
	})
}
