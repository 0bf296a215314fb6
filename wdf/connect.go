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
		count := uint32(1)
		if r.Flags&CmResourceInterruptMessage != 0 && i < len(raw) {
			count = max(uint32(raw[i].MessageCount), 1)
		}
		for message := range count {
			for n < len(f.interrupts) && (f.interrupts[n].device != dev || f.interrupts[n].prepare) {
				n++
			}
			if n == len(f.interrupts) {
				s.note(trace.Framework, f.m.NameOf(uint64(dev.handle())), "an interrupt resource is left over")
				return
			}
			in := &f.interrupts[n]
			in.assign(r, message)
			if in.share != UseDefault && !in.message {
				in.shared = in.share == True // WDFI-21
			}
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
			in.vector, in.irql, in.syncIRQL, in.affinity = 0, 0, 0, 0
			in.shared, in.latched, in.message = false, false, false
		}
	}
}

// connectInterrupt connects an interrupt and calls EvtInterruptEnable (WDFI-22,
// WDFI-23). Its ISR can run as soon as the vector is live, before the framework
// has stored the interrupt pointer (INT-21, INT-22) and before
// EvtInterruptEnable (INT-23).
func (s *Sys) connectInterrupt(n int) NTSTATUS {
	f := s.f
	in := &f.interrupts[n]
	name := f.m.NameOf(uint64(in.object.handle()))
	if in.forced || in.vector == 0 {
		return StatusSuccess
	}
	if in.connection != 0 && !s.device(in.device).notPowerPageable {
		s.Report(kernel.Finding{Rule: "interrupt connected twice", Clause: "WDFI-29", Text: name + " was connected in Dx by WdfInterruptEnable; " +
			"a release build connects it a second time and loses the first connection"})
	}
	if in.connection == 0 {
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
		s.Step()
		f.interrupts[n].stored = true
	}
	return s.enableInterrupt(n)
}

// enableInterrupt calls EvtInterruptEnable under the interrupt lock.
func (s *Sys) enableInterrupt(n int) NTSTATUS {
	in := s.f.interrupts[n]
	var st NTSTATUS
	if in.enable != 0 {
		st = NTSTATUS(s.Synchronize(in.connection, "EvtInterruptEnable", uint64(in.enable),
			kernel.Args{uint64(in.object.handle()), uint64(in.device.handle())}))
	}
	s.f.interrupts[n].enabled = !st.Failed()
	return st
}

// disableInterrupt does what power-down does for one interrupt (WDFI-24 to
// WDFI-27): EvtInterruptDisable, flush of all DPCs, flush of the work item, and
// the disconnect unless the interrupt stays connected.
func (s *Sys) disableInterrupt(n int, disconnect bool) {
	f := s.f
	in := f.interrupts[n]
	if in.connection == 0 {
		return
	}
	name := f.m.NameOf(uint64(in.object.handle()))
	if in.enabled {
		if in.disable != 0 {
			st := NTSTATUS(s.Synchronize(in.connection, "EvtInterruptDisable", uint64(in.disable),
				kernel.Args{uint64(in.object.handle()), uint64(in.device.handle())}))
			if st.Failed() {
				s.note(trace.Framework, name, "EvtInterruptDisable failed: %s", trace.StatusName(uint32(st)))
			}
		}
		f.interrupts[n].enabled = false
	}
	if in.latched && !in.message {
		old := s.AcquireInterruptLock(in.connection)
		f.interrupts[n].disconnecting = true
		s.ReleaseInterruptLock(in.connection, old)
		f.interrupts[n].captured = false
	}
	s.note(trace.Framework, name, "KeFlushQueuedDpcs")
	s.FlushDPCs()
	s.flushInterruptWork(int32(n))
	if disconnect {
		s.Step()
		f.interrupts[n].stored = false
		s.Step() // INT-21
		s.Disconnect(in.connection)
		f.interrupts[n].connection = 0
		s.note(trace.Framework, name, "IoDisconnectInterruptEx")
	}
	f.interrupts[n].disconnecting = false
}

var (
	svcWdfInterruptEnable      = kernel.NewLenientService("WdfInterruptEnable")
	svcWdfInterruptDisable     = kernel.NewLenientService("WdfInterruptDisable")
	svcWdfInterruptSynchronize = kernel.NewService("WdfInterruptSynchronize")
	svcWdfInterruptAcquireLock = kernel.NewService("WdfInterruptAcquireLock")
	svcWdfInterruptReleaseLock = kernel.NewService("WdfInterruptReleaseLock")
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
	if in.connection != 0 && (in.enabled || !s.device(in.device).notPowerPageable) {
		s.Report(kernel.Finding{Rule: "WdfInterruptEnable on a connected interrupt", Clause: "WDFI-29",
			Text: "a release build connects it a second time and loses the first connection"})
		return
	}
	in.forced = false
	if st := s.connectInterrupt(int(n)); st.Failed() {
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
	in.forced = true
	s.disableInterrupt(int(n), !s.device(in.device).notPowerPageable)
}

// WdfInterruptAcquireLock raises to SynchronizeIrql and takes the interrupt spin
// lock. IRQL <= SynchronizeIrql (ILK-1, ILK-2). While the interrupt is not
// connected it does nothing: verifier break (ILK-3).
func (s *Sys) WdfInterruptAcquireLock(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptAcquireLock, uint64(h))
	defer s.LeaveVoid()
	in, n := s.interrupt(h)
	if !in.pointer() {
		in.oldIRQL = s.IRQL()
		s.verifierBreak("WdfInterruptAcquireLock while not connected", "ILK-3", "%s is not connected: the lock is not taken and the IRQL stays",
			s.f.m.NameOf(uint64(h)))
		return
	}
	old := s.AcquireInterruptLock(in.connection)
	s.f.interrupts[n].oldIRQL = old
}

// WdfInterruptReleaseLock releases the interrupt spin lock and restores the
// IRQL.
func (s *Sys) WdfInterruptReleaseLock(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptReleaseLock, uint64(h))
	defer s.LeaveVoid()
	in, _ := s.interrupt(h)
	if !in.pointer() {
		s.verifierBreak("WdfInterruptReleaseLock while not connected", "ILK-3", "%s is not connected: nothing happens", s.f.m.NameOf(uint64(h)))
		return
	}
	s.ReleaseInterruptLock(in.connection, in.oldIRQL)
}

// WdfInterruptSynchronize runs an EvtInterruptSynchronize callback at
// SynchronizeIrql with the interrupt lock held, and returns what it returns.
// IRQL <= DISPATCH_LEVEL (ILK-6).
func (s *Sys) WdfInterruptSynchronize(h WDFINTERRUPT, callback Callback, context uint64) bool {
	s.Enter(svcWdfInterruptSynchronize, uint64(h), uint64(callback), context)
	in, _ := s.interrupt(h)
	s.requirePointer(callback != 0, "Callback")
	s.levelReport("WdfInterruptSynchronize", "ILK-6", DispatchLevel)
	if !in.pointer() {
		code := uint32(0x7E)
		if s.IRQL() >= DispatchLevel {
			code = 0xD1
		}
		s.BugCheck(code, [4]uint64{0, uint64(s.IRQL())}, "ILK-6", "WdfInterruptSynchronize while the interrupt is not connected: "+
			"KeSynchronizeExecution gets a NULL pointer")
	}
	r := s.Synchronize(in.connection, "EvtInterruptSynchronize", uint64(callback), kernel.Args{uint64(h), context})
	return s.LeaveBool(r&0xFF != 0)
}
