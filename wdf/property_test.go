package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// wideAt reads n bytes of UTF-16 characters, which are ASCII ones.
func wideAt(s *wdf.Sys, p uint64, n uint32) (text string) {
	for off := uint64(0); off < uint64(n); off += 2 {
		text += string(rune(s.Load(p+off, 2)))
	}
	return text
}

func TestDeviceProperties(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		var space config
		copy(space[:], "\x34\x12\xE8\x11\x00\x00\x00\x00\x10\x02\x03\xFF")
		copy(space[44:], "\xF4\x1A\x00\x11")
		b.f.SetConfigSpace(&space)
		b.do(func(s *wdf.Sys) {
			p := s.ExAllocatePool2(kernel.PoolFlagNonPaged, 400, kernel.PoolTag("Test"))
			size, st := s.WdfDeviceQueryProperty(b.device, wdf.DevicePropertyHardwareID, 4, p)
			b.status("short", st, wdf.StatusBufferTooSmall)
			same, st := s.WdfDeviceQueryProperty(b.device, wdf.DevicePropertyHardwareID, 400, p)
			b.status("hardware IDs", st, 0)
			want := "PCI\\VEN_1234&DEV_11E8&SUBSYS_11001AF4&REV_10\x00PCI\\VEN_1234&DEV_11E8&SUBSYS_11001AF4\x00" +
				"PCI\\VEN_1234&DEV_11E8&CC_FF0302\x00PCI\\VEN_1234&DEV_11E8&CC_FF03\x00\x00"
			if got := wideAt(s, p, size); size != same || got != want {
				b.Errorf("hardware IDs of %d and %d bytes: %q", size, same, got)
			}
			size, st = s.WdfDeviceQueryProperty(b.device, wdf.DevicePropertyBusNumber, 4, p)
			b.status("bus number", st, 0)
			if size != 4 || s.Load(p, 4) != 0 {
				b.Errorf("bus number %d, %d bytes", s.Load(p, 4), size)
			}
			_, st = s.WdfDeviceQueryProperty(b.device, 0, 400, p)
			b.status("description", st, wdf.StatusObjectNameNotFound)
			_, st = s.WdfDeviceQueryProperty(b.device, 99, 400, p)
			b.status("no property", st, wdf.StatusInvalidParameter)
			_, st = s.WdfDeviceQueryProperty(b.device, 1, 400, 0)
			b.status("no buffer", st, wdf.StatusInvalidParameter)
			m, st := s.WdfDeviceAllocAndQueryProperty(b.device, wdf.DevicePropertyEnumeratorName, wdf.NonPagedPoolNx, nil)
			b.status("memory", st, 0)
			if buffer, n := s.WdfMemoryGetBuffer(m); n != 8 || wideAt(s, buffer, 8) != "PCI\x00" {
				b.Errorf("memory object of %d bytes", n)
			}
		})
	})
}

func TestAssignedProperties(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			p := s.ExAllocatePool2(kernel.PoolFlagNonPaged, 8, kernel.PoolTag("Test"))
			s.Store(p, 8, 0x1122334455667788)
			d := &wdf.DevicePropertyData{Size: wdf.DevicePropertyDataSize, Key: wdf.PropertyKey{Format: wdf.GUID{3, 4}, ID: 5}}
			query := func(want wdf.NTSTATUS, wantSize uint32, length uint32, buffer uint64) {
				b.Helper()
				size, typ, st := s.WdfDeviceQueryPropertyEx(b.device, d, length, buffer)
				b.status("query", st, want)
				if size != wantSize || !st.Failed() && typ != 7 {
					b.Errorf("%d bytes of type %d", size, typ)
				}
			}
			query(wdf.StatusObjectNameNotFound, 0, 8, p)
			b.status("delete", s.WdfDeviceAssignProperty(b.device, d, 7, 0, 0), wdf.StatusObjectNameNotFound)
			b.status("assign", s.WdfDeviceAssignProperty(b.device, d, 7, 4, p), 0)
			s.Store(p, 8, 0)
			query(wdf.StatusBufferTooSmall, 4, 0, 0)
			query(wdf.StatusSuccess, 4, 8, p)
			if got := s.Load(p, 8); got != 0x55667788 {
				b.Errorf("value 0x%X", got)
			}
			query(wdf.StatusInvalidParameter, 0, 8, 0)
			m, typ, st := s.WdfDeviceAllocAndQueryPropertyEx(b.device, d, wdf.NonPagedPool, nil)
			b.status("memory", st, 0)
			if _, n := s.WdfMemoryGetBuffer(m); n != 4 || typ != 7 {
				b.Errorf("memory object of %d bytes, type %d", n, typ)
			}
			d.Lcid = 0x409
			query(wdf.StatusObjectNameNotFound, 0, 8, p)
			d.Lcid = 0
			b.status("delete", s.WdfDeviceAssignProperty(b.device, d, 7, 0, 0), 0)
			query(wdf.StatusObjectNameNotFound, 0, 8, p)
			d.Size = 23
			query(wdf.StatusInfoLengthMismatch, 0, 8, p)
		})
	})
}
