package bind

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/x86"
)

// slice is the number of instructions after which a routine that makes no
// visible access and no call comes to a scheduling point all the same.
const slice = 10_000

// maxSlices is the number of slices in a row after which a routine is taken to
// loop for ever: 200 million instructions.
const maxSlices = 20_000

// guestCall is a call of guest code that is under way.
type guestCall struct {
	*x86.CPU
	activation uint32
	dispatch   *dispatch // of an exception in it, nil: none
	resumed    uint64    // instruction that a filter has gone on with
	times      int       // in a row
	waiting    *spin
}

// frameSize is what a call from the kernel puts on the stack: return address, 4
// home slots, 2 arguments, and what makes RSP 8 below a multiple of 16.
const frameSize = 0x48

// interruptFlag is IF in RFLAGS.
const interruptFlag = 1 << 9

// Execute implements kernel.Executor: it calls guest code at addr on the stack
// of the thread, on top of what runs there, and returns RAX. The interpreter
// stops before everything that is visible to others; the loop here lets the
// machine decide who steps, and goes on.
func (d *Driver) Execute(t *kernel.Thread, addr uint64, a kernel.Args) uint64 {
	c, w := d.enter(t, addr, a)
	defer d.leave(t)
	disabled := t.InterruptsDisabled()
	for slices := 0; ; slices++ {
		irql := t.IRQL()
		c.CR8, c.StopPageable, c.ID = uint64(irql), irql >= kernel.DispatchLevel, uint32(t.Processor())
		c.GSBase = d.m.ProcessorBlock(t.Processor())
		stop, passed := d.runSlice(t, c, w)
		if stop != x86.StopLimit || passed {
			slices = 0
		}
		t.SetPosition(0) // the registers say how far the routine got: AppendState
		switch stop {
		case x86.StopTrap:
			if c.RIP == returnAddr {
				if t.InterruptsDisabled() && !disabled {
					t.Unsupported(d.m.NameOf(addr) + " returns with interrupts disabled (CLI)")
				}
				return c.R[x86.RAX]
			}
			if d.trap(t, c, w) {
				return c.R[x86.RAX]
			}
		case x86.StopLimit:
			w.effect()
			if slices == maxSlices {
				d.endless(t, c)
			}
			t.Step()
		case x86.StopVisible:
			a := &c.Access
			if a.Kind == x86.Write {
				w.effect()
			} else {
				w.before()
			}
			t.Access(a.Addr, int(a.Size), a.Kind != x86.Read, a.Kind == x86.ReadWrite, c.Pending(), a.Value.Lo, c.RIP)
			t.CheckUser(a.Addr)
			d.checkStack(t, a.Addr)
			d.tell(t, a)
			if a.Kind != x86.Write {
				w.found(a)
			}
			c.Allow()
		case x86.StopDevice:
			d.device(t, c, w)
		case x86.StopPrivileged:
			w.effect()
			d.privileged(t, c)
		default:
			w.effect()
			d.refused(t, c, stop)
		}
	}
}

// runSlice runs until something needs the machine, or for a slice of instructions
// since then. It reports whether accesses passed meanwhile.
func (d *Driver) runSlice(t *kernel.Thread, c *x86.CPU, w *spin) (stop x86.Stop, passed bool) {
	for left := uint64(slice); left > 0; {
		if n := t.Ahead(slice); n > 0 {
			first, row := w.ahead()
			c.Pass(n, first, row, d.m.Visible())
		} else {
			c.Pass(0, 0, 0, nil)
		}
		before := c.Retired
		stop = c.Run(left)
		list, at := c.Passed(), uint32(0)
		for i := range list {
			p := &list[i]
			t.Retire(uint64(p.Before - at))
			at = p.Before
			t.Passed(p.Addr, int(p.Size()), p.Kind() != x86.Read, p.Kind() == x86.ReadWrite, p.PC, p.Value)
			w.passed(p.Kind() == x86.Write)
		}
		rest := c.Retired - before - uint64(at)
		t.Retire(rest)
		if passed = passed || len(list) > 0; stop != x86.StopLimit || len(list) == 0 {
			break
		}
		left = slice - rest // a slice begins at each access
	}
	return stop, passed
}

// tell tells of an access that happens now, unless it faults: others may have
// freed the memory since it was stopped.
func (d *Driver) tell(t *kernel.Thread, a *x86.Access) {
	if d.onAccess == nil || !d.m.Trace.On() {
		return
	}
	value, f := d.m.Mem.Load(a.Addr, min(int(a.Size), 8))
	switch {
	case f.Kind != mem.NoFault:
		return
	case a.Kind == x86.Write:
		value = a.Value.Lo
	}
	d.onAccess(t, Access{Addr: a.Addr, Write: a.Kind != x86.Read, Locked: a.Kind == x86.ReadWrite, Value: value})
}

// enter prepares a processor for a call: arguments in registers and on the
// stack, as the x64 calling convention has them.
func (d *Driver) enter(t *kernel.Thread, addr uint64, a kernel.Args) (*x86.CPU, *spin) {
	id := t.ID()
	for len(d.running) <= id {
		d.running = append(d.running, nil)
	}
	top := d.stackTop(id)
	if calls := d.running[id]; len(calls) > 0 {
		top = calls[len(calls)-1].R[x86.RSP] &^ 15
	}
	var c *x86.CPU
	var w *spin
	if n := len(d.spare); n > 0 {
		c, w, d.spare = d.spare[n-1].CPU, d.spare[n-1].waiting, d.spare[:n-1]
		c.Reset() // nothing of an earlier call, perhaps of another run
	} else {
		c, w = x86.NewShared(d.code), &spin{call: newCall()}
	}
	*w = spin{d: d, t: t, c: c, top: top, reads: w.reads[:0], call: w.call}
	c.TrapBase, c.TrapEnd, c.StopVisible = trapBase, trapEnd, true
	c.SetPrivate(d.stacks[id]-stackSize, d.stacks[id])
	c.RIP = addr
	if t.InterruptsDisabled() {
		c.SetFlags(c.Flags() &^ interruptFlag)
	}
	c.R[x86.RCX], c.R[x86.RDX], c.R[x86.R8], c.R[x86.R9] = a[0], a[1], a[2], a[3]
	sp := top - frameSize
	c.R[x86.RSP] = sp
	d.running[id] = append(d.running[id], guestCall{CPU: c, activation: t.ActivationID(), waiting: w})
	d.push(t, sp, returnAddr)
	d.push(t, sp+0x28, a[4])
	d.push(t, sp+0x30, a[5])
	return c, w
}

// push stores a word on the stack, which can overflow.
func (d *Driver) push(t *kernel.Thread, addr, v uint64) {
	if f := d.m.Mem.Store(addr, 8, v); f.Kind != mem.NoFault {
		t.BugCheck(0x7F, [4]uint64{8, addr}, "kernel stack", "the kernel stack of the thread is used up: calls nest too deep")
	}
}

// leave ends the innermost call of a thread, also when it is unwound.
func (d *Driver) leave(t *kernel.Thread) {
	calls := d.running[t.ID()]
	if n := len(calls); n > 0 {
		d.spare = append(d.spare, calls[n-1])
		d.running[t.ID()] = calls[:n-1]
	}
}

// trap carries out the call of an import and returns to the caller. It reports
// whether the whole call of guest code is over.
func (d *Driver) trap(t *kernel.Thread, c *x86.CPU, w *spin) bool {
	r := d.imports[c.RIP]
	if r == nil {
		t.BugCheck(0xFC, [4]uint64{c.RIP}, "jump", "the driver jumps to an address where no routine of the kernel begins")
	}
	ret := d.stackWord(t, c, 0)
	call := w.call
	call.Sys, call.d, call.cpu, call.caller, call.r, call.over = d.f.Sys(t), d, c, ret, r, false
	if r.fn == nil {
		t.Unsupported(r.name + " (from " + r.module + "), called by " + t.Machine().NameOf(ret) +
			". docs/SUPPORT.md lists what there is")
	}
	call.checkPointers()
	w.calls(r.name)
	if e := t.Try(call.body); e != nil {
		if e.Address == 0 {
			e.Address = ret
		}
		d.raise(t, c, *e)
		return false
	}
	c.R[x86.RAX] = call.result
	c.RIP = ret
	c.R[x86.RSP] += 8
	c.Abandon() // the call instruction is done
	return call.over
}

// stackWord reads the n-th word of the stack.
func (d *Driver) stackWord(t *kernel.Thread, c *x86.CPU, n int) uint64 {
	addr := c.R[x86.RSP] + uint64(8*n)
	v, f := d.m.Mem.Load(addr, 8)
	if f.Kind != mem.NoFault {
		d.fault(t, c, f)
	}
	return v
}

// device carries out an access to a device register.
func (d *Driver) device(t *kernel.Thread, c *x86.CPU, w *spin) {
	a := &c.Access
	if a.Kind == x86.Read {
		if v, ok := t.LoadOpaque(a.Addr, int(a.Size)); ok {
			w.effect()
			c.Supply(v)
			return
		}
		w.before()
		c.Supply(w.poll(a))
		return
	}
	w.effect()
	t.Store(a.Addr, int(a.Size), a.Value.Lo)
	c.Allow()
}

// privileged carries out a privileged instruction.
func (d *Driver) privileged(t *kernel.Thread, c *x86.CPU) {
	switch o := &c.Operation; {
	case o.Op == x86.WriteCR && o.Number == 8:
		t.WriteCR8(uint8(o.Value))
		c.Allow()
	case o.Op == x86.PortIn:
		c.Supply(t.ReadPort(o.Number, int(o.Size)))
	case o.Op == x86.PortOut:
		t.WritePort(o.Number, int(o.Size), o.Value)
		c.Allow()
	case o.Op == x86.ReadTSC:
		t.Step()
		c.Supply(t.Machine().Now())
	case o.Op == x86.SetIF:
		t.SetInterrupts(o.Value != 0)
		c.Allow()
	case o.Op == x86.FlushPage, o.Op == x86.FlushCache:
		c.Allow() // nothing is cached
	default:
		t.Unsupported("the instruction " + o.Op.String() + " at " + d.site(c.RIP))
	}
}
