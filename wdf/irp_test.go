package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/wdf"
)

// The IRP says what the request is, where its buffers are, and that it is
// cancelled; it ends with the request.
func TestIOQ10WdmIRP(t *testing.T) {
	sendScenario(t, wdf.LowerAnswer{}, func(x *sendBench) {
		var irp uint64
		x.do(func(s *wdf.Sys) {
			field := func(structure, name string, at uint64, size int) uint64 {
				return s.Load(at+ddi.Offset(structure, name), size)
			}
			r := x.retrieve(s, control(ioOutDirect, []byte("abc"), 9))
			irp = s.WdfRequestWdmGetIrp(r)
			if s.WdfRequestWdmGetIrp(r) != irp {
				x.Errorf("another IRP the second time")
			}
			in, _, _ := s.WdfRequestRetrieveInputBuffer(r, 0)
			mdl, _ := s.WdfRequestRetrieveOutputWdmMdl(r)
			stack := field("IRP", "Tail.Overlay.CurrentStackLocation", irp, 8)
			for _, test := range []struct {
				name      string
				got, want uint64
			}{
				{"Type", field("IRP", "Type", irp, 2), 6},
				{"SystemBuffer", field("IRP", "AssociatedIrp.SystemBuffer", irp, 8), in},
				{"MdlAddress", field("IRP", "MdlAddress", irp, 8), mdl},
				{"RequestorMode", field("IRP", "RequestorMode", irp, 1), wdf.UserMode},
				{"CurrentLocation", field("IRP", "CurrentLocation", irp, 1), 2},
				{"stack location", stack, irp + ddi.SizeOf("IRP") + ddi.SizeOf("IO_STACK_LOCATION")},
				{"MajorFunction", s.Load(stack, 1), 0xE},
				{"code", field("IO_STACK_LOCATION", "Parameters.DeviceIoControl.IoControlCode", stack, 4), ioOutDirect},
				{"input", field("IO_STACK_LOCATION", "Parameters.DeviceIoControl.InputBufferLength", stack, 4), 3},
				{"output", field("IO_STACK_LOCATION", "Parameters.DeviceIoControl.OutputBufferLength", stack, 4), 9},
				{"device", field("IO_STACK_LOCATION", "DeviceObject", stack, 8), s.WdfDeviceWdmGetDeviceObject(x.bench.device)},
				{"not cancelled", field("IRP", "Cancel", irp, 1), 0},
			} {
				if test.got != test.want {
					x.Errorf("%s is 0x%X, want 0x%X", test.name, test.got, test.want)
				}
			}
			s.CancelRequest(r)
			if field("IRP", "Cancel", irp, 1) != 1 {
				x.Errorf("the IRP is not cancelled")
			}
			s.WdfRequestComplete(r, 0)
			own, _ := s.WdfRequestCreate(nil, x.target)
			if p := s.WdfRequestWdmGetIrp(own); field("IRP", "CurrentLocation", p, 1) != 3 {
				x.Errorf("the driver's own request has a stack location")
			}
			s.WdfObjectDelete(own)
		})
		x.stop(func(s *wdf.Sys) { s.Load(irp, 2) })
		x.wantBugCheck("VER-7", 0xD5, irp)
	})
}
