package wdf

import "github.com/dirql/dirql/internal/kernel"

// What drivers that connect their interrupts themselves call for a device.

// DeviceConnection are the parameters of IoConnectInterruptEx with
// CONNECT_LINE_BASED and CONNECT_MESSAGE_BASED.
type DeviceConnection struct {
	PhysicalDeviceObject  uint64   // address
	MessageServiceRoutine Callback // (KINTERRUPT, context, message id); CONNECT_MESSAGE_BASED only
	ServiceRoutine        Callback // (KINTERRUPT, context); with CONNECT_MESSAGE_BASED the fallback
	ServiceContext        uint64
	SpinLock              uint64 // KSPIN_LOCK; 0: the system's own
	SynchronizeIRQL       uint8  // at least
}

// IoConnectInterruptLineBased is IoConnectInterruptEx with CONNECT_LINE_BASED: it
// connects a service routine to the line of a device, or to its message if it has only
// one, and returns the interrupt object (INT-25). STATUS_INVALID_PARAMETER: no device or
// no routine; STATUS_NOT_FOUND: the device has no interrupts;
// STATUS_INVALID_DEVICE_REQUEST: it has several messages. PASSIVE_LEVEL.
func (s *Sys) IoConnectInterruptLineBased(c DeviceConnection) (object uint64, st NTSTATUS) {
	set := s.interruptSet(c, c.ServiceRoutine)
	if set.Messages && len(set.Interrupts) > 1 {
		set = kernel.InterruptSet{Status: StatusInvalidDeviceRequest}
	}
	set.Messages = false
	return s.IoConnectInterruptSet(set)
}

// IoConnectInterruptMessageBased is IoConnectInterruptEx with CONNECT_MESSAGE_BASED: it
// connects a service routine to all messages of a device and returns their table
// (IO_INTERRUPT_MESSAGE_INFO), or, if the device has a line instead, the fallback
// routine to that: then it returns the interrupt object and line is true (INT-25).
// Without a fallback that is STATUS_NOT_FOUND. Otherwise as IoConnectInterruptLineBased.
func (s *Sys) IoConnectInterruptMessageBased(c DeviceConnection) (context uint64, line bool, st NTSTATUS) {
	set := s.interruptSet(c, c.MessageServiceRoutine)
	line = !set.Messages && set.Status == StatusSuccess
	switch {
	case line && c.ServiceRoutine == 0:
		set = kernel.InterruptSet{Status: StatusNotFound}
	case line:
		set = s.interruptSet(c, c.ServiceRoutine)
	}
	context, st = s.IoConnectInterruptSet(set)
	return context, line && st == StatusSuccess, st
}

// interruptSet returns the interrupts of a device, all with one service routine.
func (s *Sys) interruptSet(c DeviceConnection, routine Callback) kernel.InterruptSet {
	if c.PhysicalDeviceObject == 0 || routine == 0 {
		return kernel.InterruptSet{Status: StatusInvalidParameter}
	}
	set := kernel.InterruptSet{Status: StatusNotFound}
	raw, translated := s.resourcesAt(c.PhysicalDeviceObject)
	for i := range translated {
		r := &translated[i]
		if r.Type != CmResourceTypeInterrupt {
			continue
		}
		message := r.Flags&CmResourceInterruptMessage != 0
		for n := range uint32(max(raw[i].MessageCount, 1)) {
			set.Status, set.Messages = StatusSuccess, message
			set.Interrupts = append(set.Interrupts, kernel.ConnectParams{
				Name: s.f.m.NameOf(uint64(routine)), ServiceRoutine: uint64(routine), Context: c.ServiceContext, MessageID: n,
				Vector: uint8(r.Vector + n), IRQL: r.Level, SynchronizeIRQL: c.SynchronizeIRQL, SpinLock: c.SpinLock, Affinity: r.Affinity,
				Latched: r.Flags&CmResourceInterruptLatched != 0, Shared: r.ShareDisposition == CmResourceShareShared, MessageSignaled: message,
			})
		}
	}
	return set
}

// resourcesAt returns the resources of the device with a PDO, none for another address
// or while the device has none.
func (s *Sys) resourcesAt(pdo uint64) (raw, translated []Resource) {
	for n := range s.f.devices {
		if d := &s.f.devices[n]; d.physical == pdo && d.prepared {
			return s.f.resourcesOf(d.raw), s.f.resourcesOf(d.translated)
		}
	}
	return nil, nil
}

// VectorAssigned reports whether a vector is that of an interrupt which a device has.
func (s *Sys) VectorAssigned(vector uint32) bool {
	for n := range s.f.devices {
		d := &s.f.devices[n]
		if !d.prepared {
			continue
		}
		raw, translated := s.f.resourcesOf(d.raw), s.f.resourcesOf(d.translated)
		for i := range translated {
			if r := &translated[i]; r.Type == CmResourceTypeInterrupt && vector-r.Vector < uint32(max(raw[i].MessageCount, 1)) {
				return true
			}
		}
	}
	return false
}
