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

// TimerKTIMER returns the address of the KTIMER inside a timer, 0 if the handle
// is not one of a timer.
func (f *Framework) TimerKTIMER(h WDFTIMER) uint64 {
	if i := f.object(h); i != 0 && f.objects[i].typ == TypeTimer {
		return f.timers[f.objects[i].index].ktimer
	}
	return 0
}

// InterruptConnected reports whether an interrupt is connected: its vector is
// live.
func (f *Framework) InterruptConnected(h WDFINTERRUPT) bool {
	i := f.object(h)
	return i != 0 && f.objects[i].typ == TypeInterrupt && f.interrupts[f.objects[i].index].connection != 0
}

// InterruptKnown reports whether the framework has the interrupt pointer
// (INT-21, INT-22).
func (f *Framework) InterruptKnown(h WDFINTERRUPT) bool {
	i := f.object(h)
	return i != 0 && f.objects[i].typ == TypeInterrupt && f.interrupts[f.objects[i].index].pointer()
}

// OnConnection sets a function that is called in the step in which an interrupt
// becomes connected or disconnected.
func (f *Framework) OnConnection(fn func(s *Sys, h WDFINTERRUPT, connected bool)) {
	f.onConnection = fn
}

func (s *Sys) tellConnection(n int, connected bool) {
	if s.f.onConnection != nil {
		s.f.onConnection(s, s.f.interrupts[n].object.handle(), connected)
	}
}
