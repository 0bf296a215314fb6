package kernel

// laterWork is work that is queued when a time has passed, unless it is taken back.
type laterWork struct {
	workItem
	used bool // the row
}

// WorkLater queues a work item for a system worker thread after delay nanoseconds
// (see QueueWork), and returns a ticket for CancelLater. It is not an operation:
// what the system's own watchdogs are made of.
func (m *Machine) WorkLater(delay, object uint64, role string, routine uint64, a Args) (ticket int) {
	for ticket = 0; ticket < len(m.later) && m.later[ticket].used; ticket++ {
	}
	if ticket == len(m.later) {
		m.later = append(m.later, laterWork{})
	}
	m.later[ticket] = laterWork{workItem: workItem{routine: routine, args: a, object: object, role: role}, used: true}
	m.schedule(timedEvent{due: m.now + delay, kind: timedWork, id: uint64(ticket)})
	return ticket
}

// CancelLater takes a WorkLater back, if it is not too late.
func (m *Machine) CancelLater(ticket int) {
	if m.cancelTimed(timedWork, uint64(ticket)) {
		m.later[ticket].used = false
	}
}

func (m *Machine) laterDue(ticket uint64) {
	w := m.later[ticket]
	m.later[ticket].used = false
	m.QueueWork(w.object, w.role, w.routine, w.args)
}
