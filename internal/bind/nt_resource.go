package bind

// Executive resources.
func init() {
	register(map[string]func(c *call) uint64{
		"ExInitializeResourceLite":          func(c *call) uint64 { return uint64(c.ExInitializeResourceLite(c.arg(0))) },
		"ExReinitializeResourceLite":        func(c *call) uint64 { return uint64(c.ExReinitializeResourceLite(c.arg(0))) },
		"ExDeleteResourceLite":              func(c *call) uint64 { return uint64(c.ExDeleteResourceLite(c.arg(0))) },
		"ExAcquireResourceExclusiveLite":    func(c *call) uint64 { return boolean(c.ExAcquireResourceExclusiveLite(c.arg(0), c.flag(1))) },
		"ExAcquireResourceSharedLite":       func(c *call) uint64 { return boolean(c.ExAcquireResourceSharedLite(c.arg(0), c.flag(1))) },
		"ExAcquireSharedStarveExclusive":    func(c *call) uint64 { return boolean(c.ExAcquireSharedStarveExclusive(c.arg(0), c.flag(1))) },
		"ExAcquireSharedWaitForExclusive":   func(c *call) uint64 { return boolean(c.ExAcquireSharedWaitForExclusive(c.arg(0), c.flag(1))) },
		"ExConvertExclusiveToSharedLite":    func(c *call) uint64 { c.ExConvertExclusiveToSharedLite(c.arg(0)); return 0 },
		"ExReleaseResourceLite":             func(c *call) uint64 { c.ExReleaseResourceLite(c.arg(0)); return 0 },
		"ExReleaseResourceForThreadLite":    func(c *call) uint64 { c.ExReleaseResourceForThreadLite(c.arg(0), c.arg(1)); return 0 },
		"ExIsResourceAcquiredExclusiveLite": func(c *call) uint64 { return boolean(c.ExIsResourceAcquiredExclusiveLite(c.arg(0))) },
		"ExIsResourceAcquiredSharedLite":    func(c *call) uint64 { return uint64(c.ExIsResourceAcquiredSharedLite(c.arg(0))) },
		"ExGetExclusiveWaiterCount":         func(c *call) uint64 { return uint64(c.ExGetExclusiveWaiterCount(c.arg(0))) },
		"ExGetSharedWaiterCount":            func(c *call) uint64 { return uint64(c.ExGetSharedWaiterCount(c.arg(0))) },

		// The first three return something of the system that drivers ignore.
		"ExEnterCriticalRegionAndAcquireResourceExclusive": func(c *call) uint64 {
			c.ExEnterCriticalRegionAndAcquireResourceExclusive(c.arg(0))
			return 0
		},
		"ExEnterCriticalRegionAndAcquireResourceShared": func(c *call) uint64 {
			c.ExEnterCriticalRegionAndAcquireResourceShared(c.arg(0))
			return 0
		},
		"ExEnterCriticalRegionAndAcquireSharedWaitForExclusive": func(c *call) uint64 {
			c.ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(c.arg(0))
			return 0
		},
		"ExReleaseResourceAndLeaveCriticalRegion": func(c *call) uint64 {
			c.ExReleaseResourceAndLeaveCriticalRegion(c.arg(0))
			return 0
		},
	})
}
