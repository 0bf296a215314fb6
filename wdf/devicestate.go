package wdf

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
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
// have failed or to be removed is removed; one that is disabled or needs other
// resources stops the run: not supported. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceSetDeviceState(h WDFDEVICE, c *DeviceState) {
	s.Enter(svcWdfDeviceSetDeviceState, uint64(h))
	s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "DeviceState")
	said := [...]TriState{c.Disabled, c.DontDisplayInUI, c.Failed, c.NotDisableable, c.Removed, c.ResourcesChanged, c.AssignedToGuest}
	if c.Size == deviceStateSize27 {
		said[6] = UseDefault
	}
	switch {
	case c.Size != DeviceStateSize && c.Size != deviceStateSize27:
		s.verifierBreak("WDF_DEVICE_STATE.Size", "OBJ-19", "its Size is %d, needed is %d: nothing happens", c.Size, DeviceStateSize)
	case !valid(said[:]...):
		s.verifierBreak("WDF_DEVICE_STATE", "OBJ-19", "a field is not a WDF_TRI_STATE: nothing happens")
	case c.Disabled == True || c.ResourcesChanged == True:
		s.Unsupported("WdfDeviceSetDeviceState with Disabled or ResourcesChanged")
	default:
		s.Step()
		dev := s.lookup(h, TypeDevice)
		s.device(dev).said = said
		if c.Failed == True || c.Removed == True {
			s.deviceFailed(dev, false)
		}
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

// DeviceFailedAction is WDF_DEVICE_FAILED_ACTION.
type DeviceFailedAction uint32

// Values of DeviceFailedAction.
const (
	DeviceFailedAttemptRestart DeviceFailedAction = 1
	DeviceFailedNoRestart      DeviceFailedAction = 2
)

// PnpBusInformation is PNP_BUS_INFORMATION.
type PnpBusInformation struct {
	BusTypeGuid   GUID
	LegacyBusType uint32
	BusNumber     uint32
}

var (
	svcWdfDeviceGetDeviceState               = kernel.NewService("WdfDeviceGetDeviceState")
	svcWdfDeviceSetFailed                    = kernel.NewService("WdfDeviceSetFailed")
	svcWdfDeviceSetBusInformationForChildren = kernel.NewService("WdfDeviceSetBusInformationForChildren")
	svcWdfDeviceSetStaticStopRemove          = kernel.NewService("WdfDeviceSetStaticStopRemove")
	svcWdfDeviceGetDevicePnpState            = kernel.NewService("WdfDeviceGetDevicePnpState")
	svcWdfDeviceGetDevicePowerState          = kernel.NewService("WdfDeviceGetDevicePowerState")
	svcWdfDeviceSetCharacteristics           = kernel.NewService("WdfDeviceSetCharacteristics")
	svcWdfDeviceGetCharacteristics           = kernel.NewService("WdfDeviceGetCharacteristics")
	svcWdfDriverMiniportUnload               = kernel.NewService("WdfDriverMiniportUnload")
)

// WdfDeviceGetDeviceState fills in what WdfDeviceSetDeviceState has said, UseDefault
// for the rest. A Size that is not valid is a verifier break, and nothing happens.
// IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceGetDeviceState(h WDFDEVICE, c *DeviceState) {
	s.Enter(svcWdfDeviceGetDeviceState, uint64(h))
	defer s.LeaveVoid()
	d := s.device(s.lookup(h, TypeDevice))
	s.requirePointer(c != nil, "DeviceState")
	if c.Size != DeviceStateSize && c.Size != deviceStateSize27 {
		s.verifierBreak("WDF_DEVICE_STATE.Size", "OBJ-19", "its Size is %d, needed is %d: nothing happens", c.Size, DeviceStateSize)
		return
	}
	t := d.said
	*c = DeviceState{Size: c.Size, Disabled: t[0], DontDisplayInUI: t[1], Failed: t[2], NotDisableable: t[3], Removed: t[4],
		ResourcesChanged: t[5], AssignedToGuest: t[6]}
}

// WdfDeviceSetFailed says that the device does not work any more: the PnP manager
// removes it as after a surprise removal, and with DeviceFailedAttemptRestart it
// finds it again. Another action is a verifier break. IRQL <= DISPATCH_LEVEL
// (fxdeviceapi.cpp, fxpkgpnp.cpp).
func (s *Sys) WdfDeviceSetFailed(h WDFDEVICE, action DeviceFailedAction) {
	s.Enter(svcWdfDeviceSetFailed, uint64(h), uint64(action))
	defer s.LeaveVoid()
	s.lookup(h, TypeDevice)
	if action != DeviceFailedAttemptRestart && action != DeviceFailedNoRestart {
		s.verifierBreak("WDF_DEVICE_FAILED_ACTION", "OBJ-19", "%d is not a value of it: nothing happens", action)
		return
	}
	s.Step()
	s.deviceFailed(s.lookup(h, TypeDevice), action == DeviceFailedAttemptRestart)
}

// WdfDeviceSetStaticStopRemove says whether the device can be removed in an orderly
// way; refusals are counted. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceSetStaticStopRemove(h WDFDEVICE, stoppable bool) {
	s.Enter(svcWdfDeviceSetStaticStopRemove, uint64(h), boolValue(stoppable))
	s.lookup(h, TypeDevice)
	s.Step()
	if d := s.device(s.lookup(h, TypeDevice)); stoppable {
		d.notStoppable--
	} else {
		d.notStoppable++
	}
	s.LeaveVoid()
}

// WdfDeviceSetBusInformationForChildren says which kind of bus the children of a
// device are on; in a scenario nobody asks. IRQL <= DISPATCH_LEVEL
// (fxdeviceapikm.cpp).
func (s *Sys) WdfDeviceSetBusInformationForChildren(h WDFDEVICE, c *PnpBusInformation) {
	s.Enter(svcWdfDeviceSetBusInformationForChildren, uint64(h))
	s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "BusInformation")
	s.LeaveVoid()
}

// States of WdfDeviceGetDevicePnpState (WDF_DEVICE_PNP_STATE): those of the
// framework's state machine in which it stays while driver code can ask.
var pnpStates = [...]uint32{
	pnpInit: 0x105, pnpPreparing: 0x108, pnpStarting: 0x108, pnpStarted: 0x119, pnpStopped: 0x11E, pnpSurpriseRemoved: 0x121, pnpRemoved: 0x113,
}

// WdfDeviceGetDevicePnpState returns the state of the framework's PnP state machine:
// Init, HardwareAvailable, Started, Stopped, SurpriseRemove or Removed. IRQL <=
// DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceGetDevicePnpState(h WDFDEVICE) uint32 {
	s.Enter(svcWdfDeviceGetDevicePnpState, uint64(h))
	d := s.device(s.lookup(h, TypeDevice))
	state := pnpStates[d.pnp]
	s.Leave(trace.Hex, uint64(state))
	return state
}

// States of WdfDeviceGetDevicePowerState (WDF_DEVICE_POWER_STATE).
const (
	powerStateObjectCreated = 0x300
	powerStateD0            = 0x307
	powerStateD0NP          = 0x8308
	powerStateStopped       = 0x315
)

// WdfDeviceGetDevicePowerState returns the state of the framework's power state
// machine: D0, or Stopped. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceGetDevicePowerState(h WDFDEVICE) uint32 {
	s.Enter(svcWdfDeviceGetDevicePowerState, uint64(h))
	d := s.device(s.lookup(h, TypeDevice))
	state := uint32(powerStateStopped)
	switch {
	case d.power == PowerDeviceD0 && d.notPowerPageable:
		state = powerStateD0NP
	case d.power == PowerDeviceD0:
		state = powerStateD0
	case !d.known:
		state = powerStateObjectCreated
	}
	s.Leave(trace.Hex, uint64(state))
	return state
}

// WdfDeviceSetCharacteristics sets DEVICE_OBJECT.Characteristics,
// WdfDeviceGetCharacteristics returns it. IRQL <= DISPATCH_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceSetCharacteristics(h WDFDEVICE, characteristics uint32) {
	s.Enter(svcWdfDeviceSetCharacteristics, uint64(h), uint64(characteristics))
	d := s.device(s.lookup(h, TypeDevice))
	d.settings.characteristics = characteristics
	if d.functional != 0 {
		s.f.m.Mem.Store(d.functional+ddi.Offset("DEVICE_OBJECT", "Characteristics"), 4, uint64(characteristics))
	}
	s.LeaveVoid()
}

// WdfDeviceGetCharacteristics: see WdfDeviceSetCharacteristics.
func (s *Sys) WdfDeviceGetCharacteristics(h WDFDEVICE) uint32 {
	s.Enter(svcWdfDeviceGetCharacteristics, uint64(h))
	c := s.device(s.lookup(h, TypeDevice)).settings.characteristics
	s.Leave(trace.Hex, uint64(c))
	return c
}

// WdfDriverMiniportUnload ends the framework's part of a driver that unloads
// itself: EvtDriverUnload, then the driver object is deleted. The drivers here are
// unloaded by the framework, which does the same once. PASSIVE_LEVEL
// (fxdriverapikm.cpp).
func (s *Sys) WdfDriverMiniportUnload(h WDFDRIVER) {
	s.Enter(svcWdfDriverMiniportUnload, uint64(h))
	s.lookup(h, TypeDriver)
	s.Unload()
	s.LeaveVoid()
}
