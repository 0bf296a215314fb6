package bind

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// The routines of this file get the driver globals as argument 0, like all that
// are called through the function table.

func init() {
	register(map[string]func(c *call) uint64{
		"WdfDriverCreate":                        (*call).driverCreate,
		"WdfDeviceInitSetPnpPowerEventCallbacks": (*call).setPnpPowerEventCallbacks,
		"WdfDeviceInitSetRequestAttributes": func(c *call) uint64 {
			c.WdfDeviceInitSetRequestAttributes(c.deviceInit(1), c.attributes(2))
			return 0
		},
		"WdfDeviceCreate":                (*call).deviceCreate,
		"WdfDeviceGetDriver":             func(c *call) uint64 { return uint64(c.WdfDeviceGetDriver(c.handle(1))) },
		"WdfDeviceGetDefaultQueue":       func(c *call) uint64 { return uint64(c.WdfDeviceGetDefaultQueue(c.handle(1))) },
		"WdfCmResourceListGetCount":      func(c *call) uint64 { return uint64(c.WdfCmResourceListGetCount(c.handle(1))) },
		"WdfCmResourceListGetDescriptor": (*call).resourceDescriptor,
	})
}

// noDispatchOverride is WdfDriverInitNoDispatchOverride.
const noDispatchOverride = 2

func (c *call) driverCreate() uint64 {
	config := c.structure(4, "WDF_DRIVER_CONFIG")
	var p *wdf.DriverConfig
	if config != nil {
		if config.get("DriverInitFlags")&noDispatchOverride != 0 {
			c.Unsupported("miniport drivers (WDF_DRIVER_CONFIG.DriverInitFlags has WdfDriverInitNoDispatchOverride)")
		}
		p = &wdf.DriverConfig{EvtDriverDeviceAdd: config.callback("EvtDriverDeviceAdd"), EvtDriverUnload: config.callback("EvtDriverUnload")}
	}
	h, st := c.WdfDriverCreate(p, c.attributes(3))
	if !st.Failed() {
		c.give(5, uint64(h))
		c.store(c.d.globals+ddi.Offset("WDF_DRIVER_GLOBALS", "Driver"), 8, uint64(h))
	}
	return uint64(st)
}

// deviceInit returns the WDFDEVICE_INIT that argument n stands for; nil for NULL.
func (c *call) deviceInit(n int) *wdf.DeviceInit { return c.deviceInitAt(c.arg(n)) }

// deviceInitAt is deviceInit for an address. Where no WDFDEVICE_INIT is any more, or
// never was, the framework faults.
func (c *call) deviceInitAt(addr uint64) *wdf.DeviceInit {
	init := c.Framework().DeviceInitAt(addr)
	if init == nil && addr != 0 {
		c.load(addr, 8)
		c.Unsupported("a PWDFDEVICE_INIT that points to other memory")
	}
	return init
}

func (c *call) setPnpPowerEventCallbacks() uint64 {
	s := c.structure(2, "WDF_PNPPOWER_EVENT_CALLBACKS")
	var p *wdf.PnpPowerEventCallbacks
	if s != nil {
		p = &wdf.PnpPowerEventCallbacks{
			EvtDeviceD0Entry:                      s.callback("EvtDeviceD0Entry"),
			EvtDeviceD0EntryPostInterruptsEnabled: s.callback("EvtDeviceD0EntryPostInterruptsEnabled"),
			EvtDeviceD0Exit:                       s.callback("EvtDeviceD0Exit"),
			EvtDeviceD0ExitPreInterruptsDisabled:  s.callback("EvtDeviceD0ExitPreInterruptsDisabled"),
			EvtDevicePrepareHardware:              s.callback("EvtDevicePrepareHardware"),
			EvtDeviceReleaseHardware:              s.callback("EvtDeviceReleaseHardware"),
			EvtDeviceSelfManagedIoCleanup:         s.callback("EvtDeviceSelfManagedIoCleanup"),
			EvtDeviceSelfManagedIoFlush:           s.callback("EvtDeviceSelfManagedIoFlush"),
			EvtDeviceSelfManagedIoInit:            s.callback("EvtDeviceSelfManagedIoInit"),
			EvtDeviceSelfManagedIoSuspend:         s.callback("EvtDeviceSelfManagedIoSuspend"),
			EvtDeviceSelfManagedIoRestart:         s.callback("EvtDeviceSelfManagedIoRestart"),
			EvtDeviceSurpriseRemoval:              s.callback("EvtDeviceSurpriseRemoval"),
			EvtDeviceQueryRemove:                  s.callback("EvtDeviceQueryRemove"),
			EvtDeviceQueryStop:                    s.callback("EvtDeviceQueryStop"),
		}
	}
	c.WdfDeviceInitSetPnpPowerEventCallbacks(c.deviceInit(1), p)
	return 0
}

// deviceCreate gets the address of the pointer to the WDFDEVICE_INIT, which
// becomes NULL.
func (c *call) deviceCreate() uint64 {
	init := c.deviceInitAt(c.load(c.arg(1), 8))
	h, st := c.WdfDeviceCreate(init, c.attributes(2))
	if !st.Failed() {
		c.store(c.arg(1), 8, 0)
		c.give(3, uint64(h))
	}
	return uint64(st)
}

// resourceDescriptor returns the address of a CM_PARTIAL_RESOURCE_DESCRIPTOR;
// the descriptors of a list are put into memory when the first one is asked
// for.
func (c *call) resourceDescriptor() uint64 {
	h, index := c.handle(1), uint64(c.word(2))
	if c.WdfCmResourceListGetDescriptor(h, uint32(index)) == nil {
		return 0
	}
	size := ddi.SizeOf("CM_PARTIAL_RESOURCE_DESCRIPTOR")
	all := c.Framework().Resources(h)
	if c.d.lists[h] == 0 {
		// The driver gets copies; behind them lies what they were (WDFI-11).
		n := uint64(len(all))
		base := c.d.m.Mem.Alloc(2*size*n, kernel.PoolTag("FxRs"), false, c.ActivationID())
		for i := range 2 * n {
			c.writeDescriptor(base+size*i, &all[i%n])
		}
		c.d.lists[h] = base
	}
	return c.d.lists[h] + size*index
}

func (c *call) writeDescriptor(at uint64, r *wdf.Resource) {
	s := c.structureAt(at, "CM_PARTIAL_RESOURCE_DESCRIPTOR")
	s.set("Type", uint64(r.Type))
	s.set("ShareDisposition", uint64(r.ShareDisposition))
	s.set("Flags", uint64(r.Flags))
	switch {
	case r.Type != wdf.CmResourceTypeInterrupt:
		s.set("u.Memory.Start", r.Start)
		s.set("u.Memory.Length", r.Length)
	case r.MessageCount > 0:
		s.set("u.MessageInterrupt.Raw.MessageCount", uint64(r.MessageCount))
		s.set("u.MessageInterrupt.Raw.Vector", uint64(r.Vector))
		s.set("u.MessageInterrupt.Raw.Affinity", r.Affinity)
	default:
		s.set("u.Interrupt.Level", uint64(r.Level))
		s.set("u.Interrupt.Vector", uint64(r.Vector))
		s.set("u.Interrupt.Affinity", r.Affinity)
	}
}
