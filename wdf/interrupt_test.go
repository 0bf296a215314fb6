package wdf_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// one is a driver with one message interrupt.
func one(i interrupt) driver {
	if i.vector == 0 {
		i.vector = 0x51
	}
	return driver{interrupts: []interrupt{i}}
}

// create is a case of WdfInterruptCreate: what differs from a good
// configuration, and what the call returns.
type create struct {
	clause string
	change func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes)
	want   wdf.NTSTATUS
}

func isrOnly(b *bench) wdf.InterruptConfig {
	return wdf.InterruptConfigInit(b.fn("isr", func(*wdf.Sys, kernel.Args) uint64 { return 0 }), 0)
}

// tryCreate does the cases of WdfInterruptCreate in the running callback. Two
// wrongs of one case: the first check decides.
func tryCreate(b *bench, s *wdf.Sys, cases []create, good func(c *wdf.InterruptConfig)) {
	for _, c := range cases {
		config, a := isrOnly(b), wdf.ObjectAttributes{}
		if good != nil {
			good(&config)
		}
		if c.change != nil {
			c.change(&config, &a)
		}
		_, st := s.WdfInterruptCreate(b.device, &config, &a)
		b.status(c.clause, st, c.want)
	}
}

// WdfInterruptCreate in EvtDriverDeviceAdd, the checks in the order of the source.
func TestWDFI2to10CreateInDeviceAdd(t *testing.T) {
	raw := &wdf.Resource{Type: wdf.CmResourceTypeInterrupt}
	d := driver{add: func(b *bench, s *wdf.Sys) {
		spin, _ := s.WdfSpinLockCreate(nil)
		wait, _ := s.WdfWaitLockCreate(nil)
		work := b.object("work", nil)
		tryCreate(b, s, []create{
			{"good", nil, wdf.StatusSuccess},
			{"WDFI-2 size 96", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.Size = 96 }, wdf.StatusSuccess},
			{"WDFI-2 size 56", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.Size = 56 }, wdf.StatusSuccess},
			{"WDFI-2 size 0", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.Size = 0 }, wdf.StatusInfoLengthMismatch},
			{"WDFI-2 size 105", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.Size = 105 }, wdf.StatusInfoLengthMismatch},
			{"WDFI-2 before WDFI-3", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.Size, c.EvtInterruptIsr = 1, 0 }, wdf.StatusInfoLengthMismatch},
			{"WDFI-3", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.EvtInterruptIsr = 0 }, wdf.StatusInvalidParameter},
			{"WDFI-3 before WDFI-4", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				c.EvtInterruptIsr, a.ParentObject = 0, b.device
			}, wdf.StatusInvalidParameter},
			{"WDFI-4 parent", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { a.ParentObject = b.device }, wdf.StatusWdfParentAssignmentNotAllowed},
			{"WDFI-4 parent with serialization", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				c.AutomaticSerialization, a.ParentObject = true, b.device
			}, wdf.StatusSuccess},
			{"WDFI-4 level", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { a.ExecutionLevel = wdf.ExecutionLevelPassive }, wdf.StatusWdfExecutionLevelInvalid},
			{"WDFI-4 level inherit", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				a.ExecutionLevel, a.SynchronizationScope = wdf.ExecutionLevelInherit, wdf.SynchronizationScopeInherit
			}, wdf.StatusSuccess},
			{"WDFI-4 scope", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				a.SynchronizationScope = wdf.SynchronizationScopeDevice
			}, wdf.StatusWdfSynchronizationScopeInvalid},
			{"WDFI-4 scope none", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				a.SynchronizationScope = wdf.SynchronizationScopeNone
			}, wdf.StatusSuccess},
			{"WDFI-4 scope invalid", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				a.SynchronizationScope = -1
			}, wdf.StatusWdfObjectAttributesInvalid},
			{"WDFI-4 attribute size", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { a.Size = 48 }, wdf.StatusInfoLengthMismatch},
			{"WDFI-6 raw", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.InterruptRaw = raw }, wdf.StatusInvalidParameter},
			{"WDFI-6 translated", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.InterruptTranslated = raw }, wdf.StatusInvalidParameter},
			{"WDFI-6 wake", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.CanWakeDevice = true }, wdf.StatusInvalidParameter},
			{"WDFI-9", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				c.EvtInterruptDpc, c.EvtInterruptWorkItem = work, work
			}, wdf.StatusInvalidParameter},
			{"WDFI-9 work item only", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.EvtInterruptWorkItem = work }, wdf.StatusSuccess},
			{"WDFI-10 wait lock", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.WaitLock = wait }, wdf.StatusInvalidParameter},
			{"WDFI-10 spin lock", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				c.SpinLock, c.PassiveHandling = spin, true
			}, wdf.StatusInvalidParameter},
			{"WDFI-12 driver", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				c.AutomaticSerialization, a.ParentObject = true, s.WdfGetDriver()
			}, wdf.StatusInvalidParameter},
			{"WDFI-12 no device or queue", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) {
				c.AutomaticSerialization, a.ParentObject = true, spin
			}, wdf.StatusInvalidParameter},
		}, nil)
	}}
	scenario(t, d, func(b *bench) {})
}

// In EvtDevicePrepareHardware resources are needed (WDFI-7), and at any other
// time interrupts cannot be made (WDFI-5).
func TestWDFI5WDFI7CreateInPrepareHardware(t *testing.T) {
	d := driver{resources: func(*bench) (raw, translated []wdf.Resource) {
		r := []wdf.Resource{{Type: wdf.CmResourceTypeInterrupt, Level: 6, Vector: 0x61, Affinity: 1, Flags: 3, MessageCount: 1}}
		return r, r
	}}
	var pair func(c *wdf.InterruptConfig)
	withResources := func(c *wdf.InterruptConfig) { pair(c) }
	d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		if name == "PrepareHardware" {
			raw, translated := b.descriptors(s, 0)
			pair = func(c *wdf.InterruptConfig) { c.InterruptRaw, c.InterruptTranslated = raw, translated }
		}
		if name != "PrepareHardware" {
			tryCreate(b, s, []create{{"WDFI-5 in " + name, nil, wdf.StatusInvalidDeviceState}}, withResources)
			return wdf.StatusSuccess
		}
		tryCreate(b, s, []create{
			{"good", nil, wdf.StatusSuccess},
			{"WDFI-7 no raw", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.InterruptRaw = nil }, wdf.StatusInvalidDeviceState},
			{"WDFI-7 no translated", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.InterruptTranslated = nil }, wdf.StatusInvalidDeviceState},
			{"WDFI-7 zeroed", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.ShareVector = wdf.False }, wdf.StatusInvalidDeviceState},
			{"WDFI-7 share", func(c *wdf.InterruptConfig, a *wdf.ObjectAttributes) { c.ShareVector = wdf.True }, wdf.StatusInvalidDeviceState},
		}, withResources)
		return wdf.StatusSuccess
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) {
			tryCreate(b, s, []create{{"WDFI-5 started", nil, wdf.StatusInvalidDeviceState}}, withResources)
		})
		b.power(wdf.PowerDeviceD3)
		b.power(wdf.PowerDeviceD0)
		b.remove()
	})
}

// infoText returns what WdfInterruptGetInfo tells about interrupt n.
func infoText(b *bench, s *wdf.Sys, n int) string {
	i := wdf.InterruptInfoInit()
	s.WdfInterruptGetInfo(b.interrupts[n], &i)
	return fmt.Sprintf("%d: number %d vector 0x%X irql %d mode %d polarity %d message %v share %d set %b group %d\n",
		n, i.MessageNumber, i.Vector, i.Irql, i.Mode, i.Polarity, i.MessageSignaled, i.ShareDisposition, i.TargetProcessorSet, i.Group)
}

// Resources go to the objects in order of creation; a multi-message descriptor
// is spread over objects, whose vectors are its first one and their number; objects without a resource stay silent (WDFI-15 to
// WDFI-17); a device without enough of them starts (litmus L-52). The info is
// there from EvtDevicePrepareHardware to EvtDeviceReleaseHardware (WDFI-18).
func TestWDFI15to18Resources(t *testing.T) {
	infos := map[string]string{}
	d := driver{processors: 2}
	for range 4 {
		d.interrupts = append(d.interrupts, interrupt{})
	}
	d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		for n := range b.interrupts {
			infos[name] += infoText(b, s, n)
		}
		return wdf.StatusSuccess
	}
	const none = "0: number 0 vector 0x0 irql 0 mode 0 polarity 0 message false share 0 set 0 group 0\n" +
		"1: number 1 vector 0x0 irql 0 mode 0 polarity 0 message false share 0 set 0 group 0\n" +
		"2: number 2 vector 0x0 irql 0 mode 0 polarity 0 message false share 0 set 0 group 0\n" +
		"3: number 3 vector 0x0 irql 0 mode 0 polarity 0 message false share 0 set 0 group 0\n"
	const assigned = "0: number 0 vector 0x61 irql 6 mode 0 polarity 0 message false share 3 set 1 group 0\n" +
		"1: number 1 vector 0x83 irql 8 mode 1 polarity 0 message true share 1 set 11 group 0\n" +
		"2: number 2 vector 0x84 irql 8 mode 1 polarity 0 message true share 1 set 11 group 0\n" +
		"3: number 3 vector 0x0 irql 0 mode 0 polarity 0 message false share 0 set 0 group 0\n"
	scenario(t, d, func(b *bench) {
		clear(infos)
		raw := []wdf.Resource{
			{Type: wdf.CmResourceTypeMemory},
			{Type: wdf.CmResourceTypeInterrupt},
			{Type: wdf.CmResourceTypeInterrupt, Flags: 3, MessageCount: 2},
		}
		translated := []wdf.Resource{
			{Type: wdf.CmResourceTypeMemory, Start: 0xF000_0000, Length: 0x1000},
			{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareShared, Level: 6, Vector: 0x61, Affinity: 1},
			{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareDeviceExclusive, Flags: 3, Level: 8, Vector: 0x82, Affinity: 3},
		}
		b.forget()
		b.do(func(s *wdf.Sys) {
			for n := range b.interrupts {
				infos["before"] += infoText(b, s, n)
			}
			b.status("StartDevice", s.StartDevice(b.device, raw, translated), wdf.StatusSuccess)
		})
		b.wantSteps("PrepareHardware D0Entry connect0 enable0 connect1 enable1 connect2 enable2 D0EntryPostInterruptsEnabled SelfManagedIoInit")
		b.SendMessage(0x84)
		b.run()
		b.wantSteps("isr2")
		b.do(func(s *wdf.Sys) { // L-52: the lock of an object without a resource
			s.WdfInterruptAcquireLock(b.interrupts[3])
			if irql := s.KeGetCurrentIrql(); irql != wdf.PassiveLevel {
				t.Errorf("WdfInterruptAcquireLock raised to %d", irql)
			}
		})
		b.wantFindings("verifier break: WdfInterruptAcquireLock while not connected")
		b.power(wdf.PowerDeviceD3)
		b.remove()
		for name, want := range map[string]string{"before": none, "PrepareHardware": assigned, "D0Entry": assigned, "D0Exit": assigned,
			"ReleaseHardware": assigned, "SelfManagedIoFlush": none} {
			if infos[name] != want {
				t.Errorf("%s: %s\nwant %s", name, infos[name], want)
			}
		}
	})
}

// An extra resource is ignored (WDFI-17).
func TestWDFI17TooManyResources(t *testing.T) {
	scenario(t, one(interrupt{}), func(b *bench) {
		raw, translated := b.resources()
		extra := translated[0]
		extra.Vector, extra.Level = 0x61, 6
		b.forget()
		b.do(func(s *wdf.Sys) {
			b.status("StartDevice", s.StartDevice(b.device, append(raw, extra), append(translated, extra)), wdf.StatusSuccess)
		})
		b.wantSteps("PrepareHardware D0Entry connect0 enable0 D0EntryPostInterruptsEnabled SelfManagedIoInit")
	})
}

// WDFI-18: another size is a verifier break, and nothing is written.
func TestWDFI18Size(t *testing.T) {
	scenario(t, one(interrupt{}), func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) {
			for _, size := range []uint32{0, 48, 63, 72} {
				info := wdf.InterruptInfo{Size: size, Vector: 0xFFFF}
				s.WdfInterruptGetInfo(b.interrupts[0], &info)
				if info.Vector != 0xFFFF {
					t.Errorf("size %d: something was written", size)
				}
				b.wantFindings("verifier break: WDF_INTERRUPT_INFO.Size")
			}
			info := wdf.InterruptInfo{Size: 56}
			s.WdfInterruptGetInfo(b.interrupts[0], &info)
			if info.Vector != 0x51 || info.Size != 56 {
				t.Errorf("size 56: %+v", info)
			}
		})
	})
}

// The MessageID that the ISR gets is the number of the interrupt (INT-14), and
// its IRQL that of the vector.
func TestISRArguments(t *testing.T) {
	d := twoInterrupts()
	for n := range d.interrupts {
		d.interrupts[n].isr = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
			b.note("irql%d device%v", s.KeGetCurrentIrql(), s.WdfInterruptGetDevice(i) == b.device)
			return true
		}
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.SendMessage(0x51)
		b.run()
		b.SendMessage(0x71)
		b.run()
		b.want("isr0 irql5 devicetrue isr1 irql7 devicetrue")
	})
}

// The KINTERRUPT is there while the interrupt is connected (WDFI-31).
func TestWDFI31WdmGetInterrupt(t *testing.T) {
	d := one(interrupt{enable: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) wdf.NTSTATUS {
		b.note("%v", s.WdfInterruptWdmGetInterrupt(i) != 0)
		return wdf.StatusSuccess
	}})
	d.interrupts[0].disable = d.interrupts[0].enable
	d.pnp = func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
		b.note("%v", s.WdfInterruptWdmGetInterrupt(b.interrupts[0]) != 0)
		return wdf.StatusSuccess
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.remove()
		b.want("PrepareHardware false D0Entry false enable0 true D0EntryPostInterruptsEnabled true SelfManagedIoInit true " +
			"QueryRemove true SelfManagedIoSuspend true D0ExitPreInterruptsDisabled true disable0 true D0Exit false " +
			"ReleaseHardware false SelfManagedIoFlush false SelfManagedIoCleanup false")
	})
}

// WdfObjectDelete on an interrupt is refused: litmus L-51 (WDFI-32, OBJ-20).
func TestWDFI32Delete(t *testing.T) {
	scenario(t, one(interrupt{dpc: nothing}), func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) { s.WdfObjectDelete(b.interrupts[0]) })
		b.wantFindings("verifier break: STATUS_CANNOT_DELETE")
		b.forget()
		b.SendMessage(0x51)
		b.run()
		b.want("isr0 dpc0")
	})
}

// Interrupts made in EvtDevicePrepareHardware are deleted after
// EvtDeviceReleaseHardware, in reverse order; those made in EvtDriverDeviceAdd
// live as long as the device. Cleanup and destroy run at PASSIVE_LEVEL (WDFI-32,
// WDFI-33).
func TestWDFI32WDFI33EndOfInterrupts(t *testing.T) {
	end := func(b *bench, name string) *wdf.ObjectAttributes {
		return &wdf.ObjectAttributes{
			EvtCleanupCallback: b.fn("cleanup"+name, func(s *wdf.Sys, a kernel.Args) uint64 {
				b.note("cleanup%s@%d", name, s.KeGetCurrentIrql())
				return 0
			}),
			EvtDestroyCallback: b.fn("destroy"+name, func(s *wdf.Sys, a kernel.Args) uint64 {
				b.note("destroy%s@%d", name, s.KeGetCurrentIrql())
				return 0
			}),
		}
	}
	d := driver{
		resources: func(*bench) (raw, translated []wdf.Resource) {
			for n := range 3 {
				raw = append(raw, wdf.Resource{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareDeviceExclusive,
					Level: 6, Vector: uint32(0x60 + n), Affinity: 1, Flags: 3, MessageCount: 1})
			}
			return raw, raw
		},
		add: func(b *bench, s *wdf.Sys) {
			c := isrOnly(b)
			_, st := s.WdfInterruptCreate(b.device, &c, end(b, "A"))
			b.status("WdfInterruptCreate", st, wdf.StatusSuccess)
		},
		pnp: func(b *bench, s *wdf.Sys, name string) wdf.NTSTATUS {
			if name != "PrepareHardware" {
				return wdf.StatusSuccess
			}
			for n := range 2 {
				c := isrOnly(b)
				c.InterruptRaw, c.InterruptTranslated = b.descriptors(s, n+1)
				i, st := s.WdfInterruptCreate(b.device, &c, end(b, fmt.Sprint("P", n)))
				b.status("WdfInterruptCreate", st, wdf.StatusSuccess)
				b.interrupts = append(b.interrupts, i)
				if info := infoText(b, s, n); info != fmt.Sprintf(
					"%d: number %d vector 0x%X irql 6 mode 1 polarity 0 message true share 1 set 1 group 0\n", n, n+1, 0x61+n) {
					b.Errorf("info in EvtDevicePrepareHardware: %s", info)
				}
			}
			return wdf.StatusSuccess
		},
	}
	scenario(t, d, func(b *bench) {
		b.forget()
		b.startDevice()
		b.wantSteps("PrepareHardware D0Entry connect0 connect1 D0EntryPostInterruptsEnabled SelfManagedIoInit")
		b.remove()
		b.want("QueryRemove SelfManagedIoSuspend D0ExitPreInterruptsDisabled D0Exit ReleaseHardware cleanupP1@0 destroyP1@0 cleanupP0@0 destroyP0@0 " +
			"SelfManagedIoFlush SelfManagedIoCleanup cleanupA@0 destroyA@0")
	})
}
