package litmus

import (
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// createDPC makes a WDFDPC whose parent is the device.
func (b *bench) createDPC(s *wdf.Sys, o *Object) {
	c := wdf.DPCConfigInit(b.callback(ProgramDPC, o.ID))
	c.AutomaticSerialization = o.DPC.AutomaticSerialization
	h, st := s.WdfDpcCreate(&c, &wdf.ObjectAttributes{ParentObject: b.device})
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

func (b *bench) createRequest(s *wdf.Sys, o *Object) { b.fail("request: not yet") }

func completeRequest(x *activation, in *Instr) int64 { return 0 }
