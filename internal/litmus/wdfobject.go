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

// createQueue makes the manual default queue through which the requests of a test come to the driver; EvtDriverDeviceAdd
// calls it.
func (b *bench) createQueue(s *wdf.Sys) wdf.NTSTATUS {
	for _, o := range b.test.Objects {
		if o.Kind == KindRequest {
			c := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchManual)
			_, st := s.WdfIoQueueCreate(b.device, &c, nil)
			return st
		}
	}
	return wdf.StatusSuccess
}

// controlCode is the I/O control of the requests of a test: METHOD_BUFFERED, without data.
const controlCode = 0x222000

// createRequest sends a request to the device and gives it to the driver.
func (b *bench) createRequest(s *wdf.Sys, o *Object) {
	s.SendRequest(b.device, wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: controlCode})
	h, st := s.WdfIoQueueRetrieveNextRequest(s.WdfDeviceGetDefaultQueue(b.device))
	if st.Failed() {
		b.fail("WdfIoQueueRetrieveNextRequest for %s: %s", o.Name, trace.StatusName(uint32(st)))
	}
	b.objects[o.ID].handle = h
}

// completeRequest completes a request, which a variable may refer to. What returns is counted as a completion.
func completeRequest(x *activation, in *Instr) int64 {
	h := wdf.Handle(x.value(in, 0))
	x.sys().WdfRequestComplete(h, wdf.StatusSuccess)
	x.completed(uint64(h))
	return 0
}

// completed counts a completion of a request that has returned.
func (b *bench) completed(handle uint64) {
	for i := range b.objects {
		if uint64(b.objects[i].handle) == handle && b.test.Objects[i].Kind == KindRequest {
			b.state.completions[i]++
		}
	}
}
