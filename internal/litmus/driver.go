package litmus

import (
	"slices"

	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// The small driver of a test: what its DriverEntry and EvtDriverDeviceAdd do, and the resources that its device gets.

// makeDriver makes the framework objects that can only be made while a device is added, and starts the device.
func (b *bench) makeDriver(s *wdf.Sys) {
	add := s.DeviceAdd(func(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS { return b.addDevice(s, init) })
	if _, st := s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: add}, nil); st.Failed() {
		b.fail("WdfDriverCreate: %s", trace.StatusName(uint32(st)))
		return
	}
	if _, st := s.AddDevice(0); st.Failed() {
		b.fail("EvtDriverDeviceAdd: %s", trace.StatusName(uint32(st)))
		return
	}
	b.startAtFirst(s)
}

// startAtFirst starts the device, unless the programs of the test do that.
func (b *bench) startAtFirst(s *wdf.Sys) {
	if b.test.Device.NotStarted {
		b.resources() // gives the interrupts their vectors and lines
		return
	}
	if st := b.startDevice(s); st.Failed() {
		b.fail("the device does not start: %s", trace.StatusName(uint32(st)))
	}
}

// startDevice does what the PnP manager does: it asks for the requirements of the device, of which only the processors
// matter here, gives it resources, and brings it to D0.
func (b *bench) startDevice(s *wdf.Sys) wdf.NTSTATUS {
	list := b.resources()
	needs := make([]wdf.InterruptRequirement, len(list))
	for i := range list {
		needs[i].Message = list[i].Flags&wdf.CmResourceInterruptMessage != 0
	}
	s.FilterResourceRequirements(b.device, needs)
	for i := range list {
		if needs[i].Policy == wdf.IrqPolicySpecifiedProcessors {
			list[i].Affinity &= needs[i].Processors
		}
	}
	if b.guest != nil {
		list = b.guest.registers(list)
	}
	return s.StartDevice(b.device, list, slices.Clone(list))
}

// addDevice is EvtDriverDeviceAdd: the device, its queue, spin locks, then interrupts in the order of the setup.
func (b *bench) addDevice(s *wdf.Sys, init *wdf.DeviceInit) wdf.NTSTATUS {
	s.WdfDeviceInitSetPnpPowerEventCallbacks(init, &wdf.PnpPowerEventCallbacks{
		EvtDeviceD0Entry:                      b.deviceCallback("D0Entry"),
		EvtDeviceD0EntryPostInterruptsEnabled: b.deviceCallback("PostInterruptsEnabled"),
		EvtDeviceD0Exit:                       b.deviceCallback("D0Exit"),
		EvtDevicePrepareHardware:              b.prepareHardware(s),
		EvtDeviceSurpriseRemoval:              b.deviceCallback("SurpriseRemoval"),
	})
	if b.test.Device.NotPageable {
		s.WdfDeviceInitSetPowerNotPageable(init)
	}
	h, st := s.WdfDeviceCreate(init, b.deviceAttributes())
	b.device = h
	if !st.Failed() {
		st = b.createQueues(s)
	}
	for i := range b.test.Objects {
		if o := &b.test.Objects[i]; o.Kind == KindWDFSpinLock && !st.Failed() {
			b.objects[i].handle, st = s.WdfSpinLockCreate(nil)
			b.objects[i].addr = b.f.SpinLockCell(b.objects[i].handle)
		}
	}
	for i := range b.test.Objects {
		if o := &b.test.Objects[i]; o.Kind == KindInterrupt && !o.Interrupt.Late && !st.Failed() {
			c := b.interruptConfig(o)
			st = b.createInterrupt(s, o, &c)
		}
	}
	return st
}

// deviceAttributes gives the device its execution level and synchronization scope: unless the test says so, that which
// automatic serialization needs.
func (b *bench) deviceAttributes() *wdf.ObjectAttributes {
	a := &wdf.ObjectAttributes{}
	if b.test.Device.Passive {
		a.ExecutionLevel = wdf.ExecutionLevelPassive
	}
	switch b.test.Device.Scope {
	case "device":
		a.SynchronizationScope = wdf.SynchronizationScopeDevice
		return a
	case "queue":
		a.SynchronizationScope = wdf.SynchronizationScopeQueue
		return a
	}
	for _, o := range b.test.Objects {
		if o.Interrupt.AutomaticSerialization || o.DPC.AutomaticSerialization {
			a.SynchronizationScope = wdf.SynchronizationScopeDevice
		}
	}
	return a
}

// interruptConfig is what the driver writes into WDF_INTERRUPT_CONFIG after WDF_INTERRUPT_CONFIG_INIT.
func (b *bench) interruptConfig(o *Object) wdf.InterruptConfig {
	c := wdf.InterruptConfigInit(b.callback(ProgramISR, o.ID), b.callback(ProgramDPC, o.Interrupt.DPC))
	c.EvtInterruptWorkItem = b.callback(ProgramWork, o.Interrupt.Work)
	c.EvtInterruptEnable, c.EvtInterruptDisable = b.callback(ProgramEnable, o.ID), b.callback(ProgramDisable, o.ID)
	c.AutomaticSerialization = o.Interrupt.AutomaticSerialization
	c.PassiveHandling, c.CanWakeDevice = o.Interrupt.Passive, o.Interrupt.Wake
	if o.Interrupt.Lock != NoObject {
		c.SpinLock = b.objects[o.Interrupt.Lock].handle
	}
	return c
}

func (b *bench) createInterrupt(s *wdf.Sys, o *Object, c *wdf.InterruptConfig) wdf.NTSTATUS {
	h, st := s.WdfInterruptCreate(b.device, c, nil)
	if st.Failed() {
		return st
	}
	b.objects[o.ID].handle = h
	b.m.SetName(uint64(h), o.Name) // before it is connected under this name
	if d := o.Interrupt.DPC; d != NoObject {
		b.objects[d].addr = b.f.InterruptKDPC(h)
	}
	return st
}

// prepareHardware returns EvtDevicePrepareHardware: the program of the test, or a routine that makes the interrupts which
// are made late, or none.
func (b *bench) prepareHardware(s *wdf.Sys) wdf.Callback {
	c := b.deviceCallback("PrepareHardware")
	for i := range b.test.Objects {
		if b.test.Objects[i].Interrupt.Late && c == 0 {
			return s.PrepareHardware(b.createLate)
		}
	}
	return c
}

// createLate makes the interrupts that are made in EvtDevicePrepareHardware.
func (b *bench) createLate(s *wdf.Sys, _ wdf.WDFDEVICE, raw, translated wdf.WDFCMRESLIST) (st wdf.NTSTATUS) {
	for i := range b.test.Objects {
		if o := &b.test.Objects[i]; o.Interrupt.Late && !st.Failed() {
			c := b.interruptConfig(o)
			b.giveDescriptors(s, o, &c, raw, translated)
			st = b.createInterrupt(s, o, &c)
		}
	}
	return st
}

// giveDescriptors puts the resource of an interrupt into its configuration.
func (b *bench) giveDescriptors(s *wdf.Sys, o *Object, c *wdf.InterruptConfig, raw, translated wdf.WDFCMRESLIST) {
	index := uint32(0)
	for i := range b.test.Objects[:o.ID] {
		if other := &b.test.Objects[i]; other.Kind == KindInterrupt && !other.Interrupt.NoResource {
			index++
		}
	}
	c.InterruptRaw = s.WdfCmResourceListGetDescriptor(raw, index)
	c.InterruptTranslated = s.WdfCmResourceListGetDescriptor(translated, index)
}

// callback returns the routine of an object, 0 if it has none.
func (b *bench) callback(kind ProgramKind, o ObjectID) wdf.Callback {
	for i := range b.test.Programs {
		if p := &b.test.Programs[i]; o != NoObject && p.Kind == kind && p.Object == o {
			return wdf.Callback(b.code[i].routine)
		}
	}
	return 0
}

// deviceCallback returns a PnP or power callback of the device, 0 if the test has none.
func (b *bench) deviceCallback(name string) wdf.Callback {
	for i := range b.test.Programs {
		if p := &b.test.Programs[i]; p.Kind == ProgramDevice && p.Name == name {
			return wdf.Callback(b.code[i].routine)
		}
	}
	return 0
}

// resources returns the hardware resources of the device: one interrupt for each interrupt object that gets one, in their
// order. The class of a vector is the DIRQL (IRQL-3); interrupts of one DIRQL have vectors of their own unless they share
// a line.
func (b *bench) resources() (list []wdf.Resource) {
	for i := range b.test.Objects {
		o := &b.test.Objects[i]
		if o.Kind != KindInterrupt || o.Interrupt.NoResource {
			continue
		}
		at := &o.Interrupt
		b.wire(o, list)
		r := wdf.Resource{Type: wdf.CmResourceTypeInterrupt, ShareDisposition: wdf.CmResourceShareDeviceExclusive,
			Level: uint8(at.DIRQL), Vector: uint32(b.objects[i].vector), Affinity: at.Affinity}
		switch at.Trigger {
		case Message:
			r.Flags, r.MessageCount = wdf.CmResourceInterruptLatched|wdf.CmResourceInterruptMessage, 1
		case LineLatched:
			r.Flags = wdf.CmResourceInterruptLatched
		}
		if at.Wake {
			r.Flags |= wdf.CmResourceInterruptWakeHint
		}
		if b.shared(o) {
			r.ShareDisposition = wdf.CmResourceShareShared
		}
		list = append(list, r)
	}
	return list
}

// wire gives an interrupt a vector that is not in the list, and a line if it has one; once.
func (b *bench) wire(o *Object, list []wdf.Resource) {
	in, at := &b.objects[o.ID], &o.Interrupt
	switch {
	case in.vector != 0:
		return
	case at.Shares != NoObject:
		in.vector, in.line = b.objects[at.Shares].vector, b.objects[at.Shares].line
		return
	}
	in.vector = uint8(at.DIRQL)<<4 | 1
	for slices.ContainsFunc(list, func(r wdf.Resource) bool { return r.Vector == uint32(in.vector) }) {
		in.vector++
	}
	if at.Trigger != Message {
		in.line = b.m.AddLine(o.Name, in.vector, at.Trigger == LineLatched)
	}
}

// shared reports whether an interrupt shares its line with another one.
func (b *bench) shared(o *Object) bool {
	return o.Interrupt.Shares != NoObject ||
		slices.ContainsFunc(b.test.Objects, func(other Object) bool { return other.Kind == KindInterrupt && other.Interrupt.Shares == o.ID })
}
