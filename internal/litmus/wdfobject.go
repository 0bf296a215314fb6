package litmus

import (
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// createDPC makes a WDFDPC whose parent is the device or a queue.
func (b *bench) createDPC(s *wdf.Sys, o *Object) {
	c := wdf.DPCConfigInit(b.callback(ProgramDPC, o.ID))
	c.AutomaticSerialization = o.DPC.AutomaticSerialization
	a := wdf.ObjectAttributes{ParentObject: b.device}
	if o.DPC.Parent != NoObject {
		a.ParentObject = b.objects[o.DPC.Parent].handle
	}
	h, st := s.WdfDpcCreate(&c, &a)
	if st.Failed() {
		b.fail("WdfDpcCreate for %s: %s", o.Name, trace.StatusName(uint32(st)))
		return
	}
	b.objects[o.ID].handle, b.objects[o.ID].addr = h, s.WdfDpcWdmGetDpc(h)
}

func enqueueDPC(x *activation, in *Instr) int64 {
	return number(x.sys().WdfDpcEnqueue(x.handle(in, 0)))
}

func cancelDPC(x *activation, in *Instr) int64 {
	return number(x.sys().WdfDpcCancel(x.handle(in, 0), x.value(in, 1) != 0))
}

// createTimer and createWorkItem make objects whose parent is the device.
func (b *bench) createTimer(s *wdf.Sys, o *Object) {
	c := wdf.TimerConfigInit(b.callback(ProgramTimer, o.ID))
	a := wdf.ObjectAttributes{ParentObject: b.device}
	c.AutomaticSerialization = false
	if o.Timer.Passive {
		a.ExecutionLevel = wdf.ExecutionLevelPassive
	}
	h, st := s.WdfTimerCreate(&c, &a)
	if st.Failed() {
		b.fail("WdfTimerCreate for %s: %s", o.Name, trace.StatusName(uint32(st)))
	}
	b.objects[o.ID].handle, b.objects[o.ID].addr = h, b.f.TimerKTIMER(h)
}

func (b *bench) createWorkItem(s *wdf.Sys, o *Object) {
	c := wdf.WorkItemConfigInit(b.callback(ProgramWork, o.ID))
	c.AutomaticSerialization = false
	h, st := s.WdfWorkItemCreate(&c, &wdf.ObjectAttributes{ParentObject: b.device})
	if st.Failed() {
		b.fail("WdfWorkItemCreate for %s: %s", o.Name, trace.StatusName(uint32(st)))
	}
	b.objects[o.ID].handle = h
}

func enqueueWork(x *activation, in *Instr) int64 {
	x.sys().WdfWorkItemEnqueue(x.handle(in, 0))
	return 0
}

// startTimer takes the time from now in units of 100 ns. When it has passed is a choice: it may end at any point after
// the call.
func startTimer(x *activation, in *Instr) int64 {
	return number(x.sys().WdfTimerStart(x.handle(in, 0), -x.value(in, 1)))
}

func stopTimer(x *activation, in *Instr) int64 {
	return number(x.sys().WdfTimerStop(x.handle(in, 0), x.value(in, 1) != 0))
}

func interruptVector(x *activation, in *Instr) int64 {
	info := wdf.InterruptInfoInit()
	x.sys().WdfInterruptGetInfo(x.handle(in, 0), &info)
	return int64(info.Vector)
}

func interruptProcessors(x *activation, in *Instr) int64 {
	info := wdf.InterruptInfoInit()
	x.sys().WdfInterruptGetInfo(x.handle(in, 0), &info)
	return int64(info.TargetProcessorSet)
}

// setPolicy asks for one processor.
func setPolicy(x *activation, in *Instr) int64 {
	p := wdf.InterruptExtendedPolicyInit()
	p.Policy, p.TargetProcessorSetAndGroup.Mask = wdf.IrqPolicySpecifiedProcessors, 1<<x.value(in, 1)
	if in.Args[2].Word == "normal" {
		p.Priority = wdf.IrqPriorityNormal
	}
	x.sys().WdfInterruptSetExtendedPolicy(x.handle(in, 0), &p)
	return 0
}

func synchronize(x *activation, in *Instr) int64 {
	return number(x.sys().WdfInterruptSynchronize(x.handle(in, 0), x.callback(ProgramSync, in.Args[0].Object), 0))
}
