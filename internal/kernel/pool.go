package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

var (
	svcExAllocatePool2       = NewLenientService("ExAllocatePool2")
	svcExAllocatePoolWithTag = NewLenientService("ExAllocatePoolWithTag")
	svcExFreePoolWithTag     = NewLenientService("ExFreePoolWithTag")
)

// Flags of ExAllocatePool2.
const (
	PoolFlagNonPaged = 0x40
	PoolFlagPaged    = 0x100
)

// ExAllocatePool2 returns a zeroed block, 0 if there is no memory. Non-paged at
// IRQL <= DISPATCH_LEVEL, paged at <= APC_LEVEL (IRQL-11). tag is a pool tag,
// first character in the low byte.
func (t *Thread) ExAllocatePool2(flags, size uint64, tag uint32) uint64 {
	t.Enter(svcExAllocatePool2, flags, size)
	p := t.AllocatePool(flags&PoolFlagPaged != 0, size, tag)
	t.Leave(trace.Hex, p)
	return p
}

// ExAllocatePoolWithTag returns a block of pool type 0 (non-paged) or 1
// (paged); see ExAllocatePool2.
func (t *Thread) ExAllocatePoolWithTag(poolType uint32, size uint64, tag uint32) uint64 {
	t.Enter(svcExAllocatePoolWithTag, uint64(poolType), size)
	p := t.AllocatePool(poolType&1 != 0, size, tag)
	t.Leave(trace.Hex, p)
	return p
}

// AllocatePool: see ExAllocatePool2.
func (t *Thread) AllocatePool(paged bool, size uint64, tag uint32) uint64 {
	if size == 0 {
		t.violation(Finding{Code: 0xC4, Rule: "zero-byte allocation", Clause: "IRQL-11", Params: [4]uint64{0x00, uint64(t.IRQL()), b2u(paged)},
			Text: "pool of 0 bytes is allocated"})
	}
	t.checkPoolLevel(paged, size, 0x01, 0x08, "allocated")
	t.point(op{})
	if t.allocationFails() {
		return 0
	}
	p := t.m.Mem.Alloc(size, tag, paged, t.ActivationID())
	if a := t.m.Mem.Find(p); a != nil {
		a.Driver = true
	}
	return p
}

// CheckLeaks is what happens when a driver has been unloaded: pool that it did
// not free is 0xC4/0x62 under Driver Verifier.
func (t *Thread) CheckLeaks(driver string) {
	var count, bytes uint64
	text := ""
	t.m.Mem.Live(func(a *mem.Alloc) {
		if a.Driver {
			count++
			bytes += a.Size
			text += t.blockText(a.Addr)
		}
	})
	if count > 0 && t.m.cfg.Profile.DriverVerifier {
		t.BugCheck(0xC4, [4]uint64{0x62, 0, bytes, count}, "pool leak", fmt.Sprintf(
			"driver %s was unloaded, but did not free %d of its blocks:%s", driver, count, text))
	}
}

// ExFreePoolWithTag frees a block. Same levels as the allocation.
func (t *Thread) ExFreePoolWithTag(addr uint64, tag uint32) {
	t.Enter(svcExFreePoolWithTag, addr)
	t.FreePool(addr)
	t.LeaveVoid()
}

// FreePool frees a block. A block that holds a queued DPC object is 0xC7/1, a
// set timer 0xC7/0 or 0xC4/0x15 (DPC-26); one that was freed already 0xC4/0x13,
// an address where none begins 0xC4/0x10; both 0xC2/7 without Driver Verifier.
func (t *Thread) FreePool(addr uint64) {
	t.point(op{})
	m := t.m
	a := m.Mem.Find(addr)
	if a == nil || a.Addr != addr || a.Freed {
		text, params := fmt.Sprintf("0x%X is freed, but no block begins there", addr), [4]uint64{0x10, addr}
		if a != nil && a.Freed {
			text, params = fmt.Sprintf("0x%X is freed twice%s", addr, t.blockText(addr)), [4]uint64{0x13, 0, addr}
		}
		about := m.freedAbout(addr)
		if m.cfg.Profile.DriverVerifier {
			t.stop(Finding{Code: 0xC4, Params: params, Clause: "double free", Text: text, About: about})
		}
		t.stop(Finding{Code: 0xC2, Params: [4]uint64{7, 0, 0, addr}, Clause: "double free", Text: text, About: about})
	}
	t.checkPoolLevel(a.Paged, addr, 0x11, 0x09, "freed")
	t.FreeBlock(addr)
}

// FreeBlock frees a block of the framework's, as part of the present step.
func (t *Thread) FreeBlock(addr uint64) {
	if a := t.m.Mem.Find(addr); a != nil {
		t.checkNotInUse(a.Addr, a.Addr+a.Size, "a block is freed", t.m.cfg.Profile.DriverVerifier)
		t.forgetLocks(a.Addr, a.Addr+a.Size)
	}
	t.m.Mem.Free(addr, t.ActivationID())
}

// checkNotInUse stops what makes memory go away that the kernel still has in a
// list. A timer is 0xC7/0, or 0xC4/0x15 if pool tells so.
func (t *Thread) checkNotInUse(from, to uint64, what string, pool bool) {
	m := t.m
	for i := range m.procs {
		for _, q := range m.procs[i].queues() {
			for _, e := range *q {
				if e.dpc >= from && e.dpc < to {
					t.BugCheck(0xC7, [4]uint64{1, e.dpc, from, to}, "DPC-26", fmt.Sprintf(
						"%s that holds the queued DPC object at 0x%X", what, e.dpc))
				}
			}
		}
	}
	for i := range m.timed {
		if e := &m.timed[i]; e.kind == timedTimer && e.id >= from && e.id < to {
			t.freedTimer(e.id, from, to, what, pool)
		}
	}
	for i := range m.procs {
		for _, timer := range m.procs[i].dpc.timers {
			if timer >= from && timer < to {
				t.freedTimer(timer, from, to, what, pool)
			}
		}
	}
}

func (t *Thread) freedTimer(timer, from, to uint64, what string, pool bool) {
	text := fmt.Sprintf("%s that holds the active timer at 0x%X", what, timer)
	if pool {
		t.BugCheck(0xC4, [4]uint64{0x15, timer, 0, from}, "DPC-26", text)
	}
	t.BugCheck(0xC7, [4]uint64{0, timer, from, to}, "DPC-26", text)
}

// checkPoolLevel checks IRQL-11. verifier is the 0xC4 code for paged pool; that
// of non-paged pool is one higher.
func (t *Thread) checkPoolLevel(paged bool, what, verifier, plain uint64, verb string) {
	irql, limit, kind, typ := t.IRQL(), uint8(DispatchLevel), "non-paged", uint64(0)
	if paged {
		limit, kind, typ = APCLevel, "paged", 1
	}
	if irql <= limit {
		return
	}
	rule := "IrqlExAllocatePool"
	if plain == 0x09 {
		rule = "IrqlExFree1"
	}
	text := fmt.Sprintf("%s pool is %s at %s", kind, verb, trace.LevelName(irql))
	if t.m.cfg.Profile.DriverVerifier {
		if !paged {
			verifier++
		}
		t.stop(Finding{Code: 0xC4, Params: [4]uint64{verifier, uint64(irql), typ, what}, Rule: rule, Clause: "IRQL-11", Text: text})
	}
	t.stop(Finding{Code: 0xC2, Params: [4]uint64{plain, uint64(irql), typ, what}, Rule: rule, Clause: "IRQL-11", Text: text})
}

// tag returns a pool tag of four characters.
func tag(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// PoolTag returns the pool tag of up to four characters.
func PoolTag(s string) uint32 { return tag((s + "    ")[:4]) }

// TagText returns the characters of a pool tag.
func TagText(t uint32) string {
	b := []byte{byte(t), byte(t >> 8), byte(t >> 16), byte(t >> 24)}
	for i := range b {
		if b[i] < ' ' || b[i] > '~' {
			b[i] = '.'
		}
	}
	return string(b)
}
