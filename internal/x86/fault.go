package x86

import "github.com/dirql/dirql/internal/mem"

// Bits of the error code of a page fault (SDM volume 3, 5.7).
const (
	codePresent = 1 << 0
	codeWrite   = 1 << 1
	codeFetch   = 1 << 4
)

// FaultException is the exception that a processor raises for the Fault of the
// last StopFault: a page fault with its error code (for CR2 see Fault.Addr), or
// what an address that is not canonical raises (SDM volume 1, 3.3.7.1).
func (c *CPU) FaultException() Exception {
	if c.Fault.Kind == mem.NotCanonical {
		if c.Fault.Access != mem.Fetch && c.throughStack() {
			return Exception{Vector: StackFault}
		}
		return Exception{Vector: GeneralProtection}
	}
	e := Exception{Vector: PageFault}
	switch c.Fault.Access {
	case mem.Store:
		e.Code |= codeWrite
	case mem.Fetch:
		e.Code |= codeFetch
	}
	if c.Fault.Kind == mem.ReadOnly || c.Fault.Kind == mem.NoExecute {
		e.Code |= codePresent
	}
	return e
}

// throughStack reports whether the access that stopped goes through the stack
// segment: that of a push or pop, and that with RSP or RBP as base unless a
// prefix says FS or GS (SDM volume 1, 3.7.4).
func (c *CPU) throughStack() bool {
	in, err := Decode(c.instruction(c.RIP), c.RIP)
	if err != nil {
		return false
	}
	explicit := in.Mem
	switch in.Name {
	case "PUSHF", "POPF", "RET", "ENTER", "LEAVE":
		return true
	case "PUSH", "POP", "CALL":
		op := operation{a: in.Seg, base: in.Base, idx: in.Index, sc: in.Scale, disp: in.Disp}
		if in.Addr32 {
			op.b = 1
		}
		explicit = in.Mem && c.segmented(&op) == c.Access.Addr
		if !explicit {
			return true
		}
	}
	return explicit && in.Seg == segNone && (in.Base == RSP || in.Base == RBP)
}

// instruction reads the bytes of an instruction, as far as they are there.
func (c *CPU) instruction(at uint64) []byte {
	n := 0
	for n < maxLength && c.mem.Read(at+uint64(n), c.bytes[n:n+1]).Kind == mem.NoFault {
		n++
	}
	return c.bytes[:n]
}
