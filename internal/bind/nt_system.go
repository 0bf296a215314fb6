package bind

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func init() {
	register(map[string]func(c *call) uint64{
		"KeInitializeSemaphore": func(c *call) uint64 {
			c.KeInitializeSemaphore(c.arg(0), int32(c.word(1)), int32(c.word(2)))
			return 0
		},
		"KeReleaseSemaphore": func(c *call) uint64 { return uint64(uint32(c.KeReleaseSemaphore(c.arg(0), int32(c.word(2))))) },
		"KeInitializeMutex":  func(c *call) uint64 { c.KeInitializeMutex(c.arg(0)); return 0 },
		"KeReleaseMutex":     func(c *call) uint64 { return uint64(uint32(c.KeReleaseMutex(c.arg(0)))) },

		"KeInitializeTimer":   func(c *call) uint64 { c.KeInitializeTimerEx(c.arg(0), false); return 0 },
		"KeInitializeTimerEx": func(c *call) uint64 { c.KeInitializeTimerEx(c.arg(0), c.word(1) != 0); return 0 },
		"KeSetTimer":          func(c *call) uint64 { return boolean(c.KeSetTimerEx(c.arg(0), c.due(1), 0, c.arg(2))) },
		"KeSetTimerEx":        func(c *call) uint64 { return boolean(c.KeSetTimerEx(c.arg(0), c.due(1), c.word(2), c.arg(3))) },
		"KeCancelTimer":       func(c *call) uint64 { return boolean(c.KeCancelTimer(c.arg(0))) },

		"ExSetTimerResolution": func(c *call) uint64 { return uint64(c.ExSetTimerResolution(c.word(0), c.flag(1))) },
	})
	registerChecked(map[string]func(c *call) uint64{
		"KeQueryTimeIncrement":      func(c *call) uint64 { return c.Machine().TickTime() / 100 },
		"KeQueryInterruptTime":      func(c *call) uint64 { c.Step(); return c.Machine().Now() / 100 },
		"KeQueryPerformanceCounter": (*call).performanceCounter,

		"KeQueryActiveProcessorCount":        (*call).activeProcessors,
		"KeQueryActiveProcessorCountEx":      (*call).processorsOfGroup,
		"KeQueryMaximumProcessorCount":       func(c *call) uint64 { return uint64(c.Machine().Processors()) },
		"KeQueryMaximumProcessorCountEx":     (*call).processorsOfGroup,
		"KeQueryActiveProcessors":            func(c *call) uint64 { return c.allProcessors() },
		"KeGetCurrentProcessorNumberEx":      (*call).currentProcessor,
		"KeRegisterBugCheckCallback":         (*call).registerBugCheck,
		"KeDeregisterBugCheckCallback":       func(c *call) uint64 { return c.deregisterBugCheck(bugCheckState) },
		"KeRegisterBugCheckReasonCallback":   (*call).registerBugCheckReason,
		"KeDeregisterBugCheckReasonCallback": func(c *call) uint64 { return c.deregisterBugCheck(bugCheckReasonState) },

		"EtwRegister":        (*call).etwRegister,
		"EtwUnregister":      (*call).etwUnregister,
		"EtwWrite":           func(c *call) uint64 { return c.etwUse(0) },
		"EtwWriteTransfer":   func(c *call) uint64 { return c.etwUse(0) },
		"EtwEventEnabled":    func(c *call) uint64 { return 0 },
		"EtwProviderEnabled": func(c *call) uint64 { return 0 },
		"EtwSetInformation":  func(c *call) uint64 { return c.etwUse(0) },

		"IoIs32bitProcess": func(c *call) uint64 { return 0 }, // applications are 64-bit processes
		"IoWMIWriteEvent":  (*call).wmiWriteEvent,

		"RtlRandomEx":  (*call).random,
		"RtlRandom":    (*call).random,
		"RtlValidSid":  func(c *call) uint64 { return boolean(c.sidLength(0) != 0) },
		"RtlLengthSid": func(c *call) uint64 { return c.sidLength(0) },
		"RtlEqualSid":  (*call).equalSid,
	})
}

// due is a LARGE_INTEGER that is passed by value.
func (c *call) due(n int) kernel.Timeout {
	return kernel.Timeout{Limited: true, Ticks: int64(c.arg(n))}
}

// performanceFrequency is that of the performance counter on current systems, in
// Hz: a tick is 100 ns.
const performanceFrequency = 10_000_000

// performanceCounter is (address for the frequency, or NULL).
func (c *call) performanceCounter() uint64 {
	c.Step()
	c.give(0, performanceFrequency)
	return c.Machine().Now() / 100
}

func (c *call) allProcessors() uint64 { return 1<<c.Machine().Processors() - 1 }

// activeProcessors is (address for their mask, or NULL).
func (c *call) activeProcessors() uint64 {
	c.give(0, c.allProcessors())
	return uint64(c.Machine().Processors())
}

// allGroups stands for the processors of all groups; there is one group.
const allGroups = 0xFFFF

func (c *call) processorsOfGroup() uint64 {
	if g := c.word(0) & 0xFFFF; g != 0 && g != allGroups {
		return 0
	}
	return uint64(c.Machine().Processors())
}

// currentProcessor is (address for a PROCESSOR_NUMBER, or NULL). Below
// DISPATCH_LEVEL the answer can be old when it is used.
func (c *call) currentProcessor() uint64 {
	c.Step()
	n := uint64(c.Processor())
	if p := c.arg(0); p != 0 {
		c.store(p, 4, n<<16) // group 0
	}
	return n
}

// Offsets in KBUGCHECK_CALLBACK_RECORD and KBUGCHECK_REASON_CALLBACK_RECORD.
const (
	bugCheckRoutine     = 0x10
	bugCheckState       = 0x38
	bugCheckReasonState = 0x2C
	inserted            = 1
)

// registerBugCheck is (record, routine, buffer, length, component); FALSE for a
// record that is in use. A bug check ends the run on this machine: the routine
// is not called.
func (c *call) registerBugCheck() uint64 {
	r := c.arg(0)
	c.Step()
	if c.load(r+bugCheckState, 1) != 0 {
		return 0
	}
	c.store(r+bugCheckRoutine, 8, c.arg(1))
	c.store(r+0x18, 8, c.arg(2))
	c.store(r+0x20, 4, c.arg(3))
	c.store(r+0x28, 8, c.arg(4))
	c.store(r+bugCheckState, 1, inserted)
	c.Note(c.r.name, "the routine is registered; a bug check ends the run without calling it")
	return 1
}

// registerBugCheckReason is (record, routine, reason, component).
func (c *call) registerBugCheckReason() uint64 {
	r := c.arg(0)
	c.Step()
	if c.load(r+bugCheckReasonState, 1) != 0 {
		return 0
	}
	c.store(r+bugCheckRoutine, 8, c.arg(1))
	c.store(r+0x18, 8, c.arg(3))
	c.store(r+0x28, 4, c.arg(2))
	c.store(r+bugCheckReasonState, 1, inserted)
	c.Note(c.r.name, "the routine is registered; a bug check ends the run without calling it")
	return 1
}

// deregisterBugCheck reports whether the record was registered.
func (c *call) deregisterBugCheck(state uint64) uint64 {
	c.Step()
	if c.load(c.arg(0)+state, 1) != inserted {
		return 0
	}
	c.store(c.arg(0)+state, 1, 0)
	return 1
}

// Event tracing: no session listens on this machine. A provider is registered,
// its enable callback is never called, and what it writes goes nowhere: a legal
// state of Windows.

// etwBase makes registration handles of their numbers.
const etwBase = 0xFFFFE700_00000000

// etwRegister is (provider, enable callback, context, address for the handle).
func (c *call) etwRegister() uint64 {
	if c.arg(0) == 0 || c.arg(3) == 0 {
		return uint64(wdf.StatusInvalidParameter)
	}
	c.d.providers = append(c.d.providers, true)
	c.store(c.arg(3), 8, etwBase+uint64(len(c.d.providers)))
	return uint64(wdf.StatusSuccess)
}

// etwUse checks the registration handle that argument n is.
func (c *call) etwUse(n int) uint64 {
	if i := c.arg(n) - etwBase - 1; i >= uint64(len(c.d.providers)) || !c.d.providers[i] {
		return uint64(kernel.StatusInvalidHandle)
	}
	return uint64(wdf.StatusSuccess)
}

func (c *call) etwUnregister() uint64 {
	s := c.etwUse(0)
	if s == uint64(wdf.StatusSuccess) {
		c.d.providers[c.arg(0)-etwBase-1] = false
	}
	return s
}

// wmiWriteEvent takes the item over and frees it: nobody has asked for events.
func (c *call) wmiWriteEvent() uint64 {
	c.FreePool(c.arg(0))
	return uint64(wdf.StatusSuccess)
}

// random is the generator of Lehmer that RtlUniform documents, modulo 2^31-1:
// (address of the seed). RtlRandom and RtlRandomEx of Windows mix it with a
// table of their own; all that they promise is a number below 2^31-1.
func (c *call) random() uint64 {
	const modulus = 0x7FFFFFFF
	c.Step()
	v := (c.load(c.arg(0), 4)*0x7FFFFFED + 0x7FFFFFC3) % modulus
	c.store(c.arg(0), 4, v)
	return v
}

// sidLength returns the size of the SID that argument n points to, 0 if it is
// none: revision 1, at most 15 sub-authorities of 4 bytes behind 8.
func (c *call) sidLength(n int) uint64 {
	p := c.arg(n)
	if p == 0 || c.load(p, 1)&15 != 1 || c.load(p+1, 1) > 15 {
		return 0
	}
	return 8 + 4*c.load(p+1, 1)
}

func (c *call) equalSid() uint64 {
	n := c.sidLength(0)
	if n == 0 || n != c.sidLength(1) {
		return 0
	}
	for i := range n {
		if c.load(c.arg(0)+i, 1) != c.load(c.arg(1)+i, 1) {
			return 0
		}
	}
	return 1
}
