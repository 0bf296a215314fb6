package wdf

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/dirql/dirql/internal/kernel"
)

// This file has the properties of devices: those that the bus and the PnP manager
// know, and those that a driver assigns. There is no INF file on the simulated
// machine, so that what comes from one (description, class, manufacturer) is not
// there: STATUS_OBJECT_NAME_NOT_FOUND.

// DeviceProperty is DEVICE_REGISTRY_PROPERTY.
type DeviceProperty uint32

// Values of DeviceProperty that have a value here.
const (
	DevicePropertyHardwareID               DeviceProperty = 1
	DevicePropertyCompatibleIDs            DeviceProperty = 2
	devicePropertyBootConfiguration        DeviceProperty = 3
	devicePropertyBootTranslated           DeviceProperty = 4
	DevicePropertyLocationInformation      DeviceProperty = 10
	DevicePropertyPhysicalDeviceObjectName DeviceProperty = 11
	DevicePropertyBusTypeGuid              DeviceProperty = 12
	DevicePropertyLegacyBusType            DeviceProperty = 13
	DevicePropertyBusNumber                DeviceProperty = 14
	DevicePropertyEnumeratorName           DeviceProperty = 15
	DevicePropertyAddress                  DeviceProperty = 16
	DevicePropertyInstallState             DeviceProperty = 18
	DevicePropertyRemovalPolicy            DeviceProperty = 19
	devicePropertyRequirements             DeviceProperty = 20
	devicePropertyAllocated                DeviceProperty = 21
	devicePropertyLast                     DeviceProperty = 22
)

// Types of properties (DEVPROPTYPE).
const (
	devpropUint32     = 0x07
	devpropGUID       = 0x0D
	devpropString     = 0x12
	devpropStringList = 0x2012
)

// PropertyKey is DEVPROPKEY.
type PropertyKey struct {
	Format GUID
	ID     uint32
}

// devicePropertyFormat is the category of the DEVPKEY_Device_... keys that name the
// same properties as DeviceProperty, {A45C254E-DF1C-4EFD-8020-67D146A850E0}.
var devicePropertyFormat = GUID{0x4EFDDF1C_A45C254E, 0xE050A846_D1672080}

// devicePropertyOfKey are those keys.
var devicePropertyOfKey = map[uint32]DeviceProperty{
	3: DevicePropertyHardwareID, 4: DevicePropertyCompatibleIDs, 15: DevicePropertyLocationInformation,
	16: DevicePropertyPhysicalDeviceObjectName, 21: DevicePropertyBusTypeGuid, 22: DevicePropertyLegacyBusType,
	23: DevicePropertyBusNumber, 24: DevicePropertyEnumeratorName, 30: DevicePropertyAddress,
}

// busTypePCI is GUID_BUS_TYPE_PCI, {C8EBDFB0-B510-11D0-80E5-00A0C92542E3}.
var busTypePCI = GUID{0x11D0B510_C8EBDFB0, 0xE34225C9_A000E580}

// DevicePropertyDataSize is the size of WDF_DEVICE_PROPERTY_DATA in bytes.
const DevicePropertyDataSize = 24

// DevicePropertyData is WDF_DEVICE_PROPERTY_DATA.
type DevicePropertyData struct {
	Size  uint32
	Key   PropertyKey
	Lcid  uint32
	Flags uint32
}

// property is a property that a driver has assigned.
type property struct {
	device id
	key    PropertyKey
	lcid   uint32
	typ    uint32
	value  string // its bytes
}

var (
	svcWdfDeviceQueryProperty           = kernel.NewLenientService("WdfDeviceQueryProperty")
	svcWdfDeviceAllocAndQueryProperty   = kernel.NewLenientService("WdfDeviceAllocAndQueryProperty")
	svcWdfDeviceQueryPropertyEx         = kernel.NewLenientService("WdfDeviceQueryPropertyEx")
	svcWdfDeviceAllocAndQueryPropertyEx = kernel.NewLenientService("WdfDeviceAllocAndQueryPropertyEx")
	svcWdfDeviceAssignProperty          = kernel.NewLenientService("WdfDeviceAssignProperty")
	svcWdfFdoInitQueryProperty          = kernel.NewLenientService("WdfFdoInitQueryProperty")
)

// busProperty returns the bytes of a property that the bus or the PnP manager
// knows. location, parent and ids say which device: that of a PCI function, or a
// child with identifiers.
func (s *Sys) busProperty(location uint32, ids *pdoIDs, pdo string, p DeviceProperty) (value []byte, typ uint32, st NTSTATUS) {
	word := func(v uint32) ([]byte, uint32, NTSTATUS) {
		return binary.LittleEndian.AppendUint32(nil, v), devpropUint32, StatusSuccess
	}
	pci := ids == nil && s.f.configSpace != nil
	switch p {
	case DevicePropertyHardwareID, DevicePropertyCompatibleIDs:
		var texts []string
		switch {
		case ids != nil && p == DevicePropertyHardwareID:
			texts = ids.hardwareIDs
		case ids != nil:
			texts = ids.compatible
		case pci:
			texts = s.pciIDs(location, p == DevicePropertyCompatibleIDs)
		}
		if len(texts) > 0 {
			return wideList(texts), devpropStringList, StatusSuccess
		}
	case DevicePropertyPhysicalDeviceObjectName:
		return wide(pdo), devpropString, StatusSuccess
	case DevicePropertyInstallState: // InstallStateInstalled
		return word(0)
	case DevicePropertyRemovalPolicy: // RemovalPolicyExpectNoRemoval
		return word(1)
	case devicePropertyBootConfiguration, devicePropertyBootTranslated, devicePropertyRequirements, devicePropertyAllocated:
		s.Unsupported("resource lists as properties of a device (WdfDeviceQueryProperty)")
	}
	if pci {
		switch p {
		case DevicePropertyLocationInformation:
			return wide(fmt.Sprintf("PCI bus 0, device %d, function 0", location)), devpropString, StatusSuccess
		case DevicePropertyBusTypeGuid:
			return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, busTypePCI[0]), busTypePCI[1]), devpropGUID, StatusSuccess
		case DevicePropertyLegacyBusType: // PCIBus
			return word(5)
		case DevicePropertyBusNumber:
			return word(0)
		case DevicePropertyEnumeratorName:
			return wide("PCI"), devpropString, StatusSuccess
		case DevicePropertyAddress: // device number and function number
			return word(location << 16)
		}
	}
	return nil, 0, StatusObjectNameNotFound
}

// pciIDs returns the hardware or compatible IDs that the PCI bus driver makes from
// the configuration space of a function.
func (s *Sys) pciIDs(location uint32, compatible bool) []string {
	c := make([]byte, 64)
	s.f.configSpace.ReadConfig(location, 0, c)
	id := fmt.Sprintf(`PCI\VEN_%04X&DEV_%04X`, binary.LittleEndian.Uint16(c), binary.LittleEndian.Uint16(c[2:]))
	class := fmt.Sprintf("&CC_%02X%02X", c[11], c[10])
	program := class + fmt.Sprintf("%02X", c[9])
	revision := fmt.Sprintf("&REV_%02X", c[8])
	if compatible {
		return []string{id + revision, id, id + program, id + class}
	}
	full := id + fmt.Sprintf("&SUBSYS_%08X", binary.LittleEndian.Uint32(c[44:]))
	return []string{full + revision, full, id + program, id + class}
}

// wide returns a string as UTF-16 with a zero at the end, wideList a REG_MULTI_SZ.
func wide(text string) []byte {
	var p []byte
	for _, c := range utf16.Encode([]rune(text)) {
		p = binary.LittleEndian.AppendUint16(p, c)
	}
	return append(p, 0, 0)
}

func wideList(texts []string) []byte {
	var p []byte
	for _, t := range texts {
		p = append(p, wide(t)...)
	}
	return append(p, 0, 0)
}

// deviceProperty is busProperty for a device. Before the PnP manager has started a
// PDO it does not know it.
func (s *Sys) deviceProperty(dev id, p DeviceProperty) ([]byte, uint32, NTSTATUS) {
	d := s.device(dev)
	if d.parent == 0 {
		return s.busProperty(d.location, nil, pdoName(d.location, 0), p)
	}
	if !d.known {
		return nil, 0, StatusInvalidDeviceState
	}
	return s.busProperty(d.location, s.f.identityOf(dev), pdoName(d.location, dev), p)
}

// pdoName is the name that Windows generates for the device object of a bus driver.
func pdoName(location uint32, child id) string {
	return fmt.Sprintf(`\Device\%08x`, 0x10+uint32(location)+uint32(child)<<8)
}

// giveProperty copies a property to a buffer of the driver and returns how large it
// is.
func (s *Sys) giveProperty(value []byte, st NTSTATUS, buffer uint64, length uint32) (uint32, NTSTATUS) {
	switch {
	case st.Failed():
		return 0, st
	case uint32(len(value)) > length:
		return uint32(len(value)), StatusBufferTooSmall
	}
	s.WriteBytes(buffer, value)
	return uint32(len(value)), StatusSuccess
}

// checkQuery does the checks that the queries of properties have in common.
func (s *Sys) checkQuery(routine string, p DeviceProperty, buffer uint64, length uint32) NTSTATUS {
	switch {
	case s.levelBreak(routine, "IRQL-12", PassiveLevel):
		return StatusInvalidDeviceRequest
	case length != 0 && buffer == 0, p > devicePropertyLast:
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// WdfDeviceQueryProperty copies a property of a device to a buffer and returns its
// size in bytes. STATUS_BUFFER_TOO_SMALL: the buffer does not hold it.
// STATUS_OBJECT_NAME_NOT_FOUND: the device does not have it. PASSIVE_LEVEL
// (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceQueryProperty(h WDFDEVICE, p DeviceProperty, length uint32, buffer uint64) (size uint32, st NTSTATUS) {
	s.Enter(svcWdfDeviceQueryProperty, uint64(h), uint64(p))
	dev := s.lookup(h, TypeDevice)
	if st = s.checkQuery("WdfDeviceQueryProperty", p, buffer, length); !st.Failed() {
		value, _, found := s.deviceProperty(dev, p)
		size, st = s.giveProperty(value, found, buffer, length)
	}
	return size, s.LeaveStatus(st)
}

// WdfFdoInitQueryProperty is WdfDeviceQueryProperty before the device is made.
// STATUS_INVALID_PARAMETER: it is not for an FDO. PASSIVE_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfFdoInitQueryProperty(init *DeviceInit, p DeviceProperty, length uint32, buffer uint64) (size uint32, st NTSTATUS) {
	s.enterInit(svcWdfFdoInitQueryProperty, init)
	st = s.checkQuery("WdfFdoInitQueryProperty", p, buffer, length)
	if init.parent != 0 && !st.Failed() {
		st = StatusInvalidParameter
	}
	if !st.Failed() {
		value, _, found := s.busProperty(init.location, nil, pdoName(init.location, 0), p)
		size, st = s.giveProperty(value, found, buffer, length)
	}
	return size, s.LeaveStatus(st)
}

// WdfDeviceAllocAndQueryProperty makes a memory object with a property.
// PASSIVE_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceAllocAndQueryProperty(h WDFDEVICE, p DeviceProperty, poolType uint32, a *ObjectAttributes) (WDFMEMORY, NTSTATUS) {
	s.Enter(svcWdfDeviceAllocAndQueryProperty, uint64(h), uint64(p))
	dev := s.lookup(h, TypeDevice)
	st := s.checkQuery("WdfDeviceAllocAndQueryProperty", p, 0, 0)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	value, _, st := s.deviceProperty(dev, p)
	return s.propertyMemory(value, st, poolType, a)
}

// propertyMemory makes the memory object for a property.
func (s *Sys) propertyMemory(value []byte, st NTSTATUS, poolType uint32, a *ObjectAttributes) (WDFMEMORY, NTSTATUS) {
	parent := s.parentOr(a, s.f.theDriver())
	if !st.Failed() {
		st = checkAttributes(a, false)
	}
	if !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	p := s.f.m.Mem.Alloc(uint64(len(value)), kernel.PoolTag("FxDr"), poolType&1 != 0, s.ActivationID())
	s.WriteBytes(p, value)
	i := s.addMemory(memory{buffer: p, size: uint64(len(value)), owned: p}, parent, a)
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// keyed returns a property by its key: one that the driver has assigned, else one
// that the system knows.
func (s *Sys) keyed(dev id, d *DevicePropertyData) ([]byte, uint32, NTSTATUS) {
	if n := s.f.propertyAt(dev, d); n >= 0 {
		return []byte(s.f.properties[n].value), s.f.properties[n].typ, StatusSuccess
	}
	if p, ok := devicePropertyOfKey[d.Key.ID]; ok && d.Key.Format == devicePropertyFormat {
		return s.deviceProperty(dev, p)
	}
	return nil, 0, StatusObjectNameNotFound
}

// propertyAt returns the row of a property that the driver has assigned, -1 if there
// is none.
func (f *Framework) propertyAt(dev id, d *DevicePropertyData) int {
	return slices.IndexFunc(f.properties, func(p property) bool { return p.device == dev && p.key == d.Key && p.lcid == d.Lcid })
}

// enterProperty begins a routine that gets a WDF_DEVICE_PROPERTY_DATA.
func (s *Sys) enterProperty(svc *kernel.Service, h WDFDEVICE, d *DevicePropertyData) (dev id, st NTSTATUS) {
	s.Enter(svc, uint64(h))
	dev = s.lookup(h, TypeDevice)
	s.requirePointer(d != nil, "DeviceProperty")
	switch {
	case d.Size != DevicePropertyDataSize:
		st = StatusInfoLengthMismatch
	case s.levelBreak(svc.Name, "IRQL-12", APCLevel):
		st = StatusInvalidDeviceRequest
	case !s.device(dev).known && s.device(dev).parent != 0:
		st = StatusInvalidDeviceState
	}
	return dev, st
}

// WdfDeviceQueryPropertyEx copies a property of a device to a buffer and returns its
// size in bytes and its type. See WdfDeviceQueryProperty. IRQL <= APC_LEVEL
// (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceQueryPropertyEx(h WDFDEVICE, d *DevicePropertyData, length uint32, buffer uint64) (size, typ uint32, st NTSTATUS) {
	dev, st := s.enterProperty(svcWdfDeviceQueryPropertyEx, h, d)
	if !st.Failed() && (length == 0) != (buffer == 0) {
		st = StatusInvalidParameter
	}
	if !st.Failed() {
		value, t, found := s.keyed(dev, d)
		typ = t
		size, st = s.giveProperty(value, found, buffer, length)
	}
	return size, typ, s.LeaveStatus(st)
}

// WdfDeviceAllocAndQueryPropertyEx makes a memory object with a property and
// returns its type. IRQL <= APC_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceAllocAndQueryPropertyEx(h WDFDEVICE, d *DevicePropertyData, poolType uint32, a *ObjectAttributes) (m WDFMEMORY, typ uint32, st NTSTATUS) {
	dev, st := s.enterProperty(svcWdfDeviceAllocAndQueryPropertyEx, h, d)
	if st.Failed() {
		return 0, 0, s.LeaveStatus(st)
	}
	value, typ, st := s.keyed(dev, d)
	m, st = s.propertyMemory(value, st, poolType, a)
	return m, typ, st
}

// maxProperty bounds a property, in bytes.
const maxProperty = 1 << 16

// WdfDeviceAssignProperty gives a device a property; without a buffer it is taken
// back. IRQL <= APC_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceAssignProperty(h WDFDEVICE, d *DevicePropertyData, typ, length uint32, buffer uint64) NTSTATUS {
	dev, st := s.enterProperty(svcWdfDeviceAssignProperty, h, d)
	switch {
	case st.Failed():
		return s.LeaveStatus(st)
	case length == 0 && buffer != 0, length > maxProperty:
		return s.LeaveStatus(StatusInvalidParameter)
	}
	p := property{device: dev, key: d.Key, lcid: d.Lcid, typ: typ}
	if buffer != 0 {
		p.value = string(s.bytesAt(buffer, length))
	}
	s.Step()
	n := s.f.propertyAt(dev, d)
	switch {
	case buffer == 0 && n < 0:
		return s.LeaveStatus(StatusObjectNameNotFound)
	case buffer == 0:
		s.f.properties = slices.Delete(s.f.properties, n, n+1)
	case n < 0:
		s.f.properties = append(s.f.properties, p)
	default:
		s.f.properties[n] = p
	}
	return s.LeaveStatus(StatusSuccess)
}
