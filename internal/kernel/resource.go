package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// ResourceSize is the size of an ERESOURCE in bytes. What is inside is the
// kernel's alone: who owns a resource is in a table (IRQL-17).
const ResourceSize = 104

// resourceOwner says that a thread owns a resource, once or more often.
type resourceOwner struct {
	addr      uint64
	thread    int
	count     uint32
	exclusive bool
	depth     int // frames on the stack of the thread at the first acquire; 0: it was reported
}

// resourceAccess is what a thread wants of a resource.
type resourceAccess uint8

const (
	exclusiveAccess resourceAccess = iota
	sharedAccess
	starveExclusive  // shared, whoever waits for exclusive access
	waitForExclusive // shared, after those that wait for exclusive access, even if the thread shares it already
)

var (
	svcExInitializeResourceLite        = NewService("ExInitializeResourceLite")
	svcExReinitializeResourceLite      = NewService("ExReinitializeResourceLite")
	svcExDeleteResourceLite            = NewService("ExDeleteResourceLite")
	svcExAcquireResourceExclusiveLite  = NewService("ExAcquireResourceExclusiveLite")
	svcExAcquireResourceSharedLite     = NewService("ExAcquireResourceSharedLite")
	svcExAcquireSharedStarveExclusive  = NewService("ExAcquireSharedStarveExclusive")
	svcExAcquireSharedWaitForExclusive = NewService("ExAcquireSharedWaitForExclusive")
	svcExConvertExclusiveToSharedLite  = NewService("ExConvertExclusiveToSharedLite")
	svcExReleaseResourceLite           = NewService("ExReleaseResourceLite")
	svcExReleaseResourceForThreadLite  = NewService("ExReleaseResourceForThreadLite")
	svcExIsResourceAcquiredExclusive   = NewService("ExIsResourceAcquiredExclusiveLite")
	svcExIsResourceAcquiredShared      = NewService("ExIsResourceAcquiredSharedLite")
	svcExGetExclusiveWaiterCount       = NewService("ExGetExclusiveWaiterCount")
	svcExGetSharedWaiterCount          = NewService("ExGetSharedWaiterCount")
	svcExEnterAndAcquireExclusive      = NewLenientService("ExEnterCriticalRegionAndAcquireResourceExclusive")
	svcExEnterAndAcquireShared         = NewLenientService("ExEnterCriticalRegionAndAcquireResourceShared")
	svcExEnterAndAcquireSharedWait     = NewLenientService("ExEnterCriticalRegionAndAcquireSharedWaitForExclusive")
	svcExReleaseAndLeave               = NewLenientService("ExReleaseResourceAndLeaveCriticalRegion")
)

// ExInitializeResourceLite makes the ResourceSize bytes at resource a resource that
// nobody owns. It stays one until ExDeleteResourceLite: initializing it again is
// 0xC4/0xD0 under Driver Verifier. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ExInitializeResourceLite(resource uint64) NTSTATUS {
	t.Enter(svcExInitializeResourceLite, resource)
	t.point(op{})
	for off := uint64(0); off < ResourceSize; off += 8 {
		t.kernelStore(resource+off, 8, 0)
	}
	at, known := slices.BinarySearch(t.m.resources, resource)
	if known {
		t.violation(Finding{Code: 0xC4, Rule: "active resource", Clause: "IRQL-17", Params: [4]uint64{0xD0, resource},
			Text: fmt.Sprintf("the resource %s is initialized again; ExDeleteResourceLite comes first", t.m.NameOf(resource))})
	} else {
		t.m.resources = slices.Insert(t.m.resources, at, resource)
	}
	t.disownResource(resource)
	return t.LeaveStatus(StatusSuccess)
}

// ExReinitializeResourceLite makes a resource one that nobody owns again. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) ExReinitializeResourceLite(resource uint64) NTSTATUS {
	t.Enter(svcExReinitializeResourceLite, resource)
	t.point(op{})
	t.checkResource(resource, "reinitialized")
	t.checkNotOwned(resource, "reinitialized")
	return t.LeaveStatus(StatusSuccess)
}

// ExDeleteResourceLite ends the life of a resource. One that was never initialized is
// 0xC4/0xD1 under Driver Verifier. IRQL <= APC_LEVEL.
func (t *Thread) ExDeleteResourceLite(resource uint64) NTSTATUS {
	t.Enter(svcExDeleteResourceLite, resource)
	t.point(op{})
	t.kernelLoad(resource, 8) // faults as the driver's pointer does
	at, known := slices.BinarySearch(t.m.resources, resource)
	if !known {
		t.violation(Finding{Code: 0xC4, Rule: "uninitialized lock", Clause: "IRQL-17", Params: [4]uint64{0xD1, resource},
			Text: fmt.Sprintf("the resource %s is deleted, but is not initialized", t.m.NameOf(resource))})
		return t.LeaveStatus(StatusSuccess)
	}
	t.checkNotOwned(resource, "deleted")
	t.m.resources = slices.Delete(t.m.resources, at, at+1)
	return t.LeaveStatus(StatusSuccess)
}

// checkResource stops a use of something that is no resource: its wait lists and
// owners are whatever the memory holds.
func (t *Thread) checkResource(resource uint64, verb string) {
	t.kernelLoad(resource, 8) // faults as the driver's pointer does
	if _, known := slices.BinarySearch(t.m.resources, resource); !known {
		t.stop(Finding{Rule: "uninitialized lock", Clause: "IRQL-17", Text: fmt.Sprintf(
			"the resource %s is %s, but is not initialized, or was deleted", t.m.NameOf(resource), verb)})
	}
}

// checkNotOwned reports that a resource goes away while it is owned, and takes it
// from its owners.
func (t *Thread) checkNotOwned(resource uint64, verb string) {
	if o := t.m.anyOwner(resource); o != nil {
		t.Report(Finding{Rule: "lock owned at its end", Clause: "IRQL-17", Text: fmt.Sprintf(
			"the resource %s is %s while thread %s owns it", t.m.NameOf(resource), verb, t.m.threads[o.thread].name)})
		t.disownResource(resource)
	}
}

func (t *Thread) disownResource(resource uint64) {
	t.m.resourceOwners = slices.DeleteFunc(t.m.resourceOwners, func(o resourceOwner) bool { return o.addr == resource })
}

// ExAcquireResourceExclusiveLite takes a resource for this thread alone, again if
// it has it already, and reports whether it did: without wait it does not wait for
// others. A thread that shares the resource has to release it before. The caller
// has disabled normal kernel APCs, otherwise 0xC4/0x37 under Driver Verifier; a
// resource that is not aligned is 0xC4/0x3D. IRQL <= APC_LEVEL (IRQL-17).
func (t *Thread) ExAcquireResourceExclusiveLite(resource uint64, wait bool) bool {
	t.Enter(svcExAcquireResourceExclusiveLite, resource, b2u(wait))
	if resource&7 != 0 {
		t.violation(Finding{Code: 0xC4, Rule: "unaligned resource", Clause: "IRQL-17", Params: [4]uint64{0x3D, 0, 0, resource},
			Text: fmt.Sprintf("the resource at 0x%X is not aligned to 8 bytes", resource)})
	}
	return t.LeaveBool(t.acquireResource(resource, exclusiveAccess, wait))
}

// ExAcquireResourceSharedLite takes a resource together with others, or again if the
// thread has it already, and reports whether it did. It waits for an exclusive owner
// and for those that wait for exclusive access. Otherwise as
// ExAcquireResourceExclusiveLite.
func (t *Thread) ExAcquireResourceSharedLite(resource uint64, wait bool) bool {
	t.Enter(svcExAcquireResourceSharedLite, resource, b2u(wait))
	return t.LeaveBool(t.acquireResource(resource, sharedAccess, wait))
}

// ExAcquireSharedStarveExclusive is ExAcquireResourceSharedLite that does not wait
// for those that wait for exclusive access.
func (t *Thread) ExAcquireSharedStarveExclusive(resource uint64, wait bool) bool {
	t.Enter(svcExAcquireSharedStarveExclusive, resource, b2u(wait))
	return t.LeaveBool(t.acquireResource(resource, starveExclusive, wait))
}

// ExAcquireSharedWaitForExclusive is ExAcquireResourceSharedLite that waits for those
// that wait for exclusive access even if the thread shares the resource already.
func (t *Thread) ExAcquireSharedWaitForExclusive(resource uint64, wait bool) bool {
	t.Enter(svcExAcquireSharedWaitForExclusive, resource, b2u(wait))
	return t.LeaveBool(t.acquireResource(resource, waitForExclusive, wait))
}

func (t *Thread) acquireResource(resource uint64, a resourceAccess, wait bool) bool {
	t.checkAPCsDisabled(0x37, resource, "acquired")
	t.point(op{})
	t.checkResource(resource, "acquired")
	switch {
	case t.m.grantable(resource, t, a):
		t.m.grant(resource, t, a == exclusiveAccess)
	case !wait:
		return false
	default:
		t.waitForResource(resource, a)
	}
	t.Acquired(resource)
	if a == exclusiveAccess {
		t.Acquired(sharedPart(resource))
	}
	return true
}

// sharedPart is what releases of shared access release: it orders them before
// exclusive access only, not before each other.
func sharedPart(resource uint64) uint64 { return resource | 2 }

// checkAPCsDisabled is the check of Driver Verifier for resources (0xC4/0x37 and
// 0x38): an APC that runs in a thread that owns one could want it, too.
func (t *Thread) checkAPCsDisabled(code, resource uint64, verb string) {
	if t.IRQL() == PassiveLevel && t.criticalRegions == 0 && t.guardedRegions == 0 {
		t.violation(Finding{Code: 0xC4, Rule: "WithinCriticalRegion", Clause: "IRQL-17", Params: [4]uint64{code, PassiveLevel, 0, resource},
			Text: fmt.Sprintf("the resource %s is %s with normal kernel APCs enabled: KeEnterCriticalRegion comes first", t.m.NameOf(resource), verb)})
	}
}

// waitForResource waits until the resource is handed to this thread.
func (t *Thread) waitForResource(resource uint64, a resourceAccess) {
	if t.IRQL() >= DispatchLevel {
		t.checkWait(resource, Forever, false)
	}
	t.wait = waitState{kind: waitResource, objects: []uint64{resource}, all: a == exclusiveAccess, what: "the resource " + t.m.NameOf(resource)}
	t.checkCircle()
	t.block()
}

// grantable reports whether a thread can have a resource now.
func (m *Machine) grantable(resource uint64, t *Thread, a resourceAccess) bool {
	owner, own := m.anyOwner(resource), m.resourceOwner(resource, t.id)
	switch {
	case owner == nil, own != nil && own.exclusive:
		return true
	case a == exclusiveAccess, owner.exclusive:
		return false
	case a == starveExclusive, own != nil && a == sharedAccess:
		return true
	}
	return m.resourceWaiter(resource, true) == nil
}

// grant gives a resource to a thread, once more if it has it.
func (m *Machine) grant(resource uint64, t *Thread, exclusive bool) {
	if o := m.resourceOwner(resource, t.id); o != nil {
		o.count++
		return
	}
	m.resourceOwners = append(m.resourceOwners, resourceOwner{resource, t.id, 1, exclusive, len(t.stack)})
}

// resourceOwner returns what a thread owns of a resource, nil for nothing.
func (m *Machine) resourceOwner(resource uint64, thread int) *resourceOwner {
	for i := range m.resourceOwners {
		if o := &m.resourceOwners[i]; o.addr == resource && o.thread == thread {
			return o
		}
	}
	return nil
}

// anyOwner returns the first owner of a resource, which is the only one of an
// exclusive resource; nil for none.
func (m *Machine) anyOwner(resource uint64) *resourceOwner {
	for i := range m.resourceOwners {
		if o := &m.resourceOwners[i]; o.addr == resource {
			return o
		}
	}
	return nil
}

// resourceWaiter returns the thread that has waited longest for exclusive or shared
// access, nil for none.
func (m *Machine) resourceWaiter(resource uint64, exclusive bool) (first *Thread) {
	for _, t := range m.threads {
		if m.waitsFor(t, resource, exclusive) && (first == nil || t.seq < first.seq) {
			first = t
		}
	}
	return first
}

func (m *Machine) waitsFor(t *Thread, resource uint64, exclusive bool) bool {
	return t.status == waiting && t.wait.kind == waitResource && t.wait.objects[0] == resource && t.wait.all == exclusive
}

// handOver gives a resource that has lost an owner to those that wait for it: at the
// end of exclusive access to all that want to share it, otherwise to the one that
// has waited longest for exclusive access.
func (m *Machine) handOver(resource uint64, wasExclusive bool) {
	if m.anyOwner(resource) != nil {
		return
	}
	shared := m.resourceWaiter(resource, false)
	if t := m.resourceWaiter(resource, true); t != nil && (!wasExclusive || shared == nil) {
		m.grant(resource, t, true)
		m.wake(t, StatusSuccess)
		return
	}
	m.shareWithWaiters(resource)
}

// shareWithWaiters gives shared access to all that wait for it.
func (m *Machine) shareWithWaiters(resource uint64) {
	for {
		t := m.resourceWaiter(resource, false)
		if t == nil {
			return
		}
		m.grant(resource, t, false)
		m.wake(t, StatusSuccess)
	}
}

// ExReleaseResourceLite gives up a resource once. A thread that does not own it is
// bug check 0xE3; with normal kernel APCs enabled it is 0xC4/0x38 under Driver
// Verifier. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ExReleaseResourceLite(resource uint64) {
	t.Enter(svcExReleaseResourceLite, resource)
	t.releaseResource(resource, t)
	t.LeaveVoid()
}

// ExReleaseResourceForThreadLite is ExReleaseResourceLite for the thread that
// acquired the resource: owner is the address of its thread object
// (ExGetCurrentResourceThread).
func (t *Thread) ExReleaseResourceForThreadLite(resource, owner uint64) {
	t.Enter(svcExReleaseResourceForThreadLite, resource, owner)
	n := slices.IndexFunc(t.m.threads, func(o *Thread) bool { return owner != 0 && o.object == owner })
	if n < 0 {
		t.resourceNotOwned(resource, owner, fmt.Sprintf("0x%X, which is no thread", owner))
	}
	t.releaseResource(resource, t.m.threads[n])
	t.LeaveVoid()
}

func (t *Thread) releaseResource(resource uint64, owner *Thread) {
	t.checkAPCsDisabled(0x38, resource, "released")
	t.point(op{})
	t.checkResource(resource, "released")
	o := t.m.resourceOwner(resource, owner.id)
	if o == nil {
		t.resourceNotOwned(resource, owner.Object(), "thread "+owner.name)
	}
	exclusive := o.exclusive
	if exclusive {
		t.Released(resource)
	} else {
		t.Released(sharedPart(resource))
	}
	if o.count--; o.count == 0 {
		*o = resourceOwner{}
		t.disownResource(0)
		t.m.handOver(resource, exclusive)
	}
	t.settle()
}

func (t *Thread) resourceNotOwned(resource, thread uint64, who string) {
	t.BugCheck(0xE3, [4]uint64{resource, thread}, "IRQL-17", fmt.Sprintf(
		"the resource %s is released for %s, which does not own it", t.m.NameOf(resource), who))
}

// ExConvertExclusiveToSharedLite lets others share a resource that this thread owns
// exclusively; those that wait to share it get it at once. Anything else is bug check
// 0xE3. IRQL <= APC_LEVEL.
func (t *Thread) ExConvertExclusiveToSharedLite(resource uint64) {
	t.Enter(svcExConvertExclusiveToSharedLite, resource)
	t.point(op{})
	t.checkResource(resource, "converted")
	o := t.m.resourceOwner(resource, t.id)
	if o == nil || !o.exclusive {
		t.BugCheck(0xE3, [4]uint64{resource, t.Object()}, "IRQL-17", fmt.Sprintf(
			"the resource %s is converted to shared access by thread %s, which does not own it exclusively", t.m.NameOf(resource), t.name))
	}
	t.Released(resource)
	o.exclusive = false
	t.m.shareWithWaiters(resource)
	t.settle()
	t.LeaveVoid()
}

// ExIsResourceAcquiredExclusiveLite reports whether this thread owns a resource
// exclusively. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ExIsResourceAcquiredExclusiveLite(resource uint64) bool {
	t.Enter(svcExIsResourceAcquiredExclusive, resource)
	o := t.lookAtResource(resource)
	return t.LeaveBool(o != nil && o.exclusive)
}

// ExIsResourceAcquiredSharedLite returns how often this thread has acquired a
// resource, for shared or exclusive access. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ExIsResourceAcquiredSharedLite(resource uint64) (n uint32) {
	t.Enter(svcExIsResourceAcquiredShared, resource)
	if o := t.lookAtResource(resource); o != nil {
		n = o.count
	}
	t.Leave(trace.Decimal, uint64(n))
	return n
}

func (t *Thread) lookAtResource(resource uint64) *resourceOwner {
	t.point(op{})
	t.checkResource(resource, "looked at")
	return t.m.resourceOwner(resource, t.id)
}

// ExGetExclusiveWaiterCount returns how many threads wait for exclusive access to a
// resource. IRQL <= DISPATCH_LEVEL.
func (t *Thread) ExGetExclusiveWaiterCount(resource uint64) uint32 {
	t.Enter(svcExGetExclusiveWaiterCount, resource)
	return t.resourceWaiters(resource, true)
}

// ExGetSharedWaiterCount returns how many threads wait to share a resource. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) ExGetSharedWaiterCount(resource uint64) uint32 {
	t.Enter(svcExGetSharedWaiterCount, resource)
	return t.resourceWaiters(resource, false)
}

func (t *Thread) resourceWaiters(resource uint64, exclusive bool) (n uint32) {
	t.lookAtResource(resource)
	for _, o := range t.m.threads {
		n += uint32(b2u(t.m.waitsFor(o, resource, exclusive)))
	}
	t.Leave(trace.Decimal, uint64(n))
	return n
}

// ExEnterCriticalRegionAndAcquireResourceExclusive is KeEnterCriticalRegion and then
// ExAcquireResourceExclusiveLite with a wait. IRQL <= APC_LEVEL.
func (t *Thread) ExEnterCriticalRegionAndAcquireResourceExclusive(resource uint64) {
	t.enterAndAcquire(svcExEnterAndAcquireExclusive, resource, exclusiveAccess)
}

// ExEnterCriticalRegionAndAcquireResourceShared is KeEnterCriticalRegion and then
// ExAcquireResourceSharedLite with a wait. IRQL <= APC_LEVEL.
func (t *Thread) ExEnterCriticalRegionAndAcquireResourceShared(resource uint64) {
	t.enterAndAcquire(svcExEnterAndAcquireShared, resource, sharedAccess)
}

// ExEnterCriticalRegionAndAcquireSharedWaitForExclusive is KeEnterCriticalRegion and
// then ExAcquireSharedWaitForExclusive with a wait. IRQL <= APC_LEVEL.
func (t *Thread) ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(resource uint64) {
	t.enterAndAcquire(svcExEnterAndAcquireSharedWait, resource, waitForExclusive)
}

func (t *Thread) enterAndAcquire(s *Service, resource uint64, a resourceAccess) {
	t.Enter(s, resource)
	t.checkRegionLevel(0x11A, s)
	t.enterCriticalRegion()
	t.acquireResource(resource, a, true)
	t.LeaveVoid()
}

// ExReleaseResourceAndLeaveCriticalRegion is ExReleaseResourceLite and then
// KeLeaveCriticalRegion. IRQL <= APC_LEVEL.
func (t *Thread) ExReleaseResourceAndLeaveCriticalRegion(resource uint64) {
	t.Enter(svcExReleaseAndLeave, resource)
	t.checkRegionLevel(0x11B, svcExReleaseAndLeave)
	t.releaseResource(resource, t)
	t.leaveCriticalRegion()
	t.LeaveVoid()
}

// checkResourcesIn stops what makes memory go away with a resource in it that was
// not deleted: pool is 0xC4/0xD2 under Driver Verifier.
func (t *Thread) checkResourcesIn(from, to uint64, what string) {
	for i := 0; i < len(t.m.resources); i++ {
		if r := t.m.resources[i]; r >= from && r < to {
			t.violation(Finding{Code: 0xC4, Rule: "active resource", Clause: "IRQL-17", Params: [4]uint64{0xD2, r, from, to - from},
				Text: fmt.Sprintf("%s that holds the resource at 0x%X; ExDeleteResourceLite comes first", what, r)})
			t.m.resources = slices.Delete(t.m.resources, i, i+1)
			t.disownResource(r)
			i--
		}
	}
}

// checkResourcesLeft reports resources that a routine of a driver with a stack of this
// depth, or a thread that ends (0), still owns exclusively (rule
// ExclusiveResourceAccess).
func (t *Thread) checkResourcesLeft(depth int, who string) {
	for i := range t.m.resourceOwners {
		if o := &t.m.resourceOwners[i]; o.thread == t.id && o.exclusive && o.depth > depth {
			o.depth = 0 // reported
			t.Report(Finding{Rule: "ExclusiveResourceAccess", Clause: "IRQL-17", Text: fmt.Sprintf(
				"%s and owns the resource %s exclusively", who, t.m.NameOf(o.addr))})
		}
	}
}
