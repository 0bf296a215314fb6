package wdf_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// bus is a driver with a default child list whose children are numbers.
type bus struct {
	list   wdf.WDFCHILDLIST
	create wdf.NTSTATUS // what EvtChildListCreateDevice returns
	twins  bool         // all children get the same identifiers
	static wdf.WDFDEVICE
	change func(c *wdf.ChildListConfig)
	idle   bool // children have idle settings
}

const (
	identificationSize = 8 // ULONG size, ULONG number
	addressSize        = 8
)

func (u *bus) driver() driver {
	return driver{
		init: func(b *bench, s *wdf.Sys, init *wdf.DeviceInit) {
			c := &wdf.ChildListConfig{Size: wdf.ChildListConfigSize, IdentificationDescriptionSize: identificationSize,
				EvtChildListCreateDevice: u.createDevice(b),
				EvtChildListScanForChildren: b.object("scan", func(s *wdf.Sys, h wdf.Handle) {
					if b.device != 0 {
						u.list = h
					}
				}),
			}
			if u.change != nil {
				u.change(c)
			}
			s.WdfFdoInitSetDefaultChildListConfig(init, c, nil)
		},
		add: func(b *bench, s *wdf.Sys) { u.list = s.WdfFdoGetDefaultChildList(b.device) },
	}
}

// createDevice is the EvtChildListCreateDevice.
func (u *bus) createDevice(b *bench) wdf.Callback {
	return b.fn("EvtChildListCreateDevice", func(s *wdf.Sys, a kernel.Args) uint64 {
		n := s.Load(a[1]+4, 4)
		b.note("create%d", n)
		if u.create != 0 {
			return uint64(u.create)
		}
		init := b.f.DeviceInitAt(a[2])
		_, st := u.makeChild(b, s, init, n)
		return uint64(st)
	})
}

func (u *bus) makeChild(b *bench, s *wdf.Sys, init *wdf.DeviceInit, n uint64) (wdf.WDFDEVICE, wdf.NTSTATUS) {
	instance := fmt.Sprint(n)
	if u.twins {
		instance = "same"
	}
	b.status("device ID", s.WdfPdoInitAssignDeviceID(init, text(s, `TEST\Child`)), 0)
	b.status("instance ID", s.WdfPdoInitAssignInstanceID(init, text(s, instance)), 0)
	b.status("hardware ID", s.WdfPdoInitAddHardwareID(init, text(s, `TEST\Child`)), 0)
	b.status("hardware ID", s.WdfPdoInitAddHardwareID(init, text(s, `TEST\Any`)), 0)
	b.status("compatible ID", s.WdfPdoInitAddCompatibleID(init, text(s, `TEST\Old`)), 0)
	b.status("text", s.WdfPdoInitAddDeviceText(init, text(s, "a child"), text(s, "here"), 0x409), 0)
	s.WdfPdoInitSetDefaultLocale(init, 0x409)
	b.status("raw", s.WdfPdoInitAssignRawDevice(init, &wdf.GUID{1, 2}), 0)
	pnp := func(name string) wdf.Callback {
		return b.fn(fmt.Sprint("child", n, name), func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("%s%d", name, n)
			return 0
		})
	}
	s.WdfDeviceInitSetPnpPowerEventCallbacks(init, &wdf.PnpPowerEventCallbacks{
		EvtDevicePrepareHardware: pnp("prepare"), EvtDeviceD0Entry: pnp("up"), EvtDeviceD0Exit: pnp("down"),
		EvtDeviceReleaseHardware: pnp("release"), EvtDeviceSurpriseRemoval: pnp("surprise"), EvtDeviceQueryRemove: pnp("query"),
	})
	device, st := s.WdfDeviceCreate(init, nil)
	if !st.Failed() && u.idle {
		c := wdf.IdleSettingsInit(wdf.IdleCannotWakeFromS0)
		c.IdleTimeout = 10
		b.status("idle settings of a child", s.WdfDeviceAssignS0IdleSettings(device, &c), 0)
	}
	return device, st
}

// describe puts an identification description into memory.
func describe(s *wdf.Sys, n uint64) uint64 {
	p := s.ExAllocatePool2(kernel.PoolFlagNonPaged, 8, kernel.PoolTag("Test"))
	s.Store(p, 4, identificationSize)
	s.Store(p+4, 4, n)
	return p
}

func (u *bus) add(b *bench, s *wdf.Sys, n uint64, want wdf.NTSTATUS) {
	b.Helper()
	b.status(fmt.Sprint("add ", n), s.WdfChildListAddOrUpdateChildDescriptionAsPresent(u.list, describe(s, n), 0), want)
}

// pdo returns the device of a child.
func (u *bus) pdo(s *wdf.Sys, n uint64) (pdo wdf.WDFDEVICE, status uint32) {
	info := &wdf.ChildRetrieveInfo{Size: wdf.ChildRetrieveInfoSize, IdentificationDescription: describe(s, n)}
	pdo = s.WdfChildListRetrievePdo(u.list, info)
	return pdo, info.Status
}

// ownCallbacks keeps what a bus test wants to see of the parent.
var ownCallbacks = func() (names []string) {
	for n := range 4 {
		for _, name := range []string{"create", "prepare", "up", "down", "release", "surprise", "query"} {
			names = append(names, fmt.Sprint(name, n))
		}
	}
	return append(names, "scan", "D0Entry", "D0Exit", "QueryRemove", "SurpriseRemoval", "ReleaseHardware")
}()

func busScenario(t *testing.T, u *bus, body func(b *bench)) {
	t.Helper()
	start := *u
	scenario(t, u.driver(), func(b *bench) {
		list := u.list
		*u = start
		u.list = list
		b.only = ownCallbacks
		body(b)
	})
}

func TestChildrenLiveWithTheirParent(t *testing.T) {
	u := &bus{}
	busScenario(t, u, func(b *bench) {
		b.do(func(s *wdf.Sys) { u.add(b, s, 1, 0) }) // before the start: the PnP manager does not ask yet
		b.want("")
		b.startDevice()
		b.want("D0Entry scan create1 prepare1 up1")
		b.do(func(s *wdf.Sys) {
			u.add(b, s, 2, 0)
			u.add(b, s, 1, wdf.StatusObjectNameExists)
		})
		b.want("create2 prepare2 up2")
		b.power(wdf.PowerDeviceD3)
		b.want("down1 down2 D0Exit")
		b.power(wdf.PowerDeviceD0)
		b.want("D0Entry scan up1 up2")
		b.do(func(s *wdf.Sys) {
			pdo, status := u.pdo(s, 2)
			if status != wdf.ChildListRetrieveDeviceSuccess || s.WdfPdoGetParent(pdo) != b.device {
				b.Errorf("child 2 is 0x%X, %d", pdo, status)
			}
			b.status("missing", s.WdfChildListUpdateChildDescriptionAsMissing(u.list, describe(s, 1)), 0)
		})
		b.want("surprise1 down1 release1")
		b.do(func(s *wdf.Sys) {
			if pdo, status := u.pdo(s, 1); pdo != 0 || status != wdf.ChildListRetrieveDeviceNoSuchDevice {
				b.Errorf("child 1 is 0x%X, %d", pdo, status)
			}
			b.status("missing again", s.WdfChildListUpdateChildDescriptionAsMissing(u.list, describe(s, 1)), wdf.StatusNoSuchDevice)
			u.add(b, s, 1, 0)
		})
		b.want("create1 prepare1 up1")
		b.remove()
		b.want("query2 query1 QueryRemove down2 release2 down1 release1 D0Exit ReleaseHardware")
	})
}

func TestChildrenGoWithASurpriseRemoval(t *testing.T) {
	u := &bus{}
	busScenario(t, u, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) { u.add(b, s, 1, 0) })
		b.forget()
		b.do(func(s *wdf.Sys) { s.SurpriseRemove(b.device) })
		b.want("surprise1 down1 release1 SurpriseRemoval D0Exit ReleaseHardware")
	})
}

// A scan takes away what is not added in it; changes are made at its end.
func TestChildListScan(t *testing.T) {
	u := &bus{}
	busScenario(t, u, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) {
			u.add(b, s, 1, 0)
			u.add(b, s, 2, 0)
		})
		b.forget()
		b.do(func(s *wdf.Sys) {
			s.WdfChildListBeginScan(u.list)
			u.add(b, s, 3, 0)
			u.add(b, s, 2, wdf.StatusObjectNameExists)
			if _, status := u.pdo(s, 3); status != wdf.ChildListRetrieveDeviceNotYetCreated {
				b.Errorf("child 3: status %d", status)
			}
			s.KeDelayExecutionThread(kernel.After(ms))
			b.want("")
			s.WdfChildListEndScan(u.list)
		})
		b.want("create3 surprise1 down1 release1 prepare3 up3")
		b.do(func(s *wdf.Sys) {
			s.WdfChildListBeginScan(u.list)
			s.WdfChildListUpdateAllChildDescriptionsAsPresent(u.list)
			s.WdfChildListEndScan(u.list)
		})
		b.want("")
		b.do(func(s *wdf.Sys) { s.WdfChildListEndScan(u.list) })
		b.wantFindings("verifier break: WdfChildListEndScan")
	})
}

func TestChildListIteration(t *testing.T) {
	u := &bus{}
	busScenario(t, u, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) {
			u.add(b, s, 1, 0)
			u.add(b, s, 2, 0)
		})
		b.do(func(s *wdf.Sys) {
			i := &wdf.ChildListIterator{Size: wdf.ChildListIteratorSize, Flags: wdf.RetrieveAllChildren}
			_, st := s.WdfChildListRetrieveNextDevice(u.list, i, nil)
			b.status("no iteration", st, wdf.StatusInvalidDeviceState)
			s.WdfChildListBeginIteration(u.list, i)
			u.add(b, s, 3, 0)
			info := &wdf.ChildRetrieveInfo{Size: wdf.ChildRetrieveInfoSize, IdentificationDescription: describe(s, 0)}
			var seen string
			for {
				pdo, st := s.WdfChildListRetrieveNextDevice(u.list, i, info)
				if st == wdf.StatusNoMoreEntries {
					break
				}
				b.status("next", st, 0)
				seen += fmt.Sprint(" ", s.Load(info.IdentificationDescription+4, 4), pdo != 0, info.Status)
			}
			if seen != " 1 true 1 2 true 1 3 false 2" {
				b.Errorf("children%s", seen)
			}
			s.WdfChildListEndIteration(u.list, i)
			i.Size = 1
			s.WdfChildListBeginIteration(u.list, i)
		})
		b.wantFindings("verifier break: WDF_CHILD_LIST_ITERATOR")
	})
}

func TestChildListChecks(t *testing.T) {
	u := &bus{}
	busScenario(t, u, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			b.status("address", s.WdfChildListAddOrUpdateChildDescriptionAsPresent(u.list, describe(s, 1), describe(s, 1)), wdf.StatusInvalidDeviceRequest)
			p := describe(s, 1)
			s.Store(p, 4, 12)
			b.status("size", s.WdfChildListAddOrUpdateChildDescriptionAsPresent(u.list, p, 0), wdf.StatusInvalidDeviceRequest)
			b.status("no such device", s.WdfChildListUpdateChildDescriptionAsMissing(u.list, describe(s, 1)), wdf.StatusNoSuchDevice)
			c := &wdf.ChildListConfig{Size: 95}
			_, st := s.WdfChildListCreate(b.device, c, nil)
			b.status("config size", st, wdf.StatusInfoLengthMismatch)
			c.Size = wdf.ChildListConfigSize
			_, st = s.WdfChildListCreate(b.device, c, nil)
			b.status("description size", st, wdf.StatusInvalidParameter)
			c.IdentificationDescriptionSize, c.EvtChildListCreateDevice = 8, 1
			_, st = s.WdfChildListCreate(b.device, c, &wdf.ObjectAttributes{ParentObject: b.device})
			b.status("parent", st, wdf.StatusWdfParentAssignmentNotAllowed)
			list, st := s.WdfChildListCreate(b.device, c, nil)
			b.status("another list", st, 0)
			if s.WdfChildListGetDevice(list) != b.device {
				b.Errorf("the list is not the device's")
			}
			s.WdfObjectDelete(list)
		})
		b.wantFindings("verifier break: STATUS_CANNOT_DELETE")
		b.stop(func(s *wdf.Sys) { s.WdfChildListBeginScan(b.device) })
		b.wantBugCheck("OBJ-18", 0x10D, 5, uint64(b.device), 0x1029)
	})
}

// The callbacks for descriptions run under the list's lock; copies have their own.
func TestChildListDescriptionCallbacks(t *testing.T) {
	u := &bus{}
	var b *bench
	var level uint8
	note := func(name string, f func(s *wdf.Sys, a kernel.Args) uint64) wdf.Callback {
		return b.fn(name, func(s *wdf.Sys, a kernel.Args) uint64 {
			level = s.IRQL()
			b.note("%s", name)
			return f(s, a)
		})
	}
	copy8 := func(s *wdf.Sys, a kernel.Args) uint64 {
		s.Store(a[2], 8, s.Load(a[1], 8))
		return 0
	}
	d := u.driver()
	init := d.init
	d.init = func(bb *bench, s *wdf.Sys, i *wdf.DeviceInit) {
		b = bb
		u.change = func(c *wdf.ChildListConfig) {
			c.AddressDescriptionSize = addressSize
			c.EvtChildListIdentificationDescriptionDuplicate = note("duplicate", copy8)
			c.EvtChildListIdentificationDescriptionCompare = note("compare", func(s *wdf.Sys, a kernel.Args) uint64 {
				if s.Load(a[1]+4, 4)&^1 == s.Load(a[2]+4, 4)&^1 { // pairs are equal
					return 1
				}
				return 0
			})
			c.EvtChildListIdentificationDescriptionCleanup = note("cleanup", func(*wdf.Sys, kernel.Args) uint64 { return 0 })
			c.EvtChildListAddressDescriptionCopy = note("copyAddress", copy8)
			c.EvtChildListAddressDescriptionCleanup = note("cleanupAddress", func(*wdf.Sys, kernel.Args) uint64 { return 0 })
		}
		init(bb, s, i)
	}
	scenario(t, d, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			add := func(n, address uint64, want wdf.NTSTATUS) {
				b.status("add", s.WdfChildListAddOrUpdateChildDescriptionAsPresent(u.list, describe(s, n), describe(s, address)), want)
			}
			add(4, 10, 0)
			b.want("duplicate")
			if level != wdf.DispatchLevel {
				b.Errorf("the callback runs at level %d", level)
			}
			add(5, 11, wdf.StatusObjectNameExists)
			b.want("compare copyAddress")
			address := describe(s, 0)
			b.status("address", s.WdfChildListRetrieveAddressDescription(u.list, describe(s, 4), address), 0)
			if got := s.Load(address+4, 4); got != 11 {
				b.Errorf("address %d", got)
			}
			b.forget()
			b.status("missing", s.WdfChildListUpdateChildDescriptionAsMissing(u.list, describe(s, 4)), 0)
			b.want("compare cleanup cleanupAddress")
		})
	})
}

func TestCreateChildFails(t *testing.T) {
	u := &bus{create: wdf.StatusUnsuccessful}
	busScenario(t, u, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) { u.add(b, s, 1, 0) })
		b.want("D0Entry scan create1")
		b.do(func(s *wdf.Sys) {
			if _, status := u.pdo(s, 1); status != wdf.ChildListRetrieveDeviceNoSuchDevice {
				b.Errorf("status %d", status)
			}
		})
	})
	u = &bus{create: wdf.StatusObjectNameExists} // success, but no device
	busScenario(t, u, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) { u.add(b, s, 1, 0) })
		b.wantFindings("verifier break: EvtChildListCreateDevice")
	})
}

func TestTwinsAreABugCheck(t *testing.T) {
	u := &bus{twins: true}
	busScenario(t, u, func(b *bench) {
		b.startDevice()
		b.stop(func(s *wdf.Sys) {
			u.add(b, s, 1, 0)
			u.add(b, s, 2, 0)
		})
		b.wantBugCheck("PNP_DETECTED_FATAL_ERROR", 0xCA, 1)
	})
}

func TestStaticChildren(t *testing.T) {
	u := &bus{}
	var freed *wdf.DeviceInit
	busScenario(t, u, func(b *bench) {
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) {
			init := s.WdfPdoInitAllocate(b.device)
			pdo, st := u.makeChild(b, s, init, 1)
			b.status("WdfDeviceCreate", st, 0)
			if b.f.DeviceInitAt(init.Address()) != nil {
				b.Errorf("the WDFDEVICE_INIT is still there")
			}
			b.status("not a child", s.WdfFdoAddStaticChild(b.device, b.device), wdf.StatusInvalidParameter)
			b.status("add", s.WdfFdoAddStaticChild(b.device, pdo), 0)
			b.status("add again", s.WdfFdoAddStaticChild(b.device, pdo), wdf.StatusObjectNameExists)
			u.static = pdo
		})
		b.want("prepare1 up1")
		b.do(func(s *wdf.Sys) { b.status("missing", s.WdfPdoMarkMissing(u.static), 0) })
		b.want("surprise1 down1 release1")
		b.do(func(s *wdf.Sys) {
			init := s.WdfPdoInitAllocate(b.device)
			freed = init
			s.WdfDeviceInitFree(init)
			if b.f.DeviceInitAt(init.Address()) != nil {
				b.Errorf("the WDFDEVICE_INIT is still there")
			}
		})
		b.stop(func(s *wdf.Sys) { s.WdfDeviceInitFree(freed) })
		if f := b.take(); len(f) != 1 || f[0].Code != 0x50 {
			b.Errorf("findings %v", titles(f))
		}
	})
}

// A child in D0 keeps its parent in D0; a child that wakes wakes its parent first.
func TestPWRIdleWithChildren(t *testing.T) {
	u := &bus{idle: true}
	d := u.driver()
	add := d.add
	d.add = func(b *bench, s *wdf.Sys) {
		add(b, s)
		c := wdf.IdleSettingsInit(wdf.IdleCannotWakeFromS0)
		c.IdleTimeout = 1
		b.status("idle settings", s.WdfDeviceAssignS0IdleSettings(b.device, &c), 0)
	}
	scenario(t, d, func(b *bench) {
		b.only = ownCallbacks
		var pdo wdf.WDFDEVICE
		b.do(func(s *wdf.Sys) { u.add(b, s, 1, 0) })
		b.startDevice()
		b.want("D0Entry scan create1 prepare1 up1 down1 D0Exit")
		b.do(func(s *wdf.Sys) {
			pdo, _ = u.pdo(s, 1)
			b.status("stop", s.WdfDeviceStopIdle(pdo, true), 0)
			b.want("D0Entry scan up1")
			s.KeDelayExecutionThread(kernel.After(50 * ms))
			b.want("")
			s.WdfDeviceResumeIdle(pdo)
		})
		b.want("down1 D0Exit")
		b.power(wdf.PowerDeviceD3) // the system sleeps and wakes; both stay idle, and can come back
		b.power(wdf.PowerDeviceD0)
		b.want("")
		b.do(func(s *wdf.Sys) {
			b.status("stop", s.WdfDeviceStopIdle(pdo, true), 0)
			s.WdfDeviceResumeIdle(pdo)
		})
		b.want("D0Entry scan up1 down1 D0Exit")
	})
}

// A child without idle settings comes back when the system wakes, and its parent
// before it.
func TestPWRIdleParentOfABusyChild(t *testing.T) {
	u := &bus{}
	d := u.driver()
	add := d.add
	d.add = func(b *bench, s *wdf.Sys) {
		add(b, s)
		c := wdf.IdleSettingsInit(wdf.IdleCannotWakeFromS0)
		c.IdleTimeout = 1
		b.status("idle settings", s.WdfDeviceAssignS0IdleSettings(b.device, &c), 0)
	}
	scenario(t, d, func(b *bench) {
		b.only = ownCallbacks
		b.do(func(s *wdf.Sys) { u.add(b, s, 1, 0) })
		b.startDevice()
		b.want("D0Entry scan create1 prepare1 up1")
		b.power(wdf.PowerDeviceD3)
		b.want("down1 D0Exit")
		b.power(wdf.PowerDeviceD0)
		b.want("D0Entry scan up1")
	})
}
