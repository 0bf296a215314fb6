package kernel

// Guest code that runs ahead. Most accesses of a driver to shared memory are no
// decision (Watch.Visible), and nothing is due there: the scheduling point is only
// counted. Guest code makes a row of such accesses without coming back for
// each, and tells of them afterwards. The run is the same, access by access.

// Ahead returns how many accesses at which a search does not decide the running
// guest code may make on its own, if it executes at most so many instructions
// meanwhile: none where something else could come first.
func (t *Thread) Ahead(instructions uint64) int {
	m := t.m
	w := m.watch
	if w == nil || w.Visible == nil || len(w.Spots) > 0 || m.Trace.On() || m.forced != 0 || m.ended || t.kill {
		return 0
	}
	tun := &m.cfg.Tunables
	n := min(rowLimit-int(m.stepsInRow), maxAhead)
	if n <= 0 || m.cfg.MaxSteps-m.steps < uint64(n) {
		return 0
	}
	if m.dueBy(m.now+instructions*tun.InstructionTime+uint64(n)*tun.OperationTime) || m.wakes() {
		return 0
	}
	if k, _ := m.mustTake(t.proc()); k != takeNothing {
		return 0
	}
	return n
}

// maxAhead bounds the time that Ahead looks at.
const maxAhead = 256

// Visible returns the memory at which a search decides.
func (m *Machine) Visible() *VisibleSet { return m.watch.Visible }

// Passed is the scheduling point, as Access, of an access that Ahead allowed and
// that has happened, and its record. The time of the instructions before it
// has been told to Retire.
func (t *Thread) Passed(addr uint64, size int, write, locked bool, pc, value uint64) {
	m := t.m
	m.steps++
	m.stepsInRow++
	t.count()
	m.now += m.cfg.Tunables.OperationTime
	t.proc().operates()
	t.record(addr, uint32(size), write, locked, pc, value)
}

// dueBy reports whether something happens by itself until a time.
func (m *Machine) dueBy(end uint64) bool {
	if end >= m.nextTick {
		return true
	}
	for i := range m.timed {
		if e := &m.timed[i]; e.due > end {
			return false
		} else if !e.free || e.last != 0 && e.last <= end {
			return true
		}
	}
	return false
}

// wakes reports whether the next scheduling point, or what an access
// changes, could wake a thread that waits for a condition.
func (m *Machine) wakes() bool {
	for _, t := range m.threads {
		if t.status == waiting && t.wait.kind == waitCondition && (t.polls != "" || t.until()) {
			return true
		}
	}
	return false
}
