package dirql

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// Faults are things that can go wrong around the driver: Explore decides
// whether and when. A driver has to survive each of them; that a request or the
// start fails then is no finding.
type Faults struct {
	Alloc  bool // an allocation fails, once for each routine of the driver; runs begin with DriverEntry
	Cancel bool // an application cancels a request that it has sent
	Remove bool // the device is taken out
	Timers bool // timers expire up to a clock tick early or late (DPC-31)
}

// faultNames are the names of faults, as in replay files.
var faultNames = []struct {
	name string
	of   func(*Faults) *bool
}{
	{"alloc", func(f *Faults) *bool { return &f.Alloc }},
	{"cancel", func(f *Faults) *bool { return &f.Cancel }},
	{"remove", func(f *Faults) *bool { return &f.Remove }},
	{"timers", func(f *Faults) *bool { return &f.Timers }},
}

// ParseFaults reads a list of faults: alloc, cancel, remove, timers, with commas
// between them; "" and none are no faults.
func ParseFaults(s string) (f Faults, err error) {
	if s == "" || s == "none" {
		return f, nil
	}
next:
	for part := range strings.SplitSeq(s, ",") {
		for _, n := range faultNames {
			if part == n.name {
				*n.of(&f) = true
				continue next
			}
		}
		return Faults{}, fmt.Errorf("there is no fault %q; there are alloc, cancel, remove and timers", part)
	}
	return f, nil
}

// String returns the list of names.
func (f Faults) String() string {
	var names []string
	for _, n := range faultNames {
		if *n.of(&f) {
			names = append(names, n.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ",")
}

// faults makes them happen: it is the kernel's environment of a search.
type faults struct {
	Faults
	r         *rig
	cancelled int // requests before this one were cancelled, or have ended
	removed   bool
	alone     bool // nobody else does anything with the device itself: the PnP manager does one thing at a time
}

// Events of faults.
const (
	cancelEvent uint32 = iota // of the oldest request that has not ended
	removeEvent
)

// begin starts a run.
func (f *faults) begin() {
	f.cancelled, f.removed, f.alone = 0, false, false
	if f.Faults == (Faults{}) {
		return
	}
	f.r.m.SetFaults(kernel.Faults{Allocations: f.Alloc, Timers: f.Timers, Events: f})
}

// end: nothing goes wrong any more.
func (f *faults) end() { f.r.m.SetFaults(kernel.Faults{}) }

// Enabled implements kernel.Environment.
func (f *faults) Enabled(ids []uint32) []uint32 {
	if f.Cancel && f.oldest() != 0 {
		ids = append(ids, cancelEvent)
	}
	if f.Remove && f.alone && !f.removed && f.r.device != 0 {
		ids = append(ids, removeEvent)
	}
	return ids
}

// oldest returns the oldest request that has neither ended nor been cancelled.
func (f *faults) oldest() wdf.WDFREQUEST {
	for ; f.cancelled < len(f.r.sent); f.cancelled++ {
		if _, done := f.r.f.RequestResult(f.r.sent[f.cancelled]); !done {
			return f.r.sent[f.cancelled]
		}
	}
	return 0
}

// Happen implements kernel.Environment.
func (f *faults) Happen(id uint32) {
	switch id {
	case cancelEvent:
		h := f.oldest()
		f.cancelled++
		f.r.spawn(kernel.ThreadParams{Name: "cancel"}, cancelBody|uint64(h), func(s *wdf.Sys) { s.CancelRequest(h) })
	case removeEvent:
		f.removed = true
		f.r.spawn(kernel.ThreadParams{Name: "surprise removal"}, removeBody, func(s *wdf.Sys) { (&System{s: s, r: f.r}).SurpriseRemove() })
	}
}
