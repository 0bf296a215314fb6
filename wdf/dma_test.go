package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/wdf"
)

func TestDMAEnablerStatus(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			with := func(f func(c *wdf.DMAEnablerConfig)) *wdf.DMAEnablerConfig {
				c := wdf.DMAEnablerConfigInit(wdf.DMAProfileScatterGather, 4096)
				f(&c)
				return &c
			}
			for _, test := range []struct {
				name string
				f    func(c *wdf.DMAEnablerConfig)
				want wdf.NTSTATUS
			}{
				{"good", func(c *wdf.DMAEnablerConfig) {}, 0},
				{"1.9", func(c *wdf.DMAEnablerConfig) { c.Size = 64 }, 0},
				{"size", func(c *wdf.DMAEnablerConfig) { c.Size = 72 }, wdf.StatusInfoLengthMismatch},
				{"profile", func(c *wdf.DMAEnablerConfig) { c.Profile = 0 }, wdf.StatusInvalidParameter},
				{"length", func(c *wdf.DMAEnablerConfig) { c.MaximumLength = 0 }, wdf.StatusInvalidParameter},
				{"width", func(c *wdf.DMAEnablerConfig) { c.AddressWidthOverride = 40 }, wdf.StatusInvalidParameter},
			} {
				_, st := s.WdfDmaEnablerCreate(b.device, with(test.f), nil)
				b.status(test.name, st, test.want)
			}
			_, st := s.WdfDmaEnablerCreate(b.device, with(func(*wdf.DMAEnablerConfig) {}), &wdf.ObjectAttributes{ParentObject: s.WdfGetDriver()})
			b.status("another parent", st, wdf.StatusWdfObjectAttributesInvalid)
		})
		b.stop(func(s *wdf.Sys) {
			c := wdf.DMAEnablerConfigInit(wdf.DMAProfileSystem, 4096)
			s.WdfDmaEnablerCreate(b.device, &c, nil)
		})
		if f := b.take(); len(f) != 1 || !f[0].Unsupported {
			b.Errorf("findings %v", titles(f))
		}
	})
}

func TestDMACommonBuffer(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			s.WdfDeviceSetAlignmentRequirement(b.device, 0x3FFF)
			if got := s.WdfDeviceGetAlignmentRequirement(b.device); got != 0x3FFF {
				b.Errorf("WdfDeviceGetAlignmentRequirement: 0x%X", got)
			}
			c := wdf.DMAEnablerConfigInit(wdf.DMAProfileScatterGather64, 0x10000)
			e, st := s.WdfDmaEnablerCreate(b.device, &c, nil)
			b.status("WdfDmaEnablerCreate", st, 0)
			if n := s.WdfDmaEnablerGetMaximumLength(e); n != 0x10000 {
				b.Errorf("WdfDmaEnablerGetMaximumLength: %d", n)
			}
			s.WdfDmaEnablerSetMaximumScatterGatherElements(e, 5)
			s.WdfDmaEnablerSetMaximumScatterGatherElements(e, 0)
			if n := s.WdfDmaEnablerGetMaximumScatterGatherElements(e); n != 5 {
				b.Errorf("WdfDmaEnablerGetMaximumScatterGatherElements: %d", n)
			}
			h, st := s.WdfCommonBufferCreate(e, 0x1234, &wdf.ObjectAttributes{EvtCleanupCallback: b.object("cleanup", nil)})
			b.status("WdfCommonBufferCreate", st, 0)
			p, pa := s.WdfCommonBufferGetAlignedVirtualAddress(h), s.WdfCommonBufferGetAlignedLogicalAddress(h)
			if pa&0x3FFF != 0 || s.WdfCommonBufferGetLength(h) != 0x1234 {
				b.Errorf("logical address 0x%X, length 0x%X", pa, s.WdfCommonBufferGetLength(h))
			}
			s.Store(p+0x1000, 8, 7) // what the driver writes is what the device sees, at any offset
			var device [8]byte
			if !b.Mem.ReadPhysical(pa+0x1000, device[:]) || device[0] != 7 {
				b.Errorf("the device reads %v", device)
			}
			small, st := s.WdfCommonBufferCreateWithConfig(e, 16, &wdf.CommonBufferConfig{Size: 8, AlignmentRequirement: 0xFF}, nil)
			b.status("WdfCommonBufferCreateWithConfig", st, 0)
			if a := s.WdfCommonBufferGetAlignedVirtualAddress(small); a&0xFFF != 0 {
				b.Errorf("a common buffer begins at 0x%X", a)
			}
			_, st = s.WdfCommonBufferCreate(e, 0, nil)
			b.status("no bytes", st, wdf.StatusInvalidParameter)
			_, st = s.WdfCommonBufferCreate(e, 8, &wdf.ObjectAttributes{ParentObject: b.device})
			b.status("a parent", st, wdf.StatusWdfParentAssignmentNotAllowed)
			_, st = s.WdfCommonBufferCreate(e, 1<<40, nil)
			b.status("too large", st, wdf.StatusInsufficientResources)
			s.WdfObjectReference(h)
			s.WdfObjectDelete(e) // with its children; their memory goes although h is referenced
			b.want("cleanup")
			s.WdfObjectDereference(h)
			b.note("0x%X", p)
		})
	})
}
