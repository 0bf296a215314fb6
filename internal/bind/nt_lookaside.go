package bind

import (
	"github.com/dirql/dirql/internal/kernel"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"ExInitializeNPagedLookasideList": func(c *call) uint64 { c.initializeLookaside(0); return 0 },
		"ExInitializePagedLookasideList":  func(c *call) uint64 { c.initializeLookaside(1); return 0 },
		"ExDeleteNPagedLookasideList":     (*call).deleteLookaside,
		"ExDeletePagedLookasideList":      (*call).deleteLookaside,
		"ExpInterlockedPopEntrySList":     func(c *call) uint64 { return c.popSList(c.arg(0)) },
		"ExpInterlockedPushEntrySList":    func(c *call) uint64 { return c.pushSList(c.arg(0), c.arg(1)) },
		"ExpInterlockedFlushSList":        (*call).flushSList,
		"ExQueryDepthSList":               func(c *call) uint64 { c.Step(); return c.load(c.arg(0), 2) },
		"InitializeSListHead":             (*call).initializeSListHead,
		"RtlInitializeSListHead":          (*call).initializeSListHead,

		"ExInterlockedInsertHeadList": func(c *call) uint64 { return c.insertList(true) },
		"ExInterlockedInsertTailList": func(c *call) uint64 { return c.insertList(false) },
		"ExInterlockedRemoveHeadList": (*call).removeHeadList,
		"ExInterlockedPushEntryList":  (*call).pushEntryList,
		"ExInterlockedPopEntryList":   (*call).popEntryList,
	})
}

// Offsets in GENERAL_LOOKASIDE, on which the inline functions of the headers
// work: ExAllocateFromNPagedLookasideList pops an entry or calls Allocate.
const (
	lookasideDepth    = 0x10 // two bytes: how many entries are kept
	lookasideMaximum  = 0x12
	lookasideType     = 0x24
	lookasideTag      = 0x28
	lookasideSize     = 0x2C
	lookasideAllocate = 0x30
	lookasideFree     = 0x38
	lookasideBytes    = 0x60

	minimumDepth, maximumDepth = 4, 256
	minimumEntry               = 8 // an entry that is kept holds the link to the next
)

// initializeLookaside is (list, allocate, free, flags, size, tag, depth); depth is
// reserved. The list stays at the depth it begins with: the tuning that Windows
// does once a second only changes how soon memory is given back.
func (c *call) initializeLookaside(poolType uint64) {
	list := c.arg(0)
	c.Step()
	for off := uint64(0); off < lookasideBytes; off += 8 {
		c.store(list+off, 8, 0)
	}
	allocate, free := c.arg(1), c.arg(2)
	if allocate == 0 {
		allocate = c.d.exportAddress("ExAllocatePoolWithTag")
	}
	if free == 0 {
		free = c.d.exportAddress("ExFreePool")
	}
	c.store(list+lookasideDepth, 2, minimumDepth)
	c.store(list+lookasideMaximum, 2, maximumDepth)
	c.store(list+lookasideType, 4, poolType|uint64(c.word(3)))
	c.store(list+lookasideTag, 4, uint64(c.word(5)))
	c.store(list+lookasideSize, 4, max(c.arg(4), minimumEntry))
	c.store(list+lookasideAllocate, 8, allocate)
	c.store(list+lookasideFree, 8, free)
	c.store(list+0x40, 8, list+0x40) // ListEntry: in a list of the system's own
	c.store(list+0x48, 8, list+0x40)
}

// deleteLookaside gives the entries that the list keeps to its free routine.
func (c *call) deleteLookaside() uint64 {
	list := c.arg(0)
	free := c.load(list+lookasideFree, 8)
	for range maxSListDepth {
		entry := c.popSList(list)
		if entry == 0 {
			break
		}
		c.Invoke("FREE_FUNCTION", free, kernel.Args{entry})
	}
	return 0
}

// An SLIST_HEADER of x64: depth (16 bits) and sequence (48 bits) in the first
// word, the address of the first entry, whose low 4 bits mean something else, in
// the second. All operations are one atomic step.
const (
	maxSListDepth = 0xFFFF
	slistPush     = 0x1_0001 // sequence and depth of one more
	slistAddress  = ^uint64(15)
)

func (c *call) initializeSListHead() uint64 {
	if c.arg(0)&15 != 0 {
		return c.raiseStatus(kernel.StatusDatatypeMisalignment)
	}
	c.store(c.arg(0), 8, 0)
	c.store(c.arg(0)+8, 8, 0)
	return 0
}

// popSList takes the first entry, 0 if there is none.
func (c *call) popSList(head uint64) uint64 {
	c.Step()
	c.Acquired(head)
	depth, link := c.load(head, 8), c.load(head+8, 8)
	first := link & slistAddress
	if first == 0 {
		return 0
	}
	c.store(head+8, 8, c.load(first, 8)&slistAddress|link&^slistAddress)
	c.store(head, 8, depth&^maxSListDepth|(depth-1)&maxSListDepth)
	return first
}

// pushSList puts an entry in front and returns the one that was first.
func (c *call) pushSList(head, entry uint64) uint64 {
	c.Step()
	c.Released(head)
	depth, link := c.load(head, 8), c.load(head+8, 8)
	first := link & slistAddress
	c.store(entry, 8, first)
	c.store(head+8, 8, entry&slistAddress|link&^slistAddress)
	c.store(head, 8, depth&^maxSListDepth+slistPush-1|(depth+1)&maxSListDepth)
	return first
}

// flushSList takes all entries and returns the first.
func (c *call) flushSList() uint64 {
	c.Step()
	head := c.arg(0)
	c.Acquired(head)
	depth, link := c.load(head, 8), c.load(head+8, 8)
	c.store(head, 8, depth&^maxSListDepth)
	c.store(head+8, 8, link&^slistAddress)
	return link & slistAddress
}

// interlocked waits until the spin lock of an interlocked list is free: others can
// hold it, and the operation itself is one step.
func (c *call) interlocked(lock uint64) {
	c.load(lock, 8)
	c.BusyWait("the spin lock of an interlocked list", func() bool {
		v, _ := c.d.m.Mem.Load(lock, 8)
		return v == 0
	})
	c.Acquired(lock)
	c.Released(lock)
}

// insertList is (head, entry, lock); it returns the entry that was first or last,
// NULL in an empty list.
func (c *call) insertList(front bool) uint64 {
	head, entry := c.arg(0), c.arg(1)
	c.interlocked(c.arg(2))
	before, after := head, c.load(head, 8)
	neighbour := after
	if !front {
		before, after = c.load(head+8, 8), head
		neighbour = before
	}
	c.store(entry, 8, after)
	c.store(entry+8, 8, before)
	c.store(before, 8, entry)
	c.store(after+8, 8, entry)
	if neighbour == head {
		return 0
	}
	return neighbour
}

// removeHeadList is (head, lock); NULL from an empty list.
func (c *call) removeHeadList() uint64 {
	head := c.arg(0)
	c.interlocked(c.arg(1))
	entry := c.load(head, 8)
	if entry == head {
		return 0
	}
	next := c.load(entry, 8)
	if c.load(entry+8, 8) != head || c.load(next+8, 8) != entry {
		c.BugCheck(0x139, [4]uint64{3}, "list corruption", "a list that ExInterlockedRemoveHeadList works on is damaged: "+
			"the entries beside one that is removed do not point to it")
	}
	c.store(head, 8, next)
	c.store(next+8, 8, head)
	return entry
}

// pushEntryList and popEntryList work on a SINGLE_LIST_ENTRY: (head, entry,
// lock) and (head, lock).
func (c *call) pushEntryList() uint64 {
	c.interlocked(c.arg(2))
	first := c.load(c.arg(0), 8)
	c.store(c.arg(1), 8, first)
	c.store(c.arg(0), 8, c.arg(1))
	return first
}

func (c *call) popEntryList() uint64 {
	c.interlocked(c.arg(1))
	first := c.load(c.arg(0), 8)
	if first != 0 {
		c.store(c.arg(0), 8, c.load(first, 8))
	}
	return first
}
