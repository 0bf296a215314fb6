package kernel

// Begin marks the beginning of a routine of the framework that calls the driver
// or that takes several steps: a frame of its own, which tells how far the
// routine got (SetPosition), without a mark in the trace. Each Begin is followed
// by one End.
func (t *Thread) Begin(s *Service, args ...uint64) {
	f := frame{kind: serviceFrame, code: s.number, rest: mixed(args)}
	if len(args) > 0 {
		f.object = args[0]
	}
	if len(args) > 1 {
		f.arg = args[1]
	}
	t.push(f)
}

// End marks the end of a routine that called Begin.
func (t *Thread) End() {
	if !t.m.ended && !t.kill { // else it is a deferred call
		t.popCall()
	}
}

// HeldLocks fills locks with spin locks that this thread holds on its
// processor, the one that was taken last first, and returns how many.
func (t *Thread) HeldLocks(locks []uint64) (n int) {
	for i := len(t.m.held) - 1; i >= 0 && n < len(locks); i-- {
		if h := &t.m.held[i]; h.thread == t.id && h.cpu == t.cpu {
			locks[n] = h.addr
			n++
		}
	}
	return n
}

// WatchLocks sets what is called when this thread has taken a spin lock, nil
// for nothing, and returns what was set before. It is for findings only: what
// is called changes nothing in the machine.
func (t *Thread) WatchLocks(f func(lock uint64)) (before func(lock uint64)) {
	before, t.lockTaken = t.lockTaken, f
	return before
}
