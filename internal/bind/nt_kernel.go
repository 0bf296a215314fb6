package bind

import (
	"github.com/dirql/dirql/internal/kernel"
)

func init() {
	register(map[string]func(c *call) uint64{
		"KeGetCurrentIrql":              func(c *call) uint64 { return uint64(c.KeGetCurrentIrql()) },
		"KfRaiseIrql":                   func(c *call) uint64 { return uint64(c.KeRaiseIrql(uint8(c.arg(0)))) },
		"KeLowerIrql":                   func(c *call) uint64 { c.KeLowerIrql(uint8(c.arg(0))); return 0 },
		"KeStallExecutionProcessor":     func(c *call) uint64 { c.KeStallExecutionProcessor(c.word(0)); return 0 },
		"KeInitializeDpc":               func(c *call) uint64 { c.KeInitializeDpc(c.arg(0), c.arg(1), c.arg(2)); return 0 },
		"KeInsertQueueDpc":              func(c *call) uint64 { return boolean(c.KeInsertQueueDpc(c.arg(0), c.arg(1), c.arg(2))) },
		"KeRemoveQueueDpc":              func(c *call) uint64 { return boolean(c.KeRemoveQueueDpc(c.arg(0))) },
		"KeFlushQueuedDpcs":             func(c *call) uint64 { c.KeFlushQueuedDpcs(); return 0 },
		"KeSetImportanceDpc":            func(c *call) uint64 { c.KeSetImportanceDpc(c.arg(0), uint8(c.arg(1))); return 0 },
		"KeSetTargetProcessorDpc":       func(c *call) uint64 { c.KeSetTargetProcessorDpc(c.arg(0), int8(c.arg(1))); return 0 },
		"KeInitializeSpinLock":          func(c *call) uint64 { c.KeInitializeSpinLock(c.arg(0)); return 0 },
		"KeAcquireSpinLockRaiseToDpc":   func(c *call) uint64 { return uint64(c.KeAcquireSpinLock(c.arg(0))) },
		"KeReleaseSpinLock":             func(c *call) uint64 { c.KeReleaseSpinLock(c.arg(0), uint8(c.arg(1))); return 0 },
		"KeAcquireSpinLockAtDpcLevel":   func(c *call) uint64 { c.KeAcquireSpinLockAtDpcLevel(c.arg(0)); return 0 },
		"KeReleaseSpinLockFromDpcLevel": func(c *call) uint64 { c.KeReleaseSpinLockFromDpcLevel(c.arg(0)); return 0 },
		"KeInitializeEvent":             func(c *call) uint64 { c.KeInitializeEvent(c.arg(0), uint8(c.arg(1)), c.flag(2)); return 0 },
		"KeSetEvent":                    (*call).setEvent,
		"KeClearEvent":                  func(c *call) uint64 { c.KeClearEvent(c.arg(0)); return 0 },
		"KeResetEvent":                  func(c *call) uint64 { return uint64(uint32(c.KeResetEvent(c.arg(0)))) },
		"KeReadStateEvent":              func(c *call) uint64 { return uint64(uint32(c.KeReadStateEvent(c.arg(0)))) },
		"KeWaitForSingleObject":         func(c *call) uint64 { return uint64(c.KeWaitForSingleObject(c.arg(0), c.timeout(4))) },
		"KeDelayExecutionThread":        func(c *call) uint64 { return uint64(c.KeDelayExecutionThread(c.timeout(2))) },
		"KeBugCheckEx":                  (*call).bugCheckEx,
	})
}

// setEvent is KeSetEvent(event, increment, wait).
func (c *call) setEvent() uint64 {
	if c.flag(2) {
		return uint64(uint32(c.KeSetEventWait(c.arg(0))))
	}
	return uint64(uint32(c.KeSetEvent(c.arg(0))))
}

// timeout reads a PLARGE_INTEGER; NULL means for ever.
func (c *call) timeout(n int) kernel.Timeout {
	p := c.arg(n)
	if p == 0 {
		return kernel.Forever
	}
	return kernel.Timeout{Limited: true, Ticks: int64(c.load(p, 8))}
}

func (c *call) bugCheckEx() uint64 {
	c.BugCheck(c.word(0), [4]uint64{c.arg(1), c.arg(2), c.arg(3), c.arg(4)}, "KeBugCheckEx",
		"the driver itself stops the system")
	return 0
}
