package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// The registry of the simulated machine is empty: keys have no values, and the
// only keys are those that Windows makes for each driver and device, and those
// that a driver makes by opening its Parameters for writing.

// key is a WDFKEY.
type key struct{}

// StatusObjectNameNotFound: there is no such key or value.
const StatusObjectNameNotFound NTSTATUS = 0xC0000034

// readAccess are the access rights of KEY_READ, GENERIC_READ and
// STANDARD_RIGHTS_READ.
const readAccess = 0x20019 | 0x80000000 | 0x20000

var (
	svcWdfDriverOpenParametersRegistryKey = kernel.NewLenientService("WdfDriverOpenParametersRegistryKey")
	svcWdfDeviceOpenRegistryKey           = kernel.NewLenientService("WdfDeviceOpenRegistryKey")
	svcWdfRegistryQueryULong              = kernel.NewLenientService("WdfRegistryQueryULong")
	svcWdfRegistryClose                   = kernel.NewLenientService("WdfRegistryClose")
)

// WdfDriverOpenParametersRegistryKey opens the key Parameters of the driver's
// service. Without write access: STATUS_OBJECT_NAME_NOT_FOUND, for there is none;
// with it the key is made. PASSIVE_LEVEL (fxdriverapikm.cpp).
func (s *Sys) WdfDriverOpenParametersRegistryKey(h WDFDRIVER, access uint32, a *ObjectAttributes) (WDFKEY, NTSTATUS) {
	s.Enter(svcWdfDriverOpenParametersRegistryKey, uint64(h), uint64(access))
	if s.levelBreak("WdfDriverOpenParametersRegistryKey", "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if st := checkAttributes(a, false); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.lookup(h, TypeDriver)
	if access&^readAccess == 0 {
		return 0, s.LeaveStatus(StatusObjectNameNotFound)
	}
	return s.openKey(s.parentOr(a, s.f.theDriver()), a)
}

// PlugPlayRegKeyDevice and PlugPlayRegKeyDriver select a key of
// WdfDeviceOpenRegistryKey.
const (
	PlugPlayRegKeyDevice = 1
	PlugPlayRegKeyDriver = 2
)

// WdfDeviceOpenRegistryKey opens the hardware or the software key of a device.
// PASSIVE_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceOpenRegistryKey(h WDFDEVICE, typ, access uint32, a *ObjectAttributes) (WDFKEY, NTSTATUS) {
	s.Enter(svcWdfDeviceOpenRegistryKey, uint64(h), uint64(typ), uint64(access))
	dev := s.lookup(h, TypeDevice)
	if s.levelBreak("WdfDeviceOpenRegistryKey", "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	st := checkAttributes(a, false)
	if !st.Failed() && !isRegKeyType(typ) {
		st = StatusInvalidParameter
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	return s.openKey(s.parentOr(a, dev), a)
}

// isRegKeyType reports whether a key type is valid; PLUGPLAY_REGKEY_CURRENT_HWPROFILE
// and WDF_REGKEY_DEVICE_SUBKEY may be added.
func isRegKeyType(typ uint32) bool {
	return typ&^0x104 == PlugPlayRegKeyDevice || typ&^0x104 == PlugPlayRegKeyDriver
}

func (s *Sys) openKey(parent id, a *ObjectAttributes) (WDFKEY, NTSTATUS) {
	s.Step()
	if st := s.f.checkParent(parent); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.f.keys = append(s.f.keys, key{})
	return s.create(TypeKey, parent, len(s.f.keys)-1, a, "").handle(), s.LeaveStatus(StatusSuccess)
}

// WdfRegistryQueryULong reads a REG_DWORD: STATUS_OBJECT_NAME_NOT_FOUND, for no key
// has a value. PASSIVE_LEVEL (fxregistryapi.cpp).
func (s *Sys) WdfRegistryQueryULong(h WDFKEY, name *UnicodeString) (uint32, NTSTATUS) {
	s.Enter(svcWdfRegistryQueryULong, uint64(h))
	s.lookup(h, TypeKey)
	s.requirePointer(name != nil, "ValueName")
	if s.levelBreak("WdfRegistryQueryULong", "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if st := name.check(); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	return 0, s.LeaveStatus(StatusObjectNameNotFound)
}

// WdfRegistryClose closes a key and deletes the object. PASSIVE_LEVEL
// (fxregistryapi.cpp).
func (s *Sys) WdfRegistryClose(h WDFKEY) {
	s.Enter(svcWdfRegistryClose, uint64(h))
	s.lookup(h, TypeKey)
	if !s.levelBreak("WdfRegistryClose", "IRQL-12", PassiveLevel) {
		s.Step()
		s.deleteObject(s.lookup(h, TypeKey))
	}
	s.LeaveVoid()
}
