package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// Sizes in bytes of WDF_DEVICE_STATE and WDF_DEVICE_PNP_CAPABILITIES.
const (
	DeviceStateSize           = 32 // 1.29 and later
	deviceStateSize27         = 28 // without AssignedToGuest
	DevicePnpCapabilitiesSize = 48
)

// DeviceState is WDF_DEVICE_STATE.
type DeviceState struct {
	Size uint32

	Disabled, DontDisplayInUI, Failed, NotDisableable, Removed, ResourcesChanged, AssignedToGuest TriState
}

// DevicePnpCapabilities is WDF_DEVICE_PNP_CAPABILITIES.
type DevicePnpCapabilities struct {
	Size              uint32
	Flags             [9]TriState // LockSupported to NoDisplayInUI
	Address, UINumber uint32
}

var (
	svcWdfDeviceSetDeviceState     = kernel.NewService("WdfDeviceSetDeviceState")
	svcWdfDeviceSetPnpCapabilities = kernel.NewService("WdfDeviceSetPnpCapabilities")
	svcWdfDriverRegisterTraceInfo  = kernel.NewService("WdfDriverRegisterTraceInfo")
)

// WdfDeviceSetDeviceState tells the PnP manager about a device. What is wrong with
// the structure is a verifier break, and nothing happens. A device that is said to
// be disabled, failed, removed or to need other resources stops the run: not
// supported. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceSetDeviceState(h WDFDEVICE, c *DeviceState) {
	s.Enter(svcWdfDeviceSetDeviceState, uint64(h))
	s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "DeviceState")
	switch {
	case c.Size != DeviceStateSize && c.Size != deviceStateSize27:
		s.verifierBreak("WDF_DEVICE_STATE.Size", "OBJ-19", "its Size is %d, needed is %d: nothing happens", c.Size, DeviceStateSize)
	case !valid(c.Disabled, c.DontDisplayInUI, c.Failed, c.NotDisableable, c.Removed, c.ResourcesChanged, c.AssignedToGuest):
		s.verifierBreak("WDF_DEVICE_STATE", "OBJ-19", "a field is not a WDF_TRI_STATE: nothing happens")
	case c.Disabled == True || c.Failed == True || c.Removed == True || c.ResourcesChanged == True:
		s.Unsupported("WdfDeviceSetDeviceState with Disabled, Failed, Removed or ResourcesChanged")
	}
	s.LeaveVoid()
}

// WdfDeviceSetPnpCapabilities tells the PnP manager what a device can do; in a
// scenario nobody asks. What is wrong with the structure is a verifier break. IRQL
// <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceSetPnpCapabilities(h WDFDEVICE, c *DevicePnpCapabilities) {
	s.Enter(svcWdfDeviceSetPnpCapabilities, uint64(h))
	s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "PnpCapabilities")
	switch {
	case c.Size != DevicePnpCapabilitiesSize:
		s.verifierBreak("WDF_DEVICE_PNP_CAPABILITIES.Size", "OBJ-19", "its Size is %d, needed is %d: nothing happens", c.Size, DevicePnpCapabilitiesSize)
	case !valid(c.Flags[:]...):
		s.verifierBreak("WDF_DEVICE_PNP_CAPABILITIES", "OBJ-19", "a field is not a WDF_TRI_STATE: nothing happens")
	}
	s.LeaveVoid()
}

func valid(v ...TriState) bool {
	for _, t := range v {
		if t > UseDefault || t < 0 {
			return false
		}
	}
	return true
}

// WdfDriverRegisterTraceInfo is of the time before Windows XP:
// STATUS_NOT_SUPPORTED. PASSIVE_LEVEL (fxdriverapi.cpp).
func (s *Sys) WdfDriverRegisterTraceInfo() NTSTATUS {
	s.Enter(svcWdfDriverRegisterTraceInfo)
	return s.LeaveStatus(StatusNotSupported)
}
