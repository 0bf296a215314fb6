package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// adds runs a body in EvtDriverDeviceAdd, before the device is made.
func adds(t *testing.T, body func(b *bench, s *wdf.Sys, init *wdf.DeviceInit), after func(b *bench)) {
	t.Helper()
	scenario(t, driver{init: body}, after)
}

func TestDeviceInitForFDO(t *testing.T) {
	var physical uint64
	adds(t, func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
		physical = s.WdfFdoInitWdmGetPhysicalDevice(init)
		key, st := s.WdfFdoInitOpenRegistryKey(init, wdf.PlugPlayRegKeyDevice, 0x20019, nil)
		b.status("key", st, 0)
		s.WdfRegistryClose(key)
		_, st = s.WdfFdoInitOpenRegistryKey(init, 3, 0x20019, nil)
		b.status("key type", st, wdf.StatusInvalidParameter)
		p := s.ExAllocatePool2(kernel.PoolFlagNonPaged, 64, kernel.PoolTag("Test"))
		size, st := s.WdfFdoInitQueryProperty(init, wdf.DevicePropertyPhysicalDeviceObjectName, 64, p)
		b.status("name of the PDO", st, 0)
		if got := wideAt(s, p, size); got != "\\Device\\00000010\x00" {
			b.Errorf("name of the PDO %q", got)
		}
		s.WdfDeviceInitFree(init) // belongs to the callback: nothing happens
		s.WdfDeviceInitSetCharacteristics(init, 1, false)
		s.WdfDeviceInitSetCharacteristics(init, 2, true)
		s.WdfDeviceInitSetPowerInrush(init)
		b.status("not a PDO", s.WdfPdoInitAssignDeviceID(init, text(s, "A")), wdf.StatusInvalidDeviceRequest)
		b.status("not a raw PDO", s.WdfPdoInitAssignRawDevice(init, &wdf.GUID{1}), wdf.StatusInvalidParameter)
	}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			if got := s.WdfDeviceWdmGetPhysicalDevice(b.device); got != physical || got == 0 {
				b.Errorf("physical device 0x%X, before 0x%X", got, physical)
			}
			if got := s.WdfDeviceGetCharacteristics(b.device); got != 0x103 {
				b.Errorf("characteristics 0x%X", got)
			}
			s.WdfDeviceSetCharacteristics(b.device, 4)
			if got := s.WdfDeviceGetCharacteristics(b.device); got != 4 {
				b.Errorf("characteristics 0x%X", got)
			}
		})
	})
}

func TestDeviceInitChecks(t *testing.T) {
	adds(t, func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
		s.WdfDeviceInitSetReleaseHardwareOrderOnFailure(init, wdf.ReleaseHardwareOrderOnFailureAfterDescendants)
		s.WdfDeviceInitSetReleaseHardwareOrderOnFailure(init, 0)
		s.WdfDeviceInitSetPowerPolicyEventCallbacks(init, &wdf.PowerPolicyEventCallbacks{Size: 63})
		s.WdfDeviceInitSetPowerPolicyEventCallbacks(init, &wdf.PowerPolicyEventCallbacks{Size: wdf.PowerPolicyEventCallbacksSize,
			EvtDeviceArmWakeFromSx: 1, EvtDeviceArmWakeFromSxWithReason: 2})
		s.WdfPdoInitSetDefaultLocale(init, 0x409)
		s.WdfFdoInitSetDefaultChildListConfig(init, &wdf.ChildListConfig{}, nil)
	}, func(b *bench) {
		b.wantFindings("verifier break: WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE", "verifier break: WDF_POWER_POLICY_EVENT_CALLBACKS.Size",
			"verifier break: WDF_POWER_POLICY_EVENT_CALLBACKS", "verifier break: WdfPdoInitSetDefaultLocale",
			"verifier break: WdfFdoInitSetDefaultChildListConfig")
	})
}

// A device with a security descriptor needs a name.
func TestSDDLNeedsAName(t *testing.T) {
	adds(t, func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
		b.status("SDDL", s.WdfDeviceInitAssignSDDLString(init, text(s, "D:P(A;;GA;;;SY)")), 0)
		_, st := s.WdfDeviceCreate(init, nil)
		b.status("WdfDeviceCreate", st, wdf.StatusInvalidSecurityDescr)
		b.status("name", s.WdfDeviceInitAssignName(init, text(s, `\Device\Test`)), 0)
	}, func(b *bench) {})
	adds(t, func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
		b.status("SDDL", s.WdfDeviceInitAssignSDDLString(init, text(s, "D:P(A;;GA;;;SY)")), 0)
		b.status("none", s.WdfDeviceInitAssignSDDLString(init, nil), 0)
	}, func(b *bench) {})
}

func TestDeviceStates(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		m := &manager{}
		b.f.SetPnpManager(m)
		states := func(pnp, power uint32) {
			b.Helper()
			b.do(func(s *wdf.Sys) {
				if got := s.WdfDeviceGetDevicePnpState(b.device); got != pnp {
					b.Errorf("PnP state 0x%X, want 0x%X", got, pnp)
				}
				if got := s.WdfDeviceGetDevicePowerState(b.device); got != power {
					b.Errorf("power state 0x%X, want 0x%X", got, power)
				}
			})
		}
		states(0x105, 0x300)
		b.startDevice()
		states(0x119, 0x307)
		b.power(wdf.PowerDeviceD3)
		states(0x119, 0x315)
		b.power(wdf.PowerDeviceD0)
		b.do(func(s *wdf.Sys) {
			c := &wdf.DeviceState{Size: 32, Disabled: wdf.UseDefault, DontDisplayInUI: wdf.UseDefault, Failed: wdf.UseDefault, NotDisableable: wdf.True,
				Removed: wdf.UseDefault, ResourcesChanged: wdf.UseDefault, AssignedToGuest: wdf.False}
			s.WdfDeviceSetDeviceState(b.device, c)
			got := &wdf.DeviceState{Size: 32}
			if s.WdfDeviceGetDeviceState(b.device, got); *got != *c {
				b.Errorf("state %+v", *got)
			}
			s.WdfDeviceGetDeviceState(b.device, &wdf.DeviceState{Size: 31})
			c.Failed = wdf.True
			s.WdfDeviceSetDeviceState(b.device, c)
		})
		b.wantFindings("verifier break: WDF_DEVICE_STATE.Size")
		if m.failed != 1 || m.restart {
			b.Errorf("DeviceFailed was called %d times, restart %t", m.failed, m.restart)
		}
	})
}

func TestMiniportUnload(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			s.WdfDriverMiniportUnload(s.WdfGetDriver())
			s.Unload() // once is enough
		})
		b.stop(func(s *wdf.Sys) { s.WdfDriverMiniportUnload(b.device) })
		b.take()
	})
}
