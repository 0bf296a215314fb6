package wdf_test

import (
	"bytes"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// config is a configuration space of 256 bytes for each slot.
type config [256]byte

func (c *config) ReadConfig(_, offset uint32, p []byte) int {
	if offset >= 256 {
		return 0
	}
	return copy(p, c[offset:])
}

func (c *config) WriteConfig(_, offset uint32, p []byte) int { return copy(c[offset:], p) }

// text puts a string into memory.
func text(s *wdf.Sys, t string) *wdf.UnicodeString {
	var p []byte
	for _, c := range []byte(t) {
		p = append(p, c, 0)
	}
	u := &wdf.UnicodeString{Length: uint16(len(p)), MaximumLength: uint16(len(p)),
		Buffer: s.ExAllocatePool2(kernel.PoolFlagNonPaged, uint64(len(p)), kernel.PoolTag("Test"))}
	s.WriteBytes(u.Buffer, p)
	return u
}

func TestBusInterface(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			b.status("no bus", s.WdfFdoQueryForInterface(b.device, &wdf.BusInterfaceStandard, 64, 1), wdf.StatusNotSupported)
			var space config
			copy(space[:], "\x34\x12\xE8\x11")
			b.f.SetConfigSpace(&space)
			b.status("query", s.WdfFdoQueryForInterface(b.device, &wdf.BusInterfaceStandard, 64, 1), 0)
			b.status("short", s.WdfFdoQueryForInterface(b.device, &wdf.BusInterfaceStandard, 63, 1), wdf.StatusBufferTooSmall)
			b.status("version", s.WdfFdoQueryForInterface(b.device, &wdf.BusInterfaceStandard, 64, 2), wdf.StatusNotSupported)
			b.status("another", s.WdfFdoQueryForInterface(b.device, &wdf.GUID{1, 2}, 64, 1), wdf.StatusNotSupported)
			p := s.ExAllocatePool2(kernel.PoolFlagNonPaged, 16, kernel.PoolTag("Test"))
			if n := s.GetBusData(b.device, 0, p, 0, 4); n != 4 || s.Load(p, 4) != 0x11E81234 {
				b.Errorf("GetBusData: %d, 0x%X", n, s.Load(p, 4))
			}
			if n := s.GetBusData(b.device, 0, p, 254, 8); n != 2 {
				b.Errorf("GetBusData at the end: %d", n)
			}
			if n := s.GetBusData(b.device, 1, p, 0, 4); n != 0 {
				b.Errorf("GetBusData of another space: %d", n)
			}
			s.Store(p, 2, 0x0406)
			if n := s.SetBusData(b.device, 0, p, 4, 2); n != 2 || !bytes.Equal(space[4:6], []byte{6, 4}) {
				b.Errorf("SetBusData: %d, % X", n, space[4:6])
			}
		})
	})
}

func TestDeviceNames(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			b.status("interface", s.WdfDeviceCreateDeviceInterface(b.device, &wdf.GUID{1, 2}, nil), 0)
			b.status("reference string", s.WdfDeviceCreateDeviceInterface(b.device, &wdf.GUID{1, 2}, text(s, "a")), 0)
			odd := text(s, "ab")
			odd.Length = 3
			b.status("odd length", s.WdfDeviceCreateDeviceInterface(b.device, &wdf.GUID{1, 2}, odd), wdf.StatusInvalidParameter)
			b.status("link", s.WdfDeviceCreateSymbolicLink(b.device, text(s, `\DosDevices\Edu`)), 0)
			b.status("link again", s.WdfDeviceCreateSymbolicLink(b.device, text(s, `\DosDevices\Edu`)), wdf.StatusObjectNameCollision)
			b.status("another link", s.WdfDeviceCreateSymbolicLink(b.device, text(s, `\DosDevices\Edu2`)), 0)
		})
		b.stop(func(s *wdf.Sys) { s.WdfDeviceCreateDeviceInterface(b.device, nil, nil) })
		b.take()
	})
}

func TestWdmObjects(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			fdo, pdo := s.WdfDeviceWdmGetDeviceObject(b.device), s.WdfDeviceWdmGetPhysicalDevice(b.device)
			if fdo == pdo || s.WdfDeviceWdmGetDeviceObject(b.device) != fdo || s.WdfDeviceWdmGetAttachedDevice(b.device) != pdo {
				b.Errorf("device objects 0x%X, 0x%X", fdo, pdo)
			}
			if s.Load(fdo, 2) != 3 || s.Load(pdo+24, 8) != fdo {
				b.Errorf("Type 0x%X, AttachedDevice 0x%X", s.Load(fdo, 2), s.Load(pdo+24, 8))
			}
			if s.WdfWdmDeviceGetWdfDeviceHandle(fdo) != b.device || s.WdfWdmDeviceGetWdfDeviceHandle(pdo) != 0 {
				b.Errorf("WdfWdmDeviceGetWdfDeviceHandle is wrong")
			}
			if d := s.WdfDriverWdmGetDriverObject(s.WdfGetDriver()); d == 0 || s.WdfDriverWdmGetDriverObject(s.WdfGetDriver()) != d {
				b.Errorf("driver object 0x%X", d)
			}
		})
	})
}

func TestRegistryIsEmpty(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		var key wdf.WDFKEY
		b.do(func(s *wdf.Sys) {
			_, st := s.WdfDriverOpenParametersRegistryKey(s.WdfGetDriver(), 0x20019, nil)
			b.status("read", st, wdf.StatusObjectNameNotFound)
			key, st = s.WdfDriverOpenParametersRegistryKey(s.WdfGetDriver(), 0xF003F, nil)
			b.status("write", st, 0)
			_, st = s.WdfRegistryQueryULong(key, text(s, "Value"))
			b.status("WdfRegistryQueryULong", st, wdf.StatusObjectNameNotFound)
			s.WdfRegistryClose(key)
			key, st = s.WdfDeviceOpenRegistryKey(b.device, wdf.PlugPlayRegKeyDevice, 0x20019, nil)
			b.status("WdfDeviceOpenRegistryKey", st, 0)
			s.WdfRegistryClose(key)
		})
		b.stop(func(s *wdf.Sys) { s.WdfRegistryClose(key) })
		b.wantBugCheck("OBJ-18", 0x10D, 5, uint64(key), 0x1006)
	})
}

func TestString(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			u := text(s, "abc")
			h, st := s.WdfStringCreate(u, nil)
			b.status("WdfStringCreate", st, 0)
			s.Store(u.Buffer, 2, 'x') // the object has a copy
			got := s.WdfStringGetUnicodeString(h)
			if got.Length != 6 || got.MaximumLength != 8 || s.Load(got.Buffer, 8) != 'a'|'b'<<16|'c'<<32 {
				b.Errorf("%+v, 0x%X", got, s.Load(got.Buffer, 8))
			}
			empty, st := s.WdfStringCreate(nil, nil)
			b.status("WdfStringCreate of nothing", st, 0)
			if got := s.WdfStringGetUnicodeString(empty); got != (wdf.UnicodeString{}) {
				b.Errorf("%+v", got)
			}
			s.WdfObjectDelete(h)
		})
	})
}

func TestLookaside(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			l, st := s.WdfLookasideListCreate(nil, 48, wdf.NonPagedPoolNx, &wdf.ObjectAttributes{EvtCleanupCallback: b.object("cleanup", nil)}, 0)
			b.status("WdfLookasideListCreate", st, 0)
			m, st := s.WdfMemoryCreateFromLookaside(l)
			b.status("WdfMemoryCreateFromLookaside", st, 0)
			if p, n := s.WdfMemoryGetBuffer(m); p == 0 || n != 48 {
				b.Errorf("buffer 0x%X of %d bytes", p, n)
			}
			s.WdfObjectDelete(l) // the memory is the driver's child, not the list's
			b.want("")
			s.WdfObjectDelete(m)
			b.want("cleanup")
			_, st = s.WdfLookasideListCreate(nil, 0, 0, nil, 0)
			b.status("no bytes", st, wdf.StatusInvalidParameter)
		})
	})
}

func TestDeviceState(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			s.WdfDeviceSetDeviceState(b.device, &wdf.DeviceState{Size: wdf.DeviceStateSize, NotDisableable: wdf.True})
			s.WdfDeviceSetPnpCapabilities(b.device, &wdf.DevicePnpCapabilities{Size: wdf.DevicePnpCapabilitiesSize})
		})
		b.wantFindings()
		b.do(func(s *wdf.Sys) {
			s.WdfDeviceSetDeviceState(b.device, &wdf.DeviceState{Size: 4})
			s.WdfDeviceSetPnpCapabilities(b.device, &wdf.DevicePnpCapabilities{Size: 48, Flags: [9]wdf.TriState{3: 7}})
		})
		b.wantFindings("verifier break: WDF_DEVICE_STATE.Size", "verifier break: WDF_DEVICE_PNP_CAPABILITIES")
		b.stop(func(s *wdf.Sys) {
			s.WdfDeviceSetDeviceState(b.device, &wdf.DeviceState{Size: wdf.DeviceStateSize, Failed: wdf.True})
		})
		if f := b.take(); len(f) != 1 || !f[0].Unsupported {
			b.Errorf("findings %v", titles(f))
		}
	})
}

// A request that was found stays in the queue until it is retrieved.
func TestIOQ1FindRequest(t *testing.T) {
	ioScenario(t, driver{}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(x *ioBench) {
		x.sendReads(3)
		x.do(func(s *wdf.Sys) {
			q := x.queues[0]
			first, st := s.WdfIoQueueFindRequest(q, 0)
			x.status("first", st, 0)
			second, st := s.WdfIoQueueFindRequest(q, first)
			x.status("second", st, 0)
			if x.number(first) != 1 || x.number(second) != 2 {
				x.Errorf("found %d, %d", x.number(first), x.number(second))
			}
			r, st := s.WdfIoQueueRetrieveFoundRequest(q, second)
			x.status("retrieve", st, 0)
			if s.WdfRequestGetFileObject(r) != 0 {
				x.Errorf("a request has a file object")
			}
			s.WdfRequestComplete(r, 0)
			_, st = s.WdfIoQueueFindRequest(q, second)
			x.status("behind one that is gone", st, wdf.StatusNotFound)
			_, st = s.WdfIoQueueRetrieveFoundRequest(q, second)
			x.status("retrieve it again", st, wdf.StatusNotFound)
			third, st := s.WdfIoQueueFindRequest(q, first)
			x.status("third", st, 0)
			_, st = s.WdfIoQueueFindRequest(q, third)
			x.status("behind the last", st, wdf.StatusNoMoreEntries)
			for _, r := range []wdf.WDFREQUEST{first, second, third} {
				s.WdfObjectDereference(r)
			}
			s.WdfIoQueuePurgeSynchronously(q)
		})
		x.wantEnd(2, 0)
		x.wantEnd(3, wdf.StatusCancelled)
	})
}
