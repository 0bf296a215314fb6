package edu

import "github.com/dirql/dirql/wdf"

// evtInterruptIsr runs at DIRQL. The line can be shared, and an interrupt can
// come although the device has none (INT-13), so it asks the device first. All
// ones are what a device that is gone reads as (PWR-8).
func evtInterruptIsr(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, messageID uint32) bool {
	ctx := s.WdfObjectGetTypedContext(s.WdfInterruptGetDevice(interrupt), deviceContext)
	registers := ctxRegisters.Load(s, ctx)
	causes := uint32(s.Load(registers+regCauses, 4))
	if causes == 0 || causes == 0xFFFFFFFF {
		return false
	}
	// Accumulate: several interrupts may come before the DPC runs (QD-5).
	wdf.Or(s, ctxCauses, ctx, causes)
	s.Store(registers+regAcknowledge, 4, uint64(causes))
	s.WdfInterruptQueueDpcForIsr(interrupt)
	return true
}

// evtInterruptDpc runs at DISPATCH_LEVEL, once for any number of interrupts,
// and possibly again on another processor before it has returned: taking the
// causes is one interlocked operation.
func evtInterruptDpc(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) {
	ctx := s.WdfObjectGetTypedContext(device, deviceContext)
	if ctxCauses.Exchange(s, ctx, 0)&(causeFactorial|causeDMA) != 0 {
		finishOperation(s, ctx)
	}
}

// evtInterruptDisable keeps the device from interrupting. It runs at DIRQL with
// the interrupt lock held, also when the device is gone.
func evtInterruptDisable(s *wdf.Sys, interrupt wdf.WDFINTERRUPT, device wdf.WDFDEVICE) wdf.NTSTATUS {
	registers := ctxRegisters.Load(s, s.WdfObjectGetTypedContext(device, deviceContext))
	s.Store(registers+regStatus, 4, 0)
	s.Store(registers+regAcknowledge, 4, 0xFFFFFFFF)
	return wdf.StatusSuccess
}
