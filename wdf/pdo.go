package wdf

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// pdoIDs are what a bus driver says about a child: texts and properties that the
// PnP manager asks for.
type pdoIDs struct {
	deviceID, instanceID    string
	hardwareIDs, compatible []string
	texts                   []pdoText
	locale                  uint32
	raw                     bool
	class                   GUID // of a raw device
}

// pdoText is the description of a child in one language.
type pdoText struct {
	description, location string
	locale                uint32
}

func (p *pdoIDs) clone() pdoIDs {
	c := *p
	c.hardwareIDs, c.compatible, c.texts = slices.Clone(p.hardwareIDs), slices.Clone(p.compatible), slices.Clone(p.texts)
	return c
}

// identityOf returns the identifiers of a PDO.
func (f *Framework) identityOf(pdo id) *pdoIDs {
	return &f.identities[f.devices[f.objects[pdo].index].identity-1]
}

var (
	svcWdfPdoInitAllocate         = kernel.NewLenientService("WdfPdoInitAllocate")
	svcWdfPdoInitAssignDeviceID   = kernel.NewLenientService("WdfPdoInitAssignDeviceID")
	svcWdfPdoInitAssignInstanceID = kernel.NewLenientService("WdfPdoInitAssignInstanceID")
	svcWdfPdoInitAddHardwareID    = kernel.NewLenientService("WdfPdoInitAddHardwareID")
	svcWdfPdoInitAddCompatibleID  = kernel.NewLenientService("WdfPdoInitAddCompatibleID")
	svcWdfPdoInitAddDeviceText    = kernel.NewLenientService("WdfPdoInitAddDeviceText")
	svcWdfPdoInitSetDefaultLocale = kernel.NewLenientService("WdfPdoInitSetDefaultLocale")
	svcWdfPdoInitAssignRawDevice  = kernel.NewLenientService("WdfPdoInitAssignRawDevice")
	svcWdfPdoGetParent            = kernel.NewService("WdfPdoGetParent")
	svcWdfPdoMarkMissing          = kernel.NewService("WdfPdoMarkMissing")
	svcWdfFdoAddStaticChild       = kernel.NewService("WdfFdoAddStaticChild")
)

// WdfPdoInitAllocate makes a WDFDEVICE_INIT for a child of an FDO that
// WdfFdoAddStaticChild will add. PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitAllocate(h WDFDEVICE) (init *DeviceInit) {
	s.Enter(svcWdfPdoInitAllocate, uint64(h))
	dev := s.lookup(h, TypeDevice)
	if !s.levelBreak("WdfPdoInitAllocate", "IRQL-12", PassiveLevel) && s.device(dev).parent == 0 {
		init = s.f.newInit(DeviceInit{parent: dev, named: true, location: s.device(dev).location})
	}
	s.Leave(trace.Hex, init.Address())
	return init
}

// pdoString checks a string for a PDO and returns its characters. wrong is the status
// for a WDFDEVICE_INIT that is not one for a PDO.
func (s *Sys) pdoString(routine string, init *DeviceInit, u *UnicodeString, wrong NTSTATUS) (text string, st NTSTATUS) {
	s.requirePointer(u != nil, "the string")
	switch {
	case s.levelBreak(routine, "IRQL-12", PassiveLevel):
		return "", StatusInvalidDeviceRequest
	case u.check().Failed():
		return "", u.check()
	case init.parent == 0:
		return "", wrong
	}
	return s.unicodeText(u), StatusSuccess
}

// WdfPdoInitAssignDeviceID says which device a child is, as in PCI\VEN_....
// STATUS_INVALID_DEVICE_REQUEST: it is not a child. PASSIVE_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitAssignDeviceID(init *DeviceInit, u *UnicodeString) NTSTATUS {
	s.enterInit(svcWdfPdoInitAssignDeviceID, init)
	text, st := s.pdoString("WdfPdoInitAssignDeviceID", init, u, StatusInvalidDeviceRequest)
	if !st.Failed() {
		init.ids.deviceID = text
	}
	return s.LeaveStatus(st)
}

// WdfPdoInitAssignInstanceID tells children with one device ID apart. PASSIVE_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitAssignInstanceID(init *DeviceInit, u *UnicodeString) NTSTATUS {
	s.enterInit(svcWdfPdoInitAssignInstanceID, init)
	text, st := s.pdoString("WdfPdoInitAssignInstanceID", init, u, StatusInvalidDeviceRequest)
	if !st.Failed() {
		init.ids.instanceID = text
	}
	return s.LeaveStatus(st)
}

// WdfPdoInitAddHardwareID adds an identifier by which Windows finds a driver for a
// child. PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitAddHardwareID(init *DeviceInit, u *UnicodeString) NTSTATUS {
	s.enterInit(svcWdfPdoInitAddHardwareID, init)
	text, st := s.pdoString("WdfPdoInitAddHardwareID", init, u, StatusInvalidDeviceRequest)
	if !st.Failed() {
		init.ids.hardwareIDs = append(init.ids.hardwareIDs, text)
	}
	return s.LeaveStatus(st)
}

// WdfPdoInitAddCompatibleID adds a less specific one. PASSIVE_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitAddCompatibleID(init *DeviceInit, u *UnicodeString) NTSTATUS {
	s.enterInit(svcWdfPdoInitAddCompatibleID, init)
	text, st := s.pdoString("WdfPdoInitAddCompatibleID", init, u, StatusInvalidDeviceRequest)
	if !st.Failed() {
		init.ids.compatible = append(init.ids.compatible, text)
	}
	return s.LeaveStatus(st)
}

// WdfPdoInitAddDeviceText adds a description of a child in one language.
// PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitAddDeviceText(init *DeviceInit, description, location *UnicodeString, locale uint32) NTSTATUS {
	s.enterInit(svcWdfPdoInitAddDeviceText, init)
	s.requirePointer(description != nil, "DeviceDescription")
	s.requirePointer(location != nil, "DeviceLocation")
	t := pdoText{locale: locale}
	var st NTSTATUS
	if t.description, st = s.pdoString("WdfPdoInitAddDeviceText", init, description, StatusInvalidDeviceRequest); !st.Failed() {
		t.location, st = s.pdoString("WdfPdoInitAddDeviceText", init, location, StatusInvalidDeviceRequest)
	}
	if !st.Failed() {
		init.ids.texts = append(init.ids.texts, t)
	}
	return s.LeaveStatus(st)
}

// WdfPdoInitSetDefaultLocale says which of the descriptions stands for languages
// without one. PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitSetDefaultLocale(init *DeviceInit, locale uint32) {
	s.enterInit(svcWdfPdoInitSetDefaultLocale, init)
	switch {
	case s.levelBreak("WdfPdoInitSetDefaultLocale", "IRQL-12", PassiveLevel):
	case init.parent == 0:
		s.verifierBreak("WdfPdoInitSetDefaultLocale", "OBJ-19", "the PWDFDEVICE_INIT is not one for a PDO: nothing happens")
	default:
		init.ids.locale = locale
	}
	s.LeaveVoid()
}

// WdfPdoInitAssignRawDevice says that a child needs no driver above this one, which
// is then its power policy owner. STATUS_INVALID_PARAMETER: it is not a child.
// PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfPdoInitAssignRawDevice(init *DeviceInit, class *GUID) NTSTATUS {
	s.enterInit(svcWdfPdoInitAssignRawDevice, init)
	s.requirePointer(class != nil, "DeviceClassGuid")
	switch {
	case s.levelBreak("WdfPdoInitAssignRawDevice", "IRQL-12", PassiveLevel):
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	case init.parent == 0:
		return s.LeaveStatus(StatusInvalidParameter)
	}
	init.ids.raw, init.ids.class, init.secured = true, *class, true
	return s.LeaveStatus(StatusSuccess)
}

// WdfPdoGetParent returns the parent of a child device; an FDO is a verifier break
// and has none. IRQL <= DISPATCH_LEVEL (fxdeviceapikm.cpp).
func (s *Sys) WdfPdoGetParent(h WDFDEVICE) WDFDEVICE {
	s.Enter(svcWdfPdoGetParent, uint64(h))
	parent := s.device(s.lookup(h, TypeDevice)).parent.handle()
	if parent == 0 {
		s.verifierBreak("WdfPdoGetParent", "OBJ-18", "%s is not a PDO", s.f.m.NameOf(uint64(h)))
	}
	s.Leave(trace.Hex, uint64(parent))
	return parent
}

// WdfFdoAddStaticChild adds a child that the driver has made with
// WdfPdoInitAllocate and WdfDeviceCreate to its parent. STATUS_INVALID_PARAMETER:
// the first is not an FDO or the second not a PDO. STATUS_OBJECT_NAME_EXISTS: it
// was added before. IRQL <= DISPATCH_LEVEL (fxdevicefdoapi.cpp).
func (s *Sys) WdfFdoAddStaticChild(fdo, pdo WDFDEVICE) NTSTATUS {
	s.Enter(svcWdfFdoAddStaticChild, uint64(fdo), uint64(pdo))
	dev := s.lookup(fdo, TypeDevice)
	if s.device(dev).parent != 0 {
		return s.LeaveStatus(StatusInvalidParameter)
	}
	c := s.lookup(pdo, TypeDevice)
	d := s.device(c)
	switch {
	case d.parent == 0:
		return s.LeaveStatus(StatusInvalidParameter)
	case d.child != 0:
		return s.LeaveStatus(StatusObjectNameExists)
	}
	if s.device(dev).staticList == 0 {
		list := s.newChildList(dev, &ChildListConfig{}, nil, true)
		s.device(dev).staticList = list
	}
	l := s.f.objects[s.device(dev).staticList].index
	old := s.lockList(l)
	if s.device(c).child == 0 {
		s.f.childRows = append(s.f.childRows, child{list: l, found: true, pdo: c})
		s.device(c).child = int32(len(s.f.childRows) - 1)
		s.f.objects[c].noDelete = true
	}
	s.unlockList(l, old)
	return s.LeaveStatus(StatusSuccess)
}

// WdfPdoMarkMissing says that a child is not there any more.
// STATUS_INVALID_PARAMETER: it is not a PDO; STATUS_NO_SUCH_DEVICE: it is missing
// already, or was never added. IRQL <= DISPATCH_LEVEL (fxdeviceapikm.cpp).
func (s *Sys) WdfPdoMarkMissing(h WDFDEVICE) NTSTATUS {
	s.Enter(svcWdfPdoMarkMissing, uint64(h))
	d := s.device(s.lookup(h, TypeDevice))
	switch row := d.child; {
	case d.parent == 0:
		return s.LeaveStatus(StatusInvalidParameter)
	case row == 0:
		return s.LeaveStatus(StatusNoSuchDevice)
	default:
		l := s.f.childRows[row].list
		old := s.lockList(l)
		st := StatusNoSuchDevice
		if c := &s.f.childRows[row]; (c.state == childNew || c.present()) && !c.removing {
			c.removing, c.found, st = true, false, StatusSuccess
		}
		s.unlockList(l, old)
		return s.LeaveStatus(st)
	}
}
