package wdf_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// dmaBench is a driver with a transaction. Each EvtProgramDma is noted with the
// lengths of its elements: p(906,4096).
type dmaBench struct {
	*ioBench
	enabler     wdf.WDFDMAENABLER
	transaction wdf.WDFDMATRANSACTION
	program     wdf.Callback
	list        []wdf.ScatterGatherElement                // of the newest call
	then        func(s *wdf.Sys, t wdf.WDFDMATRANSACTION) // in EvtProgramDma, nil: nothing
}

func dmaScenario(t *testing.T, profile wdf.DMAProfile, maximum uint64, io wdf.IoType, body func(x *dmaBench)) {
	t.Helper()
	ioScenario(t, driver{init: ioType(io)}, []queueSpec{{kind: wdf.IoQueueDispatchManual}}, func(b *ioBench) {
		x := &dmaBench{ioBench: b}
		x.program = x.fn("EvtProgramDma", func(s *wdf.Sys, a kernel.Args) uint64 {
			if s.IRQL() != wdf.DispatchLevel || wdf.Handle(a[1]) != x.bench.device || a[2] != 77 {
				x.Errorf("EvtProgramDma at %d for device 0x%X, context %d", s.IRQL(), a[1], a[2])
			}
			x.list = s.ScatterGatherList(a[4])
			text := ""
			for _, el := range x.list {
				text += fmt.Sprintf(",%d", el.Length)
			}
			x.note("p(%s", text[1:])
			if x.then != nil {
				x.then(s, wdf.Handle(a[0]))
			}
			x.note(")")
			return 1
		})
		x.do(func(s *wdf.Sys) {
			c := wdf.DMAEnablerConfigInit(profile, maximum)
			var st wdf.NTSTATUS
			x.enabler, st = s.WdfDmaEnablerCreate(x.bench.device, &c, nil)
			x.status("WdfDmaEnablerCreate", st, 0)
			x.transaction, st = s.WdfDmaTransactionCreate(x.enabler, nil)
			x.status("WdfDmaTransactionCreate", st, 0)
		})
		body(x)
	})
}

// device moves the bytes of the present fragment, like the device would.
func (x *dmaBench) device(data []byte, write bool) {
	for _, el := range x.list {
		p := data[:el.Length]
		data = data[el.Length:]
		if write && !x.Mem.WritePhysical(el.Address, p) || !write && !x.Mem.ReadPhysical(el.Address, p) {
			x.Errorf("no memory at 0x%X", el.Address)
		}
	}
}

// pattern returns n different bytes.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// begin sends a request, retrieves it and executes the transaction for it.
func (x *dmaBench) begin(s *wdf.Sys, p wdf.RequestParams, d wdf.DMADirection) wdf.WDFREQUEST {
	x.send(s, p)
	r, st := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
	x.status("WdfIoQueueRetrieveNextRequest", st, 0)
	x.status("WdfDmaTransactionInitializeUsingRequest", s.WdfDmaTransactionInitializeUsingRequest(x.transaction, r, x.program, d), 0)
	if s.WdfDmaTransactionGetRequest(x.transaction) != r || s.WdfDmaTransactionGetDevice(x.transaction) != x.bench.device {
		x.Errorf("request or device of the transaction")
	}
	x.status("WdfDmaTransactionExecute", s.WdfDmaTransactionExecute(x.transaction, 77), 0)
	return r
}

// A read is done in fragments of the maximum length; each page of the application
// is an element of its own.
func TestDMAScatterGather(t *testing.T) {
	data := pattern(10000)
	dmaScenario(t, wdf.DMAProfileScatterGather64, 6000, wdf.IoTypeDirect, func(x *dmaBench) {
		x.do(func(s *wdf.Sys) {
			r := x.begin(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 10000}, wdf.DMAReadFromDevice)
			x.device(data, true)
			ended, st := s.WdfDmaTransactionDmaCompleted(x.transaction)
			x.status("the first fragment", st, wdf.StatusMoreProcessingRequired)
			if n := s.WdfDmaTransactionGetBytesTransferred(x.transaction); ended || n != 6000 {
				x.Errorf("after the first fragment: %v, %d bytes", ended, n)
			}
			if n := s.WdfDmaTransactionGetCurrentDmaTransferLength(x.transaction); n != 4000 {
				x.Errorf("the second fragment has %d bytes", n)
			}
			x.device(data[6000:], true)
			ended, st = s.WdfDmaTransactionDmaCompleted(x.transaction)
			x.status("the second fragment", st, 0)
			n := s.WdfDmaTransactionGetBytesTransferred(x.transaction)
			if !ended || n != 10000 {
				x.Errorf("after the second fragment: %v, %d bytes", ended, n)
			}
			x.status("WdfDmaTransactionRelease", s.WdfDmaTransactionRelease(x.transaction), 0)
			x.status("again", s.WdfDmaTransactionRelease(x.transaction), 0)
			if s.WdfDmaTransactionGetRequest(x.transaction) != 0 {
				x.Errorf("a released transaction has a request")
			}
			s.WdfRequestCompleteWithInformation(r, 0, n)
			x.await(s, string(data), 0)
		})
		x.want("p(4096,1904 ) p(2192,1808 )")
	})
}

// What a device says that it did counts; the rest is transferred by what follows.
func TestDMAPartial(t *testing.T) {
	dmaScenario(t, wdf.DMAProfileScatterGather, 1<<20, wdf.IoTypeDirect, func(x *dmaBench) {
		x.do(func(s *wdf.Sys) {
			r := x.begin(s, wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: pattern(5000)}, wdf.DMAWriteToDevice)
			_, st := s.WdfDmaTransactionDmaCompletedWithLength(x.transaction, 4000)
			x.status("4000 bytes", st, wdf.StatusMoreProcessingRequired)
			got := make([]byte, 1000)
			x.device(got, false)
			if !bytes.Equal(got, pattern(5000)[4000:]) {
				x.Errorf("the device reads something else")
			}
			ended, st := s.WdfDmaTransactionDmaCompletedFinal(x.transaction, 10)
			x.status("10 bytes, finally", st, 0)
			if n := s.WdfDmaTransactionGetBytesTransferred(x.transaction); !ended || n != 4010 {
				x.Errorf("%v, %d bytes", ended, n)
			}
			s.WdfDmaTransactionRelease(x.transaction)
			s.WdfRequestComplete(r, 0)

			r = x.begin(s, wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: pattern(50)}, wdf.DMAWriteToDevice)
			_, st = s.WdfDmaTransactionDmaCompletedWithLength(x.transaction, 51)
			x.status("too much", st, wdf.StatusInvalidParameter)
			s.WdfDmaTransactionRelease(x.transaction)
			s.WdfRequestComplete(r, 0)
		})
		x.want("p(4096,904 ) p(96,904 ) p(50 )")
		x.wantFindings("verifier break: WdfDmaTransactionDmaCompletedWithLength")
	})
}

// A packet-based device gets each fragment in one piece, copied if it is not in
// one: it sees the data, and the application gets it when the fragment is done.
func TestDMAPacket(t *testing.T) {
	data := pattern(9000)
	for _, read := range []bool{true, false} {
		dmaScenario(t, wdf.DMAProfilePacket, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
			p, d := wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: data}, wdf.DMAWriteToDevice
			if read {
				p, d = wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 9000}, wdf.DMAReadFromDevice
			}
			got := make([]byte, 9000)
			copy(got, data)
			at := 0
			x.then = func(s *wdf.Sys, h wdf.WDFDMATRANSACTION) { // a device that is done at once
				n := int(s.WdfDmaTransactionGetCurrentDmaTransferLength(h))
				x.device(got[at:at+n], read)
				at += n
				if ended, st := s.WdfDmaTransactionDmaCompleted(h); ended != (at == 9000) || ended != (st == 0) {
					x.Errorf("after %d bytes: %v, 0x%X", at, ended, uint32(st))
				}
			}
			x.do(func(s *wdf.Sys) {
				r := x.begin(s, p, d)
				s.WdfDmaTransactionRelease(x.transaction)
				if !bytes.Equal(got, data) {
					x.Errorf("the device reads something else")
				}
				s.WdfRequestCompleteWithInformation(r, 0, 9000)
				if read {
					x.await(s, string(data), 0)
				}
			})
			x.want("p(8192 ) p(808 )")
		})
	}
}

// With scatter/gather the next EvtProgramDma is called within that of the fragment
// before.
func TestDMANested(t *testing.T) {
	dmaScenario(t, wdf.DMAProfileScatterGather, 4096, wdf.IoTypeBuffered, func(x *dmaBench) {
		x.then = func(s *wdf.Sys, h wdf.WDFDMATRANSACTION) { s.WdfDmaTransactionDmaCompleted(h) }
		x.do(func(s *wdf.Sys) {
			r := x.begin(s, control(ioBuffered, pattern(5000), 0), wdf.DMAWriteToDevice)
			s.WdfDmaTransactionRelease(x.transaction)
			s.WdfRequestComplete(r, 0)
		})
		x.want("p(4096 p(904 ) )")
	})
}

func TestDMAInitializeStatus(t *testing.T) {
	dmaScenario(t, wdf.DMAProfilePacket, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
		x.do(func(s *wdf.Sys) {
			p := s.ExAllocatePoolWithTag(0, 8192, kernel.PoolTag("Test"))
			mdl := s.IoAllocateMdl(p, 8192)
			s.MmBuildMdlForNonPagedPool(mdl)
			for _, test := range []struct {
				d          wdf.DMADirection
				va, length uint64
				want       wdf.NTSTATUS
			}{
				{0, p, 0, wdf.StatusInvalidParameter}, {2, p, 8, wdf.StatusInvalidParameter}, {0, p - 1, 8, wdf.StatusInvalidParameter},
				{0, p + 8192, 8, wdf.StatusInvalidParameter}, {0, p + 8190, 3, wdf.StatusInvalidParameter}, {1, p + 8190, 2, 0},
			} {
				x.status(fmt.Sprint(test), s.WdfDmaTransactionInitialize(x.transaction, x.program, test.d, mdl, test.va, test.length), test.want)
			}
			s.WdfDmaTransactionSetMaximumLength(x.transaction, 1)
			s.WdfDmaTransactionSetMaximumLength(x.transaction, 1<<30)
			x.status("WdfDmaTransactionExecute", s.WdfDmaTransactionExecute(x.transaction, 77), 0)
			s.WdfDmaTransactionDmaCompleted(x.transaction)
			s.WdfDmaTransactionDmaCompleted(x.transaction)
			s.WdfDmaTransactionRelease(x.transaction)
			x.want("p(1 ) p(1 )")
			x.status("an offset", s.WdfDmaTransactionInitializeUsingOffset(x.transaction, x.program, 0, mdl, 4000, 4192), 0)
			s.WdfDmaTransactionExecute(x.transaction, 77)
			if pa, _ := x.Mem.Physical(p + 4000); x.list[0].Address != pa {
				x.Errorf("address 0x%X, want 0x%X", x.list[0].Address, pa)
			}
			s.WdfDmaTransactionDmaCompleted(x.transaction)
			s.WdfDmaTransactionRelease(x.transaction)
			x.want("p(4192 )")
			s.IoFreeMdl(mdl)
			s.ExFreePoolWithTag(p, 0)
			_, st := s.WdfDmaTransactionCreate(x.enabler, &wdf.ObjectAttributes{ParentObject: x.bench.device})
			x.status("a parent", st, wdf.StatusWdfParentAssignmentNotAllowed)
		})
	})
}

// Which requests go in which direction.
func TestDMARequestStatus(t *testing.T) {
	const read, write, invalid, small = wdf.DMAReadFromDevice, wdf.DMAWriteToDevice, wdf.StatusInvalidDeviceRequest, wdf.StatusBufferTooSmall
	for _, test := range []struct {
		p    wdf.RequestParams
		d    wdf.DMADirection
		want wdf.NTSTATUS
	}{
		{wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 8}, write, invalid},
		{wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: pattern(8)}, read, invalid},
		{wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: pattern(8)}, 2, wdf.StatusInvalidParameter},
		{control(ioInDirect, pattern(1), 8), read, invalid},
		{control(ioInDirect, pattern(1), 8), write, 0},
		{control(ioOutDirect, pattern(1), 8), write, invalid},
		{control(ioOutDirect, pattern(1), 8), read, 0},
		{control(ioOutDirect, pattern(1), 0), read, small},
		{control(ioNeither, pattern(8), 8), read, invalid},
		{control(ioBuffered, pattern(8), 8), read, 0},
		{control(ioBuffered, pattern(8), 16), read, wdf.StatusInvalidParameter}, // the MDL is that of the input
		{control(ioBuffered, nil, 8), read, small},
	} {
		dmaScenario(t, wdf.DMAProfilePacket, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
			x.do(func(s *wdf.Sys) {
				x.send(s, test.p)
				r, _ := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
				x.status(fmt.Sprintf("0x%X %d", test.p.IoControlCode, test.d),
					s.WdfDmaTransactionInitializeUsingRequest(x.transaction, r, x.program, test.d), test.want)
				s.WdfDmaTransactionRelease(x.transaction)
				s.WdfRequestComplete(r, 0)
			})
			x.take() // the break for METHOD_NEITHER
		})
	}
}

// A transfer in more elements than the driver wants is refused.
func TestDMATooFragmented(t *testing.T) {
	dmaScenario(t, wdf.DMAProfileScatterGather, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
		x.do(func(s *wdf.Sys) {
			s.WdfDmaEnablerSetMaximumScatterGatherElements(x.enabler, 1)
			x.send(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 5000})
			r, _ := s.WdfIoQueueRetrieveNextRequest(x.queues[0])
			x.status("two pages", s.WdfDmaTransactionInitializeUsingRequest(x.transaction, r, x.program, 0), wdf.StatusWdfTooFragmented)
			s.WdfRequestComplete(r, 0)
		})
	})
}

// A transaction in the wrong state is bug check 0x10D/8 with the state.
func TestDMAStates(t *testing.T) {
	begin := func(x *dmaBench, s *wdf.Sys) {
		x.begin(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 8}, wdf.DMAReadFromDevice)
	}
	for name, test := range map[string]struct {
		f     func(x *dmaBench, s *wdf.Sys)
		state uint64
	}{
		"execute before": {func(x *dmaBench, s *wdf.Sys) { s.WdfDmaTransactionExecute(x.transaction, 77) }, 1},
		"complete early": {func(x *dmaBench, s *wdf.Sys) { s.WdfDmaTransactionDmaCompleted(x.transaction) }, 1},
		"execute twice":  {func(x *dmaBench, s *wdf.Sys) { begin(x, s); s.WdfDmaTransactionExecute(x.transaction, 77) }, 4},
		"release early":  {func(x *dmaBench, s *wdf.Sys) { begin(x, s); s.WdfDmaTransactionRelease(x.transaction) }, 4},
		"delete early":   {func(x *dmaBench, s *wdf.Sys) { begin(x, s); s.WdfObjectDelete(x.transaction) }, 4},
		"complete twice": {func(x *dmaBench, s *wdf.Sys) {
			begin(x, s)
			s.WdfDmaTransactionDmaCompletedFinal(x.transaction, 8)
			s.WdfDmaTransactionDmaCompleted(x.transaction)
		}, 5},
		"no release": {func(x *dmaBench, s *wdf.Sys) {
			begin(x, s)
			s.WdfDmaTransactionDmaCompleted(x.transaction)
			s.WdfDmaTransactionInitializeUsingRequest(x.transaction, x.sent[0], x.program, 0)
		}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			dmaScenario(t, wdf.DMAProfileScatterGather, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
				x.stop(func(s *wdf.Sys) { test.f(x, s) })
				x.wantBugCheck("DMA", 0x10D, 8, uint64(x.transaction), test.state)
			})
		})
	}
}

// A request must not be completed during its transfer.
func TestDMACompletedRequest(t *testing.T) {
	dmaScenario(t, wdf.DMAProfileScatterGather, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
		x.stop(func(s *wdf.Sys) {
			s.WdfRequestComplete(x.begin(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 8}, wdf.DMAReadFromDevice), 0)
		})
		x.wantBugCheck("IOQ-10", 0x10D, 3, uint64(x.sent[0]), 1)
	})
}

// Only one transaction of a packet-based device can be under way.
func TestDMAPacketBusy(t *testing.T) {
	dmaScenario(t, wdf.DMAProfilePacket, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
		x.do(func(s *wdf.Sys) {
			first := x.transaction
			r := x.begin(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 8}, wdf.DMAReadFromDevice)
			second, _ := s.WdfDmaTransactionCreate(x.enabler, nil)
			x.status("WdfDmaTransactionInitializeUsingRequest", s.WdfDmaTransactionInitializeUsingRequest(second, r, x.program, 0), 0)
			x.status("WdfDmaTransactionExecute", s.WdfDmaTransactionExecute(second, 77), wdf.StatusWdfBusy)
			s.WdfDmaTransactionDmaCompleted(first)
			s.WdfDmaTransactionRelease(first)
			s.WdfDmaTransactionRelease(second)
			x.status("again", s.WdfDmaTransactionInitializeUsingRequest(second, r, x.program, 0), 0)
			x.status("WdfDmaTransactionExecute", s.WdfDmaTransactionExecute(second, 77), 0)
			s.WdfDmaTransactionDmaCompleted(second)
			s.WdfRequestComplete(r, 0)
		})
		x.wantFindings("verifier break: WdfDmaTransactionExecute")
	})
}

// A chain of MDLs is transferred as one buffer; one that never ends, or is too
// short, is refused.
func TestDMAChainedMDLs(t *testing.T) {
	dmaScenario(t, wdf.DMAProfileScatterGather, 8192, wdf.IoTypeDirect, func(x *dmaBench) {
		x.do(func(s *wdf.Sys) {
			p := s.ExAllocatePoolWithTag(0, 8192, kernel.PoolTag("Test"))
			first, second := s.IoAllocateMdl(p+4000, 50), s.IoAllocateMdl(p+100, 200)
			s.MmBuildMdlForNonPagedPool(first)
			s.MmBuildMdlForNonPagedPool(second)
			s.Store(first, 8, second) // Next
			init := func(length uint64) wdf.NTSTATUS {
				return s.WdfDmaTransactionInitialize(x.transaction, x.program, 0, first, p+4010, length)
			}
			x.status("too long", init(241), wdf.StatusBufferTooSmall)
			x.status("all", init(240), 0)
			s.WdfDmaTransactionExecute(x.transaction, 77)
			s.WdfDmaTransactionDmaCompleted(x.transaction)
			s.WdfDmaTransactionRelease(x.transaction)
			x.want("p(40,200 )")
			s.Store(first, 8, first)
			x.status("a circle", init(4096*50), wdf.StatusBufferTooSmall)
			s.IoFreeMdl(first)
			s.IoFreeMdl(second)
			s.ExFreePoolWithTag(p, 0)
		})
		invalid := "verifier break: WdfDmaTransactionInitialize"
		x.wantFindings(invalid, invalid)
	})
}

// What would take for ever is named.
func TestDMATooManyFragments(t *testing.T) {
	dmaScenario(t, wdf.DMAProfileScatterGather, 1, wdf.IoTypeDirect, func(x *dmaBench) {
		x.stop(func(s *wdf.Sys) { x.begin(s, wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: 5000}, 0) })
		if f := x.take(); len(f) != 1 || !f[0].Unsupported {
			x.Errorf("findings %q", titles(f))
		}
	})
}
