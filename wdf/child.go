package wdf

import (
	"bytes"
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// This file has the descriptions of a child list and what happens to them: the
// driver adds and takes away descriptions, the PnP manager asks for the children
// (childenum.go). child_api.go has the routines that drivers call.

// ChildListConfigSize is the size of WDF_CHILD_LIST_CONFIG in bytes.
const ChildListConfigSize = 96

// ChildListConfig is WDF_CHILD_LIST_CONFIG. The callbacks for descriptions run at
// DISPATCH_LEVEL, under the lock of the list.
type ChildListConfig struct {
	Size                          uint32
	IdentificationDescriptionSize uint32 // bytes, with the header
	AddressDescriptionSize        uint32 // bytes, with the header; 0: there are none

	EvtChildListCreateDevice                       Callback
	EvtChildListScanForChildren                    Callback
	EvtChildListIdentificationDescriptionCopy      Callback
	EvtChildListIdentificationDescriptionDuplicate Callback
	EvtChildListIdentificationDescriptionCleanup   Callback
	EvtChildListIdentificationDescriptionCompare   Callback
	EvtChildListAddressDescriptionCopy             Callback
	EvtChildListAddressDescriptionDuplicate        Callback
	EvtChildListAddressDescriptionCleanup          Callback
	EvtChildListDeviceReenumerated                 Callback
}

// maxDescription is the longest description that is supported, in bytes.
const maxDescription = 1 << 20

// check does the checks of the structure (FxChildList::_ValidateConfig).
func (c *ChildListConfig) check() NTSTATUS {
	switch {
	case c.Size != ChildListConfigSize:
		return StatusInfoLengthMismatch
	case c.IdentificationDescriptionSize == 0, c.EvtChildListCreateDevice == 0,
		c.IdentificationDescriptionSize > 1<<32-8, c.AddressDescriptionSize > 1<<32-8:
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// childList is a WDFCHILDLIST.
type childList struct {
	object id
	device id
	config ChildListConfig
	lock   uint64 // spin lock
	scans  int32  // scans and iterations under way: changes wait for their end
	inEnum bool   // the PnP manager is asking: changes wait, too
	static bool   // of devices that WdfFdoAddStaticChild adds
	queued bool   // the PnP manager has been told that children have changed
}

// childState is what the PnP manager knows of a description.
type childState uint8

const (
	childNew         childState = iota // added; the change is not made yet
	childNeedsDevice                   // EvtChildListCreateDevice is to be called
	childHasDevice
	childNotPresent      // taken away; the PnP manager does not know
	childReportedMissing // it does
	childGone            // the row is free
)

// child is a description of a child. Rows are not used again.
type child struct {
	list           int32
	identification uint64 // its description in memory
	address        uint64 // the same, 0: none
	pdo            id
	state          childState
	removing       bool // it is to be taken away when changes are made
	found          bool // in the last scan
}

// present reports whether a description is one of a child that is there.
func (c *child) present() bool { return c.state == childNeedsDevice || c.state == childHasDevice }

// newChildList makes the object of a list.
func (s *Sys) newChildList(dev id, c *ChildListConfig, a *ObjectAttributes, static bool) id {
	f := s.f
	if c.IdentificationDescriptionSize > maxDescription || c.AddressDescriptionSize > maxDescription {
		s.Unsupported(fmt.Sprintf("descriptions of children with more than %d bytes", maxDescription))
	}
	lock := f.m.Mem.Alloc(8, kernel.PoolTag("FxCl"), false, s.ActivationID())
	f.childLists = append(f.childLists, childList{device: dev, config: *c, lock: lock, static: static})
	n := len(f.childLists) - 1
	i := s.create(TypeChildList, dev, n, a, "")
	f.childLists[n].object = i
	f.objects[i].noDelete = true
	f.m.NameLock(lock, f.m.NameOf(uint64(i.handle()))+" lock")
	return i
}

// lockList takes the lock of a list; unlockList makes the changes that are due
// and releases it.
func (s *Sys) lockList(l int32) (old uint8) { return s.AcquireSpinLock(s.f.childLists[l].lock) }

func (s *Sys) unlockList(l int32, old uint8) {
	dropped, changed := s.f.makeChanges(l)
	s.ReleaseSpinLock(s.f.childLists[l].lock, old)
	if changed {
		s.childrenChanged(l)
	}
	for _, row := range dropped {
		s.freeChild(row)
	}
}

// makeChanges makes the changes that wait, unless a scan or the PnP manager is at
// the list. It returns the rows that are not needed any more, and whether the PnP
// manager has to know.
func (f *Framework) makeChanges(l int32) (dropped []int32, changed bool) {
	if p := &f.childLists[l]; p.scans > 0 || p.inEnum {
		return nil, false
	}
	for row := range f.childRows {
		c := &f.childRows[row]
		switch {
		case c.list != l || c.state == childGone:
		case c.state == childNew && c.removing, c.state == childNeedsDevice && c.removing:
			c.state = childGone
			dropped = append(dropped, int32(row))
		case c.state == childNew:
			c.state, changed = childNeedsDevice, true
		case c.state == childHasDevice && c.removing:
			c.state, c.removing, changed = childNotPresent, false, true
		}
	}
	return dropped, changed
}

// childrenChanged tells the PnP manager that the children of a device have
// changed (IoInvalidateDeviceRelations). Before the device has started it does
// not know the device: it asks after the start.
func (s *Sys) childrenChanged(l int32) {
	p := &s.f.childLists[l]
	if p.queued || s.device(p.device).pnp != pnpStarted {
		return
	}
	p.queued = true
	s.f.m.QueueWork(uint64(p.device.handle()), "query of bus relations", s.f.thunks.enumerate, kernel.Args{uint64(l)})
}

// bytesAt reads n bytes for a comparison: what was read is in a Go slice while
// something else may happen, so its fingerprint becomes the position.
func (s *Sys) bytesAt(addr uint64, n uint32) []byte {
	p := make([]byte, n)
	s.ReadBytes(addr, p)
	s.SetPosition(fingerprint(p))
	return p
}

// findChild returns the row of the last description that equals one of the driver
// and that ok accepts, 0 if there is none.
func (s *Sys) findChild(l int32, identification uint64, ok func(c *child) bool) int32 {
	list := s.f.childLists[l]
	compare := list.config.EvtChildListIdentificationDescriptionCompare
	var wanted []byte
	if compare == 0 {
		wanted = s.bytesAt(identification, list.config.IdentificationDescriptionSize)
	}
	have := make([]byte, len(wanted))
	for row := len(s.f.childRows) - 1; row > 0; row-- {
		c := s.f.childRows[row]
		if c.list != l || c.state == childGone || !ok(&c) {
			continue
		}
		if compare != 0 {
			if s.call("EvtChildListIdentificationDescriptionCompare", compare, uint64(list.object.handle()), identification, c.identification)&0xFF != 0 {
				return int32(row)
			}
			continue
		}
		if s.f.m.Mem.Read(c.identification, have); bytes.Equal(wanted, have) {
			return int32(row)
		}
	}
	return 0
}

// pending accepts descriptions that have a change waiting; reported those that the
// PnP manager is or was told of.
func pending(c *child) bool  { return c.state == childNew && !c.removing || c.removing }
func reported(c *child) bool { return c.state > childNew }

// addChild adds a description or finds the one that is there
// (FxChildList::Add).
func (s *Sys) addChild(l int32, identification, address uint64) NTSTATUS {
	old := s.lockList(l)
	row := s.findChild(l, identification, pending)
	if row != 0 && s.f.childRows[row].removing {
		row = 0
	} else if row == 0 {
		if row = s.findChild(l, identification, reported); row != 0 && !s.f.childRows[row].present() {
			row = 0
		}
	}
	st := StatusObjectNameExists
	if row != 0 {
		s.f.childRows[row].found = true
		s.copyAddress(l, s.f.childRows[row].address, address)
	} else {
		st = s.newChild(l, identification, address)
	}
	s.unlockList(l, old)
	return st
}

// newChild makes the row of a description, with copies of it.
func (s *Sys) newChild(l int32, identification, address uint64) NTSTATUS {
	f := s.f
	list := f.childLists[l]
	c := child{list: l, found: true}
	alloc := func(size uint32) uint64 {
		return f.m.Mem.Alloc(uint64(size), kernel.PoolTag("FxCl"), false, s.ActivationID())
	}
	if c.identification = alloc(list.config.IdentificationDescriptionSize); c.identification == 0 {
		return StatusInsufficientResources
	}
	st := s.duplicate(l, "EvtChildListIdentificationDescriptionDuplicate", list.config.EvtChildListIdentificationDescriptionDuplicate,
		c.identification, identification, list.config.IdentificationDescriptionSize)
	if n := list.config.AddressDescriptionSize; !st.Failed() && n != 0 {
		if c.address = alloc(n); c.address == 0 {
			s.FreeBlock(c.identification)
			return StatusInsufficientResources
		}
		st = s.duplicate(l, "EvtChildListAddressDescriptionDuplicate", list.config.EvtChildListAddressDescriptionDuplicate,
			c.address, address, n)
	}
	f.childRows = append(f.childRows, c)
	if st.Failed() {
		f.childRows[len(f.childRows)-1].removing = true
	}
	return st
}

// duplicate copies a description into new memory, copyDescription into memory
// that has one.
func (s *Sys) duplicate(l int32, role string, c Callback, to, from uint64, size uint32) NTSTATUS {
	if c == 0 {
		s.copyBytes(to, from, uint64(size))
		return StatusSuccess
	}
	return NTSTATUS(s.call(role, c, uint64(s.f.childLists[l].object.handle()), from, to))
}

func (s *Sys) copyDescription(l int32, role string, c Callback, to, from uint64, size uint32) {
	if c == 0 {
		s.copyBytes(to, from, uint64(size))
		return
	}
	s.call(role, c, uint64(s.f.childLists[l].object.handle()), from, to)
}

func (s *Sys) copyIdentification(l int32, to, from uint64) {
	c := s.f.childLists[l].config
	s.copyDescription(l, "EvtChildListIdentificationDescriptionCopy", c.EvtChildListIdentificationDescriptionCopy, to, from,
		c.IdentificationDescriptionSize)
}

func (s *Sys) copyAddress(l int32, to, from uint64) {
	if c := s.f.childLists[l].config; c.AddressDescriptionSize != 0 && to != 0 && from != 0 {
		s.copyDescription(l, "EvtChildListAddressDescriptionCopy", c.EvtChildListAddressDescriptionCopy, to, from, c.AddressDescriptionSize)
	}
}

// freeChild frees the memory of a row that is not needed any more, after the
// driver's cleanup callbacks for it.
func (s *Sys) freeChild(row int32) {
	c := s.f.childRows[row]
	list := s.f.childLists[c.list]
	if list.static {
		s.freeStaticChild(c.pdo)
		return
	}
	h := uint64(list.object.handle())
	if cleanup := list.config.EvtChildListIdentificationDescriptionCleanup; cleanup != 0 {
		s.call("EvtChildListIdentificationDescriptionCleanup", cleanup, h, c.identification)
	}
	s.FreeBlock(c.identification)
	if c.address == 0 {
		return
	}
	if cleanup := list.config.EvtChildListAddressDescriptionCleanup; cleanup != 0 {
		s.call("EvtChildListAddressDescriptionCleanup", cleanup, h, c.address)
	}
	s.FreeBlock(c.address)
}

// freeStaticChild deletes a static child that was taken away before the PnP manager
// knew of it.
func (s *Sys) freeStaticChild(pdo id) {
	if s.device(pdo).pnp == pnpInit {
		s.device(pdo).pnp = pnpRemoved
		s.deleteObject(pdo)
	}
}

// beginScan and endScan surround a scan, which takes away what is not added again
// in it, or an iteration, which does not.
func (s *Sys) beginScan(l int32, forget bool) {
	old := s.lockList(l)
	s.f.childLists[l].scans++
	for row := range s.f.childRows {
		if c := &s.f.childRows[row]; c.list == l && forget {
			c.found = false
		}
	}
	s.unlockList(l, old)
}

func (s *Sys) endScan(l int32) {
	old := s.lockList(l)
	p := &s.f.childLists[l]
	if p.scans == 0 {
		s.verifierBreak("WdfChildListEndScan", "OBJ-20", "no scan or iteration of %s has begun: nothing happens", s.f.m.NameOf(uint64(p.object.handle())))
	} else if p.scans--; p.scans == 0 {
		for row := range s.f.childRows {
			if c := &s.f.childRows[row]; c.list == l && !c.found && (c.state == childNew || c.present()) {
				c.removing = true
			}
		}
	}
	s.unlockList(l, old)
}

// missingChild takes a description away (FxChildList::UpdateAsMissing).
func (s *Sys) missingChild(l int32, identification uint64) (st NTSTATUS) {
	old := s.lockList(l)
	row := s.findChild(l, identification, pending)
	if row == 0 {
		row = s.findChild(l, identification, reported)
	}
	switch {
	case row == 0:
		st = StatusNoSuchDevice
	case s.f.childRows[row].state == childNew || s.f.childRows[row].present():
		s.f.childRows[row].removing, s.f.childRows[row].found = true, false
	}
	s.unlockList(l, old)
	return st
}

// allPresent marks all descriptions as found in the present scan.
func (s *Sys) allPresent(l int32) {
	old := s.lockList(l)
	for row := range s.f.childRows {
		if c := &s.f.childRows[row]; c.list == l && !c.removing && (c.state == childNew || c.present()) {
			c.found = true
		}
	}
	s.unlockList(l, old)
}

var svcProcessRelations = kernel.NewService("the query of bus relations")

// enumerateThunk is the routine of the work item of childrenChanged: (row of the
// list).
func (s *Sys) enumerateThunk(a kernel.Args) uint64 {
	l := int32(a[0])
	dev := s.f.childLists[l].device
	s.lockPnp()
	s.f.childLists[l].queued = false
	if s.f.objects[dev].state == live && s.device(dev).pnp == pnpStarted {
		s.enumerate(dev)
	}
	s.unlockPnp()
	return 0
}

// enumerate is what the PnP manager does when the children of a device may have
// changed: it asks for them, starts those that are new, and removes those that are
// not there any more.
func (s *Sys) enumerate(dev id) {
	for l := int32(1); int(l) < len(s.f.childLists); l++ {
		if s.f.childLists[l].device == dev {
			s.Begin(svcProcessRelations, uint64(dev.handle()), uint64(l))
			s.queryRelations(l)
			s.applyRelations(l)
			s.End()
		}
	}
}

// queryRelations is FxChildList::ProcessBusRelations: devices are made for new
// descriptions, and those of missing children are reported missing.
func (s *Sys) queryRelations(l int32) {
	s.f.childLists[l].inEnum = true
	retry := false
	for row := int32(1); int(row) < len(s.f.childRows); row++ {
		switch c := &s.f.childRows[row]; {
		case c.list != l:
		case c.state == childNeedsDevice && s.f.childLists[l].static:
			c.state = childHasDevice
			s.checkIdentity(row)
		case c.state == childNeedsDevice:
			retry = s.createChild(row) || retry
		case c.state == childNotPresent:
			c.state = childReportedMissing
		}
	}
	old := s.lockList(l)
	s.f.childLists[l].inEnum = false
	s.unlockList(l, old)
	if retry {
		s.childrenChanged(l)
	}
}

// createChild calls EvtChildListCreateDevice for a description and reports whether
// it has to be called again (STATUS_RETRY).
func (s *Sys) createChild(row int32) (retry bool) {
	f := s.f
	c := f.childRows[row]
	list := f.childLists[c.list]
	init := f.newInit(DeviceInit{parent: list.device, child: row, named: true, location: s.device(list.device).location})
	st := NTSTATUS(s.call("EvtChildListCreateDevice", list.config.EvtChildListCreateDevice, uint64(list.object.handle()), c.identification,
		init.address))
	pdo := init.device
	f.freeInit(init)
	if !st.Failed() && pdo == 0 {
		s.verifierBreak("EvtChildListCreateDevice", "OBJ-19", "it succeeded but did not make a device")
		st = StatusInvalidDeviceObjectParameter
	}
	if !st.Failed() {
		f.childRows[row].pdo, f.childRows[row].state = pdo, childHasDevice
		s.checkIdentity(row)
		return false
	}
	s.pnpNote(list.device, "EvtChildListCreateDevice failed: %s", trace.StatusName(uint32(st)))
	if pdo != 0 {
		s.device(pdo).pnp = pnpRemoved
		s.deleteObject(pdo)
	}
	f.childRows[row].removing = st != StatusRetry
	return st == StatusRetry
}

// checkIdentity looks at the identifiers of a child that is reported for the first
// time. Two children of one parent with the same ones are bug check 0xCA/1.
func (s *Sys) checkIdentity(row int32) {
	f := s.f
	pdo := f.childRows[row].pdo
	ids := f.identityOf(pdo)
	if ids.deviceID == "" {
		s.Report(kernel.Finding{Rule: "PDO without a device ID", Clause: "WdfPdoInitAssignDeviceID", Text: fmt.Sprintf(
			"%s has no device ID: Windows does not start it", f.m.NameOf(uint64(pdo.handle())))})
	}
	for _, other := range f.childDevices(s.device(pdo).parent) {
		if o := f.identityOf(other); other != pdo && o.deviceID == ids.deviceID && o.instanceID == ids.instanceID && ids.deviceID != "" &&
			s.device(other).known {
			s.BugCheck(0xCA, [4]uint64{1, s.pdoObject(pdo), s.pdoObject(other)}, "PNP_DETECTED_FATAL_ERROR", fmt.Sprintf(
				"%s has the device ID %s and the instance ID %q of %s, another child of the same device", f.m.NameOf(uint64(pdo.handle())),
				ids.deviceID, ids.instanceID, f.m.NameOf(uint64(other.handle()))))
		}
	}
}

// applyRelations starts the children that are new and removes the missing ones.
func (s *Sys) applyRelations(l int32) {
	for row := int32(1); int(row) < len(s.f.childRows); row++ {
		c := s.f.childRows[row]
		if c.list != l || c.pdo == 0 {
			continue
		}
		switch d := s.device(c.pdo); {
		case c.state == childHasDevice && !d.known && s.f.identityOf(c.pdo).deviceID != "":
			if st := s.startDevice(c.pdo, nil, nil); st.Failed() {
				s.pnpNote(c.pdo, "the start failed: %s", trace.StatusName(uint32(st)))
			} else {
				s.enumerate(c.pdo)
			}
		case c.state == childReportedMissing && d.pnp != pnpRemoved:
			s.surpriseRemove(c.pdo)
		}
	}
}

// scanForChildren calls EvtChildListScanForChildren of the lists of a device that
// enters D0.
func (s *Sys) scanForChildren(dev id) {
	for l := 1; l < len(s.f.childLists); l++ {
		list := s.f.childLists[l]
		if scan := list.config.EvtChildListScanForChildren; list.device == dev && scan != 0 {
			s.Step()
			s.call("EvtChildListScanForChildren", scan, uint64(list.object.handle()))
		}
	}
}

// endChildren is what the removal of a device means for descriptions: its own one,
// if it is a child, and those of its lists, whose devices were removed before it.
func (s *Sys) endChildren(dev id) {
	for row := int32(1); int(row) < len(s.f.childRows); row++ {
		c := &s.f.childRows[row]
		own := c.pdo == dev
		if c.state == childGone || !own && s.f.childLists[c.list].device != dev {
			continue
		}
		c.state = childGone
		s.freeChild(row)
	}
}
