package wdf_test

import (
	"bytes"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func TestOBJ18Memory(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			cleanup := b.object("cleanup", nil)
			m, buffer, st := s.WdfMemoryCreate(&wdf.ObjectAttributes{EvtCleanupCallback: cleanup}, wdf.NonPagedPoolNx, 0, 16)
			b.status("WdfMemoryCreate", st, 0)
			if p, n := s.WdfMemoryGetBuffer(m); p != buffer || n != 16 || p == 0 {
				b.Errorf("WdfMemoryGetBuffer: 0x%X, %d", p, n)
			}
			other := s.ExAllocatePool2(kernel.PoolFlagNonPaged, 8, kernel.PoolTag("Test"))
			s.WriteBytes(other, []byte("abcdefgh"))
			b.status("copy in", s.WdfMemoryCopyFromBuffer(m, 4, other, 8), 0)
			b.status("copy in, no room", s.WdfMemoryCopyFromBuffer(m, 9, other, 8), wdf.StatusInvalidBufferSize)
			b.status("copy in behind the end", s.WdfMemoryCopyFromBuffer(m, 16, other, 1), wdf.StatusInvalidBufferSize)
			b.status("copy nothing", s.WdfMemoryCopyFromBuffer(m, 0, other, 0), wdf.StatusInvalidParameter)
			b.status("copy out", s.WdfMemoryCopyToBuffer(m, 6, other, 4), 0)
			b.status("copy out, too few", s.WdfMemoryCopyToBuffer(m, 9, other, 8), wdf.StatusBufferTooSmall)
			got := make([]byte, 8)
			s.ReadBytes(other, got)
			if !bytes.Equal(got, []byte("cdefefgh")) {
				b.Errorf("copied %q", got)
			}
			mine, st := s.WdfMemoryCreatePreallocated(nil, other, 8)
			b.status("WdfMemoryCreatePreallocated", st, 0)
			s.WdfObjectDelete(mine)
			s.Load(other, 8) // it is still there
			s.ExFreePoolWithTag(other, 0)
			s.WdfObjectDelete(m)
			_, _, st = s.WdfMemoryCreate(nil, wdf.PagedPool, 0, 0)
			b.status("no bytes", st, wdf.StatusInvalidParameter)
			old := s.KeRaiseIrql(wdf.DispatchLevel)
			_, _, st = s.WdfMemoryCreate(nil, wdf.PagedPool, 0, 8)
			b.status("paged pool at DISPATCH_LEVEL", st, wdf.StatusInvalidDeviceRequest)
			s.KeLowerIrql(old)
			b.note("0x%X", buffer)
		})
		b.wantFindings("verifier break: KmdfIrql")
		var buffer uint64
		b.do(func(s *wdf.Sys) { _, buffer, _ = s.WdfMemoryCreate(nil, wdf.PagedPool, 0, 8) })
		b.stop(func(s *wdf.Sys) {
			s.KeRaiseIrql(wdf.DispatchLevel)
			s.Load(buffer, 8)
		})
		b.wantBugCheck("IRQL-10", 0xD1, buffer, 2, 0)
	})
}

// Handles and pointers (OBJ-18, OBJ-19).
func TestOBJ18QueuesAndRequests(t *testing.T) {
	for name, test := range map[string]struct {
		call   func(x *ioBench, s *wdf.Sys)
		clause string
		params func(x *ioBench) []uint64
	}{
		"no queue": {func(x *ioBench, s *wdf.Sys) { s.WdfIoQueueStart(0) }, "OBJ-18", func(*ioBench) []uint64 { return []uint64{5, 0, 0x1003} }},
		"a device": {func(x *ioBench, s *wdf.Sys) { s.WdfIoQueueGetState(x.bench.device) }, "OBJ-18",
			func(x *ioBench) []uint64 { return []uint64{5, uint64(x.bench.device), 0x1003} }},
		"a queue": {func(x *ioBench, s *wdf.Sys) { s.WdfRequestComplete(x.queues[0], 0) }, "OBJ-18",
			func(x *ioBench) []uint64 { return []uint64{5, uint64(x.queues[0]), 0x1008} }},
		"a request": {func(x *ioBench, s *wdf.Sys) { s.WdfMemoryGetBuffer(x.sent[0]) }, "OBJ-18",
			func(x *ioBench) []uint64 { return []uint64{5, uint64(x.sent[0]), 0x100A} }},
		"no configuration": {func(x *ioBench, s *wdf.Sys) { s.WdfIoQueueCreate(x.bench.device, nil, nil) }, "OBJ-19",
			func(*ioBench) []uint64 { return []uint64{4, 0} }},
		"no EvtRequestCancel": {func(x *ioBench, s *wdf.Sys) { s.WdfRequestMarkCancelable(x.sent[0], 0) }, "OBJ-19",
			func(*ioBench) []uint64 { return []uint64{4, 0} }},
		"no buffer": {func(x *ioBench, s *wdf.Sys) { s.WdfMemoryCreatePreallocated(nil, 0, 4) }, "OBJ-19",
			func(*ioBench) []uint64 { return []uint64{4, 0} }},
	} {
		t.Run(name, func(t *testing.T) {
			ioScenario(t, driver{}, []queueSpec{{}}, func(x *ioBench) {
				x.sendReads(1)
				x.stop(func(s *wdf.Sys) { test.call(x, s) })
				x.wantBugCheck(test.clause, 0x10D, test.params(x)...)
			})
		})
	}
}
