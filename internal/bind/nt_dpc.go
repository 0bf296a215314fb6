package bind

import (
	"github.com/dirql/dirql/internal/kernel"
)

// DPCs, locks and interrupts of drivers that use the kernel's routines beside the
// framework's.
func init() {
	register(map[string]func(c *call) uint64{
		"KeInitializeThreadedDpc":          func(c *call) uint64 { c.KeInitializeThreadedDpc(c.arg(0), c.arg(1), c.arg(2)); return 0 },
		"KeSetTargetProcessorDpcEx":        (*call).setTargetProcessor,
		"IoAcquireCancelSpinLock":          func(c *call) uint64 { c.store(c.arg(0), 1, uint64(c.IoAcquireCancelSpinLock())); return 0 },
		"IoReleaseCancelSpinLock":          func(c *call) uint64 { c.IoReleaseCancelSpinLock(uint8(c.arg(0))); return 0 },
		"KeWaitForMultipleObjects":         (*call).waitForMultipleObjects,
		"KeEnterCriticalRegion":            func(c *call) uint64 { c.KeEnterCriticalRegion(); return 0 },
		"KeLeaveCriticalRegion":            func(c *call) uint64 { c.KeLeaveCriticalRegion(); return 0 },
		"KeEnterGuardedRegion":             func(c *call) uint64 { c.KeEnterGuardedRegion(); return 0 },
		"KeLeaveGuardedRegion":             func(c *call) uint64 { c.KeLeaveGuardedRegion(); return 0 },
		"KeAreApcsDisabled":                func(c *call) uint64 { return boolean(c.KeAreApcsDisabled()) },
		"KeAreAllApcsDisabled":             func(c *call) uint64 { return boolean(c.KeAreAllApcsDisabled()) },
		"ExAcquireFastMutex":               func(c *call) uint64 { c.ExAcquireFastMutex(c.arg(0)); return 0 },
		"ExReleaseFastMutex":               func(c *call) uint64 { c.ExReleaseFastMutex(c.arg(0)); return 0 },
		"ExTryToAcquireFastMutex":          func(c *call) uint64 { return boolean(c.ExTryToAcquireFastMutex(c.arg(0))) },
		"ExAcquireFastMutexUnsafe":         func(c *call) uint64 { c.ExAcquireFastMutexUnsafe(c.arg(0)); return 0 },
		"ExReleaseFastMutexUnsafe":         func(c *call) uint64 { c.ExReleaseFastMutexUnsafe(c.arg(0)); return 0 },
		"KeInitializeGuardedMutex":         func(c *call) uint64 { c.KeInitializeGuardedMutex(c.arg(0)); return 0 },
		"KeAcquireGuardedMutex":            func(c *call) uint64 { c.KeAcquireGuardedMutex(c.arg(0)); return 0 },
		"KeReleaseGuardedMutex":            func(c *call) uint64 { c.KeReleaseGuardedMutex(c.arg(0)); return 0 },
		"KeTryToAcquireGuardedMutex":       func(c *call) uint64 { return boolean(c.KeTryToAcquireGuardedMutex(c.arg(0))) },
		"KeTryToAcquireSpinLockAtDpcLevel": func(c *call) uint64 { return boolean(c.KeTryToAcquireSpinLockAtDpcLevel(c.arg(0))) },
		"KeTestSpinLock":                   func(c *call) uint64 { return boolean(c.KeTestSpinLock(c.arg(0))) },
		"KeAcquireSpinLockForDpc":          func(c *call) uint64 { return uint64(c.KeAcquireSpinLockForDpc(c.arg(0))) },
		"KeReleaseSpinLockForDpc":          func(c *call) uint64 { c.KeReleaseSpinLockForDpc(c.arg(0), uint8(c.arg(1))); return 0 },
	})
	register(queuedLocks)
	register(map[string]func(c *call) uint64{
		"KeRemoveQueueDpcEx":            func(c *call) uint64 { return boolean(c.KeRemoveQueueDpcEx(c.arg(0), c.flag(1))) },
		"KeIsExecutingDpc":              func(c *call) uint64 { return boolean(c.KeIsExecutingDpc()) },
		"KeQueryDpcWatchdogInformation": (*call).queryWatchdog,
		"ExQueueWorkItem":               func(c *call) uint64 { c.ExQueueWorkItem(c.arg(0), c.word(1)); return 0 },
		"IoAllocateWorkItem":            func(c *call) uint64 { return c.IoAllocateWorkItem(c.arg(0)) },
		"IoQueueWorkItem":               func(c *call) uint64 { c.IoQueueWorkItem(c.arg(0), c.arg(1), c.word(2), c.arg(3)); return 0 },
		"IoFreeWorkItem":                func(c *call) uint64 { c.IoFreeWorkItem(c.arg(0)); return 0 },
	})
}

// queryWatchdog fills a KDPC_WATCHDOG_INFORMATION: five ULONGs, the last reserved.
func (c *call) queryWatchdog() uint64 {
	info, s := c.KeQueryDpcWatchdogInformation()
	if s == kernel.StatusSuccess {
		for i, v := range []uint32{info.DpcTimeLimit, info.DpcTimeCount, info.DpcWatchdogLimit, info.DpcWatchdogCount, 0} {
			c.store(c.arg(0)+uint64(4*i), 4, uint64(v))
		}
	}
	return uint64(s)
}

var queuedLocks = map[string]func(c *call) uint64{
	"KeAcquireInStackQueuedSpinLock": func(c *call) uint64 {
		c.KeAcquireInStackQueuedSpinLock(c.arg(0), c.arg(1))
		return 0
	},
	"KeAcquireInStackQueuedSpinLockAtDpcLevel": func(c *call) uint64 {
		c.KeAcquireInStackQueuedSpinLockAtDpcLevel(c.arg(0), c.arg(1))
		return 0
	},
	"KeAcquireInStackQueuedSpinLockForDpc": func(c *call) uint64 {
		c.KeAcquireInStackQueuedSpinLockForDpc(c.arg(0), c.arg(1))
		return 0
	},
	"KeReleaseInStackQueuedSpinLock":             func(c *call) uint64 { c.KeReleaseInStackQueuedSpinLock(c.arg(0)); return 0 },
	"KeReleaseInStackQueuedSpinLockFromDpcLevel": func(c *call) uint64 { c.KeReleaseInStackQueuedSpinLockFromDpcLevel(c.arg(0)); return 0 },
	"KeReleaseInStackQueuedSpinLockForDpc":       func(c *call) uint64 { c.KeReleaseInStackQueuedSpinLockForDpc(c.arg(0)); return 0 },
}

// setTargetProcessor reads a PROCESSOR_NUMBER: group (2 bytes), number (1 byte).
func (c *call) setTargetProcessor() uint64 {
	p := c.arg(1)
	return uint64(c.KeSetTargetProcessorDpcEx(c.arg(0), uint16(c.load(p, 2)), uint8(c.load(p+2, 1))))
}

// maxWaitObjects is one more than a wait can have.
const maxWaitObjects = 65

func (c *call) waitForMultipleObjects() uint64 {
	var objects []uint64
	for i := range min(c.arg(0)&0xFFFFFFFF, maxWaitObjects) {
		objects = append(objects, c.load(c.arg(1)+8*i, 8))
	}
	all := c.word(2) == 0 // WaitAll
	return uint64(c.KeWaitForMultipleObjects(objects, all, c.arg(7) != 0, c.timeout(6)))
}
