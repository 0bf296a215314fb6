package bind

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/internal/x86"
)

// Structured exception handling of guest code ("x64 exception handling"): a
// search from the faulting frame outwards for one whose handler takes the
// exception, then an unwind to that frame. Handlers are guest code that the
// unwind information names; nearly all of them end in __C_specific_handler,
// which the kernel exports (seh_scope.go).

// dispatch is one exception on its way.
type dispatch struct {
	d  *Driver
	t  *kernel.Thread
	c  *x86.CPU // the call of guest code that it is in
	e  kernel.Exception
	at x86.Context // where it happened

	record, context, pointers, dispatcher uint64 // addresses of what handlers get
	landing                               *landing
}

// landing is where an unwind goes.
type landing struct {
	frame uint64 // establisher frame
	ip    uint64
	value uint64 // for RAX
}

// maxFrames bounds a walk over the stack.
const maxFrames = 1024

// statusBadStack is the exception of a stack that cannot be unwound.
const statusBadStack = 0xC0000028

// raise dispatches an exception. When it returns, c goes on: behind __except,
// or where a filter wants it to. An exception that nobody handles ends the run.
func (d *Driver) raise(t *kernel.Thread, c *x86.CPU, e kernel.Exception) {
	c.Abandon()
	t.Step() // anything can happen before a handler runs
	if t.Machine().Trace.On() {
		t.Machine().Record(t.Processor(), trace.Event{Kind: trace.Note, Name: "exception",
			Text: fmt.Sprintf("0x%X at %s: %s", uint32(e.Code), d.m.NameOf(e.Address), e.Text)})
	}
	x := &dispatch{d: d, t: t, c: c, e: e}
	c.Save(&x.at)
	x.writeRecords()
	calls := d.running[t.ID()]
	call := &calls[len(calls)-1]
	call.dispatch = x
	goOn := x.search()
	switch {
	case x.landing != nil:
		x.unwind()
	case goOn && !e.Noncontinuable:
		d.countResume(t, c, &d.running[t.ID()][len(calls)-1])
		x.resume()
	default:
		x.unhandled(goOn)
	}
	d.running[t.ID()][len(calls)-1].dispatch = nil // the stack of calls can have moved
}

// maxResumes is how often in a row a filter can go on with the same instruction.
const maxResumes = 10_000

// countResume ends a run in which an exception comes again and again.
func (d *Driver) countResume(t *kernel.Thread, c *x86.CPU, call *guestCall) {
	at := call.dispatch.at.RIP
	if call.resumed != at {
		call.resumed, call.times = at, 0
	}
	if call.times++; call.times == maxResumes {
		t.Stop(kernel.Finding{Rule: "endless loop", Clause: "exception", Text: fmt.Sprintf(
			"%s raises an exception %d times in a row, and each time a filter has it go on", d.m.NameOf(at), maxResumes)})
	}
}

// appendState appends what the records on the stack do not tell.
func (x *dispatch) appendState(b []byte) []byte {
	if x == nil {
		return b
	}
	b = fmt.Appendf(b, "%x %x", x.at.R, x.at.RIP)
	if x.landing != nil {
		b = fmt.Appendf(b, " %x %x", x.landing.frame, x.landing.ip)
	}
	return b
}

// search asks the handlers of one frame after the other. It reports whether the
// code is to go on where the exception happened; x.landing is set if a frame
// takes it.
func (x *dispatch) search() (goOn bool) {
	for w := x.walk(); w.next(); {
		if !w.frame.OnException {
			continue
		}
		switch disposition := x.callHandler(&w, 0); {
		case x.landing != nil:
			return false
		case disposition == continueExecution:
			return true
		case disposition != continueSearch:
			x.badDisposition(disposition)
		}
	}
	return false
}

// unwind gives up the frames inside the one that takes the exception: their
// __finally blocks run. Then c is in that frame.
func (x *dispatch) unwind() {
	to := x.landing
	x.addFlags(flagUnwinding)
	for w := x.walk(); w.next(); {
		target := w.frame.Establisher == to.frame
		if target {
			x.addFlags(flagTargetUnwind)
		}
		if w.frame.OnUnwind {
			if disposition := x.callHandler(&w, to.ip); disposition != continueSearch {
				x.badDisposition(disposition)
			}
		}
		if target {
			x.land(&w.regs, to)
			return
		}
	}
	x.e.Code, x.e.Text = statusBadStack, "the frame whose __except takes the exception is not on the stack any more"
	x.t.Unhandled(x.e)
}

// land lets c go on in a frame.
func (x *dispatch) land(regs *pe.Registers, to *landing) {
	ctx := x.at
	copy(ctx.R[:], regs.GPR[:])
	for i, v := range regs.XMM {
		ctx.X[i] = x86.XMM{Lo: v[0], Hi: v[1]}
	}
	ctx.RIP, ctx.R[x86.RAX] = to.ip, to.value
	x.c.Load(&ctx)
}

// badDisposition ends the run: a handler returned nonsense.
func (x *dispatch) badDisposition(v uint64) {
	x.e.Code = kernel.StatusInvalidDisposition
	x.e.Text = fmt.Sprintf("an exception handler returned %d, which is no disposition", int32(v))
	x.t.Unhandled(x.e)
}

// unhandled ends the run. What lies below the routines of the framework that
// called the guest code is out of reach: if it could handle the exception, the
// run cannot go on as Windows would.
func (x *dispatch) unhandled(goOn bool) {
	if goOn {
		x.e.Code = kernel.StatusNoncontinuableException
		x.e.Text = "an exception filter wants to go on after an exception that cannot be continued: " + x.e.Text
	}
	x.c.Load(&x.at)
	x.e.Record, x.e.Context = x.record, x.context
	calls := x.d.running[x.t.ID()]
	for i := len(calls) - 2; i >= 0 && calls[i].activation == x.t.ActivationID(); i-- {
		if calls[i].dispatch != nil {
			x.t.Unsupported("an exception in a filter or in a __finally block: " + x.e.Text)
		}
		outer := dispatch{d: x.d, t: x.t, c: calls[i].CPU}
		outer.c.Save(&outer.at)
		for w := outer.walk(); w.next(); {
			if w.frame.OnException {
				x.t.Unsupported("an exception that leaves a callback towards the driver code that made the system call it: " + x.e.Text)
			}
		}
	}
	x.t.Unhandled(x.e)
}

// walker goes over the frames of a call of guest code, innermost first:
//
//	for w := x.walk(); w.next(); { w.regs, w.frame }
type walker struct {
	d     *Driver
	regs  pe.Registers // in the frame
	outer pe.Registers // in its caller
	frame pe.Frame
	count int
	bad   bool // the frame could not be left
}

func (x *dispatch) walk() walker {
	w := walker{d: x.d}
	w.outer.RIP = x.at.RIP
	copy(w.outer.GPR[:], x.at.R[:])
	for i, v := range x.at.X {
		w.outer.XMM[i] = [2]uint64{v.Lo, v.Hi}
	}
	if _, inside := x.d.image.RVA(x.at.RIP); !inside {
		// A routine of the kernel, or an address without code: called, and
		// nothing was saved.
		if ret, f := x.d.m.Mem.Load(x.at.R[x86.RSP], 8); f.Kind == mem.NoFault {
			w.outer.RIP = ret
			w.outer.GPR[pe.RSP] += 8
		}
	}
	return w
}

// next goes to the next frame. It reports false behind the last one. A frame
// that cannot be left is the last one.
func (w *walker) next() bool {
	im := w.d.image
	if _, inside := im.RVA(w.outer.RIP); !inside || w.count == maxFrames || w.bad {
		return false
	}
	w.count++
	w.regs = w.outer
	var ok bool
	w.frame, ok = im.Unwind(&w.outer, pe.ReadMemory(w.d.m.Mem))
	w.bad = !ok || w.outer.GPR[pe.RSP] <= w.regs.GPR[pe.RSP]
	return true
}
