package wdf

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

var (
	svcWdfDriverWdmGetDriverObject   = kernel.NewService("WdfDriverWdmGetDriverObject")
	svcWdfDeviceWdmGetDeviceObject   = kernel.NewService("WdfDeviceWdmGetDeviceObject")
	svcWdfDeviceWdmGetAttachedDevice = kernel.NewService("WdfDeviceWdmGetAttachedDevice")
	svcWdfDeviceWdmGetPhysicalDevice = kernel.NewService("WdfDeviceWdmGetPhysicalDevice")
	svcWdfWdmDeviceGetWdfDevice      = kernel.NewService("WdfWdmDeviceGetWdfDeviceHandle")
)

// SetDriverObject sets the address of the DRIVER_OBJECT that DriverEntry got.
func (f *Framework) SetDriverObject(addr uint64) { f.driverObject = addr }

// WdfDriverWdmGetDriverObject returns the address of the DRIVER_OBJECT. IRQL <=
// DISPATCH_LEVEL (fxdriverapi.cpp). A driver in Go gets a block of memory.
func (s *Sys) WdfDriverWdmGetDriverObject(h WDFDRIVER) uint64 {
	s.Enter(svcWdfDriverWdmGetDriverObject, uint64(h))
	s.lookup(h, TypeDriver)
	if s.f.driverObject == 0 {
		s.f.driverObject = s.f.m.Mem.Alloc(ddi.SizeOf("DRIVER_OBJECT"), kernel.PoolTag("Driv"), false, s.ActivationID())
	}
	p := s.f.driverObject
	s.Leave(trace.Hex, p)
	return p
}

// WdfDeviceWdmGetDeviceObject returns the address of the DEVICE_OBJECT of the
// driver. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceWdmGetDeviceObject(h WDFDEVICE) uint64 {
	s.Enter(svcWdfDeviceWdmGetDeviceObject, uint64(h))
	return s.deviceObject(h, true)
}

// WdfDeviceWdmGetAttachedDevice returns the DEVICE_OBJECT below that of the driver,
// which is the bus driver's: there are no filters; 0 below a PDO. IRQL <=
// DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceWdmGetAttachedDevice(h WDFDEVICE) uint64 {
	s.Enter(svcWdfDeviceWdmGetAttachedDevice, uint64(h))
	if s.device(s.lookup(h, TypeDevice)).parent != 0 {
		s.Leave(trace.Hex, 0)
		return 0
	}
	return s.deviceObject(h, false)
}

// WdfDeviceWdmGetPhysicalDevice returns the DEVICE_OBJECT of the bus driver. IRQL
// <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceWdmGetPhysicalDevice(h WDFDEVICE) uint64 {
	s.Enter(svcWdfDeviceWdmGetPhysicalDevice, uint64(h))
	return s.deviceObject(h, false)
}

// WdfWdmDeviceGetWdfDeviceHandle returns the device of a DEVICE_OBJECT of the
// driver, 0 for another. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfWdmDeviceGetWdfDeviceHandle(object uint64) (h WDFDEVICE) {
	s.Enter(svcWdfWdmDeviceGetWdfDevice, object)
	for n := range s.f.devices {
		if d := &s.f.devices[n]; d.functional == object && object != 0 {
			h = d.object.handle()
		}
	}
	s.Leave(trace.Hex, uint64(h))
	return h
}

func (s *Sys) deviceObject(h WDFDEVICE, functional bool) uint64 {
	dev := s.lookup(h, TypeDevice)
	p := s.pdoObject(dev)
	if functional {
		p = s.device(dev).functional
	}
	s.Leave(trace.Hex, p)
	return p
}

// pdoObject returns the address of the DEVICE_OBJECT of the bus driver.
func (s *Sys) pdoObject(dev id) uint64 {
	d := s.device(dev)
	if d.functional == 0 {
		s.makeDeviceObjects(d)
	}
	return d.physical
}

// Flags of a DEVICE_OBJECT.
const (
	deviceObjectType     = 3 // IO_TYPE_DEVICE
	deviceBufferedIO     = 0x4
	deviceExclusive      = 0x8
	deviceDirectIO       = 0x10
	devicePowerPageable  = 0x2000
	devicePowerInrush    = 0x4000
	deviceBusEnumerated  = 0x1000
	fileDeviceUnknown    = 0x22
	fileDeviceController = 4
)

// makeDeviceObjects makes the DEVICE_OBJECTs of the driver and of the bus driver
// when the first of them is asked for. Drivers read them; nobody else does.
func (s *Sys) makeDeviceObjects(d *device) {
	put := func(object uint64, name string, v uint64, size int) {
		s.f.m.Mem.Store(object+ddi.Offset("DEVICE_OBJECT", name), size, v)
	}
	flags := uint32(0)
	switch d.settings.ioType {
	case IoTypeUndefined, IoTypeBuffered:
		flags = deviceBufferedIO
	case IoTypeDirect:
		flags = deviceDirectIO
	}
	if !d.notPowerPageable {
		flags |= devicePowerPageable
	}
	if d.settings.exclusive {
		flags |= deviceExclusive
	}
	kind := d.settings.deviceType
	if kind == 0 {
		kind = fileDeviceUnknown
	}
	if d.settings.inrush {
		flags |= devicePowerInrush
	}
	name := s.f.m.NameOf(uint64(d.object.handle()))
	if d.parent != 0 { // the driver is the bus driver
		d.functional = s.newDeviceObject(kind, 1, flags|deviceBusEnumerated)
		d.physical = d.functional
	} else {
		if d.physical == 0 {
			d.physical = s.newDeviceObject(fileDeviceController, 1, deviceBusEnumerated|devicePowerPageable)
		}
		d.functional = s.newDeviceObject(kind, 2, flags)
		put(d.physical, "AttachedDevice", d.functional, 8)
		s.f.m.SetName(d.physical, name+" PDO")
	}
	put(d.functional, "Characteristics", uint64(d.settings.characteristics), 4)
	put(d.functional, "AlignmentRequirement", uint64(d.alignment), 4)
	put(d.functional, "DriverObject", s.f.driverObject, 8)
	s.f.m.SetName(d.functional, name+" DEVICE_OBJECT")
}
