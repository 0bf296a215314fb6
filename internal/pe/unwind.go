package pe

// Registers are those that unwinding follows; the numbers are those of x86-64
// encoding (RAX 0, RCX 1, RDX 2, RBX 3, RSP 4, RBP 5, RSI 6, RDI 7, R8 to R15).
type Registers struct {
	RIP uint64
	GPR [16]uint64
	XMM [16][2]uint64 // low half first
}

// RSP is the number of the stack pointer in GPR.
const RSP = 4

// Frame describes the frame that Unwind has left.
type Frame struct {
	Function    RuntimeFunction // zero: a leaf function
	Establisher uint64          // the frame as its exception handler knows it
	Handler     uint32          // RVA of the exception handler, if the body of the function was left; 0: none
	HandlerData uint32          // RVA of its data
	OnException bool            // the handler is called to find out who handles an exception
	OnUnwind    bool            // the handler is called when the frame is given up
	Interrupted bool            // the frame was entered by an interrupt or exception: RIP is no return address
}

// ReadFunc reads 8 bytes of guest memory.
type ReadFunc func(addr uint64) (uint64, bool)

// Unwind goes from the frame of regs.RIP, which must be in this image, to that
// of its caller: it changes regs to what they are after the return, as
// RtlVirtualUnwind does. It reports false, and leaves regs alone, if the stack
// cannot be read or the unwind information makes no sense.
func (im *Image) Unwind(regs *Registers, read ReadFunc) (Frame, bool) {
	if regs.RIP-im.Base >= uint64(im.File.Size) {
		return Frame{}, false
	}
	w := unwinder{f: im.File, regs: *regs, read: read}
	frame, ok := w.step(uint32(regs.RIP - im.Base))
	if ok {
		*regs = w.regs
	}
	return frame, ok
}

type unwinder struct {
	f       *File
	regs    Registers
	read    ReadFunc
	machine bool // a machine frame has set RIP and RSP
}

// step unwinds one frame.
func (w *unwinder) step(rva uint32) (Frame, bool) {
	fn, found := w.f.FunctionAt(rva)
	if !found {
		frame := Frame{Establisher: w.regs.GPR[RSP]}
		return frame, w.f.SectionAt(rva) != nil && w.ret()
	}
	frame := Frame{Function: fn}
	u, ok := w.f.UnwindInfo(fn)
	if !ok {
		return frame, false
	}
	offset := rva - fn.Begin
	inProlog := offset < uint32(u.Prolog)
	frame.Establisher = w.base(&u, offset)
	// Also before the end of the prologue: a function may save some registers
	// late, and return before it does.
	if ops, ok := w.f.epilogue(rva, fn, &u); ok {
		return frame, w.runEpilogue(ops) && w.ret()
	}
	for chain := 0; ; chain++ {
		if !w.undo(&u, offset, frame.Establisher) {
			return frame, false
		}
		if u.Flags&unwChained == 0 {
			break
		}
		if u, ok = w.f.UnwindInfo(u.Chained); !ok || chain == maxChain {
			return frame, false
		}
		offset = ^uint32(0) // the prologue of the first part has been executed
	}
	if !inProlog {
		frame.Handler, frame.HandlerData = u.Handler, u.HandlerData
		frame.OnException, frame.OnUnwind = u.Flags&unwExceptionHandler != 0, u.Flags&unwUnwindHandler != 0
	}
	frame.Interrupted = w.machine
	return frame, w.machine || w.ret()
}

// base returns the address that the offsets of saved registers count from:
// that of the frame register once it is set, else the stack pointer.
func (w *unwinder) base(u *Unwind, offset uint32) uint64 {
	if u.FrameReg == 0 {
		return w.regs.GPR[RSP]
	}
	set := offset >= uint32(u.Prolog) || u.Flags&unwChained != 0
	for i := 0; i < len(u.Codes)/2 && !set; {
		c, _ := u.decode(i)
		set = c.op == uwopSetFPReg && offset >= uint32(c.at)
		i += c.slots
	}
	if !set {
		return w.regs.GPR[RSP]
	}
	return w.regs.GPR[u.FrameReg] - uint64(u.FrameOffset)
}

// undo takes back what the prologue has done before the instruction at offset.
func (w *unwinder) undo(u *Unwind, offset uint32, base uint64) bool {
	rsp := &w.regs.GPR[RSP]
	for i := 0; i < len(u.Codes)/2; {
		c, ok := u.decode(i)
		if !ok {
			return false
		}
		i += c.slots
		if c.op == uwopEpilog || c.op == uwopSpare || uint32(c.at) > offset {
			continue
		}
		switch c.op {
		case uwopPushNonvol:
			ok = w.pop(c.info)
		case uwopAllocLarge, uwopAllocSmall:
			*rsp += uint64(c.value)
		case uwopSetFPReg:
			*rsp = w.regs.GPR[u.FrameReg] - uint64(u.FrameOffset)
		case uwopSaveNonvol, uwopSaveNonvolFar:
			ok = w.load(&w.regs.GPR[c.info], base+uint64(c.value))
		case uwopSaveXMM, uwopSaveXMMFar:
			x, at := &w.regs.XMM[c.info], base+uint64(c.value)
			ok = w.load(&x[0], at) && w.load(&x[1], at+8)
		case uwopPushMachFrame:
			// RIP, CS, RFLAGS, RSP and SS, above an error code if info is 1.
			at := *rsp + uint64(c.info)*8
			ok = w.load(&w.regs.RIP, at) && w.load(rsp, at+24)
			w.machine = true
		}
		if !ok {
			return false
		}
	}
	return true
}

func (w *unwinder) load(to *uint64, addr uint64) bool {
	v, ok := w.read(addr)
	*to = v
	return ok
}

func (w *unwinder) pop(reg uint8) bool {
	v, ok := w.read(w.regs.GPR[RSP])
	w.regs.GPR[RSP] += 8
	w.regs.GPR[reg] = v
	return ok
}

func (w *unwinder) ret() bool {
	v, ok := w.read(w.regs.GPR[RSP])
	w.regs.GPR[RSP] += 8
	w.regs.RIP = v
	return ok
}

// Walk unwinds frame by frame and calls visit with the registers in each,
// beginning with regs. It ends where find knows no image for RIP, the stack
// does not get shorter, visit returns false, or after limit frames.
func Walk(regs Registers, read ReadFunc, find func(rip uint64) *Image, limit int, visit func(*Image, *Registers) bool) {
	for range limit {
		im := find(regs.RIP)
		if !visit(im, &regs) || im == nil {
			return
		}
		rsp := regs.GPR[RSP]
		frame, ok := im.Unwind(&regs, read)
		if !ok || regs.GPR[RSP] <= rsp && !frame.Interrupted {
			return
		}
	}
}
