package kernel

import (
	"hash/fnv"

	"github.com/dirql/dirql/internal/mem"
)

// Polled is what a read of a device register gave, in a loop that may be a busy
// wait.
type Polled struct {
	Value  uint64
	Name   string // of the register, with a trace only
	Device uint64 // fingerprint of all devices behind the read
	// Steady: the read changed no device, and no decision and no time went into
	// it, so that the same read gives the same value until a device changes.
	Steady bool
}

// Poll is Load of a device register that says more about it.
func (t *Thread) Poll(addr uint64, size int) Polled {
	t.access(op{}, addr, size, false, false, t.Caller())
	before, whims := t.m.DeviceState(), t.m.whims
	v, name := t.loadNow(addr, size)
	p := Polled{Value: v, Name: name, Device: t.m.DeviceState()}
	p.Steady = before == p.Device && whims == t.m.whims && addr-sharedUserPage >= mem.PageSize
	return p
}

// DeviceState returns a fingerprint of the devices. Events that they have
// scheduled are not part of it.
func (m *Machine) DeviceState() uint64 {
	c, ok := m.bus.(Component)
	if !ok {
		m.whims++ // nothing is known: no read is steady
		return 0
	}
	h := fnv.New64a()
	m.scratch = c.AppendState(m.scratch[:0])
	h.Write(m.scratch)
	return h.Sum64()
}

// Recognises reports whether runs end in states that were met before, as those
// of litmus tests do (Config.Visited).
func (m *Machine) Recognises() bool { return m.cfg.Visited != nil }

// Whim notes that a device did something that its state does not say: it asked
// for the time, or decided something.
func (m *Machine) Whim() { m.whims++ }

// Spin is BusyWait in a loop of the driver that polls. If nothing ever makes
// cond true, that is a finding.
func (t *Thread) Spin(what string, cond func() bool) {
	t.polls = what
	t.BusyWait(what, cond)
	t.polls = ""
}

// Await is Spin for a loop that sleeps between its looks: others get the
// processor, and if nothing ever makes cond true, the thread hangs.
func (t *Thread) Await(what string, cond func() bool) {
	t.polls = what
	t.waitUntil("what it polls: "+what, cond)
	t.polls = ""
}

// pollsText says what a thread polls, behind a sentence.
func (t *Thread) pollsText() string {
	if t.polls == "" {
		return ""
	}
	return ": " + t.polls + ", again and again"
}

// pollingForEver finds a processor that polls what nothing will change, and ends
// the run.
func (m *Machine) pollingForEver() bool {
	for i := range m.procs {
		t := m.threads[m.procs[i].current]
		if t.op.kind != opUntil || t.polls == "" {
			continue
		}
		t.addFinding(Finding{Rule: "livelock", Text: t.polls +
			", again and again, and nothing that could happen changes that: the loop never ends"})
		m.end(Stopped)
		return true
	}
	return false
}
