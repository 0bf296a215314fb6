package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

var wmiContext = wdf.NewContextType("WMI_DATA")
var wmiValue = wdf.NewField[uint64](wmiContext, "Value")

func TestWmiProvider(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		var provider wdf.WDFWMIPROVIDER
		b.do(func(s *wdf.Sys) {
			config := wdf.WmiProviderConfig{Size: wdf.WmiProviderConfigSize, Guid: wdf.GUID{1, 2}, MinInstanceBufferSize: 8}
			for _, test := range []struct {
				name   string
				change func(c *wdf.WmiProviderConfig)
				want   wdf.NTSTATUS
			}{
				{"size", func(c *wdf.WmiProviderConfig) { c.Size-- }, wdf.StatusInfoLengthMismatch},
				{"GUID", func(c *wdf.WmiProviderConfig) { c.Guid = wdf.GUID{} }, wdf.StatusInvalidParameter},
				{"flags", func(c *wdf.WmiProviderConfig) { c.Flags = 8 }, wdf.StatusInvalidParameter},
				{"tracing and more", func(c *wdf.WmiProviderConfig) { c.Flags = wdf.WmiProviderTracing | wdf.WmiProviderExpensive }, wdf.StatusInvalidParameter},
				{"callback", func(c *wdf.WmiProviderConfig) { c.EvtWmiProviderFunctionControl = 1 }, wdf.StatusInvalidParameter},
				{"right", func(*wdf.WmiProviderConfig) {}, wdf.StatusSuccess},
			} {
				c := config
				test.change(&c)
				var st wdf.NTSTATUS
				provider, st = s.WdfWmiProviderCreate(b.device, &c, nil)
				b.status(test.name, st, test.want)
			}
			_, st := s.WdfWmiProviderCreate(b.device, &config, &wdf.ObjectAttributes{ParentObject: b.device})
			b.status("parent", st, wdf.StatusWdfParentAssignmentNotAllowed)
			if s.WdfWmiProviderGetDevice(provider) != b.device || s.WdfWmiProviderIsEnabled(provider) || s.WdfWmiProviderGetTracingHandle(provider) != 0 {
				b.Errorf("the provider says something wrong")
			}
			s.WdfObjectDelete(provider)
		})
		b.wantFindings("verifier break: STATUS_CANNOT_DELETE")
	})
}

func TestWmiInstance(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		var instance wdf.WDFWMIINSTANCE
		b.do(func(s *wdf.Sys) {
			provider := &wdf.WmiProviderConfig{Size: wdf.WmiProviderConfigSize, Guid: wdf.GUID{1, 2}, MinInstanceBufferSize: 9}
			config := &wdf.WmiInstanceConfig{Size: wdf.WmiInstanceConfigSize}
			create := func(what string, a *wdf.ObjectAttributes, want wdf.NTSTATUS) {
				b.Helper()
				var st wdf.NTSTATUS
				instance, st = s.WdfWmiInstanceCreate(b.device, config, a)
				b.status(what, st, want)
			}
			create("no provider", nil, wdf.StatusInvalidParameter)
			config.ProviderConfig, config.UseContextForQuery = provider, true
			create("no context", nil, wdf.StatusInvalidParameter)
			create("small context", &wdf.ObjectAttributes{ContextType: wmiContext}, wdf.StatusBufferTooSmall)
			provider.MinInstanceBufferSize, config.Register = 8, true
			a := &wdf.ObjectAttributes{ContextType: wmiContext, EvtCleanupCallback: b.object("cleanup", nil)}
			create("right", a, 0)
			wmiValue.Store(s, s.WdfObjectGetTypedContext(instance, wmiContext), 5)
			if s.WdfWmiInstanceGetDevice(instance) != b.device || s.WdfWmiProviderGetDevice(s.WdfWmiInstanceGetProvider(instance)) != b.device {
				b.Errorf("the device of the instance is another one")
			}
			b.status("registered already", s.WdfWmiInstanceRegister(instance), wdf.StatusInvalidDeviceRequest)
			s.WdfWmiInstanceDeregister(instance)
			b.status("register", s.WdfWmiInstanceRegister(instance), 0)
			b.status("event without data", s.WdfWmiInstanceFireEvent(instance, 4, 0), 0)
			p := s.ExAllocatePool2(kernel.PoolFlagNonPaged, 8, kernel.PoolTag("Test"))
			b.status("event", s.WdfWmiInstanceFireEvent(instance, 8, p), 0)
			b.status("long event", s.WdfWmiInstanceFireEvent(instance, 1<<20, p), wdf.StatusBufferOverflow)
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			b.status("event at DISPATCH_LEVEL", s.WdfWmiInstanceFireEvent(instance, 8, p), wdf.StatusInvalidDeviceRequest)
			s.KeLowerIrql(old)
			s.WdfObjectDelete(instance)
		})
		b.want("cleanup")
		b.wantFindings("verifier break: KmdfIrql")
		b.stop(func(s *wdf.Sys) { s.WdfWmiInstanceGetDevice(instance) })
		b.wantBugCheck("OBJ-18", 0x10D, 5, uint64(instance), 0x1034)
	})
}

// The data of an event is read: what is not there is a fault.
func TestWmiEventWithoutMemory(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.stop(func(s *wdf.Sys) {
			provider := &wdf.WmiProviderConfig{Size: wdf.WmiProviderConfigSize, Guid: wdf.GUID{1, 2}, Flags: wdf.WmiProviderEventOnly}
			instance, st := s.WdfWmiInstanceCreate(b.device, &wdf.WmiInstanceConfig{Size: wdf.WmiInstanceConfigSize, ProviderConfig: provider}, nil)
			b.status("WdfWmiInstanceCreate", st, 0)
			s.WdfWmiInstanceFireEvent(instance, 8, 0xFFFF_8000_0000_0000)
		})
		if f := b.take(); len(f) != 1 || f[0].Code == 0 {
			b.Errorf("findings %v", titles(f))
		}
	})
}

func TestMofResourceName(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			b.status("first", s.WdfDeviceAssignMofResourceName(b.device, text(s, "MofResource")), 0)
			b.status("second", s.WdfDeviceAssignMofResourceName(b.device, text(s, "MofResource")), wdf.StatusInvalidDeviceRequest)
		})
	})
}
