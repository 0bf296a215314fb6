package explore_test

import (
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// generator makes random programs from a seed.
type generator struct {
	random *choice.Random
	alts   [256]choice.Alternative
}

func newGenerator(seed uint64) *generator { return &generator{random: choice.NewRandom(seed)} }

// n returns a number below n.
func (g *generator) n(n int) int {
	if n < 2 {
		return 0
	}
	return g.random.Choose(&choice.Point{Alternatives: g.alts[:n]})
}

func (g *generator) oneIn(n int) bool { return g.n(n) == 0 }

// pick returns one of a list.
func pick[T any](g *generator, list ...T) T { return list[g.n(len(list))] }

// Operations that are allowed in a routine, those that matter most several
// times. Brackets (raise, acquire, mutex, region) are made by bracket.
var (
	dataOps   = []opcode{opLoad, opLoad, opStore, opStore, opAdd, opSkipZero, opSet}
	anyOps    = append([]opcode{opInsert, opInsert, opInsert, opRemove, opTarget, opInterrupt, opTouch}, dataOps...)
	dpcOps    = append([]opcode{opSetEvent, opResetEvent, opSemaphore, opTimer, opCancel, opWork, opTry, opAlloc, opFree, opWaitSemaphore}, anyOps...)
	threadOps = append([]opcode{opFlush, opFlush, opWait, opWait, opDelay, opMutex, opUnmutex, opSynchronize, opSpawn}, dpcOps...)
)

// program returns a program of about the given number of operations.
func (g *generator) program(size int) *program {
	p := &program{config: kernel.Config{Processors: 2 - g.n(4)/3, QuantumEnd: g.oneIn(4), TicksLast: !g.oneIn(3)}}
	p.config.Tunables.StormLimit = 3
	if g.oneIn(3) {
		p.config.Tunables.MaximumDpcQueueDepth = 1 + g.n(3)
	}
	if g.oneIn(4) {
		p.config.Tunables.MinimumDpcRate = 1
	}
	p.shape = shape{
		kind: pick(g, messages, messages, sharedLevel, sharedLatched), affinity: uint64(1 + g.n(3)), sharedLock: g.oneIn(3),
		eventType: uint8(g.n(2)),
	}
	if p.shape.affinity&(1<<p.config.Processors-1) == 0 {
		p.shape.affinity = 1
	}
	if g.oneIn(2) {
		p.shape.arrivals = 1
	}
	for i := range 2 {
		p.shape.importance[i] = uint8(g.n(4))
		p.shape.target[i] = g.n(4) - 2
	}
	threads := pick(g, 1, 2, 2, 2, 2, 3)
	for i := range threads {
		r := routine{affinity: 1 << (i % p.config.Processors), code: g.code(threadOps, size/threads, true)}
		if g.oneIn(4) {
			r.affinity = 0
		}
		if g.oneIn(5) {
			r.priority = 9
		}
		p.threads = append(p.threads, r)
	}
	for i := range 2 {
		p.isrs[i] = g.code(anyOps, 1+g.n(2), false)
		p.dpcs[i] = g.code(dpcOps, 1+g.n(2), false)
		if g.oneIn(3) {
			p.dpcs[i] = g.bracket(opAcquire, opRelease, 0, p.dpcs[i])
		}
	}
	p.straight = g.oneIn(3)
	p.work = g.code(dpcOps, 1, false)
	p.spawn = g.code(threadOps, 1, false)
	for i := range p.isrs { // a device that interrupts from its own ISR never ends
		p.isrs[i] = without(p.isrs[i], opInterrupt)
	}
	for _, code := range [][]operation{p.work, p.spawn} {
		for i := range code {
			if code[i].code == opWork || code[i].code == opSpawn {
				code[i].code = opAdd
			}
		}
	}
	for i := range p.dpcs { // nor does a DPC that queues itself, or the other one that does
		p.dpcs[i] = without(p.dpcs[i], opInterrupt)
		if i == 1 || g.oneIn(2) {
			p.dpcs[i] = without(p.dpcs[i], opInsert)
			p.dpcs[i] = without(p.dpcs[i], opTimer)
		} else {
			for k := range p.dpcs[i] {
				p.dpcs[i][k].a = 1
				p.dpcs[i][k].b |= 1
			}
		}
	}
	if p.straight {
		for _, r := range p.threads {
			straighten(r.code)
		}
		for _, code := range [][]operation{p.isrs[0], p.isrs[1], p.dpcs[0], p.dpcs[1], p.work, p.spawn} {
			straighten(code)
		}
	}
	return p
}

// primitives replaces operations of a program by others of the same effect:
// threaded DPCs, the queued spin lock, the fast mutex, waits for two objects. The
// programs that the seeds of older tests stand for stay as they are.
func (g *generator) primitives(p *program) {
	for i := range p.shape.threaded {
		p.shape.threaded[i] = g.oneIn(2)
	}
	queued, fast := !g.oneIn(3), !g.oneIn(3)
	for _, r := range p.threads {
		g.replace(r.code, queued, fast)
	}
	for i := range p.dpcs {
		g.replace(p.dpcs[i], queued, false)
	}
	g.replace(p.spawn, queued, fast)
}

func (g *generator) replace(code []operation, queued, fast bool) {
	for i := range code {
		switch o := &code[i]; {
		case o.code == opAcquire && queued:
			o.code = opQueued
		case o.code == opRelease && queued:
			o.code = opUnqueued
		case o.code == opRaise && fast:
			o.code = opFast
		case o.code == opLower && fast:
			o.code = opUnfast
		case o.code == opWait && !g.oneIn(3):
			o.code = pick(g, opWaitAny, opWaitAll)
		}
	}
}

// straighten takes out what makes a routine go on in different ways.
func straighten(code []operation) {
	for i := range code {
		switch code[i].code {
		case opSkipZero, opAlloc, opFree, opTouch, opMutex, opUnmutex, opTry, opSemaphore:
			code[i].code, code[i].loud = opLoad, true
		}
	}
}

func without(code []operation, what opcode) []operation {
	for i := range code {
		if code[i].code == what {
			code[i] = operation{code: opAdd, a: code[i].a, b: 1}
		}
	}
	return code
}

// code returns n operations, some of them in brackets.
func (g *generator) code(from []opcode, n int, brackets bool) []operation {
	var code []operation
	for range n {
		code = append(code, g.operation(from))
	}
	if !brackets || n == 0 {
		return code
	}
	switch g.n(5) {
	case 0, 1:
		at := g.n(n)
		inner := []operation{g.operation(dpcOps)}
		code = append(append(code[:at:at], g.bracket(opAcquire, opRelease, 0, inner)...), code[at+1:]...)
	case 2, 3:
		at := g.n(n)
		inner := []operation{g.operation(dpcOps)}
		code = append(append(code[:at:at], g.bracket(opRaise, opLower, pick[uint8](g, 1, 2, 2, 2, 5, 7), inner)...), code[at+1:]...)
	}
	return code
}

func (g *generator) bracket(open, shut opcode, b uint8, inner []operation) []operation {
	code := append([]operation{{code: open, b: b}}, inner...)
	for i := range code { // no jump over the end of the bracket
		if code[i].code == opSkipZero {
			code[i] = operation{code: opLoad, loud: true}
		}
	}
	return append(code, operation{code: shut})
}

func (g *generator) operation(from []opcode) operation {
	o := operation{code: pick(g, from...), a: uint8(g.n(2)), b: uint8(g.n(3)), loud: g.oneIn(3)}
	switch o.code {
	case opTarget:
		o.b = uint8(g.n(2))
	case opSkipZero:
		o.b = 1
	case opWait, opMutex, opWaitSemaphore:
		if o.b == 2 && g.oneIn(2) {
			o.b = 1
		}
	case opSpawn:
		o.a = uint8(1 + g.n(3))
	}
	return o
}
