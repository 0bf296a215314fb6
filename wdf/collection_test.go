package wdf_test

import (
	"slices"
	"testing"

	"github.com/dirql/dirql/wdf"
)

func TestOBJ18Collection(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			c, st := s.WdfCollectionCreate(nil)
			b.status("WdfCollectionCreate", st, 0)
			var o [3]wdf.WDFSPINLOCK
			for n := range o {
				o[n], _ = s.WdfSpinLockCreate(&wdf.ObjectAttributes{EvtDestroyCallback: b.object("destroy", nil)})
			}
			for _, n := range []int{0, 1, 2, 1} { // an object can be there twice
				b.status("WdfCollectionAdd", s.WdfCollectionAdd(c, o[n]), 0)
			}
			items := func() (list []int) {
				for n := range s.WdfCollectionGetCount(c) {
					list = append(list, slices.Index(o[:], s.WdfCollectionGetItem(c, n)))
				}
				return list
			}
			want := func(w ...int) {
				if got := items(); !slices.Equal(got, w) {
					b.Errorf("the collection has %v, want %v", got, w)
				}
			}
			want(0, 1, 2, 1)
			if s.WdfCollectionGetFirstItem(c) != o[0] || s.WdfCollectionGetLastItem(c) != o[1] || s.WdfCollectionGetItem(c, 4) != 0 {
				b.Errorf("first, last or an item beyond the end is wrong")
			}
			s.WdfCollectionRemove(c, o[1])
			want(0, 2, 1)
			s.WdfCollectionRemoveItem(c, 0)
			want(2, 1)
			s.WdfObjectDelete(o[2]) // the collection keeps it
			want(2, 1)
			b.want("")
			s.WdfCollectionRemove(c, o[0])
			s.WdfCollectionRemoveItem(c, 2)
			s.WdfObjectDelete(c)
			b.want("destroy")
			empty, _ := s.WdfCollectionCreate(nil)
			if s.WdfCollectionGetFirstItem(empty) != 0 || s.WdfCollectionGetLastItem(empty) != 0 || s.WdfCollectionGetCount(empty) != 0 {
				b.Errorf("an empty collection has items")
			}
		})
		b.wantFindings("verifier break: WdfCollectionRemove", "verifier break: WdfCollectionRemoveItem")
		b.stop(func(s *wdf.Sys) { s.WdfCollectionGetCount(b.device) })
		b.wantBugCheck("OBJ-18", 0x10D, 5, uint64(b.device), 0x100E)
	})
}
