package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Types of hardware resources (CM_PARTIAL_RESOURCE_DESCRIPTOR).
const (
	CmResourceTypePort      = 1
	CmResourceTypeInterrupt = 2
	CmResourceTypeMemory    = 3
)

// Flags of an interrupt resource.
const (
	CmResourceInterruptLatched        = 0x1
	CmResourceInterruptMessage        = 0x2
	CmResourceInterruptPolicyIncluded = 0x4  // of a requirement: it has a policy already (WDFI-19)
	CmResourceInterruptWakeHint       = 0x20 // the interrupt can wake the device (WDFI-8)
)

// Share dispositions.
const (
	CmResourceShareDeviceExclusive = 1
	CmResourceShareShared          = 3
)

// Resource is CM_PARTIAL_RESOURCE_DESCRIPTOR.
type Resource struct {
	Type             uint8
	ShareDisposition uint8
	Flags            uint16
	Start            uint64 // memory, port: physical address
	Length           uint64 // memory, port: bytes
	Level            uint8  // interrupt: IRQL (translated)
	Vector           uint32 // interrupt
	Affinity         uint64 // interrupt: processor set
	MessageCount     uint16 // raw message interrupt: number of messages

	// Row says which descriptor of the framework's lists this is, from 1; 0: none
	// of them. A copy keeps it, as a driver keeps the address (WDFI-11).
	Row int32
}

// resourceList is a WDFCMRESLIST: rows of the resource table.
type resourceList struct{ first, count int32 }

// newResourceList makes a list object for a device.
func (s *Sys) newResourceList(device id, r []Resource, name string) id {
	f := s.f
	f.lists = append(f.lists, resourceList{int32(len(f.resources)), int32(len(r))})
	for _, d := range r {
		d.Row = int32(len(f.resources)) + 1
		f.resources = append(f.resources, d)
	}
	i := s.create(TypeResourceList, device, len(f.lists)-1, nil, name)
	f.objects[i].noDelete = true
	return i
}

func (f *Framework) resourcesOf(list id) []Resource {
	if list == 0 {
		return nil
	}
	l := f.lists[f.objects[list].index]
	return f.resources[l.first : l.first+l.count]
}

// original returns the framework's own descriptor of which r is a copy, whatever
// became of that; r itself if there is none.
func (f *Framework) original(r *Resource) *Resource {
	if r.Row < 1 || int(r.Row) > len(f.resources) {
		return r
	}
	return &f.resources[r.Row-1]
}

// Resources returns the descriptors of a resource list, nil for another handle.
func (f *Framework) Resources(h WDFCMRESLIST) []Resource {
	if i := f.object(h); i != 0 && f.objects[i].typ == TypeResourceList {
		return f.resourcesOf(i)
	}
	return nil
}

var (
	svcWdfCmResourceListGetCount      = kernel.NewService("WdfCmResourceListGetCount")
	svcWdfCmResourceListGetDescriptor = kernel.NewService("WdfCmResourceListGetDescriptor")
)

// WdfCmResourceListGetCount returns the number of descriptors of a list.
// IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfCmResourceListGetCount(list WDFCMRESLIST) uint32 {
	s.Enter(svcWdfCmResourceListGetCount, uint64(list))
	n := uint32(len(s.f.resourcesOf(s.lookup(list, TypeResourceList))))
	s.Leave(trace.Decimal, uint64(n))
	return n
}

// WdfCmResourceListGetDescriptor returns a copy of a descriptor, nil beyond the
// end. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfCmResourceListGetDescriptor(list WDFCMRESLIST, index uint32) *Resource {
	s.Enter(svcWdfCmResourceListGetDescriptor, uint64(list), uint64(index))
	defer s.LeaveVoid()
	r := s.f.resourcesOf(s.lookup(list, TypeResourceList))
	if int(index) >= len(r) {
		return nil
	}
	d := r[index]
	return &d
}
