package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// DPCConfigSize is the size of WDF_DPC_CONFIG in bytes.
const DPCConfigSize = 24

// DPCConfig is WDF_DPC_CONFIG.
type DPCConfig struct {
	Size                   uint32
	EvtDpcFunc             Callback
	AutomaticSerialization bool
}

// DPCConfigInit is WDF_DPC_CONFIG_INIT: automatic serialization is on.
func DPCConfigInit(fn Callback) DPCConfig {
	return DPCConfig{Size: DPCConfigSize, EvtDpcFunc: fn, AutomaticSerialization: true}
}

// dpc is a WDFDPC.
type dpc struct {
	object   id
	parent   id // 0 after its disposal
	serial   id // whose callback lock is held around the callback; 0: none
	callback Callback
	kdpc     uint64
}

var (
	svcWdfDpcCreate          = kernel.NewService("WdfDpcCreate")
	svcWdfDpcEnqueue         = kernel.NewService("WdfDpcEnqueue")
	svcWdfDpcCancel          = kernel.NewLenientService("WdfDpcCancel")
	svcWdfDpcGetParentObject = kernel.NewService("WdfDpcGetParentObject")
	svcWdfDpcWdmGetDpc       = kernel.NewService("WdfDpcWdmGetDpc")
)

// WdfDpcCreate makes a DPC object. It has a parent that leads to a device.
// Without an EvtDpcFunc it does nothing when it runs (OBJ-1). IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfDpcCreate(c *DPCConfig, a *ObjectAttributes) (WDFDPC, NTSTATUS) {
	s.Enter(svcWdfDpcCreate)
	parent, st := s.requiredParent(a)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	s.requirePointer(c != nil, "Config")
	s.Step()
	if c.Size != DPCConfigSize {
		return 0, s.LeaveStatus(StatusInfoLengthMismatch)
	}
	serial, st := s.checkCreate(parent, a, false, c.AutomaticSerialization, false)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	f := s.f
	d := dpc{parent: parent, serial: serial, callback: c.EvtDpcFunc}
	d.kdpc = f.m.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("FxDp"), false, s.ActivationID())
	f.dpcs = append(f.dpcs, d)
	n := len(f.dpcs) - 1
	i := s.create(TypeDPC, parent, n, a, "")
	f.dpcs[n].object = i
	s.InitializeDPC(d.kdpc, f.thunks.driverDPC, uint64(n))
	f.m.SetName(d.kdpc, f.m.NameOf(uint64(i.handle())))
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// checkCreate does the checks that DPCs, timers and work items have in common
// after those of their configurations, and returns whose callback lock
// automatic serialization holds. passive says at which level the callbacks run.
func (s *Sys) checkCreate(parent id, a *ObjectAttributes, levelAllowed, serialize, passive bool) (serial id, st NTSTATUS) {
	if st = checkAttributes(a, levelAllowed); st.Failed() {
		return 0, st
	}
	if s.f.deviceOf(parent) == 0 {
		return 0, StatusInvalidDeviceRequest
	}
	if serialize {
		if serial, st = s.serializer(parent, passive); st.Failed() {
			return 0, st
		}
	}
	return serial, s.f.checkParent(parent)
}

// dpcThunk is the routine of the KDPC: (KDPC, number of the row, ...).
func (s *Sys) dpcThunk(a kernel.Args) uint64 {
	if d := s.f.dpcs[a[1]]; d.callback != 0 {
		s.serialized(d.serial, func() { s.call("EvtDpcFunc", d.callback, uint64(d.object.handle())) })
	}
	return 0
}

// WdfDpcEnqueue queues the DPC. TRUE: newly queued; FALSE: it was queued already
// (OBJ-2). Any IRQL.
func (s *Sys) WdfDpcEnqueue(h WDFDPC) bool {
	s.Enter(svcWdfDpcEnqueue, uint64(h))
	return s.LeaveBool(s.InsertDPC(s.f.dpcs[s.row(h, TypeDPC)].kdpc, 0, 0))
}

// WdfDpcCancel takes the DPC out of its queue and returns TRUE, or FALSE if it
// was not there. With wait, a failed cancel flushes all DPCs; a successful one
// does not wait for an older run (OBJ-3). Any IRQL; with wait PASSIVE_LEVEL.
func (s *Sys) WdfDpcCancel(h WDFDPC, wait bool) bool {
	s.Enter(svcWdfDpcCancel, uint64(h), boolValue(wait))
	kdpc := s.f.dpcs[s.row(h, TypeDPC)].kdpc
	if wait && s.levelBreak("WdfDpcCancel with Wait TRUE", "OBJ-3", PassiveLevel) {
		return s.LeaveBool(false)
	}
	removed := s.RemoveDPC(kdpc)
	if wait && !removed {
		s.FlushDPCs()
	}
	return s.LeaveBool(removed)
}

// WdfDpcGetParentObject returns the parent, 0 after the disposal. Any IRQL.
func (s *Sys) WdfDpcGetParentObject(h WDFDPC) WDFOBJECT {
	s.Enter(svcWdfDpcGetParentObject, uint64(h))
	p := s.f.dpcs[s.row(h, TypeDPC)].parent.handle()
	s.Leave(trace.Hex, uint64(p))
	return p
}

// WdfDpcWdmGetDpc returns the address of the KDPC, for KeSetImportanceDpc and
// KeSetTargetProcessorDpc (OBJ-5). Any IRQL.
func (s *Sys) WdfDpcWdmGetDpc(h WDFDPC) uint64 {
	s.Enter(svcWdfDpcWdmGetDpc, uint64(h))
	p := s.f.dpcs[s.row(h, TypeDPC)].kdpc
	s.Leave(trace.Hex, p)
	return p
}

// rundownDPC is the disposal of a DPC: a run that is queued or under way ends
// first (OBJ-4).
func (s *Sys) rundownDPC(n int32) {
	s.FlushDPCs()
	s.f.dpcs[n].parent = 0
}
