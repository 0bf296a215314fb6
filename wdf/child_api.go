package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Flags of iterations (WDF_RETRIEVE_CHILD_FLAGS).
const (
	RetrievePresentChildren = 1
	RetrieveMissingChildren = 2
	RetrievePendingChildren = 4
	RetrieveAllChildren     = 7
)

// Values of ChildRetrieveInfo.Status (WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS).
const (
	ChildListRetrieveDeviceUndefined     = 0
	ChildListRetrieveDeviceSuccess       = 1
	ChildListRetrieveDeviceNotYetCreated = 2
	ChildListRetrieveDeviceNoSuchDevice  = 3
)

// Sizes of WDF_CHILD_RETRIEVE_INFO and WDF_CHILD_LIST_ITERATOR in bytes.
const (
	ChildRetrieveInfoSize = 40
	ChildListIteratorSize = 40
)

// ChildRetrieveInfo is WDF_CHILD_RETRIEVE_INFO. The descriptions are addresses, 0:
// none; Status is a result.
type ChildRetrieveInfo struct {
	Size                                         uint32
	IdentificationDescription                    uint64
	AddressDescription                           uint64
	Status                                       uint32
	EvtChildListIdentificationDescriptionCompare Callback
}

// ChildListIterator is WDF_CHILD_LIST_ITERATOR.
type ChildListIterator struct {
	Size     uint32
	Flags    uint32
	Reserved [4]uint64 // the row of the last child; whether the iteration has come to its end
}

var (
	svcWdfChildListCreate                               = kernel.NewLenientService("WdfChildListCreate")
	svcWdfChildListGetDevice                            = kernel.NewService("WdfChildListGetDevice")
	svcWdfChildListRetrievePdo                          = kernel.NewService("WdfChildListRetrievePdo")
	svcWdfChildListRetrieveAddressDescription           = kernel.NewService("WdfChildListRetrieveAddressDescription")
	svcWdfChildListBeginScan                            = kernel.NewService("WdfChildListBeginScan")
	svcWdfChildListEndScan                              = kernel.NewService("WdfChildListEndScan")
	svcWdfChildListBeginIteration                       = kernel.NewService("WdfChildListBeginIteration")
	svcWdfChildListRetrieveNextDevice                   = kernel.NewService("WdfChildListRetrieveNextDevice")
	svcWdfChildListEndIteration                         = kernel.NewService("WdfChildListEndIteration")
	svcWdfChildListAddOrUpdateChildDescriptionAsPresent = kernel.NewService("WdfChildListAddOrUpdateChildDescriptionAsPresent")
	svcWdfChildListUpdateChildDescriptionAsMissing      = kernel.NewService("WdfChildListUpdateChildDescriptionAsMissing")
	svcWdfChildListUpdateAllChildDescriptionsAsPresent  = kernel.NewService("WdfChildListUpdateAllChildDescriptionsAsPresent")
	svcWdfFdoInitSetDefaultChildListConfig              = kernel.NewLenientService("WdfFdoInitSetDefaultChildListConfig")
	svcWdfFdoGetDefaultChildList                        = kernel.NewService("WdfFdoGetDefaultChildList")
)

// checkNoParent refuses attributes that name a parent.
func checkNoParent(a *ObjectAttributes) NTSTATUS {
	if a != nil && a.ParentObject != 0 {
		return StatusWdfParentAssignmentNotAllowed
	}
	return checkAttributes(a, false)
}

// WdfFdoInitSetDefaultChildListConfig gives the device a child list when it is
// made. What is wrong with the configuration is a verifier break, and there will
// be none. PASSIVE_LEVEL (fxdeviceinitapi.cpp).
func (s *Sys) WdfFdoInitSetDefaultChildListConfig(init *DeviceInit, c *ChildListConfig, a *ObjectAttributes) {
	s.enterInit(svcWdfFdoInitSetDefaultChildListConfig, init)
	defer s.LeaveVoid()
	s.requirePointer(c != nil, "Config")
	if s.levelBreak("WdfFdoInitSetDefaultChildListConfig", "IRQL-12", PassiveLevel) || s.notFdo(init, "WdfFdoInitSetDefaultChildListConfig") {
		return
	}
	st := c.check()
	if !st.Failed() {
		st = checkNoParent(a)
	}
	if st.Failed() {
		s.verifierBreak("WdfFdoInitSetDefaultChildListConfig", "OBJ-19", "%s: there will be no default child list", trace.StatusName(uint32(st)))
		return
	}
	init.children, init.childrenAttributes = c, a
}

// WdfFdoGetDefaultChildList returns the default child list of an FDO, 0 if it has
// none; a PDO is a verifier break. IRQL <= DISPATCH_LEVEL (fxdevicefdoapi.cpp).
func (s *Sys) WdfFdoGetDefaultChildList(h WDFDEVICE) WDFCHILDLIST {
	s.Enter(svcWdfFdoGetDefaultChildList, uint64(h))
	d := s.device(s.lookup(h, TypeDevice))
	if d.parent != 0 {
		s.verifierBreak("WdfFdoGetDefaultChildList", "OBJ-18", "%s is not an FDO", s.f.m.NameOf(uint64(h)))
	}
	list := d.childList.handle()
	s.Leave(trace.Hex, uint64(list))
	return list
}

// WdfChildListCreate makes one more child list of a device. PASSIVE_LEVEL
// (fxchildlistapi.cpp).
func (s *Sys) WdfChildListCreate(h WDFDEVICE, c *ChildListConfig, a *ObjectAttributes) (WDFCHILDLIST, NTSTATUS) {
	s.Enter(svcWdfChildListCreate, uint64(h))
	dev := s.lookup(h, TypeDevice)
	s.requirePointer(c != nil, "Config")
	if s.levelBreak("WdfChildListCreate", "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	st := c.check()
	if !st.Failed() {
		st = checkNoParent(a)
	}
	if !st.Failed() {
		st = s.f.checkParent(dev)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.Step()
	return s.newChildList(dev, c, a, false).handle(), s.LeaveStatus(StatusSuccess)
}

// WdfChildListGetDevice returns the device of a child list. IRQL <=
// DISPATCH_LEVEL (fxchildlistapi.cpp).
func (s *Sys) WdfChildListGetDevice(h WDFCHILDLIST) WDFDEVICE {
	s.Enter(svcWdfChildListGetDevice, uint64(h))
	dev := s.f.childLists[s.row(h, TypeChildList)].device.handle()
	s.Leave(trace.Hex, uint64(dev))
	return dev
}

// WdfChildListBeginScan begins a scan: what the driver does not add or update until
// WdfChildListEndScan is missing. IRQL <= DISPATCH_LEVEL (fxchildlistapi.cpp).
func (s *Sys) WdfChildListBeginScan(h WDFCHILDLIST) {
	s.Enter(svcWdfChildListBeginScan, uint64(h))
	s.beginScan(s.row(h, TypeChildList), true)
	s.LeaveVoid()
}

// WdfChildListEndScan ends a scan; with the last one the changes are made. IRQL <=
// DISPATCH_LEVEL (fxchildlistapi.cpp).
func (s *Sys) WdfChildListEndScan(h WDFCHILDLIST) {
	s.Enter(svcWdfChildListEndScan, uint64(h))
	s.endScan(s.row(h, TypeChildList))
	s.LeaveVoid()
}

// checkDescriptions checks the sizes in the headers of descriptions; st is what a
// wrong one is. An address description may be there if the list has them.
func (s *Sys) checkDescriptions(l int32, identification, address uint64, st NTSTATUS) NTSTATUS {
	c := s.f.childLists[l].config
	switch {
	case address != 0 && c.AddressDescriptionSize == 0:
		return StatusInvalidDeviceRequest
	case address != 0 && uint32(s.Load(address, 4)) != c.AddressDescriptionSize,
		identification != 0 && uint32(s.Load(identification, 4)) != c.IdentificationDescriptionSize:
		return st
	}
	return StatusSuccess
}

// WdfChildListAddOrUpdateChildDescriptionAsPresent says that a child is there. A
// description that is there already gets the new address:
// STATUS_OBJECT_NAME_EXISTS. Descriptions are addresses; that of the address is
// needed if, and only if, the list has them. IRQL <= DISPATCH_LEVEL
// (fxchildlistapi.cpp).
func (s *Sys) WdfChildListAddOrUpdateChildDescriptionAsPresent(h WDFCHILDLIST, identification, address uint64) NTSTATUS {
	s.Enter(svcWdfChildListAddOrUpdateChildDescriptionAsPresent, uint64(h), identification, address)
	l := s.row(h, TypeChildList)
	s.requirePointer(identification != 0, "IdentificationDescription")
	if (address != 0) != (s.f.childLists[l].config.AddressDescriptionSize != 0) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if st := s.checkDescriptions(l, identification, address, StatusInvalidDeviceRequest); st.Failed() {
		return s.LeaveStatus(st)
	}
	return s.LeaveStatus(s.addChild(l, identification, address))
}

// WdfChildListUpdateChildDescriptionAsMissing says that a child is not there any
// more. STATUS_NO_SUCH_DEVICE: the list has no such description. IRQL <=
// DISPATCH_LEVEL (fxchildlistapi.cpp).
func (s *Sys) WdfChildListUpdateChildDescriptionAsMissing(h WDFCHILDLIST, identification uint64) NTSTATUS {
	s.Enter(svcWdfChildListUpdateChildDescriptionAsMissing, uint64(h), identification)
	l := s.row(h, TypeChildList)
	s.requirePointer(identification != 0, "IdentificationDescription")
	if st := s.checkDescriptions(l, identification, 0, StatusInvalidDeviceRequest); st.Failed() {
		return s.LeaveStatus(st)
	}
	return s.LeaveStatus(s.missingChild(l, identification))
}

// WdfChildListUpdateAllChildDescriptionsAsPresent says, in a scan, that all
// children are still there. IRQL <= DISPATCH_LEVEL (fxchildlistapi.cpp).
func (s *Sys) WdfChildListUpdateAllChildDescriptionsAsPresent(h WDFCHILDLIST) {
	s.Enter(svcWdfChildListUpdateAllChildDescriptionsAsPresent, uint64(h))
	s.allPresent(s.row(h, TypeChildList))
	s.LeaveVoid()
}

// WdfChildListRetrieveAddressDescription copies the address description of a child.
// STATUS_NO_SUCH_DEVICE: the list has no such description. IRQL <= DISPATCH_LEVEL
// (fxchildlistapi.cpp).
func (s *Sys) WdfChildListRetrieveAddressDescription(h WDFCHILDLIST, identification, address uint64) NTSTATUS {
	s.Enter(svcWdfChildListRetrieveAddressDescription, uint64(h), identification, address)
	l := s.row(h, TypeChildList)
	s.requirePointer(identification != 0, "IdentificationDescription")
	s.requirePointer(address != 0, "AddressDescription")
	st := s.checkDescriptions(l, identification, address, StatusInvalidDeviceRequest)
	if st.Failed() {
		return s.LeaveStatus(st)
	}
	old := s.lockList(l)
	row := s.findChild(l, identification, pending)
	if row == 0 {
		row = s.findChild(l, identification, reported)
	}
	if row == 0 {
		st = StatusNoSuchDevice
	} else {
		s.copyAddress(l, address, s.f.childRows[row].address)
	}
	s.unlockList(l, old)
	return s.LeaveStatus(st)
}

// WdfChildListRetrievePdo returns the device of the child with the identification
// description in info, 0 if it has none; Status says why. IRQL <= DISPATCH_LEVEL
// (fxchildlistapi.cpp).
func (s *Sys) WdfChildListRetrievePdo(h WDFCHILDLIST, info *ChildRetrieveInfo) (pdo WDFDEVICE) {
	s.Enter(svcWdfChildListRetrievePdo, uint64(h))
	l := s.row(h, TypeChildList)
	s.requirePointer(info != nil, "RetrieveInfo")
	if info.Size == ChildRetrieveInfoSize && info.IdentificationDescription != 0 &&
		!s.checkDescriptions(l, info.IdentificationDescription, info.AddressDescription, StatusInvalidParameter).Failed() {
		pdo = s.retrievePdo(l, info)
	}
	s.Leave(trace.Hex, uint64(pdo))
	return pdo
}

func (s *Sys) retrievePdo(l int32, info *ChildRetrieveInfo) (pdo WDFDEVICE) {
	old := s.lockList(l)
	row := s.findChild(l, info.IdentificationDescription, func(c *child) bool { return c.state == childNew && !c.removing })
	if row == 0 {
		row = s.findChild(l, info.IdentificationDescription, reported)
	}
	switch {
	case row == 0:
		info.Status = ChildListRetrieveDeviceNoSuchDevice
	case s.f.childRows[row].state <= childNeedsDevice:
		info.Status = ChildListRetrieveDeviceNotYetCreated
	default:
		info.Status, pdo = ChildListRetrieveDeviceSuccess, s.f.childRows[row].pdo.handle()
	}
	if row != 0 {
		s.copyAddress(l, info.AddressDescription, s.f.childRows[row].address)
	}
	s.unlockList(l, old)
	return pdo
}

// check checks an iterator.
func (i *ChildListIterator) check() NTSTATUS {
	switch {
	case i.Size != ChildListIteratorSize:
		return StatusInfoLengthMismatch
	case i.Flags&^RetrieveAllChildren != 0:
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// WdfChildListBeginIteration begins a walk through the children; until its end the
// list does not change. What is wrong with the iterator is a verifier break, and
// nothing happens. IRQL <= DISPATCH_LEVEL (fxchildlistapi.cpp).
func (s *Sys) WdfChildListBeginIteration(h WDFCHILDLIST, i *ChildListIterator) {
	s.Enter(svcWdfChildListBeginIteration, uint64(h))
	defer s.LeaveVoid()
	l := s.row(h, TypeChildList)
	s.requirePointer(i != nil, "Iterator")
	if st := i.check(); st.Failed() {
		s.verifierBreak("WDF_CHILD_LIST_ITERATOR", "OBJ-19", "%s: nothing happens", trace.StatusName(uint32(st)))
		return
	}
	i.Reserved = [4]uint64{}
	s.beginScan(l, false)
}

// WdfChildListEndIteration ends a walk. IRQL <= DISPATCH_LEVEL
// (fxchildlistapi.cpp).
func (s *Sys) WdfChildListEndIteration(h WDFCHILDLIST, i *ChildListIterator) {
	s.Enter(svcWdfChildListEndIteration, uint64(h))
	defer s.LeaveVoid()
	l := s.row(h, TypeChildList)
	s.requirePointer(i != nil, "Iterator")
	if st := i.check(); st.Failed() {
		s.verifierBreak("WDF_CHILD_LIST_ITERATOR", "OBJ-19", "%s: nothing happens", trace.StatusName(uint32(st)))
		return
	}
	s.endScan(l)
	i.Reserved = [4]uint64{}
}

// WdfChildListRetrieveNextDevice returns the next child that the flags of the
// iterator and the compare callback of info, if there is one, accept, and copies
// its descriptions to where info says. STATUS_NO_MORE_ENTRIES: there is none.
// STATUS_INVALID_DEVICE_STATE: no iteration has begun. IRQL <= DISPATCH_LEVEL
// (fxchildlistapi.cpp).
func (s *Sys) WdfChildListRetrieveNextDevice(h WDFCHILDLIST, i *ChildListIterator, info *ChildRetrieveInfo) (WDFDEVICE, NTSTATUS) {
	s.Enter(svcWdfChildListRetrieveNextDevice, uint64(h))
	l := s.row(h, TypeChildList)
	s.requirePointer(i != nil, "Iterator")
	st := i.check()
	if !st.Failed() && info != nil {
		if info.Size != ChildRetrieveInfoSize {
			st = StatusInfoLengthMismatch
		} else {
			st = s.checkDescriptions(l, info.IdentificationDescription, info.AddressDescription, StatusInvalidParameter)
		}
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	old := s.lockList(l)
	var pdo WDFDEVICE
	switch row := s.nextChild(l, i, info); {
	case s.f.childLists[l].scans == 0:
		st = StatusInvalidDeviceState
	case row == 0:
		i.Reserved[1], st = 1, StatusNoMoreEntries
	default:
		i.Reserved[0] = uint64(row)
		pdo = s.f.childRows[row].pdo.handle()
		s.fillInfo(l, row, info)
	}
	s.unlockList(l, old)
	return pdo, s.LeaveStatus(st)
}

// nextChild returns the row of the next child of an iteration, 0 if there is none.
func (s *Sys) nextChild(l int32, i *ChildListIterator, info *ChildRetrieveInfo) int32 {
	list := s.f.childLists[l]
	if list.scans == 0 || i.Reserved[1] != 0 {
		return 0
	}
	for row := i.Reserved[0] + 1; row < uint64(len(s.f.childRows)); row++ {
		c := s.f.childRows[row]
		if c.list != l || !c.matches(i.Flags) {
			continue
		}
		if info != nil && info.EvtChildListIdentificationDescriptionCompare != 0 && s.call("EvtChildListIdentificationDescriptionCompare",
			info.EvtChildListIdentificationDescriptionCompare, uint64(list.object.handle()), info.IdentificationDescription, c.identification)&0xFF == 0 {
			continue
		}
		return int32(row)
	}
	return 0
}

// matches reports whether the flags of an iteration include a description.
func (c *child) matches(flags uint32) bool {
	switch c.state {
	case childNew, childNeedsDevice:
		return flags&RetrievePendingChildren != 0
	case childHasDevice:
		return flags&RetrievePresentChildren != 0
	case childNotPresent, childReportedMissing:
		return flags&RetrieveMissingChildren != 0
	}
	return false
}

func (s *Sys) fillInfo(l, row int32, info *ChildRetrieveInfo) {
	if info == nil {
		return
	}
	c := s.f.childRows[row]
	if info.IdentificationDescription != 0 {
		s.copyIdentification(l, info.IdentificationDescription, c.identification)
	}
	s.copyAddress(l, info.AddressDescription, c.address)
	info.Status = ChildListRetrieveDeviceSuccess
	if c.pdo == 0 {
		info.Status = ChildListRetrieveDeviceNotYetCreated
	}
}
