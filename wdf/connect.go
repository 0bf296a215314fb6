package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// assignInterrupts gives the translated interrupt resources to the interrupt
// objects in order of creation; a descriptor with several messages is spread
// over several objects. Objects without a resource stay silent (WDFI-16,
// WDFI-17).
func (s *Sys) assignInterrupts(dev id) {
	f := s.f
	d := s.device(dev)
	raw, translated := f.resourcesOf(d.raw), f.resourcesOf(d.translated)
	n := 0
	for i := range translated {
		r := &translated[i]
		if r.Type != CmResourceTypeInterrupt {
			continue
		}
		for range max(raw[i].MessageCount, 1) {
			for n < len(f.interrupts) && (f.interrupts[n].device != dev || f.interrupts[n].prepare) {
				n++
			}
			if n == len(f.interrupts) {
				s.note(trace.Framework, f.m.NameOf(uint64(dev.handle())), "an interrupt resource is left over")
				return
			}
			f.interrupts[n].assign(&raw[i], r)
			n++
		}
	}
}

// assignSyncIRQL gives interrupts of one device that share a spin lock the
// highest IRQL among them as SynchronizeIrql (INT-16).
func (s *Sys) assignSyncIRQL(dev id) {
	f := s.f
	for i := range f.interrupts {
		in := &f.interrupts[i]
		if in.device != dev || in.spin == 0 {
			continue
		}
		for j := range f.interrupts {
			if o := &f.interrupts[j]; o.device == dev && o.spin == in.spin {
				in.syncIRQL = max(in.syncIRQL, o.irql)
			}
		}
	}
}

// revokeInterrupts takes the resources back (WDFI-18).
func (s *Sys) revokeInterrupts(dev id) {
	for i := range s.f.interrupts {
		if in := &s.f.interrupts[i]; in.device == dev {
			in.resource, in.vector, in.irql, in.syncIRQL, in.affinity = 0, 0, 0, 0, 0
			in.shared, in.latched, in.message = false, false, false
		}
	}
}

// notify says why interrupts are connected or disconnected.
type notify uint8

const (
	notifyNP        notify = 1 << iota // not power-pageable: they stay connected in Dx
	notifySurprise                     // no EvtInterruptDisable: it was called on entry to Dx
	notifyForce                        // the device is stopped or removed, or its power-up failed
	notifyPowerUp                      // from Dx
	notifyPowerDown                    // to Dx
	notifyInactive                     // only what is still connected in Dx
	notifyArmed                        // the device can wake itself
)

// softCapable reports whether the interrupt is disconnected in name only when the
// device leaves D0 (WDFI-28 b).
func (in *interrupt) softCapable() bool { return in.soft && in.stored && in.connection != 0 }

// connectInterrupt connects an interrupt and calls EvtInterruptEnable (WDFI-22,
// WDFI-23). Its ISR can run as soon as the vector is live, before the framework
// has stored the interrupt pointer (INT-21, INT-22) and before
// EvtInterruptEnable (INT-23).
func (s *Sys) connectInterrupt(n int, why notify) NTSTATUS {
	f := s.f
	in := &f.interrupts[n]
	name := f.m.NameOf(uint64(in.object.handle()))
	switch {
	case why&notifyPowerUp != 0 && in.keptForWake:
		in.keptForWake = false // connected and enabled all the time (WAKE-1)
		return StatusSuccess
	case why&notifyPowerUp != 0 && in.softCapable():
		s.reportActive(n, true)
		return s.enableInterrupt(n)
	case in.forced, in.vector == 0:
		return StatusSuccess
	}
	if in.connection != 0 && why&notifyNP == 0 {
		s.Report(kernel.Finding{Rule: "interrupt connected twice", Clause: "WDFI-29", Text: name + " was connected in Dx by WdfInterruptEnable; " +
			"a release build connects it a second time and loses the first connection"})
	}
	if in.connection == 0 {
		if st := s.connect(n, name); st.Failed() {
			return st
		}
	}
	return s.enableInterrupt(n)
}

// connect is IoConnectInterruptEx.
func (s *Sys) connect(n int, name string) NTSTATUS {
	f := s.f
	in := &f.interrupts[n]
	p := kernel.ConnectParams{
		Name: name, ServiceRoutine: f.thunks.isr, Context: uint64(n), MessageID: in.number,
		Vector: in.vector, IRQL: in.irql, SynchronizeIRQL: in.syncIRQL, Latched: in.latched, Shared: in.shared,
		MessageSignaled: in.message, Affinity: in.affinity,
	}
	if in.spin != 0 {
		p.SpinLock = f.spinLocks[f.objects[in.spin].index].cell
	}
	s.Step()
	c, st := f.m.Connect(p)
	s.note(trace.Framework, name, "IoConnectInterruptEx: %s", trace.StatusName(uint32(st)))
	if st.Failed() {
		return st
	}
	f.interrupts[n].connection = c
	s.tellConnection(n, true)
	s.windowStep(n)
	in = &f.interrupts[n]
	in.stored, in.active = true, true
	return StatusSuccess
}

// windowStep lets others step while an interrupt is connected and the framework
// has no pointer to it: what comes then is dropped (INT-21). A level-triggered line
// interrupts until it is not dropped any more, so that nothing is lost; there the
// window has no length.
func (s *Sys) windowStep(n int) {
	if in := &s.f.interrupts[n]; in.latched || in.message {
		s.Step()
	}
}

// enableInterrupt calls EvtInterruptEnable under the interrupt lock.
func (s *Sys) enableInterrupt(n int) NTSTATUS {
	in := s.f.interrupts[n]
	var st NTSTATUS
	if in.enable != 0 {
		st = NTSTATUS(s.synchronize(int32(n), "EvtInterruptEnable", in.enable, uint64(in.device.handle())))
	}
	s.f.interrupts[n].enabled = !st.Failed()
	return st
}

// disconnectInterrupt does what power-down does for one interrupt (WDFI-24 to
// WDFI-28): EvtInterruptDisable, flush of all DPCs, flush of the work item, and the
// disconnect, in name only if the interrupt can do that, unless it stays connected.
func (s *Sys) disconnectInterrupt(n int, why notify) {
	f := s.f
	in := f.interrupts[n]
	switch {
	case in.vector == 0:
		return
	case in.canWake && why&notifyArmed != 0:
		f.interrupts[n].keptForWake = true // WAKE-1
		return
	case why&notifyInactive != 0 && !in.softCapable() && !in.keptForWake:
		return // on entry to Dx it was disconnected
	case in.connection == 0:
		return
	}
	if in.enabled && why&notifySurprise == 0 {
		s.disableInterrupt(n)
	}
	if in.latched && !in.message {
		s.markDisconnecting(n)
		f.interrupts[n].captured = false
	}
	name := f.m.NameOf(uint64(in.object.handle()))
	s.note(trace.Framework, name, "KeFlushQueuedDpcs")
	s.FlushDPCs()
	s.flushInterruptWork(int32(n))
	switch {
	case why&notifyPowerDown != 0 && in.softCapable():
		s.reportActive(n, false)
	case why&notifyNP == 0:
		s.Step()
		f.interrupts[n].stored = false
		s.windowStep(n)
		s.Disconnect(in.connection)
		last := &f.interrupts[n]
		last.connection, last.active, last.keptForWake = 0, false, false
		s.tellConnection(n, false)
		s.note(trace.Framework, name, "IoDisconnectInterruptEx")
	}
	f.interrupts[n].disconnecting = false
}

// disableInterrupt calls EvtInterruptDisable under the interrupt lock. A failure is
// noted, and the disconnect goes on (WDFI-25).
func (s *Sys) disableInterrupt(n int) {
	in := s.f.interrupts[n]
	if in.disable != 0 {
		st := NTSTATUS(s.synchronize(int32(n), "EvtInterruptDisable", in.disable, uint64(in.device.handle())))
		if st.Failed() {
			s.note(trace.Framework, s.f.m.NameOf(uint64(in.object.handle())), "EvtInterruptDisable failed: %s", trace.StatusName(uint32(st)))
		}
	}
	s.f.interrupts[n].enabled = false
}

// reportActive is IoReportInterruptActive or IoReportInterruptInactive, if that
// changes something (INT-20).
func (s *Sys) reportActive(n int, active bool) {
	s.Step()
	in := &s.f.interrupts[n]
	if in.active == active {
		return
	}
	in.active = active
	s.f.m.SetActive(in.connection, active)
	routine := "IoReportInterruptInactive"
	if active {
		routine = "IoReportInterruptActive"
	}
	s.note(trace.Framework, s.f.m.NameOf(uint64(in.object.handle())), "%s", routine)
}

// markDisconnecting makes the service routine of a latched line discard interrupts,
// under the kernel's lock: what runs has returned (INT-22).
func (s *Sys) markDisconnecting(n int) {
	in := &s.f.interrupts[n]
	if in.passive {
		s.SynchronizePassive(in.connection, "InterruptMarkDisconnecting", s.f.thunks.isr, func() uint64 {
			s.f.interrupts[n].disconnecting = true
			return 1
		})
		return
	}
	c := in.connection
	old := s.AcquireInterruptLock(c)
	s.f.interrupts[n].disconnecting = true
	s.ReleaseInterruptLock(c, old)
}

var (
	svcWdfInterruptEnable         = kernel.NewLenientService("WdfInterruptEnable")
	svcWdfInterruptDisable        = kernel.NewLenientService("WdfInterruptDisable")
	svcWdfInterruptReportActive   = kernel.NewService("WdfInterruptReportActive")
	svcWdfInterruptReportInactive = kernel.NewService("WdfInterruptReportInactive")
)

// WdfInterruptEnable undoes WdfInterruptDisable: it connects and enables again.
// PASSIVE_LEVEL (WDFI-29).
func (s *Sys) WdfInterruptEnable(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptEnable, uint64(h))
	defer s.LeaveVoid()
	in, n := s.interrupt(h)
	if s.levelBreak("WdfInterruptEnable", "WDFI-29", PassiveLevel) {
		return
	}
	s.adviseThread(in)
	if in.connection != 0 && (in.enabled || !s.device(in.device).notPowerPageable) {
		s.Report(kernel.Finding{Rule: "WdfInterruptEnable on a connected interrupt", Clause: "WDFI-29",
			Text: "a release build connects it a second time and loses the first connection"})
		return
	}
	in.forced = false
	if st := s.connectInterrupt(int(n), s.forceFlags(in.device)); st.Failed() {
		s.note(trace.Framework, s.f.m.NameOf(uint64(h)), "WdfInterruptEnable failed: %s", trace.StatusName(uint32(st)))
	}
}

// WdfInterruptDisable disables and disconnects the interrupt; later power-ups
// leave it so. PASSIVE_LEVEL (WDFI-29).
func (s *Sys) WdfInterruptDisable(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptDisable, uint64(h))
	defer s.LeaveVoid()
	in, n := s.interrupt(h)
	if s.levelBreak("WdfInterruptDisable", "WDFI-29", PassiveLevel) {
		return
	}
	s.adviseThread(in)
	in.forced = true
	s.disconnectInterrupt(int(n), s.forceFlags(in.device))
}

// forceFlags: these calls know nothing of the power state.
func (s *Sys) forceFlags(dev id) notify {
	if s.device(dev).notPowerPageable {
		return notifyNP
	}
	return 0
}

// WdfInterruptReportActive lets the ISR be called again after
// WdfInterruptReportInactive. An interrupt that is not connected is a verifier
// break (WDFI-30). IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfInterruptReportActive(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptReportActive, uint64(h))
	s.reportByDriver(h, "WdfInterruptReportActive", true)
	s.LeaveVoid()
}

// WdfInterruptReportInactive stops the calls of the ISR without a disconnect
// (WDFI-30). IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfInterruptReportInactive(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptReportInactive, uint64(h))
	s.reportByDriver(h, "WdfInterruptReportInactive", false)
	s.LeaveVoid()
}

func (s *Sys) reportByDriver(h WDFINTERRUPT, routine string, active bool) {
	in, n := s.interrupt(h)
	if in.connection == 0 || !in.stored {
		s.verifierBreak(routine+" while not connected", "WDFI-30", "%s is not connected: nothing happens", s.f.m.NameOf(uint64(h)))
		return
	}
	s.reportActive(int(n), active)
}
