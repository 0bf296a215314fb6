package wdf

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// TriState is WDF_TRI_STATE.
type TriState int32

// Values of TriState.
const (
	False      TriState = 0
	True       TriState = 1
	UseDefault TriState = 2
)

// Accepted sizes of WDF_INTERRUPT_CONFIG in bytes (WDFI-2).
const (
	InterruptConfigSize   = 104 // 1.13 and later
	interruptConfigSize11 = 96
	interruptConfigSize9  = 56
)

// InterruptConfig is WDF_INTERRUPT_CONFIG.
type InterruptConfig struct {
	Size                      uint32
	SpinLock                  WDFSPINLOCK
	ShareVector               TriState
	FloatingSave              bool
	AutomaticSerialization    bool
	EvtInterruptIsr           Callback
	EvtInterruptDpc           Callback
	EvtInterruptEnable        Callback
	EvtInterruptDisable       Callback
	EvtInterruptWorkItem      Callback
	InterruptRaw              *Resource
	InterruptTranslated       *Resource
	WaitLock                  WDFWAITLOCK
	PassiveHandling           bool
	ReportInactiveOnPowerDown TriState
	CanWakeDevice             bool
}

// InterruptConfigInit is WDF_INTERRUPT_CONFIG_INIT.
func InterruptConfigInit(isr, dpc Callback) InterruptConfig {
	return InterruptConfig{Size: InterruptConfigSize, ShareVector: UseDefault, EvtInterruptIsr: isr,
		EvtInterruptDpc: dpc, ReportInactiveOnPowerDown: UseDefault}
}

// interrupt is a WDFINTERRUPT.
type interrupt struct {
	object  id
	device  id
	number  uint32 // MessageNumber (WDFI-15)
	isr     Callback
	dpc     Callback
	enable  Callback
	disable Callback
	work    Callback
	kdpc    uint64 // KDPC of the internal DPC (QD-1)
	spin    id     // WDFSPINLOCK of the driver, 0: none
	passive bool   // PassiveHandling
	wait    int32  // row of the wait lock of a passive-level interrupt
	ownWait bool   // that is the framework's, not the driver's
	serial  id     // whose callback lock is held around the DPC or work item; 0: none
	share   TriState
	policy  interruptPolicy // for the resource requirements (WDFI-19)
	prepare bool            // made in EvtDevicePrepareHardware
	soft    bool            // ReportInactiveOnPowerDown (WDFI-28 b)
	canWake bool            // CanWakeDevice

	// From the resources, EvtDevicePrepareHardware to EvtDeviceReleaseHardware
	// (WDFI-16).
	resource               int32 // row of the translated descriptor, 0: none
	vector, irql, syncIRQL uint8
	shared, latched        bool
	message                bool
	affinity               uint64

	connection    kernel.InterruptID // 0: not connected
	stored        bool               // the framework has stored the interrupt pointer (INT-21)
	captured      bool               // latched line: the ISR has, before that (INT-22)
	disconnecting bool               // latched line: ISRs are discarded (INT-22)
	enabled       bool               // EvtInterruptEnable succeeded
	forced        bool               // WdfInterruptDisable (WDFI-29)
	oldIRQL       uint8              // the one slot of WdfInterruptAcquireLock (ILK-1)
	workQueued    bool               // the work item is enqueued and not started (QW-3)
	workRunning   int16
	active        bool // not soft-disconnected (INT-20)
	keptForWake   bool // left connected and enabled in Dx (WAKE-1)
	wake          wakeState
	wakeRunning   bool   // EvtInterruptIsr runs without a wake
	wakeClaimed   bool   // what EvtInterruptIsr returned to the service routine that waits
	wakeEvent     uint64 // KEVENT for which that waits
}

var (
	svcWdfInterruptCreate          = kernel.NewService("WdfInterruptCreate")
	svcWdfInterruptGetDevice       = kernel.NewService("WdfInterruptGetDevice")
	svcWdfInterruptGetInfo         = kernel.NewService("WdfInterruptGetInfo")
	svcWdfInterruptWdmGetInterrupt = kernel.NewService("WdfInterruptWdmGetInterrupt")
)

// WdfInterruptCreate makes an interrupt object, in EvtDriverDeviceAdd or in
// EvtDevicePrepareHardware. IRQL <= DISPATCH_LEVEL. The checks are those of
// WDFI-1 to WDFI-14, in that order.
func (s *Sys) WdfInterruptCreate(h WDFDEVICE, c *InterruptConfig, a *ObjectAttributes) (WDFINTERRUPT, NTSTATUS) {
	s.Enter(svcWdfInterruptCreate, uint64(h))
	dev := s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "Configuration")
	s.Step()
	parent, st := s.checkInterruptConfig(dev, c, a)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	var spin id
	if c.SpinLock != 0 {
		spin = s.lookup(c.SpinLock, TypeSpinLock)
		s.f.spinLocks[s.f.objects[spin].index].interrupt = true
	}
	if t := s.f.objects[parent].typ; t != TypeDevice && t != TypeQueue || s.f.deviceOf(parent) != dev {
		return 0, s.LeaveStatus(StatusInvalidParameter) // WDFI-12, CON-3
	}
	in := interrupt{
		device: dev, number: uint32(s.device(dev).interrupts), isr: c.EvtInterruptIsr, dpc: c.EvtInterruptDpc,
		enable: c.EvtInterruptEnable, disable: c.EvtInterruptDisable, work: c.EvtInterruptWorkItem,
		share: c.ShareVector, prepare: s.device(dev).pnp == pnpPreparing, spin: spin, passive: c.PassiveHandling,
		soft: c.ReportInactiveOnPowerDown == True, canWake: c.CanWakeDevice,
	}
	if c.AutomaticSerialization {
		passive := c.EvtInterruptWorkItem != 0 || c.EvtInterruptDpc == 0 && c.PassiveHandling // SER-3
		if in.serial, st = s.serializer(parent, passive); st.Failed() {
			return 0, s.LeaveStatus(st)
		}
	}
	switch {
	case c.PassiveHandling && c.WaitLock != 0:
		in.wait = s.row(c.WaitLock, TypeWaitLock)
	case c.PassiveHandling:
		in.wait, in.ownWait = s.newWaitLock(), true
	}
	if c.CanWakeDevice {
		in.wakeEvent = s.f.m.Mem.Alloc(kernel.EventSize, kernel.PoolTag("FxWk"), false, s.ActivationID())
		s.InitializeEvent(in.wakeEvent, kernel.SynchronizationEvent, false)
		s.f.m.SetName(in.wakeEvent, "the device to return to D0")
	}
	i := s.addInterrupt(in, parent, a)
	if in.prepare {
		s.f.interrupts[s.f.objects[i].index].assign(s.f.original(c.InterruptRaw), s.f.original(c.InterruptTranslated))
	}
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// addInterrupt makes the object and its internal DPC.
func (s *Sys) addInterrupt(in interrupt, parent id, a *ObjectAttributes) id {
	f := s.f
	in.kdpc = f.m.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("FxIn"), false, s.ActivationID())
	f.interrupts = append(f.interrupts, in)
	n := len(f.interrupts) - 1
	i := s.create(TypeInterrupt, parent, n, a, "")
	f.interrupts[n].object = i
	f.objects[i].noDelete = true
	if f.objects[parent].typ == TypeQueue {
		f.objects[parent].noDelete = true
	}
	s.InitializeDPC(in.kdpc, f.thunks.dpc, uint64(n))
	f.m.SetName(in.kdpc, f.m.NameOf(uint64(i.handle()))+" DPC")
	if in.ownWait {
		f.m.SetName(f.waitLocks[in.wait].event, f.m.NameOf(uint64(i.handle()))+" wait lock")
	}
	s.device(in.device).interrupts++
	return i
}

// checkInterruptConfig does the checks of WDFI-2 to WDFI-10 and returns the
// parent.
func (s *Sys) checkInterruptConfig(dev id, c *InterruptConfig, a *ObjectAttributes) (parent id, st NTSTATUS) {
	switch c.Size {
	case InterruptConfigSize, interruptConfigSize11, interruptConfigSize9:
	default:
		return 0, StatusInfoLengthMismatch
	}
	if c.EvtInterruptIsr == 0 {
		return 0, StatusInvalidParameter // WDFI-3
	}
	switch st := a.checkShape(); {
	case st.Failed():
		return 0, st
	case a != nil && a.ParentObject != 0 && !c.AutomaticSerialization:
		return 0, StatusWdfParentAssignmentNotAllowed // WDFI-4
	}
	if st := checkAttributes(a, false); st.Failed() {
		return 0, st
	}
	parent = s.parentOr(a, dev)
	if st := s.checkInterruptTime(dev, c); st.Failed() {
		return 0, st
	}
	switch {
	case c.EvtInterruptDpc != 0 && c.EvtInterruptWorkItem != 0:
		return 0, StatusInvalidParameter // WDFI-9
	case c.WaitLock != 0 && !c.PassiveHandling, c.SpinLock != 0 && c.PassiveHandling:
		return 0, StatusInvalidParameter // WDFI-10
	case c.CanWakeDevice && !c.PassiveHandling:
		return 0, StatusInvalidParameter // WDFI-8
	case c.InterruptRaw != nil && s.f.m.Profile().FrameworkVerifier:
		return parent, s.validateResources(dev, c)
	}
	return parent, StatusSuccess
}

// validateResources does the checks of WDFI-11, with the framework's verifier only:
// the descriptors are a pair of the framework's, unmodified, and not in use.
func (s *Sys) validateResources(dev id, c *InterruptConfig) NTSTATUS {
	f := s.f
	refuse := func(format string, args ...any) NTSTATUS {
		s.verifierBreak("interrupt resource", "WDFI-11", format, args...)
		return StatusInvalidParameter
	}
	raw, translated := f.resourcesOf(s.device(dev).raw), f.resourcesOf(s.device(dev).translated)
	n := slices.IndexFunc(translated, func(r Resource) bool { return r.Row == c.InterruptTranslated.Row })
	switch {
	case n < 0:
		return refuse("InterruptTranslated is not a descriptor that the framework has handed out")
	case n >= len(raw) || raw[n].Row != c.InterruptRaw.Row:
		return refuse("InterruptRaw is not the raw descriptor of InterruptTranslated")
	case translated[n] != *c.InterruptTranslated, raw[n] != *c.InterruptRaw:
		return refuse("the driver has changed a descriptor of its resources")
	case raw[n].Type != CmResourceTypeInterrupt || translated[n].Type != CmResourceTypeInterrupt:
		return refuse("the descriptors are not of an interrupt")
	}
	used := 0
	for i := range f.interrupts {
		in := &f.interrupts[i]
		switch {
		case in.device != dev || f.objects[in.object].state != live:
		case in.resource != translated[n].Row:
			if used > 0 {
				return refuse("the interrupts of one message descriptor are not created one after the other")
			}
		case in.canWake && c.PassiveHandling, in.passive && c.CanWakeDevice:
			return StatusInvalidParameter // traced only
		case translated[n].Flags&CmResourceInterruptMessage != 0:
			if used++; used > int(raw[n].MessageCount) { // one more than there are messages passes
				return refuse("all interrupts of the message descriptor are created already")
			}
		}
	}
	return StatusSuccess
}

// checkInterruptTime does the checks of WDFI-5 to WDFI-8: what is allowed in
// EvtDriverDeviceAdd and what in EvtDevicePrepareHardware.
func (s *Sys) checkInterruptTime(dev id, c *InterruptConfig) NTSTATUS {
	switch s.device(dev).pnp {
	case pnpInit:
		if c.InterruptRaw != nil || c.InterruptTranslated != nil || c.CanWakeDevice {
			return StatusInvalidParameter
		}
	case pnpPreparing:
		if c.InterruptRaw == nil || c.InterruptTranslated == nil || c.ShareVector != UseDefault {
			return StatusInvalidDeviceState
		}
		if d := s.device(dev); c.CanWakeDevice && (c.InterruptTranslated.Flags&CmResourceInterruptWakeHint == 0 || !d.powerPolicyOwner || d.parent != 0) {
			return StatusInvalidParameter // WDFI-8
		}
	default:
		return StatusInvalidDeviceState
	}
	return StatusSuccess
}

// assign takes over a pair of descriptors (WDFI-16). The vector of an object that
// has one of several messages is the first one and the object's number.
func (in *interrupt) assign(raw, translated *Resource) {
	in.resource = translated.Row
	in.vector = uint8(translated.Vector)
	in.message = translated.Flags&CmResourceInterruptMessage != 0
	if in.message && raw.MessageCount > 1 {
		in.vector += uint8(in.number)
	}
	if !in.passive {
		in.irql, in.syncIRQL = translated.Level, translated.Level
	}
	in.affinity = translated.Affinity
	in.latched = translated.Flags&CmResourceInterruptLatched != 0
	in.shared = translated.ShareDisposition == CmResourceShareShared
}

// pointer reports whether the framework knows the KINTERRUPT.
func (in *interrupt) pointer() bool { return in.stored || in.captured }

// interrupt returns the row of a WDFINTERRUPT handle.
func (s *Sys) interrupt(h WDFINTERRUPT) (*interrupt, int32) {
	n := s.f.objects[s.lookup(h, TypeInterrupt)].index
	return &s.f.interrupts[n], n
}

// WdfInterruptGetDevice returns the device of an interrupt. Any IRQL.
func (s *Sys) WdfInterruptGetDevice(h WDFINTERRUPT) WDFDEVICE {
	s.Enter(svcWdfInterruptGetDevice, uint64(h))
	in, _ := s.interrupt(h)
	d := in.device.handle()
	s.Leave(trace.Hex, uint64(d))
	return d
}

// Accepted sizes of WDF_INTERRUPT_INFO in bytes (WDFI-18).
const (
	InterruptInfoSize  = 64
	interruptInfoSize7 = 56 // 1.7 and older, without Group
)

// InterruptInfo is WDF_INTERRUPT_INFO.
type InterruptInfo struct {
	Size               uint32
	TargetProcessorSet uint64
	MessageNumber      uint32
	Vector             uint32
	Irql               uint8
	Mode               uint32 // 0 level-sensitive, 1 latched
	Polarity           uint32 // never filled in
	MessageSignaled    bool
	ShareDisposition   uint8
	Group              uint16
}

// InterruptInfoInit is WDF_INTERRUPT_INFO_INIT.
func InterruptInfoInit() InterruptInfo { return InterruptInfo{Size: InterruptInfoSize} }

// WdfInterruptGetInfo fills in info. Outside EvtDevicePrepareHardware to
// EvtDeviceReleaseHardware all but MessageNumber is zero (WDFI-18). IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfInterruptGetInfo(h WDFINTERRUPT, info *InterruptInfo) {
	s.Enter(svcWdfInterruptGetInfo, uint64(h))
	in, _ := s.interrupt(h)
	s.requirePointer(info != nil, "Info")
	if info.Size != InterruptInfoSize && info.Size != interruptInfoSize7 {
		s.verifierBreak("WDF_INTERRUPT_INFO.Size", "WDFI-18", "WdfInterruptGetInfo gets a structure of %d bytes: nothing is written", info.Size)
		s.LeaveVoid()
		return
	}
	*info = InterruptInfo{Size: info.Size, MessageNumber: in.number}
	if in.vector != 0 {
		info.TargetProcessorSet, info.Vector, info.Irql = in.affinity, uint32(in.vector), in.irql
		info.MessageSignaled, info.ShareDisposition = in.message, CmResourceShareDeviceExclusive
		if in.latched {
			info.Mode = 1
		}
		if in.shared {
			info.ShareDisposition = CmResourceShareShared
		}
	}
	s.LeaveVoid()
}

// WdfInterruptWdmGetInterrupt returns the KINTERRUPT, 0 when not connected
// (WDFI-31). Any IRQL.
func (s *Sys) WdfInterruptWdmGetInterrupt(h WDFINTERRUPT) uint64 {
	s.Enter(svcWdfInterruptWdmGetInterrupt, uint64(h))
	in, _ := s.interrupt(h)
	var k uint64
	if in.pointer() {
		k = s.f.m.KInterrupt(in.connection)
	}
	s.Leave(trace.Hex, k)
	return k
}
