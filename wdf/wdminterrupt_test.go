package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// interruptResource makes resources of one interrupt, raw and translated.
func interruptResource(flags, messages uint16) func(*bench) (raw, translated []wdf.Resource) {
	return func(*bench) (raw, translated []wdf.Resource) {
		r := wdf.Resource{Type: wdf.CmResourceTypeInterrupt, Level: 6, Vector: 0x61, Affinity: 1, Flags: flags, MessageCount: messages}
		memory := wdf.Resource{Type: wdf.CmResourceTypeMemory, Start: 0x1000, Length: 0x1000}
		return []wdf.Resource{memory, r}, []wdf.Resource{memory, r}
	}
}

const messageFlags = wdf.CmResourceInterruptLatched | wdf.CmResourceInterruptMessage

// inPrepare calls f in EvtDevicePrepareHardware with the PDO, and lets the start fail.
func inPrepare(t *testing.T, resources func(*bench) (raw, translated []wdf.Resource), want string, f func(b *bench, s *wdf.Sys, pdo uint64)) {
	d := driver{processors: 2, resources: resources}
	d.pnp = func(b *bench, s *wdf.Sys, callback string) wdf.NTSTATUS {
		if callback == "PrepareHardware" {
			f(b, s, s.WdfDeviceWdmGetPhysicalDevice(b.device))
			return wdf.StatusUnsuccessful
		}
		return wdf.StatusSuccess
	}
	scenario(t, d, func(b *bench) {
		b.only = []string{"isr0", "isr1", "isr2", "line"}
		b.do(func(s *wdf.Sys) { b.startIn(s) })
		b.want(want)
	})
}

// serviceRoutine makes a service routine for messages, or for a line.
func serviceRoutine(b *bench, name string) wdf.Callback {
	return b.fn("wdm "+name, func(s *wdf.Sys, a kernel.Args) uint64 {
		if name == "line" {
			b.note("line")
		} else {
			b.note("isr%d", a[2])
		}
		if s.IRQL() != 8 {
			b.Errorf("the service routine runs at %d", s.IRQL())
		}
		return 1
	})
}

// connection are good parameters.
func connection(b *bench, pdo uint64) wdf.DeviceConnection {
	return wdf.DeviceConnection{PhysicalDeviceObject: pdo, MessageServiceRoutine: serviceRoutine(b, "message"),
		ServiceRoutine: serviceRoutine(b, "line"), ServiceContext: 7, SynchronizeIRQL: 8}
}

// CONNECT_MESSAGE_BASED (INT-25) connects one routine to all messages, with one lock, and
// makes their table; the disconnect of the table ends them all.
func TestINT25MessageBased(t *testing.T) {
	inPrepare(t, interruptResource(messageFlags, 3), "isr0 isr2 isr1", func(b *bench, s *wdf.Sys, pdo uint64) {
		table, line, st := s.IoConnectInterruptMessageBased(connection(b, pdo))
		b.status("connect", st, wdf.StatusSuccess)
		field := func(structure string, at uint64, name string, size int) uint64 {
			v, _ := b.Mem.Load(at+ddi.Offset(structure, name), size)
			return v
		}
		const info, entry = "IO_INTERRUPT_MESSAGE_INFO", "IO_INTERRUPT_MESSAGE_INFO_ENTRY"
		if line || field(info, table, "UnifiedIrql", 1) != 8 || field(info, table, "MessageCount", 4) != 3 {
			b.Errorf("line %v, UnifiedIrql %d, %d messages", line, field(info, table, "UnifiedIrql", 1), field(info, table, "MessageCount", 4))
		}
		var objects []uint64
		for n := range uint64(3) {
			at := table + ddi.Offset(info, "MessageInfo") + n*ddi.SizeOf(entry)
			if v := field(entry, at, "Vector", 4); v != 0x61+n || field(entry, at, "MessageData", 4) != v ||
				field(entry, at, "MessageAddress", 8) != kernel.MessageAddress || field(entry, at, "Irql", 1) != 6 ||
				field(entry, at, "Mode", 4) != 1 || field(entry, at, "TargetProcessorSet", 8) != 1 {
				b.Errorf("entry %d: vector 0x%X", n, v)
			}
			objects = append(objects, field(entry, at, "InterruptObject", 8))
		}
		for _, n := range []uint8{0, 2} {
			b.SendMessage(0x61 + n)
			s.KeStallExecutionProcessor(1)
		}
		old := s.KeAcquireInterruptSpinLock(objects[0]) // that of all
		b.SendMessage(0x62)
		s.KeStallExecutionProcessor(1)
		if s.KeReleaseInterruptSpinLock(objects[0], old); s.IRQL() != 0 {
			b.Errorf("released to %d", s.IRQL())
		}
		s.KeStallExecutionProcessor(1)
		s.IoReportInterruptInactive(table)
		b.SendMessage(0x61)
		s.KeStallExecutionProcessor(1)
		s.IoReportInterruptActive(table)
		s.IoDisconnectInterruptEx(table)
		b.SendMessage(0x62)
		s.KeStallExecutionProcessor(1)
		_, st = s.IoConnectInterruptLineBased(connection(b, pdo))
		b.status("line-based, several messages", st, wdf.StatusInvalidDeviceRequest)
	})
}

// What IoConnectInterruptEx connects for a device (INT-25) and what it refuses, by what the
// device has.
func TestINT25Statuses(t *testing.T) {
	for _, c := range []struct {
		name          string
		resources     func(*bench) (raw, translated []wdf.Resource)
		line, message wdf.NTSTATUS
		alone         wdf.NTSTATUS // message-based without a fallback
		fallback      bool
	}{
		{"INT-25 a line", interruptResource(0, 0), wdf.StatusSuccess, wdf.StatusSuccess, wdf.StatusNotFound, true},
		{"INT-25 one message", interruptResource(messageFlags, 1), wdf.StatusSuccess, wdf.StatusSuccess, wdf.StatusSuccess, false},
		{"INT-25 two messages", interruptResource(messageFlags, 2), wdf.StatusInvalidDeviceRequest, wdf.StatusSuccess, wdf.StatusSuccess, false},
		{"INT-25 nothing", func(*bench) (raw, translated []wdf.Resource) { return nil, nil }, wdf.StatusNotFound, wdf.StatusNotFound,
			wdf.StatusNotFound, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inPrepare(t, c.resources, "", func(b *bench, s *wdf.Sys, pdo uint64) {
				p := connection(b, pdo)
				object, st := s.IoConnectInterruptLineBased(p)
				b.status("line-based", st, c.line)
				if !st.Failed() {
					s.IoDisconnectInterruptEx(object)
				}
				context, line, st := s.IoConnectInterruptMessageBased(p)
				b.status("message-based", st, c.message)
				if !st.Failed() {
					s.IoDisconnectInterruptEx(context)
				}
				if line != c.fallback {
					b.Errorf("the fallback was used: %v", line)
				}
				p.ServiceRoutine = 0
				context, _, st = s.IoConnectInterruptMessageBased(p)
				b.status("message-based without a fallback", st, c.alone)
				if !st.Failed() {
					s.IoDisconnectInterruptEx(context)
				}
				_, st = s.IoConnectInterruptLineBased(p)
				b.status("no routine", st, wdf.StatusInvalidParameter)
				p = connection(b, 0)
				_, st = s.IoConnectInterruptLineBased(p)
				b.status("no device", st, wdf.StatusInvalidParameter)
				p.PhysicalDeviceObject = pdo + 8
				_, st = s.IoConnectInterruptLineBased(p)
				b.status("another object", st, wdf.StatusNotFound)
			})
		})
	}
}

// A message whose vector is taken undoes what was connected before it (INT-25).
func TestINT25AllOrNothing(t *testing.T) {
	inPrepare(t, interruptResource(messageFlags, 2), "", func(b *bench, s *wdf.Sys, pdo uint64) {
		taken, st := s.IoConnectInterruptEx(kernel.ConnectParams{Name: "other", ServiceRoutine: uint64(serviceRoutine(b, "line")), Vector: 0x62, IRQL: 6,
			SynchronizeIRQL: 6, Latched: true, Affinity: 1})
		b.status("the other one", st, wdf.StatusSuccess)
		_, _, st = s.IoConnectInterruptMessageBased(connection(b, pdo))
		b.status("connect", st, wdf.StatusInvalidParameter)
		b.SendMessage(0x61) // nobody is called
		s.KeStallExecutionProcessor(1)
		s.IoDisconnectInterruptEx(taken)
		context, _, st := s.IoConnectInterruptMessageBased(connection(b, pdo))
		b.status("connect again", st, wdf.StatusSuccess)
		s.IoDisconnectInterruptEx(context)
	})
}
