package wdf

import "github.com/dirql/dirql/internal/kernel"

// What drivers in Go need for the routines of the kernel.

// Timeout says how long a wait may last; see [After] and [Forever].
type Timeout = kernel.Timeout

// Forever is the timeout of a wait without one (a NULL pointer).
var Forever = kernel.Forever

// After is a timeout relative to now, in nanoseconds.
func After(nanoseconds uint64) Timeout { return kernel.After(nanoseconds) }

const (
	EventSize            = kernel.EventSize // of a KEVENT, in bytes
	NotificationEvent    = kernel.NotificationEvent
	SynchronizationEvent = kernel.SynchronizationEvent
	PoolFlagNonPaged     = kernel.PoolFlagNonPaged // of ExAllocatePool2
)
