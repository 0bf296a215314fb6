package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfFdoInitSetDefaultChildListConfig": func(c *call) uint64 {
			c.WdfFdoInitSetDefaultChildListConfig(c.deviceInit(1), c.childListConfig(2), c.attributes(3))
			return 0
		},
		"WdfFdoGetDefaultChildList": func(c *call) uint64 { return uint64(c.WdfFdoGetDefaultChildList(c.handle(1))) },
		"WdfChildListCreate": func(c *call) uint64 {
			return c.created(4)(c.WdfChildListCreate(c.handle(1), c.childListConfig(2), c.attributes(3)))
		},
		"WdfChildListGetDevice": func(c *call) uint64 { return uint64(c.WdfChildListGetDevice(c.handle(1))) },
		"WdfChildListBeginScan": func(c *call) uint64 { c.WdfChildListBeginScan(c.handle(1)); return 0 },
		"WdfChildListEndScan":   func(c *call) uint64 { c.WdfChildListEndScan(c.handle(1)); return 0 },
		"WdfChildListBeginIteration": func(c *call) uint64 {
			return c.iterate(func(i *wdf.ChildListIterator) uint64 { c.WdfChildListBeginIteration(c.handle(1), i); return 0 })
		},
		"WdfChildListEndIteration": func(c *call) uint64 {
			return c.iterate(func(i *wdf.ChildListIterator) uint64 { c.WdfChildListEndIteration(c.handle(1), i); return 0 })
		},
		"WdfChildListRetrieveNextDevice": (*call).childListRetrieveNextDevice,
		"WdfChildListRetrievePdo": func(c *call) uint64 {
			return c.withRetrieveInfo(2, func(i *wdf.ChildRetrieveInfo) uint64 { return uint64(c.WdfChildListRetrievePdo(c.handle(1), i)) })
		},
		"WdfChildListRetrieveAddressDescription": func(c *call) uint64 {
			return uint64(c.WdfChildListRetrieveAddressDescription(c.handle(1), c.arg(2), c.arg(3)))
		},
		"WdfChildListAddOrUpdateChildDescriptionAsPresent": func(c *call) uint64 {
			return uint64(c.WdfChildListAddOrUpdateChildDescriptionAsPresent(c.handle(1), c.arg(2), c.arg(3)))
		},
		"WdfChildListUpdateChildDescriptionAsMissing": func(c *call) uint64 {
			return uint64(c.WdfChildListUpdateChildDescriptionAsMissing(c.handle(1), c.arg(2)))
		},
		"WdfChildListUpdateAllChildDescriptionsAsPresent": func(c *call) uint64 {
			c.WdfChildListUpdateAllChildDescriptionsAsPresent(c.handle(1))
			return 0
		},

		"WdfPdoInitAllocate":         func(c *call) uint64 { return c.WdfPdoInitAllocate(c.handle(1)).Address() },
		"WdfPdoInitAssignDeviceID":   func(c *call) uint64 { return uint64(c.WdfPdoInitAssignDeviceID(c.deviceInit(1), c.unicode(2))) },
		"WdfPdoInitAssignInstanceID": func(c *call) uint64 { return uint64(c.WdfPdoInitAssignInstanceID(c.deviceInit(1), c.unicode(2))) },
		"WdfPdoInitAddHardwareID":    func(c *call) uint64 { return uint64(c.WdfPdoInitAddHardwareID(c.deviceInit(1), c.unicode(2))) },
		"WdfPdoInitAddCompatibleID":  func(c *call) uint64 { return uint64(c.WdfPdoInitAddCompatibleID(c.deviceInit(1), c.unicode(2))) },
		"WdfPdoInitAddDeviceText": func(c *call) uint64 {
			return uint64(c.WdfPdoInitAddDeviceText(c.deviceInit(1), c.unicode(2), c.unicode(3), c.word(4)))
		},
		"WdfPdoInitSetDefaultLocale": func(c *call) uint64 { c.WdfPdoInitSetDefaultLocale(c.deviceInit(1), c.word(2)); return 0 },
		"WdfPdoInitAssignRawDevice":  func(c *call) uint64 { return uint64(c.WdfPdoInitAssignRawDevice(c.deviceInit(1), c.guid(2))) },
		"WdfPdoGetParent":            func(c *call) uint64 { return uint64(c.WdfPdoGetParent(c.handle(1))) },
		"WdfPdoMarkMissing":          func(c *call) uint64 { return uint64(c.WdfPdoMarkMissing(c.handle(1))) },
		"WdfFdoAddStaticChild":       func(c *call) uint64 { return uint64(c.WdfFdoAddStaticChild(c.handle(1), c.handle(2))) },
	})
}

// childListConfig reads WDF_CHILD_LIST_CONFIG; nil for NULL.
func (c *call) childListConfig(n int) *wdf.ChildListConfig {
	s := c.structure(n, "WDF_CHILD_LIST_CONFIG")
	if s == nil {
		return nil
	}
	return &wdf.ChildListConfig{
		Size:                                           uint32(s.size),
		IdentificationDescriptionSize:                  uint32(s.get("IdentificationDescriptionSize")),
		AddressDescriptionSize:                         uint32(s.get("AddressDescriptionSize")),
		EvtChildListCreateDevice:                       s.callback("EvtChildListCreateDevice"),
		EvtChildListScanForChildren:                    s.callback("EvtChildListScanForChildren"),
		EvtChildListIdentificationDescriptionCopy:      s.callback("EvtChildListIdentificationDescriptionCopy"),
		EvtChildListIdentificationDescriptionDuplicate: s.callback("EvtChildListIdentificationDescriptionDuplicate"),
		EvtChildListIdentificationDescriptionCleanup:   s.callback("EvtChildListIdentificationDescriptionCleanup"),
		EvtChildListIdentificationDescriptionCompare:   s.callback("EvtChildListIdentificationDescriptionCompare"),
		EvtChildListAddressDescriptionCopy:             s.callback("EvtChildListAddressDescriptionCopy"),
		EvtChildListAddressDescriptionDuplicate:        s.callback("EvtChildListAddressDescriptionDuplicate"),
		EvtChildListAddressDescriptionCleanup:          s.callback("EvtChildListAddressDescriptionCleanup"),
		EvtChildListDeviceReenumerated:                 s.callback("EvtChildListDeviceReenumerated"),
	}
}

// iterate calls do with the WDF_CHILD_LIST_ITERATOR that argument 2 points to, nil
// for NULL, and puts its state back.
func (c *call) iterate(do func(i *wdf.ChildListIterator) uint64) uint64 {
	s := c.structure(2, "WDF_CHILD_LIST_ITERATOR")
	if s == nil {
		return do(nil)
	}
	i := &wdf.ChildListIterator{Size: uint32(s.size), Flags: uint32(s.get("Flags"))}
	if i.Size != wdf.ChildListIteratorSize {
		return do(i)
	}
	for n := range i.Reserved {
		i.Reserved[n] = c.load(s.addr+8+8*uint64(n), 8)
	}
	r := do(i)
	for n, v := range i.Reserved {
		c.store(s.addr+8+8*uint64(n), 8, v)
	}
	return r
}

// withRetrieveInfo calls do with the WDF_CHILD_RETRIEVE_INFO that argument n points
// to, nil for NULL, and puts the result back.
func (c *call) withRetrieveInfo(n int, do func(i *wdf.ChildRetrieveInfo) uint64) uint64 {
	s := c.structure(n, "WDF_CHILD_RETRIEVE_INFO")
	if s == nil {
		return do(nil)
	}
	i := &wdf.ChildRetrieveInfo{
		Size: uint32(s.size), IdentificationDescription: s.get("IdentificationDescription"), AddressDescription: s.get("AddressDescription"),
		Status: uint32(s.get("Status")),
		EvtChildListIdentificationDescriptionCompare: s.callback("EvtChildListIdentificationDescriptionCompare"),
	}
	r := do(i)
	if i.Size == wdf.ChildRetrieveInfoSize {
		s.set("Status", uint64(i.Status))
	}
	return r
}

// childListRetrieveNextDevice: (list, WDF_CHILD_LIST_ITERATOR, address for the
// device, WDF_CHILD_RETRIEVE_INFO or NULL).
func (c *call) childListRetrieveNextDevice() uint64 {
	return c.iterate(func(i *wdf.ChildListIterator) uint64 {
		return c.withRetrieveInfo(4, func(info *wdf.ChildRetrieveInfo) uint64 {
			h, st := c.WdfChildListRetrieveNextDevice(c.handle(1), i, info)
			c.give(3, uint64(h))
			return uint64(st)
		})
	})
}
