package report_test

import "github.com/dirql/dirql/internal/trace"

// script makes a log by hand. at and on set when and where the next events
// happen.
type script struct {
	log trace.Log
	now trace.Event
}

// at sets the virtual time in nanoseconds.
func (s *script) at(ns uint64) *script {
	s.now.Time = ns
	return s
}

// on sets the processor, its IRQL and the activation.
func (s *script) on(cpu int, irql uint8, act uint32) *script {
	s.now.CPU, s.now.IRQL, s.now.Act = int16(cpu), irql, act
	return s
}

func (s *script) event(k trace.Kind, name, text string) *script {
	e := s.now
	e.Kind, e.Name, e.Text = k, name, text
	s.log.Add(e)
	return s
}

// value gives the last event a value.
func (s *script) value(k trace.ValueKind, v uint64) *script {
	e := &s.log.Events[len(s.log.Events)-1]
	e.ValueKind, e.Value = k, v
	return s
}

// level changes the IRQL.
func (s *script) level(irql uint8) *script {
	s.now.IRQL = irql
	return s.event(trace.IRQL, "", "").value(trace.Level, uint64(irql))
}

// device is an event of no processor.
func (s *script) device(k trace.Kind, name, text string) *script {
	here := s.now
	s.now.CPU, s.now.IRQL, s.now.Act = -1, 0, 0
	s.event(k, name, text)
	s.now = here
	return s
}

func (s *script) line(name string, asserted uint64) *script {
	s.device(trace.Line, name, "asserted")
	return s.value(trace.Bool, asserted)
}

// start begins a routine in an activation of the given number, end ends it and
// goes on with the one below.
func (s *script) start(act uint32, role, name string) *script {
	s.now.Act = act
	return s.event(trace.Start, name, role)
}

func (s *script) end(role, name string, below uint32) *script {
	s.event(trace.End, name, role)
	s.now.Act = below
	return s
}

func (s *script) call(name, args string) *script { return s.event(trace.Call, name, args) }

func (s *script) ret(name string) *script { return s.event(trace.Return, name, "") }

func (s *script) retBool(name string, v uint64) *script { return s.ret(name).value(trace.Bool, v) }

// accept takes an interrupt of the vector.
func (s *script) accept(irql uint8, vector string) *script {
	return s.level(irql).event(trace.Accept, vector, "")
}

// eoi ends an interrupt and goes back to a level.
func (s *script) eoi(vector string, irql uint8) *script {
	return s.event(trace.EOI, vector, "").level(irql)
}

// queue is the framework call with which an ISR queues its DPC.
func (s *script) queue(depth string) *script {
	return s.call("WdfInterruptQueueDpcForIsr", "(interrupt)").event(trace.Queue, "KDPC of interrupt", depth).
		retBool("WdfInterruptQueueDpcForIsr", 1)
}

// queueFails is the same when the DPC is queued already.
func (s *script) queueFails() *script {
	return s.call("WdfInterruptQueueDpcForIsr", "(interrupt)").retBool("WdfInterruptQueueDpcForIsr", 0)
}

func (s *script) register(what, name string, v uint64) *script {
	return s.event(trace.Register, name, what).value(trace.Hex, v)
}

const vector = "vector 0x51"

// forumQuestion is one processor: the ISR interrupts the running DPC and
// queues it again.
func forumQuestion() *trace.Log {
	s := &script{}
	s.on(0, 0, 0).event(trace.Switch, "app", "")
	s.start(1, "thread", "edu.main")
	s.call("KeStallExecutionProcessor", "(5)")
	s.at(1200).line("INTA", 1).event(trace.Pending, vector, "")
	s.accept(5, vector).start(2, "EvtInterruptIsr", "edu.isr")
	s.register("read", "edu+0x24", 1).at(1400).register("write", "edu+0x64", 1).line("INTA", 0)
	s.call("WdfInterruptGetDevice", "(interrupt)").ret("WdfInterruptGetDevice")
	s.at(1500).queue("depth 1").at(1600).end("EvtInterruptIsr", "edu.isr", 1).eoi(vector, 0)
	s.level(2).event(trace.Dequeue, "KDPC of interrupt", "").start(3, "EvtInterruptDpc", "edu.dpc")
	s.call("WdfRequestCompleteWithInformation", "(request, STATUS_SUCCESS, 4)")
	s.at(1900).line("INTA", 1).event(trace.Pending, vector, "")
	s.accept(5, vector).start(4, "EvtInterruptIsr", "edu.isr")
	s.at(2100).register("read", "edu+0x24", 1).register("write", "edu+0x64", 1).line("INTA", 0)
	s.at(2300).queue("depth 1").end("EvtInterruptIsr", "edu.isr", 3).eoi(vector, 2)
	s.at(2500).ret("WdfRequestCompleteWithInformation").at(2600).end("EvtInterruptDpc", "edu.dpc", 1)
	s.event(trace.Dequeue, "KDPC of interrupt", "").start(5, "EvtInterruptDpc", "edu.dpc")
	s.at(2700).end("EvtInterruptDpc", "edu.dpc", 1).level(0)
	s.at(7800).ret("KeStallExecutionProcessor").end("thread", "edu.main", 0).event(trace.Switch, "idle", "")
	return &s.log
}

// overlap is two processors: a DPC runs on both at the same time, and a thread
// waits and goes on where the other one was.
func overlap() *trace.Log {
	s := &script{}
	s.on(0, 0, 0).event(trace.Switch, "app", "").start(1, "thread", "edu.main")
	s.at(300).call("KeWaitForSingleObject", "(done)").on(0, 0, 0).event(trace.Switch, "idle", "")
	s.at(1000).device(trace.Message, vector, "").event(trace.Pending, vector, "")
	s.accept(5, vector).start(2, "EvtInterruptIsr", "edu.isr").at(1100).queue("depth 1")
	s.end("EvtInterruptIsr", "edu.isr", 0).eoi(vector, 0)
	s.level(2).event(trace.Dequeue, "KDPC of interrupt", "").start(3, "EvtInterruptDpc", "edu.dpc")
	s.call("WdfSpinLockAcquire", "(lock)").ret("WdfSpinLockAcquire")
	s.at(1300).device(trace.Message, vector, "")
	s.on(1, 0, 0).event(trace.Pending, vector, "")
	s.accept(5, vector).start(4, "EvtInterruptIsr", "edu.isr").at(1400).queue("depth 1")
	s.end("EvtInterruptIsr", "edu.isr", 0).eoi(vector, 0)
	s.level(2).event(trace.Dequeue, "KDPC of interrupt", "").start(5, "EvtInterruptDpc", "edu.dpc")
	s.call("WdfSpinLockAcquire", "(lock)")
	s.at(1700).on(0, 2, 3).call("KeSetEvent", "(done)").ret("KeSetEvent").value(trace.Decimal, 0)
	s.call("WdfSpinLockRelease", "(lock)").ret("WdfSpinLockRelease")
	s.at(1800).on(1, 2, 5).ret("WdfSpinLockAcquire")
	s.on(0, 2, 3).end("EvtInterruptDpc", "edu.dpc", 0).level(0)
	s.at(2100).on(1, 2, 5).call("WdfSpinLockRelease", "(lock)").ret("WdfSpinLockRelease")
	s.end("EvtInterruptDpc", "edu.dpc", 0).level(0)
	s.on(1, 0, 1).event(trace.Switch, "app", "")
	s.at(2300).ret("KeWaitForSingleObject").value(trace.Status, 0).end("thread", "edu.main", 0)
	s.event(trace.Switch, "idle", "")
	return &s.log
}

// fourProcessors has a DPC with a target, and all processors busy.
func fourProcessors() *trace.Log {
	s := &script{}
	for cpu := range 4 {
		s.at(uint64(cpu)*100).on(cpu, 0, 0).event(trace.Switch, "worker", "").start(uint32(cpu+1), "EvtWorkItem", "edu.work")
		s.call("KeInsertQueueDpc", "(dpc, 0, 0)")
		if cpu == 0 {
			s.on(3, 0, 0).event(trace.Queue, "dpc", "depth 1").on(0, 0, 1).retBool("KeInsertQueueDpc", 1)
		} else {
			s.retBool("KeInsertQueueDpc", 0)
		}
	}
	s.at(700).on(3, 0, 4).level(2).event(trace.Dequeue, "dpc", "").start(5, "EvtDpcFunc", "edu.extraDpc")
	s.call("KeReadStateEvent", "(event)")
	s.at(800).on(1, 0, 2).call("KeRaiseIrql", "(2)").level(2).ret("KeRaiseIrql").value(trace.Level, 0)
	s.on(3, 2, 5).accept(5, vector).start(6, "EvtInterruptIsr", "edu.isr").at(900).queueFails()
	s.end("EvtInterruptIsr", "edu.isr", 5).eoi(vector, 2)
	s.on(0, 0, 1).end("EvtWorkItem", "edu.work", 0).event(trace.Switch, "idle", "")
	s.at(1000).on(3, 2, 5).ret("KeReadStateEvent").value(trace.Decimal, 1).end("EvtDpcFunc", "edu.extraDpc", 4).level(0)
	s.at(12345678).on(3, 0, 4).end("EvtWorkItem", "edu.work", 0).event(trace.Switch, "idle", "")
	return &s.log
}

// waitInDPC ends with a bug check.
func waitInDPC() *trace.Log {
	s := &script{}
	s.on(0, 0, 0).device(trace.Framework, "device", "enters D0")
	s.at(1000).accept(5, vector).start(1, "EvtInterruptIsr", "edu.isr").queue("depth 1").queueFails()
	s.end("EvtInterruptIsr", "edu.isr", 0).event(trace.EOI, vector, "").level(0)
	s.level(2).event(trace.Dequeue, "KDPC of interrupt", "").start(2, "EvtInterruptDpc", "edu.dpc")
	s.event(trace.Framework, "interrupt", "DPC starts")
	s.call("KeWaitForSingleObject", "(done)")
	f := waitFinding()
	s.event(trace.Finding, f.Title, f.Text)
	return &s.log
}

// poll reads a register until a bit comes, with an unclaimed interrupt in
// between.
func poll() *trace.Log {
	s := &script{}
	s.on(0, 0, 0).event(trace.Switch, "app", "").start(1, "thread", "edu.main")
	for i := range uint64(50) {
		s.at(1000*i).register("read", "edu+0x20", 0x80)
		s.call("KeStallExecutionProcessor", "(1)").ret("KeStallExecutionProcessor")
	}
	s.at(50000).accept(5, vector).start(2, "EvtInterruptIsr", "edu.isr").end("EvtInterruptIsr", "edu.isr", 1)
	s.event(trace.EOI, vector, "no service routine claimed it").level(0)
	s.register("read", "edu+0x20", 0).end("thread", "edu.main", 0).event(trace.Switch, "idle", "")
	return &s.log
}

// odd has the kinds of events that are rare, and what no run would record: a
// timeline shows it as it is.
func odd() *trace.Log {
	s := &script{}
	s.on(0, 0, 0).end("EvtTimerFunc", "never started", 0).ret("NeverCalled").value(trace.Status, 0xC000000D)
	s.device(trace.Note, "vector 0x61", "not connected: the interrupt is lost")
	s.device(trace.Note, "work item", "work item queued").device(trace.Note, "", "no name")
	s.device(trace.Timer, "clock", "tick").device(trace.Bus, "edu", "DMA of 4 bytes to 0x1000")
	s.event(trace.Note, "bad\x1b[31m\nname", "text with\ttab and \xff").event(trace.Bus, "edu", "seen")
	s.event(trace.Dequeue, "stray", "").event(trace.Timer, "poll timer", "")
	s.event(trace.Pending, "vector 0x41", "already pending: the two become one")
	s.event(trace.Switch, "a", "").event(trace.Note, "", "before its routine").start(1, "thread", "a")
	s.level(2).level(2).level(0) // written to CR8
	s.call("KeInsertQueueDpc", "(dpc 1, 0, 0)").event(trace.Queue, "dpc 2", "depth 1").retBool("KeInsertQueueDpc", 0)
	s.call("KeStallExecutionProcessor", "(1)").event(trace.Queue, "dpc 3", "depth 2").ret("KeStallExecutionProcessor")
	s.call("KeLowerIrql", "(0)").on(0, 0, 0).event(trace.Switch, "b", "").start(2, "KSTART_ROUTINE", "routine")
	s.start(2, "EvtInterruptSynchronize", "inner").end("EvtInterruptSynchronize", "inner", 2)
	s.event(trace.Switch, "other", "").end("KSTART_ROUTINE", "lost", 2) // no routine of this thread
	s.on(0, 0, 2).event(trace.Switch, "b", "").end("KSTART_ROUTINE", "routine", 0)
	s.on(0, 0, 1).event(trace.Switch, "a", "")
	s.start(3, "DPC", "customDpc").call("DbgPrint", "hello").call("Deeper", "()").end("DPC", "customDpc", 1)
	for i := range 14 {
		s.start(uint32(10+i), "ISR", "nested")
	}
	s.event(trace.Note, "", "deep inside")
	return &s.log
}
