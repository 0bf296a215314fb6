package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfMemoryCreate": (*call).memoryCreate,
		"WdfMemoryCreatePreallocated": func(c *call) uint64 {
			return c.created(4)(c.WdfMemoryCreatePreallocated(c.attributes(1), c.arg(2), c.arg(3)))
		},
		"WdfLookasideListCreate": func(c *call) uint64 {
			return c.created(6)(c.WdfLookasideListCreate(c.attributes(1), c.arg(2), c.word(3), c.attributes(4), c.word(5)))
		},
		"WdfMemoryCreateFromLookaside": func(c *call) uint64 { return c.created(2)(c.WdfMemoryCreateFromLookaside(c.handle(1))) },
		"WdfDeviceSetDeviceState":      (*call).setDeviceState,
		"WdfDeviceSetPnpCapabilities":  (*call).setPnpCapabilities,
		"WdfDriverRegisterTraceInfo":   func(c *call) uint64 { return uint64(c.WdfDriverRegisterTraceInfo()) },
		"WdfMemoryGetBuffer":           (*call).memoryGetBuffer,
		"WdfMemoryCopyToBuffer": func(c *call) uint64 {
			return uint64(c.WdfMemoryCopyToBuffer(c.handle(1), c.arg(2), c.arg(3), c.arg(4)))
		},
		"WdfMemoryCopyFromBuffer": func(c *call) uint64 {
			return uint64(c.WdfMemoryCopyFromBuffer(c.handle(1), c.arg(2), c.arg(3), c.arg(4)))
		},
	})
}

// memoryCreate: (attributes, pool type, tag, size, address for the handle,
// address for the buffer or NULL).
func (c *call) memoryCreate() uint64 {
	h, p, st := c.WdfMemoryCreate(c.attributes(1), c.word(2), c.word(3), c.arg(4))
	if !st.Failed() {
		c.give(5, uint64(h))
		c.give(6, p)
	}
	return uint64(st)
}

// memoryGetBuffer: (memory, address for the size or NULL).
func (c *call) memoryGetBuffer() uint64 {
	p, size := c.WdfMemoryGetBuffer(c.handle(1))
	c.give(2, size)
	return p
}

// setDeviceState: (device, WDF_DEVICE_STATE).
func (c *call) setDeviceState() uint64 {
	var state *wdf.DeviceState
	if s := c.structure(2, "WDF_DEVICE_STATE"); s != nil {
		state = &wdf.DeviceState{Size: uint32(s.size), Disabled: s.triState("Disabled"), DontDisplayInUI: s.triState("DontDisplayInUI"),
			Failed: s.triState("Failed"), NotDisableable: s.triState("NotDisableable"), Removed: s.triState("Removed"),
			ResourcesChanged: s.triState("ResourcesChanged"), AssignedToGuest: s.triState("AssignedToGuest")}
	}
	c.WdfDeviceSetDeviceState(c.handle(1), state)
	return 0
}

func (s *structure) triState(name string) wdf.TriState { return wdf.TriState(int32(s.get(name))) }

// setPnpCapabilities: (device, WDF_DEVICE_PNP_CAPABILITIES).
func (c *call) setPnpCapabilities() uint64 {
	var caps *wdf.DevicePnpCapabilities
	if s := c.structure(2, "WDF_DEVICE_PNP_CAPABILITIES"); s != nil {
		caps = &wdf.DevicePnpCapabilities{Size: uint32(s.size), Address: uint32(s.get("Address")), UINumber: uint32(s.get("UINumber"))}
		for i, name := range []string{"LockSupported", "EjectSupported", "Removable", "DockDevice", "UniqueID", "SilentInstall",
			"SurpriseRemovalOK", "HardwareDisabled", "NoDisplayInUI"} {
			caps.Flags[i] = s.triState(name)
		}
	}
	c.WdfDeviceSetPnpCapabilities(c.handle(1), caps)
	return 0
}
