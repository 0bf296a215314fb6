package wdf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// wakingDriver is a driver whose device can wake from where it goes when it was
// idle for 10 ms, and from the sleep of the system; idle and sleep change what is
// asked for, nil asks for nothing.
func wakingDriver(m *manager, idle func(*wdf.IdleSettings), sleep func(*wdf.WakeSettings)) driver {
	m.wakes = true
	return driver{
		init: func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
			b.f.SetPnpManager(m)
			on := func(name string) wdf.Callback {
				return b.fn("EvtDevice"+name, func(s *wdf.Sys, a kernel.Args) uint64 {
					b.note("%s", name)
					if b.d.pnp == nil {
						return 0
					}
					return uint64(b.d.pnp(b, s, name))
				})
			}
			s.WdfDeviceInitSetPowerPolicyEventCallbacks(init, &wdf.PowerPolicyEventCallbacks{Size: wdf.PowerPolicyEventCallbacksSize,
				EvtDeviceArmWakeFromS0: on("ArmS0"), EvtDeviceDisarmWakeFromS0: on("DisarmS0"), EvtDeviceWakeFromS0Triggered: on("WokeS0"),
				EvtDeviceArmWakeFromSx: on("ArmSx"), EvtDeviceDisarmWakeFromSx: on("DisarmSx"), EvtDeviceWakeFromSxTriggered: on("WokeSx")})
		},
		add: func(b *bench, s *wdf.Sys) {
			if idle != nil {
				c := wdf.IdleSettingsInit(wdf.IdleCanWakeFromS0)
				c.IdleTimeout = 10
				idle(&c)
				b.status("WdfDeviceAssignS0IdleSettings", s.WdfDeviceAssignS0IdleSettings(b.device, &c), 0)
			}
			if sleep != nil {
				c := wdf.WakeSettingsInit()
				sleep(&c)
				b.status("WdfDeviceAssignSxWakeSettings", s.WdfDeviceAssignSxWakeSettings(b.device, &c), 0)
			}
		},
	}
}

func idleAsIs(*wdf.IdleSettings)  {}
func sleepAsIs(*wdf.WakeSettings) {}

const (
	exit   = "D0ExitPreInterruptsDisabled D0Exit"
	enter  = "D0Entry D0EntryPostInterruptsEnabled"
	armed  = "SelfManagedIoSuspend ArmS0 " + exit
	woke   = enter + " WokeS0 DisarmS0 SelfManagedIoRestart"
	asleep = "SelfManagedIoSuspend ArmSx " + exit
)

// A device that is idle is armed when I/O has stopped, and then leaves D0 (WAKE-7).
// It signals wake: it returns to D0, and the driver hears of that and disarms it
// before I/O starts (WAKE-8). A request takes it back, too; then it has not woken.
func TestWAKE7WAKE8Idle(t *testing.T) {
	m := &manager{}
	ioScenario(t, wakingDriver(m, idleAsIs, nil), []queueSpec{{present: completeNow}}, func(x *ioBench) {
		x.forget()
		if !m.waiting {
			t.Error("the bus does not wait for wake")
		}
		x.f.WakeSignalled(1) // another function
		x.run()
		x.want("")
		x.f.WakeSignalled(0)
		x.run()
		x.want(woke + " " + armed) // and is idle again
		x.sendReads(1)
		x.want(enter + " DisarmS0 io1( )io1 SelfManagedIoRestart " + armed)
		x.remove()
		x.want(enter + " DisarmS0 SelfManagedIoRestart QueryRemove SelfManagedIoSuspend " + exit + " ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup")
		if m.waiting {
			t.Error("the bus waits for the wake of a device that is removed")
		}
		x.f.WakeSignalled(0)
		x.run()
		x.want("")
	})
}

// EvtDeviceArmWakeFromS0 fails: the device leaves D0, and comes back at once,
// unarmed (WAKE-9).
func TestWAKE9ArmFromS0Fails(t *testing.T) {
	m, fail := &manager{}, false
	d := wakingDriver(m, idleAsIs, nil)
	d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "ArmS0" && fail {
			fail = false
			return wdf.StatusUnsuccessful
		}
		return 0
	}
	scenario(t, d, func(b *bench) {
		fail = true
		b.startDevice()
		b.want("PrepareHardware D0Entry D0EntryPostInterruptsEnabled SelfManagedIoInit " + armed + " " + enter + " SelfManagedIoRestart " + armed)
	})
}

// The system sleeps: the device is armed for it and wakes it, or something else
// does (WAKE-7, WAKE-8).
func TestWAKE7WAKE8SystemSleep(t *testing.T) {
	m := &manager{}
	scenario(t, wakingDriver(m, nil, func(c *wdf.WakeSettings) { c.DxState = wdf.PowerDeviceD2 }), func(b *bench) {
		b.startDevice()
		b.forget()
		for _, byDevice := range []bool{true, false} {
			b.power(wdf.PowerDeviceD3)
			b.want(asleep)
			end := enter + " WokeSx DisarmSx SelfManagedIoRestart"
			if byDevice {
				b.f.WakeSignalled(0)
				b.run()
			} else {
				end = enter + " DisarmSx SelfManagedIoRestart"
			}
			b.power(wdf.PowerDeviceD0)
			b.want(end)
		}
		b.power(wdf.PowerDeviceD3)
		b.forget()
		b.do(func(s *wdf.Sys) { s.SurpriseRemove(b.device) })
		b.want("SurpriseRemoval ReleaseHardware SelfManagedIoFlush SelfManagedIoCleanup") // WAKE-9: nobody disarms what is gone
	})
}

// EvtDeviceArmWakeFromSx fails: it is disarmed all the same, and sleeps unarmed
// (WAKE-9).
func TestWAKE9ArmFromSxFails(t *testing.T) {
	m := &manager{}
	d := wakingDriver(m, nil, sleepAsIs)
	d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "ArmSx" {
			return wdf.StatusUnsuccessful
		}
		return 0
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.power(wdf.PowerDeviceD3)
		b.want("SelfManagedIoSuspend ArmSx DisarmSx " + exit)
		if m.waiting {
			b.Error("the bus waits for wake")
		}
		b.f.WakeSignalled(0)
		b.run()
		b.want("")
		b.power(wdf.PowerDeviceD0)
		b.want(enter + " SelfManagedIoRestart")
	})
}

// A device that is idle when the system goes to sleep is armed for that instead,
// for which it goes to D0; one that cannot wake the system is only disarmed
// (WAKE-10).
func TestWAKE10IdleWhenTheSystemSleeps(t *testing.T) {
	for _, test := range []struct {
		idle  func(*wdf.IdleSettings)
		sleep func(*wdf.WakeSettings)
		down  string
	}{
		{idleAsIs, sleepAsIs, enter + " DisarmS0 SelfManagedIoRestart " + asleep},
		{idleAsIs, nil, enter + " DisarmS0 SelfManagedIoRestart SelfManagedIoSuspend " + exit},
		{func(c *wdf.IdleSettings) { c.IdleCaps = wdf.IdleCannotWakeFromS0 }, sleepAsIs, enter + " SelfManagedIoRestart " + asleep},
		{func(c *wdf.IdleSettings) { c.IdleCaps = wdf.IdleCannotWakeFromS0 }, nil, ""},
	} {
		m := &manager{}
		scenario(t, wakingDriver(m, test.idle, test.sleep), func(b *bench) {
			b.startDevice()
			b.forget()
			b.power(wdf.PowerDeviceD3)
			b.want(test.down)
		})
	}
}

// The sleep of the system ends when the device wakes it, or when the time is over.
func TestWAKE8AwaitWake(t *testing.T) {
	m := &manager{}
	scenario(t, wakingDriver(m, nil, sleepAsIs), func(b *bench) {
		b.startDevice()
		b.forget()
		for _, after := range []uint64{1000, 0} {
			b.spawn(0, func(s *wdf.Sys) {
				s.SetPower(b.device, wdf.PowerDeviceD3)
				b.note("%t", s.AwaitWake(b.device, 1_000_000))
				s.SetPower(b.device, wdf.PowerDeviceD0)
			})
			if after != 0 {
				b.spawn(0, func(s *wdf.Sys) {
					s.KeDelayExecutionThread(kernel.After(100_000))
					b.f.WakeSignalled(0)
				})
			}
			b.run()
			if got := b.noted(); strings.Contains(got, "true") != (after != 0) || !strings.HasSuffix(got, "SelfManagedIoRestart") &&
				!strings.HasSuffix(got, "true") {
				b.Errorf("%s", got)
			}
			b.forget()
		}
	})
}

// Whenever the device signals wake while it goes to its idle state, and a request
// comes: the driver arms and disarms in turn, hears of wake only while it is armed
// or before it arms, and the request ends (WAKE-7 to WAKE-10).
func TestWAKE10EverySchedule(t *testing.T) {
	for _, sleep := range []bool{false, true} {
		m := &manager{}
		d := wakingDriver(m, func(c *wdf.IdleSettings) { c.IdleTimeout = 1 }, nil)
		if sleep {
			d = wakingDriver(m, nil, sleepAsIs)
		}
		d.few = true
		x := newIO(t, d, queueSpec{present: completeNow})
		b := x.bench
		b.startDevice()
		b.only = []string{"ArmS0", "DisarmS0", "WokeS0", "ArmSx", "DisarmSx", "WokeSx"}
		b.freely(func() { b.f.WakeSignalled(0) })
		var got []string
		if sleep {
			got = b.explore(body{0, func(s *wdf.Sys) {
				s.SetPower(b.device, wdf.PowerDeviceD3)
				s.Step()
				s.SetPower(b.device, wdf.PowerDeviceD0)
			}})
		} else {
			got = b.explore(body{0, func(s *wdf.Sys) {
				s.WdfDeviceStopIdle(b.device, true)
				s.WdfDeviceResumeIdle(b.device)
			}})
		}
		want := []string{"DisarmS0 ArmS0", "DisarmS0 ArmS0 WokeS0 DisarmS0 ArmS0", "DisarmS0 WokeS0 DisarmS0 ArmS0", "WokeS0 DisarmS0 ArmS0"}
		if sleep {
			want = []string{"", "ArmSx DisarmSx", "ArmSx WokeSx DisarmSx"}
		}
		slices.Sort(want)
		b.wantOutcomes(got, want...)
	}
}
