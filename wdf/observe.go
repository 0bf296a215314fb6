package wdf

// Observations: what a test may look at although a driver cannot.

// InterruptKDPC returns the address of the KDPC inside an interrupt (QD-1), 0 if
// the handle is not one of an interrupt.
func (f *Framework) InterruptKDPC(h WDFINTERRUPT) uint64 {
	if i := f.object(h); i != 0 && f.objects[i].typ == TypeInterrupt {
		return f.interrupts[f.objects[i].index].kdpc
	}
	return 0
}

// SpinLockCell returns the address of the KSPIN_LOCK inside a spin lock, 0 if
// the handle is not one of a spin lock.
func (f *Framework) SpinLockCell(h WDFSPINLOCK) uint64 {
	if i := f.object(h); i != 0 && f.objects[i].typ == TypeSpinLock {
		return f.spinLocks[f.objects[i].index].cell
	}
	return 0
}
