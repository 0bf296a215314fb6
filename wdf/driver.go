package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// driver is a WDFDRIVER.
type driver struct {
	object id
	add    Callback // EvtDriverDeviceAdd
	unload Callback // EvtDriverUnload

	unloaded bool
}

// DriverConfig is WDF_DRIVER_CONFIG.
type DriverConfig struct {
	EvtDriverDeviceAdd Callback
	EvtDriverUnload    Callback
}

var (
	svcWdfDriverCreate = kernel.NewService("WdfDriverCreate")
)

// WdfDriverCreate makes the driver object; called from DriverEntry.
// PASSIVE_LEVEL.
func (s *Sys) WdfDriverCreate(config *DriverConfig, a *ObjectAttributes) (WDFDRIVER, NTSTATUS) {
	s.Enter(svcWdfDriverCreate)
	s.requirePointer(config != nil, "DriverConfig")
	f := s.f
	f.drivers = append(f.drivers, driver{add: config.EvtDriverDeviceAdd, unload: config.EvtDriverUnload})
	i := s.create(TypeDriver, 0, len(f.drivers)-1, a, "")
	f.drivers[len(f.drivers)-1].object = i
	f.objects[i].noDelete = true
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfGetDriver returns the driver object of the caller's driver. Any IRQL.
func (s *Sys) WdfGetDriver() WDFDRIVER { return s.f.theDriver().handle() }

// theDriver returns the driver object: a machine runs one driver.
func (f *Framework) theDriver() id {
	if len(f.drivers) == 0 {
		return 0
	}
	return f.drivers[0].object
}

// Unload is what the system does when the last device of a driver is gone:
// EvtDriverUnload, then the driver object is deleted, once. PASSIVE_LEVEL.
func (s *Sys) Unload() {
	d := &s.f.drivers[0]
	if d.unloaded {
		return
	}
	d.unloaded = true
	if d.unload != 0 {
		s.call("EvtDriverUnload", d.unload, uint64(d.object.handle()))
	}
	s.deleteObject(d.object)
}
