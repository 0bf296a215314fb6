// Package balloon is driver.c in Go: the work item that is not there yet. What
// goes wrong and why is said there.
package balloon

import (
	"github.com/dirql/dirql/drivers/patterns/kit"
	"github.com/dirql/dirql/wdf"
)

var (
	context     = kit.NewContext()
	ctxWorkItem = wdf.NewField[wdf.WDFWORKITEM](context.ContextType, "WorkItem")
)

// driver is the driver: with the mistake, or without.
type driver struct{ bug bool }

// DriverEntry returns the driver's DriverEntry.
func DriverEntry(bug bool) func(*wdf.Sys) wdf.NTSTATUS {
	return kit.DriverEntry(driver{bug}.evtDeviceAdd)
}

func (d driver) evtDeviceAdd(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
	callbacks := wdf.PnpPowerEventCallbacks{EvtDeviceD0Entry: s.DeviceState(evtD0Entry), EvtDeviceD0Exit: s.DeviceState(d.evtD0Exit)}
	if d.bug {
		callbacks.EvtDeviceSelfManagedIoInit = s.DeviceStatus(createWorkItem)
		callbacks.EvtDeviceSelfManagedIoRestart = s.DeviceStatus(createWorkItem)
	}
	device, _, status := context.CreateDevice(s, init, callbacks)
	if !status.Failed() && !d.bug {
		status = createWorkItem(s, device)
	}
	if status.Failed() {
		return status
	}
	return context.CreateInterrupt(s, device, s.ISR(evtInterruptIsr), s.InterruptDPC(evtInterruptDpc))
}

// createWorkItem makes the work item.
func createWorkItem(s *wdf.Sys, device wdf.WDFDEVICE) wdf.NTSTATUS {
	config := wdf.WorkItemConfigInit(s.Object(evtWorkItem))
	config.AutomaticSerialization = false
	item, status := s.WdfWorkItemCreate(&config, &wdf.ObjectAttributes{ParentObject: device})
	if !status.Failed() {
		ctxWorkItem.Store(s, context.Of(s, device), item)
	}
	return status
}

// evtD0Entry tells the host that it may ask.
func evtD0Entry(s *wdf.Sys, device wdf.WDFDEVICE, previous wdf.PowerState) wdf.NTSTATUS {
	context.Write(s, context.Of(s, device), kit.Listen, 1)
	return wdf.StatusSuccess
}

// evtD0Exit comes when the interrupt is disconnected and its DPCs are done.
func (d driver) evtD0Exit(s *wdf.Sys, device wdf.WDFDEVICE, target wdf.PowerState) wdf.NTSTATUS {
	ctx := context.Of(s, device)
	if d.bug {
		s.WdfObjectDelete(ctxWorkItem.Load(s, ctx)) // waits for its callback
		ctxWorkItem.Store(s, ctx, 0)
	} else {
		s.WdfWorkItemFlush(ctxWorkItem.Load(s, ctx))
	}
	return wdf.StatusSuccess
}

func evtInterruptIsr(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, messageID uint32) bool {
	causes := context.Read(s, context.Of(s, s.WdfInterruptGetDevice(interrupt)), kit.Cause)
	if causes == 0 || causes == kit.Gone {
		return false
	}
	if causes&kit.Received != 0 {
		s.WdfInterruptQueueDpcForIsr(interrupt)
	}
	return true
}

func evtInterruptDpc(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) {
	s.WdfWorkItemEnqueue(ctxWorkItem.Load(s, context.Of(s, device)))
}

// evtWorkItem answers everything that the host has asked.
func evtWorkItem(s *wdf.Sys, item wdf.WDFWORKITEM) {
	ctx := context.Of(s, s.WdfWorkItemGetParentObject(item))
	for {
		pages := context.Read(s, ctx, kit.Packet)
		if pages == 0 || pages == kit.Gone {
			return
		}
		context.Write(s, ctx, kit.Command, pages)
	}
}
