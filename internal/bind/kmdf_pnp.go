package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfDeviceInitFree": func(c *call) uint64 { c.WdfDeviceInitFree(c.deviceInit(1)); return 0 },
		"WdfDeviceInitAssignSDDLString": func(c *call) uint64 {
			return uint64(c.WdfDeviceInitAssignSDDLString(c.deviceInit(1), c.unicode(2)))
		},
		"WdfDeviceInitSetCharacteristics": func(c *call) uint64 {
			c.WdfDeviceInitSetCharacteristics(c.deviceInit(1), c.word(2), c.flag(3))
			return 0
		},
		"WdfDeviceInitSetPowerInrush":          func(c *call) uint64 { c.WdfDeviceInitSetPowerInrush(c.deviceInit(1)); return 0 },
		"WdfDeviceInitSetPowerPageable":        func(c *call) uint64 { c.WdfDeviceInitSetPowerPageable(c.deviceInit(1)); return 0 },
		"WdfDeviceInitSetPowerPolicyOwnership": func(c *call) uint64 { c.WdfDeviceInitSetPowerPolicyOwnership(c.deviceInit(1), c.flag(2)); return 0 },
		"WdfDeviceInitSetReleaseHardwareOrderOnFailure": func(c *call) uint64 {
			c.WdfDeviceInitSetReleaseHardwareOrderOnFailure(c.deviceInit(1), wdf.ReleaseHardwareOrder(c.word(2)))
			return 0
		},
		"WdfDeviceInitSetPowerPolicyEventCallbacks": (*call).setPowerPolicyEventCallbacks,
		"WdfFdoInitWdmGetPhysicalDevice":            func(c *call) uint64 { return c.WdfFdoInitWdmGetPhysicalDevice(c.deviceInit(1)) },
		"WdfFdoInitOpenRegistryKey": func(c *call) uint64 {
			return c.created(5)(c.WdfFdoInitOpenRegistryKey(c.deviceInit(1), c.word(2), c.word(3), c.attributes(4)))
		},

		"WdfDeviceAssignS0IdleSettings": (*call).assignS0IdleSettings,
		"WdfDeviceAssignSxWakeSettings": (*call).assignSxWakeSettings,
		"WdfDeviceStopIdleNoTrack":      func(c *call) uint64 { return uint64(c.WdfDeviceStopIdleNoTrack(c.handle(1), c.flag(2))) },
		"WdfDeviceStopIdleActual":       func(c *call) uint64 { return uint64(c.WdfDeviceStopIdle(c.handle(1), c.flag(2))) },
		"WdfDeviceResumeIdleNoTrack":    func(c *call) uint64 { c.WdfDeviceResumeIdleNoTrack(c.handle(1)); return 0 },
		"WdfDeviceResumeIdleActual":     func(c *call) uint64 { c.WdfDeviceResumeIdle(c.handle(1)); return 0 },
		"WdfDeviceIndicateWakeStatus": func(c *call) uint64 {
			return uint64(c.WdfDeviceIndicateWakeStatus(c.handle(1), wdf.NTSTATUS(c.word(2))))
		},
		"WdfDeviceGetSystemPowerAction": func(c *call) uint64 { return uint64(c.WdfDeviceGetSystemPowerAction(c.handle(1))) },
		"WdfDeviceGetDevicePnpState":    func(c *call) uint64 { return uint64(c.WdfDeviceGetDevicePnpState(c.handle(1))) },
		"WdfDeviceGetDevicePowerState":  func(c *call) uint64 { return uint64(c.WdfDeviceGetDevicePowerState(c.handle(1))) },
		"WdfDeviceSetCharacteristics":   func(c *call) uint64 { c.WdfDeviceSetCharacteristics(c.handle(1), c.word(2)); return 0 },
		"WdfDeviceGetCharacteristics":   func(c *call) uint64 { return uint64(c.WdfDeviceGetCharacteristics(c.handle(1))) },
		"WdfDeviceGetDeviceState":       (*call).getDeviceState,
		"WdfDeviceSetFailed":            func(c *call) uint64 { c.WdfDeviceSetFailed(c.handle(1), wdf.DeviceFailedAction(c.word(2))); return 0 },
		"WdfDeviceSetBusInformationForChildren": func(c *call) uint64 {
			c.WdfDeviceSetBusInformationForChildren(c.handle(1), c.busInformation(2))
			return 0
		},
		"WdfDeviceSetPowerCapabilities": (*call).setPowerCapabilities,
		"WdfDeviceSetStaticStopRemove":  func(c *call) uint64 { c.WdfDeviceSetStaticStopRemove(c.handle(1), c.flag(2)); return 0 },
		"WdfDriverMiniportUnload":       func(c *call) uint64 { c.WdfDriverMiniportUnload(c.handle(1)); return 0 },
	})
}

func (c *call) setPowerPolicyEventCallbacks() uint64 {
	var p *wdf.PowerPolicyEventCallbacks
	if s := c.structure(2, "WDF_POWER_POLICY_EVENT_CALLBACKS"); s != nil {
		p = &wdf.PowerPolicyEventCallbacks{
			Size:                             uint32(s.size),
			EvtDeviceArmWakeFromS0:           s.callback("EvtDeviceArmWakeFromS0"),
			EvtDeviceDisarmWakeFromS0:        s.callback("EvtDeviceDisarmWakeFromS0"),
			EvtDeviceWakeFromS0Triggered:     s.callback("EvtDeviceWakeFromS0Triggered"),
			EvtDeviceArmWakeFromSx:           s.callback("EvtDeviceArmWakeFromSx"),
			EvtDeviceDisarmWakeFromSx:        s.callback("EvtDeviceDisarmWakeFromSx"),
			EvtDeviceWakeFromSxTriggered:     s.callback("EvtDeviceWakeFromSxTriggered"),
			EvtDeviceArmWakeFromSxWithReason: s.callback("EvtDeviceArmWakeFromSxWithReason"),
		}
	}
	c.WdfDeviceInitSetPowerPolicyEventCallbacks(c.deviceInit(1), p)
	return 0
}

// tri reads a WDF_TRI_STATE; other is what it is in a structure without it.
func (s *structure) tri(name string, other wdf.TriState) wdf.TriState {
	v, ok := s.field(name)
	if !ok {
		return other
	}
	return wdf.TriState(int32(v))
}

// assignS0IdleSettings: (device, WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS).
func (c *call) assignS0IdleSettings() uint64 {
	var p *wdf.IdleSettings
	if s := c.structure(2, "WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS"); s != nil {
		p = &wdf.IdleSettings{
			Size: uint32(s.size), IdleCaps: uint32(s.get("IdleCaps")), DxState: wdf.PowerState(s.get("DxState")),
			IdleTimeout: uint32(s.get("IdleTimeout")), UserControl: uint32(s.get("UserControlOfIdleSettings")), Enabled: s.tri("Enabled", 0),
			PowerUpIdleDeviceOnSystemWake: s.tri("PowerUpIdleDeviceOnSystemWake", wdf.UseDefault),
			IdleTimeoutType:               uint32(s.get("IdleTimeoutType")), ExcludeD3Cold: s.tri("ExcludeD3Cold", wdf.UseDefault),
		}
	}
	return uint64(c.WdfDeviceAssignS0IdleSettings(c.handle(1), p))
}

// assignSxWakeSettings: (device, WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS).
func (c *call) assignSxWakeSettings() uint64 {
	var p *wdf.WakeSettings
	if s := c.structure(2, "WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS"); s != nil {
		p = &wdf.WakeSettings{
			Size: uint32(s.size), DxState: wdf.PowerState(s.get("DxState")), UserControl: uint32(s.get("UserControlOfWakeSettings")),
			Enabled:                             s.tri("Enabled", 0),
			ArmForWakeIfChildrenAreArmedForWake: s.flag("ArmForWakeIfChildrenAreArmedForWake"),
			IndicateChildWakeOnParentWake:       s.flag("IndicateChildWakeOnParentWake"),
		}
	}
	return uint64(c.WdfDeviceAssignSxWakeSettings(c.handle(1), p))
}

// setPowerCapabilities: (device, WDF_DEVICE_POWER_CAPABILITIES).
func (c *call) setPowerCapabilities() uint64 {
	var p *wdf.DevicePowerCapabilities
	if s := c.structure(2, "WDF_DEVICE_POWER_CAPABILITIES"); s != nil {
		p = &wdf.DevicePowerCapabilities{Size: uint32(s.size), DeviceWake: wdf.PowerState(s.get("DeviceWake")), SystemWake: uint32(s.get("SystemWake")),
			IdealDxStateForSx: wdf.PowerState(s.get("IdealDxStateForSx"))}
		for n, name := range []string{"DeviceD1", "DeviceD2", "WakeFromD0", "WakeFromD1", "WakeFromD2", "WakeFromD3"} {
			p.Flags[n] = s.tri(name, wdf.UseDefault)
		}
		if first, ok := s.typ.Field("DeviceState"); ok && p.Size == wdf.DevicePowerCapabilitiesSize {
			for n := range p.DeviceState {
				p.DeviceState[n] = wdf.PowerState(c.load(s.addr+first.Offset+4*uint64(n), 4))
			}
		}
	}
	c.WdfDeviceSetPowerCapabilities(c.handle(1), p)
	return 0
}

// getDeviceState: (device, WDF_DEVICE_STATE to fill).
func (c *call) getDeviceState() uint64 {
	s := c.structure(2, "WDF_DEVICE_STATE")
	if s == nil {
		c.WdfDeviceGetDeviceState(c.handle(1), nil)
		return 0
	}
	t := &wdf.DeviceState{Size: uint32(s.size)}
	if c.WdfDeviceGetDeviceState(c.handle(1), t); s.size < wdf.DeviceStateSize-4 {
		return 0 // reported
	}
	put := func(name string, v wdf.TriState) { s.set(name, uint64(uint32(v))) }
	put("Disabled", t.Disabled)
	put("DontDisplayInUI", t.DontDisplayInUI)
	put("Failed", t.Failed)
	put("NotDisableable", t.NotDisableable)
	put("Removed", t.Removed)
	put("ResourcesChanged", t.ResourcesChanged)
	if s.size == wdf.DeviceStateSize {
		put("AssignedToGuest", t.AssignedToGuest)
	}
	return 0
}

// busInformation reads PNP_BUS_INFORMATION: a GUID, an INTERFACE_TYPE and a ULONG.
func (c *call) busInformation(n int) *wdf.PnpBusInformation {
	p := c.arg(n)
	if p == 0 {
		return nil
	}
	return &wdf.PnpBusInformation{BusTypeGuid: *c.guid(n), LegacyBusType: uint32(c.load(p+16, 4)), BusNumber: uint32(c.load(p+20, 4))}
}
