package wdf

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// initBase is where the WDFDEVICE_INITs would lie in memory, initSize apart.
// Nothing is mapped there: a driver that touches one faults.
const (
	initBase = 0xFFFFE0EF_00000000
	initSize = 4096
)

// newInit makes a WDFDEVICE_INIT.
func (f *Framework) newInit(init DeviceInit) *DeviceInit {
	init.address = initBase + initSize*uint64(len(f.inits))
	init.policyOwner = UseDefault
	f.inits = append(f.inits, &init)
	return &init
}

// freeInit frees one: its address stands for nothing any more.
func (f *Framework) freeInit(init *DeviceInit) { f.inits[(init.address-initBase)/initSize] = nil }

// DeviceInitAt returns the WDFDEVICE_INIT that an address stands for, nil if
// there is none: it was never there, its callback has returned, or it was freed.
func (f *Framework) DeviceInitAt(a uint64) *DeviceInit {
	if n := (a - initBase) / initSize; (a-initBase)%initSize == 0 && n < uint64(len(f.inits)) {
		return f.inits[n]
	}
	return nil
}

// Address returns the address that stands for a WDFDEVICE_INIT, 0 for nil.
func (init *DeviceInit) Address() uint64 {
	if init == nil {
		return 0
	}
	return init.address
}

func cloneInits(inits []*DeviceInit) []*DeviceInit {
	c := make([]*DeviceInit, len(inits))
	for n, init := range inits {
		if init != nil {
			copied := *init
			copied.ids = init.ids.clone()
			c[n] = &copied
		}
	}
	return c
}

// ownsPowerPolicy reports whether the driver will be the power policy owner: of
// FDOs and raw PDOs, if it does not say otherwise.
func (init *DeviceInit) ownsPowerPolicy() bool {
	if init.policyOwner == UseDefault {
		return init.parent == 0 || init.ids.raw
	}
	return init.policyOwner == True
}

// PowerPolicyEventCallbacksSize is the size of WDF_POWER_POLICY_EVENT_CALLBACKS in
// bytes.
const (
	PowerPolicyEventCallbacksSize   = 64
	powerPolicyEventCallbacksSize15 = 56 // without EvtDeviceArmWakeFromSxWithReason
)

// PowerPolicyEventCallbacks is WDF_POWER_POLICY_EVENT_CALLBACKS.
type PowerPolicyEventCallbacks struct {
	Size                             uint32
	EvtDeviceArmWakeFromS0           Callback
	EvtDeviceDisarmWakeFromS0        Callback
	EvtDeviceWakeFromS0Triggered     Callback
	EvtDeviceArmWakeFromSx           Callback
	EvtDeviceDisarmWakeFromSx        Callback
	EvtDeviceWakeFromSxTriggered     Callback
	EvtDeviceArmWakeFromSxWithReason Callback
}

// ReleaseHardwareOrder is WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE.
type ReleaseHardwareOrder uint32

// Values of ReleaseHardwareOrder.
const (
	ReleaseHardwareOrderOnFailureEarly            ReleaseHardwareOrder = 1
	ReleaseHardwareOrderOnFailureAfterDescendants ReleaseHardwareOrder = 2
)

var (
	svcWdfDeviceInitFree                             = kernel.NewService("WdfDeviceInitFree")
	svcWdfDeviceInitAssignSDDLString                 = kernel.NewLenientService("WdfDeviceInitAssignSDDLString")
	svcWdfDeviceInitSetCharacteristics               = kernel.NewService("WdfDeviceInitSetCharacteristics")
	svcWdfDeviceInitSetPowerInrush                   = kernel.NewService("WdfDeviceInitSetPowerInrush")
	svcWdfDeviceInitSetPowerPageable                 = kernel.NewService("WdfDeviceInitSetPowerPageable")
	svcWdfDeviceInitSetPowerPolicyOwnership          = kernel.NewService("WdfDeviceInitSetPowerPolicyOwnership")
	svcWdfDeviceInitSetPowerPolicyEventCallbacks     = kernel.NewService("WdfDeviceInitSetPowerPolicyEventCallbacks")
	svcWdfDeviceInitSetReleaseHardwareOrderOnFailure = kernel.NewService("WdfDeviceInitSetReleaseHardwareOrderOnFailure")
	svcWdfFdoInitWdmGetPhysicalDevice                = kernel.NewService("WdfFdoInitWdmGetPhysicalDevice")
	svcWdfFdoInitOpenRegistryKey                     = kernel.NewLenientService("WdfFdoInitOpenRegistryKey")
)

// enterInit begins a routine that gets a WDFDEVICE_INIT.
func (s *Sys) enterInit(svc *kernel.Service, init *DeviceInit) {
	s.Enter(svc, init.Address())
	s.requirePointer(init != nil, "DeviceInit")
	if s.f.DeviceInitAt(init.address) != init {
		s.Load(init.address, 8) // faults
	}
}

// WdfDeviceInitFree frees a WDFDEVICE_INIT that WdfPdoInitAllocate has made and
// that no device was made of. One that belongs to a callback goes with the
// callback: nothing happens. IRQL <= DISPATCH_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitFree(init *DeviceInit) {
	s.enterInit(svcWdfDeviceInitFree, init)
	if init.allocated() {
		s.f.freeInit(init)
	}
	s.LeaveVoid()
}

// allocated reports whether the driver has allocated a WDFDEVICE_INIT.
func (init *DeviceInit) allocated() bool { return init.parent != 0 && init.child == 0 }

// WdfDeviceInitAssignSDDLString says who may open the device; nil takes it back.
// The device needs a name then. PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitAssignSDDLString(init *DeviceInit, sddl *UnicodeString) NTSTATUS {
	s.enterInit(svcWdfDeviceInitAssignSDDLString, init)
	if s.levelBreak("WdfDeviceInitAssignSDDLString", "IRQL-12", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if sddl != nil {
		if st := sddl.check(); st.Failed() {
			return s.LeaveStatus(st)
		}
	}
	init.secured = sddl != nil
	return s.LeaveStatus(StatusSuccess)
}

// deviceAutoName is FILE_AUTOGENERATED_DEVICE_NAME, deviceSecureOpen is
// FILE_DEVICE_SECURE_OPEN, which the framework always sets.
const (
	deviceAutoName   = 0x80
	deviceSecureOpen = 0x100
)

// WdfDeviceInitSetCharacteristics sets DEVICE_OBJECT.Characteristics, or adds to
// it. IRQL <= DISPATCH_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetCharacteristics(init *DeviceInit, characteristics uint32, or bool) {
	s.enterInit(svcWdfDeviceInitSetCharacteristics, init)
	c := &init.settings.characteristics
	if !or {
		*c = 0
	}
	*c |= characteristics | deviceSecureOpen
	init.named = init.named || characteristics&deviceAutoName != 0
	s.LeaveVoid()
}

// WdfDeviceInitSetPowerInrush says that the device needs much current when it is
// powered up. IRQL <= DISPATCH_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetPowerInrush(init *DeviceInit) {
	s.enterInit(svcWdfDeviceInitSetPowerInrush, init)
	init.settings.inrush = true
	s.LeaveVoid()
}

// WdfDeviceInitSetPowerPageable undoes WdfDeviceInitSetPowerNotPageable. IRQL <=
// DISPATCH_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetPowerPageable(init *DeviceInit) {
	s.enterInit(svcWdfDeviceInitSetPowerPageable, init)
	init.notPowerPageable = false
	s.LeaveVoid()
}

// WdfDeviceInitSetPowerPolicyOwnership says whether the driver is the power policy
// owner of the device; without it that is so for FDOs and raw PDOs. IRQL <=
// DISPATCH_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetPowerPolicyOwnership(init *DeviceInit, owner bool) {
	s.enterInit(svcWdfDeviceInitSetPowerPolicyOwnership, init)
	init.policyOwner = False
	if owner {
		init.policyOwner = True
	}
	s.LeaveVoid()
}

// WdfDeviceInitSetPowerPolicyEventCallbacks registers the callbacks that arm a
// device for wake and disarm it (WAKE-7, WAKE-8). What is wrong with the structure is
// a verifier break. IRQL <= DISPATCH_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetPowerPolicyEventCallbacks(init *DeviceInit, c *PowerPolicyEventCallbacks) {
	s.enterInit(svcWdfDeviceInitSetPowerPolicyEventCallbacks, init)
	s.requirePointer(c != nil, "PowerPolicyEventCallbacks")
	switch {
	case c.Size != PowerPolicyEventCallbacksSize && c.Size != powerPolicyEventCallbacksSize15:
		s.verifierBreak("WDF_POWER_POLICY_EVENT_CALLBACKS.Size", "OBJ-19", "its Size is %d, needed is %d: nothing happens",
			c.Size, PowerPolicyEventCallbacksSize)
	case c.EvtDeviceArmWakeFromSx != 0 && c.EvtDeviceArmWakeFromSxWithReason != 0:
		s.verifierBreak("WDF_POWER_POLICY_EVENT_CALLBACKS", "OBJ-19",
			"both EvtDeviceArmWakeFromSx and EvtDeviceArmWakeFromSxWithReason are set: nothing happens")
	default:
		init.policy = *c
	}
	s.LeaveVoid()
}

// WdfDeviceInitSetReleaseHardwareOrderOnFailure says when EvtDeviceReleaseHardware
// is called if the device fails while it has children: before the children are
// removed, or after. Another value is a verifier break. IRQL <= DISPATCH_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfDeviceInitSetReleaseHardwareOrderOnFailure(init *DeviceInit, order ReleaseHardwareOrder) {
	s.enterInit(svcWdfDeviceInitSetReleaseHardwareOrderOnFailure, init)
	if order != ReleaseHardwareOrderOnFailureEarly && order != ReleaseHardwareOrderOnFailureAfterDescendants {
		s.verifierBreak("WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE", "OBJ-19", "%d is not a value of it: nothing happens", order)
	}
	s.LeaveVoid()
}

// notFdo reports, and says so, if a WDFDEVICE_INIT is not one for an FDO.
func (s *Sys) notFdo(init *DeviceInit, routine string) bool {
	if init.parent != 0 {
		s.verifierBreak(routine, "OBJ-19", "the PWDFDEVICE_INIT is not one for an FDO: nothing happens")
	}
	return init.parent != 0
}

// WdfFdoInitWdmGetPhysicalDevice returns the DEVICE_OBJECT of the bus driver, 0 for
// a PDO. IRQL <= DISPATCH_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfFdoInitWdmGetPhysicalDevice(init *DeviceInit) uint64 {
	s.enterInit(svcWdfFdoInitWdmGetPhysicalDevice, init)
	p := uint64(0)
	if init.parent == 0 {
		if init.physical == 0 {
			init.physical = s.newDeviceObject(fileDeviceController, 1, deviceBusEnumerated|devicePowerPageable)
		}
		p = init.physical
	}
	s.Leave(trace.Hex, p)
	return p
}

// WdfFdoInitOpenRegistryKey is WdfDeviceOpenRegistryKey before the device is made;
// the key belongs to the driver unless the attributes name a parent. PASSIVE_LEVEL
// (fxdeviceinitapi.cpp).
func (s *Sys) WdfFdoInitOpenRegistryKey(init *DeviceInit, typ, access uint32, a *ObjectAttributes) (WDFKEY, NTSTATUS) {
	s.enterInit(svcWdfFdoInitOpenRegistryKey, init)
	st := checkAttributes(a, false)
	if init.parent != 0 || !st.Failed() && !isRegKeyType(typ) {
		st = StatusInvalidParameter
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	if s.levelBreak("WdfFdoInitOpenRegistryKey", "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	return s.openKey(s.parentOr(a, s.f.theDriver()), a)
}

// newDeviceObject makes a DEVICE_OBJECT.
func (s *Sys) newDeviceObject(kind, stack, flags uint32) uint64 {
	size := ddi.SizeOf("DEVICE_OBJECT")
	p := s.f.m.Mem.Alloc(size, kernel.PoolTag("Devi"), false, s.ActivationID())
	put := func(name string, v uint64, size int) { s.f.m.Mem.Store(p+ddi.Offset("DEVICE_OBJECT", name), size, v) }
	put("Type", deviceObjectType, 2)
	put("Size", size, 2)
	put("ReferenceCount", 1, 4)
	put("DeviceType", uint64(kind), 4)
	put("StackSize", uint64(stack), 1)
	put("Flags", uint64(flags), 4)
	return p
}
