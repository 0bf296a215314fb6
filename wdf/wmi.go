package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Nobody on the simulated machine asks WMI for anything: providers and instances
// are kept, and events that a driver fires go to nobody.

// WmiProviderConfigSize and WmiInstanceConfigSize are the sizes of
// WDF_WMI_PROVIDER_CONFIG and WDF_WMI_INSTANCE_CONFIG in bytes.
const (
	WmiProviderConfigSize = 40
	WmiInstanceConfigSize = 64
)

// Flags of WmiProviderConfig (WDF_WMI_PROVIDER_FLAGS).
const (
	WmiProviderEventOnly  = 0x1
	WmiProviderExpensive  = 0x2
	WmiProviderTracing    = 0x4
	wmiProviderValidFlags = 0x7
)

// WmiProviderConfig is WDF_WMI_PROVIDER_CONFIG.
type WmiProviderConfig struct {
	Size                          uint32
	Guid                          GUID
	Flags                         uint32
	MinInstanceBufferSize         uint32 // bytes
	EvtWmiProviderFunctionControl Callback
}

// WmiInstanceConfig is WDF_WMI_INSTANCE_CONFIG: one of Provider and ProviderConfig
// is set.
type WmiInstanceConfig struct {
	Size                        uint32
	Provider                    WDFWMIPROVIDER
	ProviderConfig              *WmiProviderConfig
	UseContextForQuery          bool
	Register                    bool
	EvtWmiInstanceQueryInstance Callback
	EvtWmiInstanceSetInstance   Callback
	EvtWmiInstanceSetItem       Callback
	EvtWmiInstanceExecuteMethod Callback
}

// wmiProvider is a WDFWMIPROVIDER, wmiInstance a WDFWMIINSTANCE.
type wmiProvider struct {
	object id
	device id
	flags  uint32
	size   uint32 // of an instance, at least
}

type wmiInstance struct {
	object   id
	provider int32
	added    bool // registered
}

var (
	svcWdfWmiProviderCreate           = kernel.NewService("WdfWmiProviderCreate")
	svcWdfWmiProviderGetDevice        = kernel.NewService("WdfWmiProviderGetDevice")
	svcWdfWmiProviderIsEnabled        = kernel.NewService("WdfWmiProviderIsEnabled")
	svcWdfWmiProviderGetTracingHandle = kernel.NewService("WdfWmiProviderGetTracingHandle")
	svcWdfWmiInstanceCreate           = kernel.NewService("WdfWmiInstanceCreate")
	svcWdfWmiInstanceRegister         = kernel.NewService("WdfWmiInstanceRegister")
	svcWdfWmiInstanceDeregister       = kernel.NewService("WdfWmiInstanceDeregister")
	svcWdfWmiInstanceGetDevice        = kernel.NewService("WdfWmiInstanceGetDevice")
	svcWdfWmiInstanceGetProvider      = kernel.NewService("WdfWmiInstanceGetProvider")
	svcWdfWmiInstanceFireEvent        = kernel.NewLenientService("WdfWmiInstanceFireEvent")
	svcWdfDeviceAssignMofResourceName = kernel.NewLenientService("WdfDeviceAssignMofResourceName")
)

// check does the checks of the structure (FxWmiProvider::_Create).
func (c *WmiProviderConfig) check() NTSTATUS {
	switch {
	case c.Size != WmiProviderConfigSize:
		return StatusInfoLengthMismatch
	case c.Flags&^wmiProviderValidFlags != 0,
		c.Flags&WmiProviderTracing != 0 && c.Flags != WmiProviderTracing,
		c.EvtWmiProviderFunctionControl != 0 && c.Flags&(WmiProviderTracing|WmiProviderExpensive) == 0,
		c.Guid == GUID{}:
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// WdfWmiProviderCreate makes a WMI provider, which belongs to its device and cannot
// be deleted. IRQL <= DISPATCH_LEVEL (fxwmiapi.cpp, fxwmiprovider.cpp).
func (s *Sys) WdfWmiProviderCreate(h WDFDEVICE, c *WmiProviderConfig, a *ObjectAttributes) (WDFWMIPROVIDER, NTSTATUS) {
	s.Enter(svcWdfWmiProviderCreate, uint64(h))
	dev := s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "WmiProviderConfig")
	s.Step()
	n, st := s.newWmiProvider(dev, c, a)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	return s.f.wmiProviders[n].object.handle(), s.LeaveStatus(st)
}

func (s *Sys) newWmiProvider(dev id, c *WmiProviderConfig, a *ObjectAttributes) (int32, NTSTATUS) {
	f := s.f
	st := checkNoParent(a)
	if !st.Failed() {
		st = c.check()
	}
	if !st.Failed() {
		st = f.checkParent(dev)
	}
	if st.Failed() {
		return 0, st
	}
	n := len(f.wmiProviders)
	f.wmiProviders = append(f.wmiProviders, wmiProvider{device: dev, flags: c.Flags, size: c.MinInstanceBufferSize})
	i := s.create(TypeWmiProvider, dev, n, a, "")
	f.wmiProviders[n].object = i
	f.objects[i].noDelete = true
	return int32(n), StatusSuccess
}

// WdfWmiProviderGetDevice returns the device of a provider. IRQL <= DISPATCH_LEVEL
// (fxwmiapi.cpp).
func (s *Sys) WdfWmiProviderGetDevice(h WDFWMIPROVIDER) WDFDEVICE {
	s.Enter(svcWdfWmiProviderGetDevice, uint64(h))
	return s.leaveHandle(s.f.wmiProviders[s.row(h, TypeWmiProvider)].device)
}

// WdfWmiProviderIsEnabled reports whether somebody wants the data or the events of
// a provider: nobody does. IRQL <= DISPATCH_LEVEL (fxwmiapi.cpp).
func (s *Sys) WdfWmiProviderIsEnabled(h WDFWMIPROVIDER) bool {
	s.Enter(svcWdfWmiProviderIsEnabled, uint64(h))
	s.row(h, TypeWmiProvider)
	return s.LeaveBool(false)
}

// WdfWmiProviderGetTracingHandle returns the handle of a trace session: there is
// none, 0. IRQL <= DISPATCH_LEVEL (fxwmiapi.cpp).
func (s *Sys) WdfWmiProviderGetTracingHandle(h WDFWMIPROVIDER) uint64 {
	s.Enter(svcWdfWmiProviderGetTracingHandle, uint64(h))
	s.row(h, TypeWmiProvider)
	s.Leave(trace.Hex, 0)
	return 0
}

// WdfWmiInstanceCreate makes an instance of a provider, or of a new provider that
// the configuration describes, and registers it if the configuration says so. It
// belongs to the provider. IRQL <= DISPATCH_LEVEL (fxwmiapi.cpp,
// fxwmiinstance.cpp).
func (s *Sys) WdfWmiInstanceCreate(h WDFDEVICE, c *WmiInstanceConfig, a *ObjectAttributes) (WDFWMIINSTANCE, NTSTATUS) {
	s.Enter(svcWdfWmiInstanceCreate, uint64(h))
	s.requirePointer(c != nil, "InstanceConfig")
	switch {
	case c.Size != WmiInstanceConfigSize:
		return 0, s.LeaveStatus(StatusInfoLengthMismatch)
	case (c.Provider == 0) == (c.ProviderConfig == nil):
		return 0, s.LeaveStatus(StatusInvalidParameter)
	}
	var n int32
	var st NTSTATUS
	if c.Provider != 0 {
		n = s.row(c.Provider, TypeWmiProvider)
		s.Step()
	} else {
		dev := s.lookup(h, TypeDevice)
		s.Step()
		n, st = s.newWmiProvider(dev, c.ProviderConfig, nil)
	}
	var i id
	if !st.Failed() {
		if i, st = s.newWmiInstance(n, c, a); st.Failed() && c.ProviderConfig != nil {
			s.deleteObject(s.f.wmiProviders[n].object)
		}
	}
	return i.handle(), s.LeaveStatus(st)
}

func (s *Sys) newWmiInstance(n int32, c *WmiInstanceConfig, a *ObjectAttributes) (id, NTSTATUS) {
	f := s.f
	p := f.wmiProviders[n]
	st := checkNoParent(a)
	switch {
	case p.flags&WmiProviderEventOnly != 0 && (c.UseContextForQuery || c.EvtWmiInstanceQueryInstance|c.EvtWmiInstanceSetInstance|
		c.EvtWmiInstanceSetItem|c.EvtWmiInstanceExecuteMethod != 0):
		st = StatusInvalidParameter
	case st.Failed():
	case c.UseContextForQuery && (c.EvtWmiInstanceSetInstance|c.EvtWmiInstanceSetItem != 0 || a == nil || a.ContextType == nil):
		st = StatusInvalidParameter
	case c.UseContextForQuery && a.ContextType.Size+a.ContextSizeOverride < uint64(p.size):
		st = StatusBufferTooSmall
	case c.Register && p.flags&WmiProviderTracing != 0:
		st = StatusInvalidDeviceRequest
	default:
		st = f.checkParent(p.object)
	}
	if st.Failed() {
		return 0, st
	}
	f.wmiInstances = append(f.wmiInstances, wmiInstance{provider: n, added: c.Register})
	i := s.create(TypeWmiInstance, p.object, len(f.wmiInstances)-1, a, "")
	f.wmiInstances[len(f.wmiInstances)-1].object = i
	return i, StatusSuccess
}

// wmiInstance returns the row behind a handle of an instance.
func (s *Sys) wmiInstance(h WDFWMIINSTANCE) *wmiInstance {
	return &s.f.wmiInstances[s.row(h, TypeWmiInstance)]
}

// WdfWmiInstanceRegister makes an instance known to WMI.
// STATUS_INVALID_DEVICE_REQUEST: it is, or its provider is one for tracing. IRQL <=
// DISPATCH_LEVEL (fxwmiapi.cpp, fxwmiprovider.cpp).
func (s *Sys) WdfWmiInstanceRegister(h WDFWMIINSTANCE) NTSTATUS {
	s.Enter(svcWdfWmiInstanceRegister, uint64(h))
	s.wmiInstance(h)
	s.Step()
	i := s.wmiInstance(h)
	if i.added || s.f.wmiProviders[i.provider].flags&WmiProviderTracing != 0 {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	i.added = true
	return s.LeaveStatus(StatusSuccess)
}

// WdfWmiInstanceDeregister undoes WdfWmiInstanceRegister; nothing happens if there
// was none. IRQL <= DISPATCH_LEVEL (fxwmiapi.cpp).
func (s *Sys) WdfWmiInstanceDeregister(h WDFWMIINSTANCE) {
	s.Enter(svcWdfWmiInstanceDeregister, uint64(h))
	s.wmiInstance(h)
	s.Step()
	s.wmiInstance(h).added = false
	s.LeaveVoid()
}

// WdfWmiInstanceGetDevice returns the device of an instance. IRQL <= DISPATCH_LEVEL
// (fxwmiapi.cpp).
func (s *Sys) WdfWmiInstanceGetDevice(h WDFWMIINSTANCE) WDFDEVICE {
	s.Enter(svcWdfWmiInstanceGetDevice, uint64(h))
	return s.leaveHandle(s.f.wmiProviders[s.wmiInstance(h).provider].device)
}

// WdfWmiInstanceGetProvider returns the provider of an instance. IRQL <=
// DISPATCH_LEVEL (fxwmiapi.cpp).
func (s *Sys) WdfWmiInstanceGetProvider(h WDFWMIINSTANCE) WDFWMIPROVIDER {
	s.Enter(svcWdfWmiInstanceGetProvider, uint64(h))
	return s.leaveHandle(s.f.wmiProviders[s.wmiInstance(h).provider].object)
}

func (s *Sys) leaveHandle(i id) Handle {
	s.Leave(trace.Hex, uint64(i.handle()))
	return i.handle()
}

// maxWmiEvent bounds the data of an event, in bytes.
const maxWmiEvent = 1 << 16

// WdfWmiInstanceFireEvent sends an event with data in memory, which is read. IRQL <=
// APC_LEVEL (fxwmiapi.cpp).
func (s *Sys) WdfWmiInstanceFireEvent(h WDFWMIINSTANCE, size uint32, data uint64) NTSTATUS {
	s.Enter(svcWdfWmiInstanceFireEvent, uint64(h), uint64(size))
	s.wmiInstance(h)
	if s.levelBreak("WdfWmiInstanceFireEvent", "IRQL-12", APCLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	switch {
	case data == 0:
	case size > maxWmiEvent:
		return s.LeaveStatus(StatusBufferOverflow)
	default:
		s.bytesAt(data, size)
	}
	return s.LeaveStatus(StatusSuccess)
}

// WdfDeviceAssignMofResourceName says where the description of the driver's WMI
// data is. STATUS_INVALID_DEVICE_REQUEST: that was said before. PASSIVE_LEVEL
// (fxdeviceapikm.cpp).
func (s *Sys) WdfDeviceAssignMofResourceName(h WDFDEVICE, name *UnicodeString) NTSTATUS {
	s.Enter(svcWdfDeviceAssignMofResourceName, uint64(h))
	d := s.device(s.lookup(h, TypeDevice))
	s.requirePointer(name != nil, "MofResourceName")
	if s.levelBreak("WdfDeviceAssignMofResourceName", "IRQL-12", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if st := name.check(); st.Failed() {
		return s.LeaveStatus(st)
	}
	if d.mof {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	d.mof = true
	return s.LeaveStatus(StatusSuccess)
}
