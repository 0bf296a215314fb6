package wake

import (
	"encoding/binary"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

const ms = 1_000_000 // nanoseconds

// Scenarios are those of the driver.
func Scenarios() []*dirql.Scenario {
	return []*dirql.Scenario{Idle(), Sleep(), Interrupt(), Rebalance()}
}

func base(name, title string, phases ...dirql.Phase) *dirql.Scenario {
	return &dirql.Scenario{
		Name: name, Title: title, Phases: phases,
		Driver: dirql.Driver{Name: "wake", Entry: DriverEntry},
		Device: dirql.Device{Model: func() device.Model {
			e := device.NewEdu()
			e.Wake = true
			return e
		}},
	}
}

// Idle is a scenario in which the device is idle and goes to D3, wakes itself, and
// is woken by a request.
func Idle() *dirql.Scenario {
	return base("wake", "a device that is idle wakes itself, and is woken by a request", dirql.Phase{
		Name: "idle, wake by the device", Applications: []dirql.Application{
			{Name: "waiting.exe", Run: func(a *dirql.App) { waitForWake(a, 60*ms) }},
		},
		System: func(s *dirql.System) {
			s.Sleep(30 * ms)
			s.Wake(ms)
		},
	}, dirql.Phase{
		Name: "idle, wake by a request", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) {
				a.Sleep(30 * ms)
				wantFactorial(a, 5, 120)
			}},
		},
	})
}

// Sleep is a scenario in which the system sleeps: once the device wakes it, once it
// does not, with a request under way.
func Sleep() *dirql.Scenario {
	return base("wake-sleep", "a device wakes the system, and is asleep with it while a request waits", dirql.Phase{
		Name: "the device wakes the system", Applications: []dirql.Application{
			{Name: "waiting.exe", Run: func(a *dirql.App) { waitForWake(a, 60*ms) }},
		},
		System: func(s *dirql.System) {
			s.Wake(5 * ms)
			s.Suspend(30 * ms)
		},
	}, dirql.Phase{
		Name: "something else wakes the system", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) { wantFactorial(a, 6, 720) }},
		},
		System: func(s *dirql.System) { s.Suspend(ms) },
	})
}

// Interrupt is Idle with a device that has an interrupt for wake, and one that comes
// while the device works.
func Interrupt() *dirql.Scenario {
	s := Idle()
	s.Name, s.Title = "wake-interrupt", "a device that is idle wakes itself by an interrupt"
	s.Device.WakeInterrupt = true
	s.Phases = append(s.Phases, dirql.Phase{
		Name: "the interrupt comes in D0", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) { wantFactorial(a, 5, 120) }},
		},
		System: func(s *dirql.System) { s.Wake(0) },
	})
	return s
}

// Rebalance is a scenario in which the device gets other resources while it is idle
// and armed for wake, and while it works.
func Rebalance() *dirql.Scenario {
	s := base("wake-rebalance", "a device that is armed for wake gets other resources", dirql.Phase{
		Name: "idle", Applications: []dirql.Application{
			{Name: "waiting.exe", Run: func(a *dirql.App) { waitForWake(a, 60*ms) }},
		},
		System: func(s *dirql.System) {
			s.Sleep(30 * ms)
			s.Wake(20 * ms)
			s.Rebalance(dirql.Resources{})
		},
	}, dirql.Phase{
		Name: "at work", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) { wantFactorial(a, 5, 120) }},
		},
		System: func(s *dirql.System) { s.Rebalance(dirql.Resources{}) },
	})
	s.Device.WakeInterrupt = true
	return s
}

// waitForWake waits for the device to wake, some time.
func waitForWake(a *dirql.App, nanoseconds uint64) {
	o := a.StartDeviceIoControl(IoctlWaitForWake, nil, 4)
	a.Sleep(nanoseconds)
	o.Cancel()
	if out, status := o.Wait(); status != wdf.StatusCancelled && (status != wdf.StatusSuccess || len(out) != 4 || binary.LittleEndian.Uint32(out) == 0) {
		a.Errorf("the wait for wake returned % x with status 0x%X", out, uint32(status))
	}
}

func wantFactorial(a *dirql.App, n, want uint32) {
	out, status := a.DeviceIoControl(IoctlFactorial, binary.LittleEndian.AppendUint32(nil, n), 4)
	if status != wdf.StatusSuccess || len(out) != 4 || binary.LittleEndian.Uint32(out) != want {
		a.Errorf("the factorial of %d should be %d, the driver returned % x with status 0x%X", n, want, out, uint32(status))
	}
}
