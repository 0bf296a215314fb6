package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfDeviceInitSetIoType":           func(c *call) uint64 { c.WdfDeviceInitSetIoType(c.deviceInit(1), wdf.IoType(c.word(2))); return 0 },
		"WdfDeviceInitSetExclusive":        func(c *call) uint64 { c.WdfDeviceInitSetExclusive(c.deviceInit(1), c.flag(2)); return 0 },
		"WdfDeviceInitSetDeviceType":       func(c *call) uint64 { c.WdfDeviceInitSetDeviceType(c.deviceInit(1), c.word(2)); return 0 },
		"WdfDeviceInitSetFileObjectConfig": (*call).setFileObjectConfig,
		"WdfDeviceInitAssignName":          func(c *call) uint64 { return uint64(c.WdfDeviceInitAssignName(c.deviceInit(1), c.unicode(2))) },

		"WdfDriverWdmGetDriverObject":    func(c *call) uint64 { return c.WdfDriverWdmGetDriverObject(c.handle(1)) },
		"WdfDeviceWdmGetDeviceObject":    func(c *call) uint64 { return c.WdfDeviceWdmGetDeviceObject(c.handle(1)) },
		"WdfDeviceWdmGetAttachedDevice":  func(c *call) uint64 { return c.WdfDeviceWdmGetAttachedDevice(c.handle(1)) },
		"WdfDeviceWdmGetPhysicalDevice":  func(c *call) uint64 { return c.WdfDeviceWdmGetPhysicalDevice(c.handle(1)) },
		"WdfWdmDeviceGetWdfDeviceHandle": func(c *call) uint64 { return uint64(c.WdfWdmDeviceGetWdfDeviceHandle(c.arg(1))) },

		"WdfDeviceCreateDeviceInterface": func(c *call) uint64 {
			return uint64(c.WdfDeviceCreateDeviceInterface(c.handle(1), c.guid(2), c.unicode(3)))
		},
		"WdfDeviceCreateSymbolicLink": func(c *call) uint64 { return uint64(c.WdfDeviceCreateSymbolicLink(c.handle(1), c.unicode(2))) },
		"WdfFdoQueryForInterface":     (*call).queryForInterface,

		"BUS_INTERFACE_STANDARD.InterfaceReference":   func(c *call) uint64 { return 0 }, // the bus outlasts its devices
		"BUS_INTERFACE_STANDARD.InterfaceDereference": func(c *call) uint64 { return 0 },
		"BUS_INTERFACE_STANDARD.TranslateBusAddress":  (*call).translateBusAddress,
		"BUS_INTERFACE_STANDARD.SetBusData": func(c *call) uint64 {
			return uint64(c.SetBusData(c.handle(0), c.word(1), c.arg(2), c.word(3), c.word(4)))
		},
		"BUS_INTERFACE_STANDARD.GetBusData": func(c *call) uint64 {
			return uint64(c.GetBusData(c.handle(0), c.word(1), c.arg(2), c.word(3), c.word(4)))
		},
	})
}

// setFileObjectConfig: (init, WDF_FILEOBJECT_CONFIG, attributes).
func (c *call) setFileObjectConfig() uint64 {
	var config *wdf.FileObjectConfig
	if s := c.structure(2, "WDF_FILEOBJECT_CONFIG"); s != nil {
		config = &wdf.FileObjectConfig{Size: uint32(s.size), EvtDeviceFileCreate: s.callback("EvtDeviceFileCreate"),
			EvtFileClose: s.callback("EvtFileClose"), EvtFileCleanup: s.callback("EvtFileCleanup"),
			AutoForwardCleanupClose: wdf.TriState(int32(s.get("AutoForwardCleanupClose"))), FileObjectClass: uint32(s.get("FileObjectClass"))}
	}
	c.WdfDeviceInitSetFileObjectConfig(c.deviceInit(1), config, c.attributes(3))
	return 0
}

// guid reads the GUID that argument n points to; nil for NULL.
func (c *call) guid(n int) *wdf.GUID {
	p := c.arg(n)
	if p == 0 {
		return nil
	}
	return &wdf.GUID{c.load(p, 8), c.load(p+8, 8)}
}

// busInterface are the routines of BUS_INTERFACE_STANDARD in the order of the
// structure: after Size and Version in 8 bytes, and Context.
var busInterface = []string{"InterfaceReference", "InterfaceDereference", "TranslateBusAddress", "GetDmaAdapter", "SetBusData", "GetBusData"}

// addBusRoutines gives them addresses, one behind the other, and returns the first.
func (d *Driver) addBusRoutines() (first uint64) {
	for _, name := range busInterface {
		if a := d.importAddress("pci.sys", "BUS_INTERFACE_STANDARD."+name); first == 0 {
			first = a
		}
	}
	return first
}

// queryForInterface: (device, interface type, INTERFACE to fill, size, version,
// data). The context of the interface is the device.
func (c *call) queryForInterface() uint64 {
	size, version := uint16(c.arg(4)), uint16(c.arg(5))
	st := c.WdfFdoQueryForInterface(c.handle(1), c.guid(2), size, version)
	if st.Failed() {
		return uint64(st)
	}
	p := c.arg(3)
	c.store(p, 2, 16+8*uint64(len(busInterface)))
	c.store(p+2, 2, uint64(version))
	c.store(p+8, 8, c.arg(1))
	for i := range busInterface {
		c.store(p+16+8*uint64(i), 8, c.d.busRoutines+trapStep*uint64(i))
	}
	return uint64(st)
}

// translateBusAddress: (context, bus address, length, PULONG address space,
// address for the translation). Bus addresses are physical ones.
func (c *call) translateBusAddress() uint64 {
	c.give(4, c.arg(1))
	return 1
}
