package report

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/trace"
)

// idleThread is the name of the idle threads in the trace.
const idleThread = "idle"

// levelName returns the name of an IRQL as in a column: PASSIVE, DIRQL 5.
func levelName(irql uint8) string { return strings.TrimSuffix(trace.LevelName(irql), "_LEVEL") }

func levelChange(from, to uint8) string {
	if from == to {
		return "IRQL " + levelName(to)
	}
	return "IRQL " + levelName(from) + " -> " + levelName(to)
}

// Microseconds shows a virtual time.
func Microseconds(ns uint64) string { return fmt.Sprintf("%d.%03d", ns/1000, ns%1000) }

func threadName(name string) string {
	if name == idleThread {
		return "idle"
	}
	return fmt.Sprintf("thread \"%s\"", name)
}

// join joins what is not empty with blanks.
func join(parts ...string) string {
	var s strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if s.Len() > 0 {
			s.WriteByte(' ')
		}
		s.WriteString(p)
	}
	return s.String()
}

// startText names a routine that begins: its role and its name. thread is the
// thread that begins with it, object the DPC that it is the routine of; ""
// where that is not so.
func startText(e *trace.Event, thread, object string) string {
	role := e.Text
	text := ""
	if thread != "" {
		text = threadName(thread)
		if role == "thread" {
			role = ""
		}
		if e.Name == thread && role == "" {
			return text
		}
		text += ": "
	}
	text += join(role, e.Name)
	if object != "" && object != e.Name && !strings.HasPrefix(e.Text, "Evt") { // of which the framework owns the DPC
		text += " (" + object + ")"
	}
	return text
}

// returnText says that a routine or a call returns, and what.
func returnText(e *trace.Event) string {
	return join(e.Name, together(join("returns", e.ValueString())))
}

// callText shows a call with its arguments.
func callText(e *trace.Event) string {
	if strings.HasPrefix(e.Text, "(") {
		return e.Name + e.Text
	}
	return join(e.Name, e.Text)
}

// foldedText shows a call with its result and what else it did: put a DPC into
// the queue, change the IRQL.
func foldedText(call, back, queued *trace.Event) string {
	text := callText(call)
	if v := back.ValueString(); v != "" {
		text += " " + together("= "+v)
	}
	if queued != nil {
		text += ", " + queuedText(queued, true)
	}
	if call.IRQL != back.IRQL {
		text += ", " + together("IRQL -> "+levelName(back.IRQL))
	}
	return text
}

// queuedText says that a DPC was queued, with its name unless that is known.
func queuedText(e *trace.Event, known bool) string {
	name := e.Name
	if known {
		name = ""
	}
	if name != "" {
		name += " "
	}
	depth := ""
	if e.Text != "" {
		depth = "(" + e.Text + ")"
	}
	return "DPC" + glue + name + together(join("queued", depth))
}

// hasArgument tells whether a name is among the arguments of a call.
func hasArgument(args, name string) bool {
	for a := range strings.SplitSeq(strings.Trim(args, "()"), ", ") {
		if a == name {
			return true
		}
	}
	return false
}

// eventText shows an event of a processor that opens and closes nothing.
func eventText(e *trace.Event, s *callStack) string {
	switch e.Kind {
	case trace.Pending:
		return detail("interrupt: "+e.Name+" pending", e.Text)
	case trace.Accept:
		return detail("interrupt: "+e.Name+" "+together("-> "+levelName(e.IRQL)), e.Text)
	case trace.EOI:
		return detail("end of interrupt: "+e.Name, e.Text)
	case trace.Queue:
		return queuedText(e, hasArgument(s.top().args, e.Name))
	case trace.Dequeue:
		return detail("DPC "+e.Name+" leaves the queue", e.Text)
	case trace.Register:
		return fmt.Sprintf("%-5s %s = %s", e.Text, e.Name, e.ValueString())
	case trace.Timer:
		return detail("timer "+e.Name+" expires", e.Text)
	case trace.Framework:
		return "framework: " + plainText(e)
	case trace.Bus:
		return "device: " + plainText(e)
	case trace.Finding:
		return "*** " + e.Name + "\n" + e.Text
	case trace.Note:
		return noteText(e)
	}
	return plainText(e)
}

// detail adds the text of an event to what it is.
func detail(what, text string) string {
	if text == "" {
		return what
	}
	return what + ": " + text
}

// plainText shows name, text and value as they are.
func plainText(e *trace.Event) string {
	text := join(e.Name, e.Text)
	if v := e.ValueString(); v != "" {
		text += " = " + v
	}
	return text
}

func noteText(e *trace.Event) string {
	if e.Name == "" || e.Text == "" {
		return plainText(e)
	}
	e2 := *e
	e2.Name += ":"
	return plainText(&e2)
}

// actor says who acts in an event of no processor.
func actor(e *trace.Event) string {
	switch e.Kind {
	case trace.Line, trace.Message, trace.Bus, trace.Register:
		return "device"
	case trace.Timer:
		return "clock"
	case trace.Framework:
		return "framework"
	}
	return "system"
}

// outsideText shows an event of no processor.
func outsideText(e *trace.Event) string {
	switch e.Kind {
	case trace.Line:
		if e.Value == 0 {
			return "line " + e.Name + " released"
		}
		return "line " + e.Name + " asserted"
	case trace.Message:
		return detail("message-signalled interrupt: "+e.Name, e.Text)
	case trace.Framework, trace.Bus:
		return plainText(e)
	}
	return eventText(e, &callStack{})
}

// leaveText says why a thread stops in the middle of something, as far as the
// trace tells: the idle thread runs only if the other one cannot.
func leaveText(thread, to string, cpu int) string {
	what := join("thread", quoted(thread))
	if to == idleThread {
		return fmt.Sprintf("%s waits (P%d is idle)", what, cpu)
	}
	return what + " stops here for " + threadName(to)
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return "\"" + name + "\""
}

// movedText tells that a thread goes on on another processor.
func movedText(from, to int) string {
	if from == to {
		return ""
	}
	return fmt.Sprintf(" (it was on P%d)", from)
}
