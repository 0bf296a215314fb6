package wdf

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// GUID is a GUID as two words of its 16 bytes in memory, little endian.
type GUID [2]uint64

// BusInterfaceStandard is GUID_BUS_INTERFACE_STANDARD,
// {496B8280-6F25-11D0-BEAF-08002BE2092F}.
var BusInterfaceStandard = GUID{0x11D06F25_496B8280, 0x2F09E22B_0008AFBE}

// Status values of interfaces and names.
const (
	StatusObjectNameCollision NTSTATUS = 0xC0000035
)

// ConfigSpace is what the bus driver knows of the functions on its bus: the part
// of Windows behind BUS_INTERFACE_STANDARD. The numbers of slots are those of
// AddDevice.
type ConfigSpace interface {
	// ReadConfig and WriteConfig access the configuration space of a function and
	// return how many bytes of p are inside it.
	ReadConfig(slot, offset uint32, p []byte) int
	WriteConfig(slot, offset uint32, p []byte) int
}

// SetConfigSpace says who has the configuration space; without it there is no
// BUS_INTERFACE_STANDARD.
func (f *Framework) SetConfigSpace(c ConfigSpace) { f.configSpace = c }

// deviceName is a name under which a device can be opened.
type deviceName struct {
	device id
	class  GUID   // of a device interface
	text   string // its reference string, or the symbolic link
}

var (
	svcWdfDeviceCreateDeviceInterface = kernel.NewLenientService("WdfDeviceCreateDeviceInterface")
	svcWdfDeviceCreateSymbolicLink    = kernel.NewLenientService("WdfDeviceCreateSymbolicLink")
	svcWdfDeviceInitAssignName        = kernel.NewLenientService("WdfDeviceInitAssignName")
	svcWdfFdoQueryForInterface        = kernel.NewLenientService("WdfFdoQueryForInterface")
	svcGetBusData                     = kernel.NewService("GetBusData of BUS_INTERFACE_STANDARD")
	svcSetBusData                     = kernel.NewService("SetBusData of BUS_INTERFACE_STANDARD")
)

// WdfDeviceCreateDeviceInterface registers an interface of a device; the framework
// enables it when the device has started. Applications of a scenario open the
// device itself. PASSIVE_LEVEL (fxdeviceinterfaceapi.cpp).
func (s *Sys) WdfDeviceCreateDeviceInterface(h WDFDEVICE, class *GUID, reference *UnicodeString) NTSTATUS {
	s.Enter(svcWdfDeviceCreateDeviceInterface, uint64(h))
	dev := s.lookup(h, TypeDevice)
	s.requirePointer(class != nil, "InterfaceClassGUID")
	if s.levelBreak("WdfDeviceCreateDeviceInterface", "IRQL-12", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	n := deviceName{device: dev, class: *class}
	if reference != nil {
		if st := reference.check(); st.Failed() {
			return s.LeaveStatus(st)
		}
		n.text = s.unicodeText(reference)
	}
	s.Step()
	s.f.names = append(s.f.names, n)
	return s.LeaveStatus(StatusSuccess)
}

// WdfDeviceCreateSymbolicLink gives a device a name that applications know. A name
// that exists: STATUS_OBJECT_NAME_COLLISION. PASSIVE_LEVEL (fxdeviceapi.cpp).
func (s *Sys) WdfDeviceCreateSymbolicLink(h WDFDEVICE, name *UnicodeString) NTSTATUS {
	s.Enter(svcWdfDeviceCreateSymbolicLink, uint64(h))
	dev := s.lookup(h, TypeDevice)
	s.requirePointer(name != nil, "SymbolicLinkName")
	if s.levelBreak("WdfDeviceCreateSymbolicLink", "IRQL-12", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if st := name.check(); st.Failed() {
		return s.LeaveStatus(st)
	}
	text := s.unicodeText(name)
	s.Step()
	taken := func(n deviceName) bool {
		return n.class == GUID{} && n.text == text && s.f.objects[n.device].state != destroyed
	}
	if slices.ContainsFunc(s.f.names, taken) {
		return s.LeaveStatus(StatusObjectNameCollision)
	}
	s.f.names = append(s.f.names, deviceName{device: dev, text: text})
	return s.LeaveStatus(StatusSuccess)
}

// WdfDeviceInitAssignName gives the device object a name, nil takes it back.
// PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitAssignName(init *DeviceInit, name *UnicodeString) NTSTATUS {
	s.Enter(svcWdfDeviceInitAssignName)
	s.requirePointer(init != nil, "DeviceInit")
	if s.levelBreak("WdfDeviceInitAssignName", "IRQL-12", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if name != nil {
		if st := name.check(); st.Failed() {
			return s.LeaveStatus(st)
		}
	}
	init.named = name != nil
	return s.LeaveStatus(StatusSuccess)
}

// Sizes and versions of BUS_INTERFACE_STANDARD.
const (
	busInterfaceSize    = 64 // bytes
	busInterfaceVersion = 1
)

// WdfFdoQueryForInterface asks the bus driver for an interface. It has
// BUS_INTERFACE_STANDARD version 1, whose GetBusData and SetBusData are
// GetBusData and SetBusData of this package; for others it returns
// STATUS_NOT_SUPPORTED, for a PDO STATUS_INVALID_PARAMETER. PASSIVE_LEVEL (fxdevicefdoapi.cpp).
func (s *Sys) WdfFdoQueryForInterface(h WDFDEVICE, typ *GUID, size, version uint16) NTSTATUS {
	s.Enter(svcWdfFdoQueryForInterface, uint64(h))
	d := s.device(s.lookup(h, TypeDevice))
	s.requirePointer(typ != nil, "InterfaceType")
	if s.levelBreak("WdfFdoQueryForInterface", "IRQL-12", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	s.Step()
	switch {
	case d.parent != 0:
		return s.LeaveStatus(StatusInvalidParameter)
	case *typ != BusInterfaceStandard || s.f.configSpace == nil:
		s.note(trace.Framework, "WdfFdoQueryForInterface", "the bus driver has no interface {%s}", typ)
		return s.LeaveStatus(StatusNotSupported)
	case size < busInterfaceSize:
		return s.LeaveStatus(StatusBufferTooSmall)
	case version != busInterfaceVersion:
		return s.LeaveStatus(StatusNotSupported)
	}
	return s.LeaveStatus(StatusSuccess)
}

func (g *GUID) String() string {
	return fmt.Sprintf("%08X-%04X-%04X-%04X-%04X%08X", uint32(g[0]), uint16(g[0]>>32), uint16(g[0]>>48),
		uint16(g[1])<<8|uint16(g[1])>>8, uint16(g[1]>>16)<<8|uint16(g[1]>>16)>>8, reverse(uint32(g[1]>>32)))
}

func reverse(v uint32) uint32 { return v<<24 | v<<8&0xFF0000 | v>>8&0xFF00 | v>>24 }

// whichSpaceConfig is PCI_WHICHSPACE_CONFIG.
const whichSpaceConfig = 0

// GetBusData is what BUS_INTERFACE_STANDARD does to read length bytes of the
// configuration space of a device's function into memory. It returns how many
// there were: 0 for another space. Any IRQL (wdm.h; loading-drivers.md 12).
func (s *Sys) GetBusData(h WDFDEVICE, space uint32, buffer uint64, offset, length uint32) uint32 {
	s.Enter(svcGetBusData, uint64(h), uint64(offset), uint64(length))
	slot := s.device(s.lookup(h, TypeDevice)).location
	var n int
	if space == whichSpaceConfig {
		p := make([]byte, min(length, maxConfigSpace))
		s.Step()
		n = s.f.configSpace.ReadConfig(slot, offset, p)
		if f := s.f.m.Mem.Write(buffer, p[:n]); n > 0 && f.Kind != 0 {
			s.WriteBytes(buffer, p[:n]) // reports the fault
		}
	}
	s.Leave(trace.Decimal, uint64(n))
	return uint32(n)
}

// SetBusData writes to the configuration space: see GetBusData.
func (s *Sys) SetBusData(h WDFDEVICE, space uint32, buffer uint64, offset, length uint32) uint32 {
	s.Enter(svcSetBusData, uint64(h), uint64(offset), uint64(length))
	slot := s.device(s.lookup(h, TypeDevice)).location
	var n int
	if space == whichSpaceConfig {
		p := make([]byte, min(length, maxConfigSpace))
		s.ReadBytes(buffer, p)
		n = s.f.configSpace.WriteConfig(slot, offset, p)
	}
	s.Leave(trace.Decimal, uint64(n))
	return uint32(n)
}

// maxConfigSpace is the size of the largest configuration space, in bytes.
const maxConfigSpace = 4096
