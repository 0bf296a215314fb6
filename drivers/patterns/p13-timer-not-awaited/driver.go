// Package watchdog is driver.c in Go: the timer is stopped, its handler is not.
// What goes wrong and why is said there.
package watchdog

import (
	"github.com/dirql/dirql/drivers/patterns/kit"
	"github.com/dirql/dirql/wdf"
)

// period is the number of ms after which the watchdog is told that all is well.
const period = 1

var (
	context  = kit.NewContext()
	ctxTimer = wdf.NewField[wdf.WDFTIMER](context.ContextType, "Timer")
)

// driver is the driver: with the mistake, or without.
type driver struct{ bug bool }

// DriverEntry returns the driver's DriverEntry.
func DriverEntry(bug bool) func(*wdf.Sys) wdf.NTSTATUS {
	return kit.DriverEntry(driver{bug}.evtDeviceAdd)
}

func (d driver) evtDeviceAdd(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
	device, ctx, status := context.CreateDevice(s, init, wdf.PnpPowerEventCallbacks{
		EvtDeviceD0Entry: s.DeviceState(evtD0Entry), EvtDeviceD0Exit: s.DeviceState(d.evtD0Exit)})
	if status.Failed() {
		return status
	}
	config := wdf.TimerConfigInitPeriodic(s.Object(evtTimer), period)
	config.AutomaticSerialization = false
	timer, status := s.WdfTimerCreate(&config, &wdf.ObjectAttributes{ParentObject: device})
	if !status.Failed() {
		ctxTimer.Store(s, ctx, timer)
	}
	return status
}

func evtD0Entry(s *wdf.Sys, device wdf.WDFDEVICE, previous wdf.PowerState) wdf.NTSTATUS {
	s.WdfTimerStart(ctxTimer.Load(s, context.Of(s, device)), -period*10_000)
	return wdf.StatusSuccess
}

// evtD0Exit stops the timer. After the last one the registers are unmapped.
func (d driver) evtD0Exit(s *wdf.Sys, device wdf.WDFDEVICE, target wdf.PowerState) wdf.NTSTATUS {
	s.WdfTimerStop(ctxTimer.Load(s, context.Of(s, device)), !d.bug)
	return wdf.StatusSuccess
}

// evtTimer tells the watchdog that all is well.
func evtTimer(s *wdf.Sys, timer wdf.WDFTIMER) {
	context.Write(s, context.Of(s, s.WdfTimerGetParentObject(timer)), kit.Command, 1)
}
