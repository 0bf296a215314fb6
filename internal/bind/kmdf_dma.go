package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfDmaEnablerCreate":           (*call).dmaEnablerCreate,
		"WdfDmaEnablerGetMaximumLength": func(c *call) uint64 { return c.WdfDmaEnablerGetMaximumLength(c.handle(1)) },
		"WdfDmaEnablerGetMaximumScatterGatherElements": func(c *call) uint64 {
			return c.WdfDmaEnablerGetMaximumScatterGatherElements(c.handle(1))
		},
		"WdfDmaEnablerSetMaximumScatterGatherElements": func(c *call) uint64 {
			c.WdfDmaEnablerSetMaximumScatterGatherElements(c.handle(1), c.arg(2))
			return 0
		},
		"WdfCommonBufferCreate": func(c *call) uint64 {
			return c.created(4)(c.WdfCommonBufferCreate(c.handle(1), c.arg(2), c.attributes(3)))
		},
		"WdfCommonBufferCreateWithConfig":         (*call).commonBufferCreateWithConfig,
		"WdfCommonBufferGetAlignedVirtualAddress": func(c *call) uint64 { return c.WdfCommonBufferGetAlignedVirtualAddress(c.handle(1)) },
		"WdfCommonBufferGetAlignedLogicalAddress": func(c *call) uint64 { return c.WdfCommonBufferGetAlignedLogicalAddress(c.handle(1)) },
		"WdfCommonBufferGetLength":                func(c *call) uint64 { return c.WdfCommonBufferGetLength(c.handle(1)) },
		"WdfDeviceSetAlignmentRequirement": func(c *call) uint64 {
			c.WdfDeviceSetAlignmentRequirement(c.handle(1), c.word(2))
			return 0
		},
		"WdfDeviceGetAlignmentRequirement": func(c *call) uint64 { return uint64(c.WdfDeviceGetAlignmentRequirement(c.handle(1))) },
	})
}

// dmaEnablerCreate: (device, WDF_DMA_ENABLER_CONFIG, attributes, address for the
// handle).
func (c *call) dmaEnablerCreate() uint64 {
	var config *wdf.DMAEnablerConfig
	if s := c.structure(2, "WDF_DMA_ENABLER_CONFIG"); s != nil {
		config = &wdf.DMAEnablerConfig{Size: uint32(s.size), Profile: wdf.DMAProfile(s.get("Profile")), MaximumLength: s.get("MaximumLength"),
			AddressWidthOverride: uint32(s.get("AddressWidthOverride")), WdmDmaVersionOverride: uint32(s.get("WdmDmaVersionOverride")),
			Flags: uint32(s.get("Flags"))}
		for _, name := range []string{"EvtDmaEnablerFill", "EvtDmaEnablerFlush", "EvtDmaEnablerDisable", "EvtDmaEnablerEnable",
			"EvtDmaEnablerSelfManagedIoStart", "EvtDmaEnablerSelfManagedIoStop"} {
			config.Callbacks = config.Callbacks || s.get(name) != 0
		}
	}
	return c.created(4)(c.WdfDmaEnablerCreate(c.handle(1), config, c.attributes(3)))
}

// commonBufferCreateWithConfig: (enabler, length, WDF_COMMON_BUFFER_CONFIG,
// attributes, address for the handle).
func (c *call) commonBufferCreateWithConfig() uint64 {
	var config *wdf.CommonBufferConfig
	if s := c.structure(3, "WDF_COMMON_BUFFER_CONFIG"); s != nil {
		config = &wdf.CommonBufferConfig{Size: uint32(s.size), AlignmentRequirement: uint32(s.get("AlignmentRequirement"))}
	}
	return c.created(5)(c.WdfCommonBufferCreateWithConfig(c.handle(1), c.arg(2), config, c.attributes(4)))
}
