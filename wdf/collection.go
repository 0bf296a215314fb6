package wdf

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// collectionItem is an entry of a WDFCOLLECTION. The entries of all collections
// are in one table; those of one collection are in the order in which they were
// added. An object can be in a collection more than once.
type collectionItem struct{ collection, object id }

var (
	svcWdfCollectionCreate       = kernel.NewService("WdfCollectionCreate")
	svcWdfCollectionAdd          = kernel.NewService("WdfCollectionAdd")
	svcWdfCollectionGetCount     = kernel.NewService("WdfCollectionGetCount")
	svcWdfCollectionGetItem      = kernel.NewService("WdfCollectionGetItem")
	svcWdfCollectionGetFirstItem = kernel.NewService("WdfCollectionGetFirstItem")
	svcWdfCollectionGetLastItem  = kernel.NewService("WdfCollectionGetLastItem")
	svcWdfCollectionRemove       = kernel.NewService("WdfCollectionRemove")
	svcWdfCollectionRemoveItem   = kernel.NewService("WdfCollectionRemoveItem")
)

// WdfCollectionCreate makes an empty collection. Without a parent it belongs to
// the driver. IRQL <= DISPATCH_LEVEL (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionCreate(a *ObjectAttributes) (WDFCOLLECTION, NTSTATUS) {
	s.Enter(svcWdfCollectionCreate)
	parent := s.parentOr(a, s.f.theDriver())
	s.Step()
	st := checkAttributes(a, false)
	if !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	return s.create(TypeCollection, parent, 0, a, "").handle(), s.LeaveStatus(StatusSuccess)
}

// WdfCollectionAdd puts an object at the end of a collection, which references it
// until it is taken out. IRQL <= DISPATCH_LEVEL (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionAdd(h WDFCOLLECTION, object WDFOBJECT) NTSTATUS {
	s.Enter(svcWdfCollectionAdd, uint64(h), uint64(object))
	s.lookup(h, TypeCollection)
	s.lookup(object, TypeObject)
	s.Step()
	c, o := s.lookup(h, TypeCollection), s.lookup(object, TypeObject)
	s.f.objects[o].references++
	s.f.collections = append(s.f.collections, collectionItem{c, o})
	return s.LeaveStatus(StatusSuccess)
}

// WdfCollectionGetCount returns the number of entries. IRQL <= DISPATCH_LEVEL
// (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionGetCount(h WDFCOLLECTION) uint32 {
	s.Enter(svcWdfCollectionGetCount, uint64(h))
	s.lookup(h, TypeCollection)
	s.Step()
	n := uint32(len(s.f.itemsOf(s.lookup(h, TypeCollection))))
	s.Leave(trace.Decimal, uint64(n))
	return n
}

// WdfCollectionGetItem returns an entry, 0 beyond the end. Entries count from 0
// and move down when one before them is removed. IRQL <= DISPATCH_LEVEL
// (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionGetItem(h WDFCOLLECTION, index uint32) WDFOBJECT {
	s.Enter(svcWdfCollectionGetItem, uint64(h), uint64(index))
	return s.collectionItem(h, func(n int) int { return int(index) })
}

// WdfCollectionGetFirstItem returns the first entry, 0 if there is none. IRQL <=
// DISPATCH_LEVEL (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionGetFirstItem(h WDFCOLLECTION) WDFOBJECT {
	s.Enter(svcWdfCollectionGetFirstItem, uint64(h))
	return s.collectionItem(h, func(n int) int { return 0 })
}

// WdfCollectionGetLastItem returns the last entry, 0 if there is none. IRQL <=
// DISPATCH_LEVEL (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionGetLastItem(h WDFCOLLECTION) WDFOBJECT {
	s.Enter(svcWdfCollectionGetLastItem, uint64(h))
	return s.collectionItem(h, func(n int) int { return n - 1 })
}

// collectionItem returns the entry that choose selects of n.
func (s *Sys) collectionItem(h WDFCOLLECTION, choose func(n int) int) WDFOBJECT {
	s.lookup(h, TypeCollection)
	s.Step()
	var item WDFOBJECT
	items := s.f.itemsOf(s.lookup(h, TypeCollection))
	if n := choose(len(items)); n >= 0 && n < len(items) {
		item = s.f.collections[items[n]].object.handle()
	}
	s.Leave(trace.Hex, uint64(item))
	return item
}

// WdfCollectionRemove takes the first entry of an object out of a collection. An
// object that is not there: verifier break, no effect. IRQL <= DISPATCH_LEVEL
// (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionRemove(h WDFCOLLECTION, object WDFOBJECT) {
	s.Enter(svcWdfCollectionRemove, uint64(h), uint64(object))
	s.lookup(h, TypeCollection)
	s.lookup(object, TypeObject)
	s.Step()
	c, o := s.lookup(h, TypeCollection), s.lookup(object, TypeObject)
	if n := slices.Index(s.f.collections, collectionItem{c, o}); n >= 0 {
		s.removeItem(n)
	} else {
		s.verifierBreak("WdfCollectionRemove", "OBJ-18", "%s is not in %s: nothing happens", s.f.m.NameOf(uint64(object)), s.f.m.NameOf(uint64(h)))
	}
	s.LeaveVoid()
}

// WdfCollectionRemoveItem takes an entry out of a collection. An index beyond the
// end: verifier break, no effect. IRQL <= DISPATCH_LEVEL (fxcollectionapi.cpp).
func (s *Sys) WdfCollectionRemoveItem(h WDFCOLLECTION, index uint32) {
	s.Enter(svcWdfCollectionRemoveItem, uint64(h), uint64(index))
	s.lookup(h, TypeCollection)
	s.Step()
	items := s.f.itemsOf(s.lookup(h, TypeCollection))
	if uint64(index) < uint64(len(items)) {
		s.removeItem(items[index])
	} else {
		s.verifierBreak("WdfCollectionRemoveItem", "OBJ-18", "index %d of %s, which has %d entries: nothing happens",
			index, s.f.m.NameOf(uint64(h)), len(items))
	}
	s.LeaveVoid()
}

// itemsOf returns the places of a collection's entries in the table.
func (f *Framework) itemsOf(c id) (places []int) {
	for n := range f.collections {
		if f.collections[n].collection == c {
			places = append(places, n)
		}
	}
	return places
}

// removeItem removes an entry and drops its reference, which may destroy the
// object.
func (s *Sys) removeItem(n int) {
	o := s.f.collections[n].object
	s.f.collections = slices.Delete(s.f.collections, n, n+1)
	s.dereference(o)
}

// clearCollection empties a collection that is being destroyed.
func (s *Sys) clearCollection(c id) {
	for items := s.f.itemsOf(c); len(items) > 0; items = s.f.itemsOf(c) {
		s.removeItem(items[0])
	}
}
