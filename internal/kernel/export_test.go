package kernel

import "fmt"

// LockQueue tells which processors wait for a queued spin lock, in order.
func (m *Machine) LockQueue(lock uint64) (s string) {
	for _, w := range m.lockQueue {
		if w.addr == lock {
			s += fmt.Sprint(w.cpu)
		}
	}
	return s
}

// DPCRate returns the bookkeeping of DPC-12.
func (m *Machine) DPCRate(cpu int) (rate, maxDepth, adjust int) {
	q := &m.procs[cpu].dpc
	return q.rate, q.maxDepth, q.adjust
}
