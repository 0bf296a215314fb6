package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfDeviceQueryProperty": func(c *call) uint64 {
			return c.sized(5)(c.WdfDeviceQueryProperty(c.handle(1), wdf.DeviceProperty(c.word(2)), c.word(3), c.arg(4)))
		},
		"WdfFdoInitQueryProperty": func(c *call) uint64 {
			return c.sized(5)(c.WdfFdoInitQueryProperty(c.deviceInit(1), wdf.DeviceProperty(c.word(2)), c.word(3), c.arg(4)))
		},
		"WdfDeviceAllocAndQueryProperty": func(c *call) uint64 {
			return c.created(5)(c.WdfDeviceAllocAndQueryProperty(c.handle(1), wdf.DeviceProperty(c.word(2)), c.word(3), c.attributes(4)))
		},
		"WdfDeviceQueryPropertyEx": func(c *call) uint64 {
			size, typ, st := c.WdfDeviceQueryPropertyEx(c.handle(1), c.propertyData(2), c.word(3), c.arg(4))
			c.giveWord(6, typ)
			return c.sized(5)(size, st)
		},
		"WdfDeviceAllocAndQueryPropertyEx": func(c *call) uint64 {
			h, typ, st := c.WdfDeviceAllocAndQueryPropertyEx(c.handle(1), c.propertyData(2), c.word(3), c.attributes(4))
			c.giveWord(6, typ)
			return c.created(5)(h, st)
		},
		"WdfDeviceAssignProperty": func(c *call) uint64 {
			return uint64(c.WdfDeviceAssignProperty(c.handle(1), c.propertyData(2), c.word(3), c.word(4), c.arg(5)))
		},

		"WdfWmiProviderCreate": func(c *call) uint64 {
			return c.created(4)(c.WdfWmiProviderCreate(c.handle(1), c.wmiProviderConfig(c.arg(2)), c.attributes(3)))
		},
		"WdfWmiProviderGetDevice":        func(c *call) uint64 { return uint64(c.WdfWmiProviderGetDevice(c.handle(1))) },
		"WdfWmiProviderIsEnabled":        func(c *call) uint64 { return boolean(c.WdfWmiProviderIsEnabled(c.handle(1))) },
		"WdfWmiProviderGetTracingHandle": func(c *call) uint64 { return c.WdfWmiProviderGetTracingHandle(c.handle(1)) },
		"WdfWmiInstanceCreate":           (*call).wmiInstanceCreate,
		"WdfWmiInstanceRegister":         func(c *call) uint64 { return uint64(c.WdfWmiInstanceRegister(c.handle(1))) },
		"WdfWmiInstanceDeregister":       func(c *call) uint64 { c.WdfWmiInstanceDeregister(c.handle(1)); return 0 },
		"WdfWmiInstanceGetDevice":        func(c *call) uint64 { return uint64(c.WdfWmiInstanceGetDevice(c.handle(1))) },
		"WdfWmiInstanceGetProvider":      func(c *call) uint64 { return uint64(c.WdfWmiInstanceGetProvider(c.handle(1))) },
		"WdfWmiInstanceFireEvent":        func(c *call) uint64 { return uint64(c.WdfWmiInstanceFireEvent(c.handle(1), c.word(2), c.arg(3))) },
		"WdfDeviceAssignMofResourceName": func(c *call) uint64 { return uint64(c.WdfDeviceAssignMofResourceName(c.handle(1), c.unicode(2))) },
	})
}

// sized stores the size of a property where argument n points to.
func (c *call) sized(n int) func(size uint32, st wdf.NTSTATUS) uint64 {
	return func(size uint32, st wdf.NTSTATUS) uint64 {
		c.giveWord(n, size)
		return uint64(st)
	}
}

// propertyData reads WDF_DEVICE_PROPERTY_DATA; nil for NULL.
func (c *call) propertyData(n int) *wdf.DevicePropertyData {
	s := c.structure(n, "WDF_DEVICE_PROPERTY_DATA")
	if s == nil {
		return nil
	}
	d := &wdf.DevicePropertyData{Size: uint32(s.size), Lcid: uint32(s.get("Lcid")), Flags: uint32(s.get("Flags"))}
	if p := s.get("PropertyKey"); p != 0 {
		d.Key = wdf.PropertyKey{Format: wdf.GUID{c.load(p, 8), c.load(p+8, 8)}, ID: uint32(c.load(p+16, 4))}
	}
	return d
}

// wmiProviderConfig reads WDF_WMI_PROVIDER_CONFIG; nil for NULL.
func (c *call) wmiProviderConfig(addr uint64) *wdf.WmiProviderConfig {
	s := c.structureAt(addr, "WDF_WMI_PROVIDER_CONFIG")
	if s == nil {
		return nil
	}
	return &wdf.WmiProviderConfig{
		Size: uint32(s.size), Guid: wdf.GUID{c.load(addr+4, 8), c.load(addr+12, 8)}, Flags: uint32(s.get("Flags")),
		MinInstanceBufferSize:         uint32(s.get("MinInstanceBufferSize")),
		EvtWmiProviderFunctionControl: s.callback("EvtWmiProviderFunctionControl"),
	}
}

// wmiInstanceCreate: (device, WDF_WMI_INSTANCE_CONFIG, attributes, address for the
// instance or NULL).
func (c *call) wmiInstanceCreate() uint64 {
	var p *wdf.WmiInstanceConfig
	if s := c.structure(2, "WDF_WMI_INSTANCE_CONFIG"); s != nil {
		p = &wdf.WmiInstanceConfig{
			Size: uint32(s.size), Provider: wdf.Handle(s.get("Provider")), ProviderConfig: c.wmiProviderConfig(s.get("ProviderConfig")),
			UseContextForQuery: s.flag("UseContextForQuery"), Register: s.flag("Register"),
			EvtWmiInstanceQueryInstance: s.callback("EvtWmiInstanceQueryInstance"), EvtWmiInstanceSetInstance: s.callback("EvtWmiInstanceSetInstance"),
			EvtWmiInstanceSetItem: s.callback("EvtWmiInstanceSetItem"), EvtWmiInstanceExecuteMethod: s.callback("EvtWmiInstanceExecuteMethod"),
		}
	}
	return c.created(4)(c.WdfWmiInstanceCreate(c.handle(1), p, c.attributes(3)))
}
