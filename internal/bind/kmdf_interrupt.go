package bind

import (
	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/wdf"
)

func init() {
	register(map[string]func(c *call) uint64{
		"WdfInterruptCreate":              (*call).interruptCreate,
		"WdfInterruptQueueDpcForIsr":      func(c *call) uint64 { return boolean(c.WdfInterruptQueueDpcForIsr(c.handle(1))) },
		"WdfInterruptQueueWorkItemForIsr": func(c *call) uint64 { return boolean(c.WdfInterruptQueueWorkItemForIsr(c.handle(1))) },
		"WdfInterruptSynchronize":         func(c *call) uint64 { return boolean(c.WdfInterruptSynchronize(c.handle(1), c.callback(2), c.arg(3))) },
		"WdfInterruptAcquireLock":         func(c *call) uint64 { c.WdfInterruptAcquireLock(c.handle(1)); return 0 },
		"WdfInterruptReleaseLock":         func(c *call) uint64 { c.WdfInterruptReleaseLock(c.handle(1)); return 0 },
		"WdfInterruptTryToAcquireLock":    func(c *call) uint64 { return boolean(c.WdfInterruptTryToAcquireLock(c.handle(1))) },
		"WdfInterruptReportActive":        func(c *call) uint64 { c.WdfInterruptReportActive(c.handle(1)); return 0 },
		"WdfInterruptReportInactive":      func(c *call) uint64 { c.WdfInterruptReportInactive(c.handle(1)); return 0 },
		"WdfInterruptSetPolicy":           (*call).interruptSetPolicy,
		"WdfInterruptSetExtendedPolicy":   (*call).interruptSetExtendedPolicy,
		"WdfInterruptEnable":              func(c *call) uint64 { c.WdfInterruptEnable(c.handle(1)); return 0 },
		"WdfInterruptDisable":             func(c *call) uint64 { c.WdfInterruptDisable(c.handle(1)); return 0 },
		"WdfInterruptGetDevice":           func(c *call) uint64 { return uint64(c.WdfInterruptGetDevice(c.handle(1))) },
		"WdfInterruptWdmGetInterrupt":     func(c *call) uint64 { return c.WdfInterruptWdmGetInterrupt(c.handle(1)) },
		"WdfInterruptGetInfo":             (*call).interruptGetInfo,
		"WdfDpcCreate":                    (*call).dpcCreate,
		"WdfDpcEnqueue":                   func(c *call) uint64 { return boolean(c.WdfDpcEnqueue(c.handle(1))) },
		"WdfDpcCancel":                    func(c *call) uint64 { return boolean(c.WdfDpcCancel(c.handle(1), c.flag(2))) },
		"WdfDpcGetParentObject":           func(c *call) uint64 { return uint64(c.WdfDpcGetParentObject(c.handle(1))) },
		"WdfDpcWdmGetDpc":                 func(c *call) uint64 { return c.WdfDpcWdmGetDpc(c.handle(1)) },
	})
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (c *call) interruptCreate() uint64 {
	var config *wdf.InterruptConfig
	if s := c.structure(2, "WDF_INTERRUPT_CONFIG"); s != nil {
		config = c.interruptConfig(s)
	}
	return c.create(4, "Interrupt", func() (wdf.Handle, wdf.NTSTATUS) { return c.WdfInterruptCreate(c.handle(1), config, c.attributes(3)) })
}

// interruptConfig reads WDF_INTERRUPT_CONFIG. What an older, shorter form does
// not have keeps the value of WDF_INTERRUPT_CONFIG_INIT (WDFI-2).
func (c *call) interruptConfig(s *structure) *wdf.InterruptConfig {
	config := wdf.InterruptConfigInit(s.callback("EvtInterruptIsr"), s.callback("EvtInterruptDpc"))
	config.Size = uint32(s.size)
	config.SpinLock = wdf.Handle(s.get("SpinLock"))
	config.ShareVector = wdf.TriState(int32(s.get("ShareVector")))
	config.FloatingSave = s.flag("FloatingSave")
	config.AutomaticSerialization = s.flag("AutomaticSerialization")
	config.EvtInterruptEnable = s.callback("EvtInterruptEnable")
	config.EvtInterruptDisable = s.callback("EvtInterruptDisable")
	config.EvtInterruptWorkItem = s.callback("EvtInterruptWorkItem")
	config.InterruptRaw = c.readDescriptor(s.get("InterruptRaw"))
	config.InterruptTranslated = c.readDescriptor(s.get("InterruptTranslated"))
	config.WaitLock = wdf.Handle(s.get("WaitLock"))
	config.PassiveHandling = s.flag("PassiveHandling")
	if v, ok := s.field("ReportInactiveOnPowerDown"); ok {
		config.ReportInactiveOnPowerDown = wdf.TriState(int32(v))
	}
	config.CanWakeDevice = s.flag("CanWakeDevice")
	return &config
}

// readDescriptor reads an interrupt resource from guest memory; nil for NULL. One
// of the framework's own is known by its address; what a driver has changed in it
// shows (WDFI-11).
func (c *call) readDescriptor(at uint64) *wdf.Resource {
	s := c.structureAt(at, "CM_PARTIAL_RESOURCE_DESCRIPTOR")
	if s == nil {
		return nil
	}
	r := &wdf.Resource{Type: uint8(s.get("Type")), ShareDisposition: uint8(s.get("ShareDisposition")), Flags: uint16(s.get("Flags")),
		Level: uint8(s.get("u.Interrupt.Level")), Vector: uint32(s.get("u.Interrupt.Vector")), Affinity: s.get("u.Interrupt.Affinity")}
	own, changed := c.ownDescriptor(at)
	switch {
	case own == nil:
	case changed:
		r.Row = own.Row
	default:
		*r = *own
	}
	return r
}

// ownDescriptor returns the descriptor of the framework that a driver got at an
// address, nil if there is none, and whether its memory has changed since.
func (c *call) ownDescriptor(at uint64) (own *wdf.Resource, changed bool) {
	size := ddi.SizeOf("CM_PARTIAL_RESOURCE_DESCRIPTOR")
	for h, base := range c.d.lists { // order does not matter: the blocks differ
		all := c.Framework().Resources(h)
		length := size * uint64(len(all))
		if at < base || at >= base+length || (at-base)%size != 0 {
			continue
		}
		for off := uint64(0); off < size; off++ {
			changed = changed || c.load(at+off, 1) != c.load(at+length+off, 1)
		}
		return &all[(at-base)/size], changed
	}
	return nil, false
}

func (c *call) interruptSetPolicy() uint64 {
	c.WdfInterruptSetPolicy(c.handle(1), wdf.InterruptPolicy(int32(c.word(2))), wdf.InterruptPriority(int32(c.word(3))), c.arg(4))
	return 0
}

func (c *call) interruptSetExtendedPolicy() uint64 {
	s := c.structure(2, "WDF_INTERRUPT_EXTENDED_POLICY")
	if s == nil {
		c.WdfInterruptSetExtendedPolicy(c.handle(1), nil)
		return 0
	}
	p := wdf.InterruptExtendedPolicy{Size: uint32(s.size)}
	if s.size == wdf.InterruptExtendedPolicySize {
		at := s.addr + ddi.Offset("WDF_INTERRUPT_EXTENDED_POLICY", "TargetProcessorSetAndGroup")
		g := c.structureAt(at, "GROUP_AFFINITY")
		p.Policy, p.Priority = wdf.InterruptPolicy(int32(s.get("Policy"))), wdf.InterruptPriority(int32(s.get("Priority")))
		p.TargetProcessorSetAndGroup = wdf.GroupAffinity{Mask: g.get("Mask"), Group: uint16(g.get("Group"))}
		for i := range p.TargetProcessorSetAndGroup.Reserved {
			p.TargetProcessorSetAndGroup.Reserved[i] = uint16(c.load(at+ddi.Offset("GROUP_AFFINITY", "Reserved")+2*uint64(i), 2))
		}
	}
	c.WdfInterruptSetExtendedPolicy(c.handle(1), &p)
	return 0
}

func (c *call) interruptGetInfo() uint64 {
	s := c.structure(2, "WDF_INTERRUPT_INFO")
	if s == nil {
		c.WdfInterruptGetInfo(c.handle(1), nil)
		return 0
	}
	info := wdf.InterruptInfo{Size: uint32(s.size)}
	c.WdfInterruptGetInfo(c.handle(1), &info)
	for name, v := range map[string]uint64{ // order does not matter: different fields
		"TargetProcessorSet": info.TargetProcessorSet, "MessageNumber": uint64(info.MessageNumber), "Vector": uint64(info.Vector),
		"Irql": uint64(info.Irql), "Mode": uint64(info.Mode), "Polarity": uint64(info.Polarity),
		"MessageSignaled": boolean(info.MessageSignaled), "ShareDisposition": uint64(info.ShareDisposition), "Group": uint64(info.Group),
	} {
		if ddi.Offset("WDF_INTERRUPT_INFO", name) < s.size {
			s.set(name, v)
		}
	}
	return 0
}

func (c *call) dpcCreate() uint64 {
	s := c.structure(1, "WDF_DPC_CONFIG")
	var config *wdf.DPCConfig
	if s != nil {
		config = &wdf.DPCConfig{Size: uint32(s.size), EvtDpcFunc: s.callback("EvtDpcFunc"), AutomaticSerialization: s.flag("AutomaticSerialization")}
	}
	return c.create(3, "Dpc", func() (wdf.Handle, wdf.NTSTATUS) { return c.WdfDpcCreate(config, c.attributes(2)) })
}
