package bind

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/x86"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"__C_specific_handler":        (*call).cSpecificHandler,
		"ExRaiseStatus":               func(c *call) uint64 { return c.raiseStatus(kernel.NTSTATUS(c.word(0))) },
		"RtlRaiseStatus":              func(c *call) uint64 { return c.raiseStatus(kernel.NTSTATUS(c.word(0))) },
		"ExRaiseAccessViolation":      func(c *call) uint64 { return c.raiseStatus(kernel.StatusAccessViolation) },
		"ExRaiseDatatypeMisalignment": func(c *call) uint64 { return c.raiseStatus(kernel.StatusDatatypeMisalignment) },
		"ProbeForRead":                func(c *call) uint64 { c.probe(); return 0 },
		"ProbeForWrite":               (*call).probeForWrite,
	})
}

// Dispositions of an exception handler.
const (
	continueExecution = 0
	continueSearch    = 1
)

// Flags of an EXCEPTION_RECORD.
const (
	flagNoncontinuable = 0x01
	flagUnwinding      = 0x02
	flagExitUnwind     = 0x04
	flagTargetUnwind   = 0x20
)

// Offsets and sizes of what handlers get, as ntddk.h and winnt.h have them.
const (
	recordSize, recordFlags           = 0x98, 4
	contextSize                       = 0x4D0
	contextGPR, contextRIP            = 0x78, 0xF8
	contextXMM                        = 0x1A0
	dispatcherPC, dispatcherImageBase = 0x00, 0x08
	dispatcherFunction                = 0x10
	dispatcherFrame, dispatcherTarget = 0x18, 0x20
	dispatcherContext                 = 0x28
	dispatcherHandler, dispatcherData = 0x30, 0x38
	dispatcherScope                   = 0x48
	dispatcherSize                    = 0x50
)

// contextFlags says that a CONTEXT has everything (CONTEXT_ALL of x64 without
// the debug registers).
const contextFlags = 0x10000F

// writeRecords puts EXCEPTION_RECORD, CONTEXT, EXCEPTION_POINTERS and room for a
// DISPATCHER_CONTEXT on the stack of the thread; handlers run below them.
func (x *dispatch) writeRecords() {
	sp := x.c.R[x86.RSP]
	x.context = (sp - contextSize) &^ 15
	x.record = (x.context - recordSize) &^ 15
	x.pointers = x.record - 0x10
	x.dispatcher = x.pointers - dispatcherSize
	x.c.R[x86.RSP] = x.dispatcher
	for at := x.dispatcher; at < x.context+contextSize; at += 8 {
		x.put(at, 0)
	}
	flags := uint64(0)
	if x.e.Noncontinuable {
		flags = flagNoncontinuable
	}
	x.put(x.record, uint64(x.e.Code)|flags<<32)
	x.put(x.record+0x10, x.e.Address)
	x.put(x.record+0x18, uint64(len(x.e.Params)))
	for i, p := range x.e.Params {
		x.put(x.record+0x20+uint64(8*i), p)
	}
	x.put(x.context+0x30, contextFlags|uint64(x.at.MXCSR)<<32)
	x.put(x.context+0x40, x.at.Flags<<32)
	for i, v := range x.at.R {
		x.put(x.context+contextGPR+uint64(8*i), v)
	}
	x.put(x.context+contextRIP, x.at.RIP)
	for i, v := range x.at.X {
		x.put(x.context+contextXMM+uint64(16*i), v.Lo)
		x.put(x.context+contextXMM+uint64(16*i)+8, v.Hi)
	}
	x.put(x.pointers, x.record)
	x.put(x.pointers+8, x.context)
}

// resume goes on with the CONTEXT, which a filter may have changed.
func (x *dispatch) resume() {
	ctx := x.at
	for i := range ctx.R {
		ctx.R[i] = x.get(x.context + contextGPR + uint64(8*i))
	}
	for i := range ctx.X {
		at := x.context + contextXMM + uint64(16*i)
		ctx.X[i] = x86.XMM{Lo: x.get(at), Hi: x.get(at + 8)}
	}
	ctx.RIP = x.get(x.context + contextRIP)
	ctx.Flags = x.get(x.context+0x40) >> 32
	x.c.Load(&ctx)
}

// put and get access the records, which lie on the stack of the thread.
func (x *dispatch) put(addr, v uint64) { x.d.push(x.t, addr, v) }

func (x *dispatch) get(addr uint64) uint64 {
	v, _ := x.d.m.Mem.Load(addr, 8)
	return v
}

func (x *dispatch) addFlags(flags uint64) { x.put(x.record, x.get(x.record)|flags<<32) }

// callHandler calls the handler of a frame and returns its disposition. target
// is where an unwind goes, 0 in the search.
func (x *dispatch) callHandler(w *walker, target uint64) uint64 {
	im, at := x.d.image, x.dispatcher
	handler := im.Addr(w.frame.Handler)
	for _, f := range []struct{ offset, value uint64 }{
		{dispatcherPC, w.regs.RIP}, {dispatcherImageBase, im.Base},
		{dispatcherFunction, im.Addr(im.File.TableEntry(w.frame.Function))},
		{dispatcherFrame, w.frame.Establisher}, {dispatcherTarget, target}, {dispatcherContext, x.context},
		{dispatcherHandler, handler}, {dispatcherData, im.Addr(w.frame.HandlerData)}, {dispatcherScope, 0},
	} {
		x.put(at+f.offset, f.value)
	}
	return x.d.Execute(x.t, handler, kernel.Args{x.record, w.frame.Establisher, x.context, at}) & 0xFFFFFFFF
}

// scope is an entry of the table that __C_specific_handler works on: RVAs.
type scope struct{ begin, end, handler, target uint64 }

// maxScopes bounds the scopes of one function.
const maxScopes = 4096

// cSpecificHandler is the handler of functions with __try: (record, establisher
// frame, context, dispatcher context). In the search it asks the filters of the
// scopes around the instruction, innermost first; in the unwind it calls their
// __finally blocks.
func (c *call) cSpecificHandler() uint64 {
	calls := c.d.running[c.ID()]
	if len(calls) < 2 || calls[len(calls)-2].dispatch == nil {
		c.Unsupported("__C_specific_handler, called by the driver itself")
	}
	x := calls[len(calls)-2].dispatch
	frame, dc := c.arg(1), c.arg(3)
	flags := c.load(c.arg(0)+recordFlags, 4)
	base := c.load(dc+dispatcherImageBase, 8)
	pc, target := c.load(dc+dispatcherPC, 8)-base, c.load(dc+dispatcherTarget, 8)-base
	table := c.load(dc+dispatcherData, 8)
	n := min(c.load(table, 4), maxScopes)
	for i := c.load(dc+dispatcherScope, 4); i < n; i++ {
		s := c.scope(table + 4 + 16*i)
		switch {
		case pc < s.begin || pc >= s.end:
		case flags&(flagUnwinding|flagExitUnwind) != 0:
			if flags&flagTargetUnwind != 0 && (s.target == target && target != 0 || target >= s.begin && target < s.end) {
				return continueSearch // the unwind ends inside this scope, or it is the one that takes the exception
			}
			if s.target == 0 {
				c.store(dc+dispatcherScope, 4, i+1)
				c.Invoke("__finally", base+s.handler, kernel.Args{1, frame})
			}
		case s.target != 0:
			switch v := c.filter(x, base, frame, &s); {
			case v < 0:
				return continueExecution
			case v > 0:
				x.landing = &landing{frame, base + s.target, uint64(x.e.Code)}
				c.over = true
				return 0
			}
		}
	}
	return continueSearch
}

func (c *call) scope(at uint64) scope {
	return scope{c.load(at, 4), c.load(at+4, 4), c.load(at+8, 4), c.load(at+12, 4)}
}

// filter returns what the filter of a scope says: below 0 to go on where the
// exception happened, above 0 to handle it. 1 in place of its address is
// EXCEPTION_EXECUTE_HANDLER itself.
func (c *call) filter(x *dispatch, base, frame uint64, s *scope) int32 {
	if s.handler == 1 {
		return 1
	}
	return int32(c.Invoke("exception filter", base+s.handler, kernel.Args{x.pointers, frame}))
}

// raiseStatus raises an exception that cannot be continued.
func (c *call) raiseStatus(code kernel.NTSTATUS) uint64 {
	c.Raise(kernel.Exception{Code: code, Noncontinuable: true, Clause: "exception",
		Text: "the driver raises an exception with " + c.r.name})
	return 0
}

// probe is ProbeForRead(address, length, alignment): an exception if the range
// is not in user space, or not aligned.
func (c *call) probe() {
	addr, n, alignment := c.arg(0), c.arg(1), uint64(c.word(2))
	if n == 0 {
		return
	}
	c.Step()
	if alignment != 0 && addr&(alignment-1) != 0 {
		c.Raise(kernel.Exception{Code: kernel.StatusDatatypeMisalignment, Noncontinuable: true, Clause: "exception",
			Text: c.r.name + " of an address that is not aligned"})
	}
	if end := addr + n; end < addr || end > kernel.UserProbeAddress {
		c.Raise(kernel.Exception{Code: kernel.StatusAccessViolation, Noncontinuable: true, Clause: "exception",
			Text: c.r.name + " of a range that is not in user space", Params: []uint64{0, kernel.UserProbeAddress}})
	}
}

// probeForWrite also touches each page.
func (c *call) probeForWrite() uint64 {
	c.probe()
	const page = 4096
	addr, n := c.arg(0), c.arg(1)
	for at := addr; at < addr+n; at = at&^(page-1) + page {
		c.store(at, 1, c.load(at, 1))
	}
	return 0
}
