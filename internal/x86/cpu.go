package x86

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
)

// Numbers of the general registers in CPU.R.
const (
	RAX = iota
	RCX
	RDX
	RBX
	RSP
	RBP
	RSI
	RDI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15

	regZero    = 16 // always 0: an address without base or index
	regAddress = 17 // address of the present instruction, where it has a segment base
)

// XMM is an SSE register.
type XMM struct{ Lo, Hi uint64 }

// Stop says why Run returned. Except for StopLimit and StopTrap, RIP is the
// address of an instruction of which nothing has happened that registers,
// flags or memory show, except the accesses that Allow and Supply let pass.
type Stop uint8

// Reasons to stop.
const (
	stopNone Stop = iota
	stopCode      // inside Run: a store to code, to be executed on its own

	// StopLimit: the limit of instructions is reached.
	StopLimit
	// StopTrap: RIP is in [TrapBase, TrapEnd). The embedder does what is behind
	// that address and sets RIP.
	StopTrap
	// StopVisible: the next access (CPU.Access) is to a page that is not
	// private. Allow lets exactly this access happen.
	StopVisible
	// StopPageable: with CPU.StopPageable, the next access, or the fetch at RIP
	// (then CPU.Fault.Access is mem.Fetch), is to pageable memory. Allow lets a
	// load or store happen.
	StopPageable
	// StopDevice: the next access is to a device register: Supply the value of
	// a load; do a store (Access.Value) and Allow.
	StopDevice
	// StopFault: CPU.Fault says why the next access or fetch is not possible.
	// Running again tries again; Supply and Allow go on as with StopDevice.
	StopFault
	// StopException: the instruction raises CPU.Exception. Of those that the
	// program asks for (INT3, INT n), Allow skips the instruction.
	StopException
	// StopPrivileged: CPU.Operation is the embedder's to decide: Supply the
	// value where one is read, else Allow.
	StopPrivileged
	// StopUnsupported: the bytes at RIP (CPU.Bytes) are no instruction that the
	// interpreter knows.
	StopUnsupported
)

func (s Stop) String() string {
	return [...]string{"none", "code", "limit", "trap", "visible", "pageable", "device", "fault", "exception", "privileged", "unsupported"}[s]
}

// Exception is a fault or trap of the processor (SDM volume 3, 7.15).
type Exception struct {
	Vector uint8
	Code   uint32 // error code, 0 where there is none
	Asked  bool   // by INT3, INT1 or INT n: RIP is still that instruction
	Next   uint64 // the address behind it
}

// Vectors of exceptions.
const (
	DivideError       = 0
	Debug             = 1
	Breakpoint        = 3
	InvalidOpcode     = 6
	StackFault        = 12 // SDM: #SS, an address that is not canonical, through the stack segment
	GeneralProtection = 13
	PageFault         = 14
	FloatingPoint     = 19
	FastFail          = 0x29 // INT 29h of Windows: the reason is in ECX
)

// Op is an operation that the embedder decides.
type Op uint8

// The operations.
const (
	WriteCR    Op = iota // control register Number gets Value
	SetIF                // the interrupt flag becomes Value: CLI, STI, POPF
	Halt                 // HLT
	PortIn               // Size bytes from port Number
	PortOut              // Value to port Number
	ReadTSC              // RDTSC, RDTSCP: Supply the time stamp counter
	ReadPMC              // RDPMC of counter Number
	ReadMSR              // RDMSR of register Number
	WriteMSR             // WRMSR
	FlushPage            // INVLPG of address Value
	FlushCache           // WBINVD
)

func (o Op) String() string {
	return [...]string{"MOV to control register", "change of IF", "HLT", "IN", "OUT", "RDTSC", "RDPMC", "RDMSR", "WRMSR", "INVLPG", "WBINVD"}[o]
}

// Operation is what a StopPrivileged is about.
type Operation struct {
	Op     Op
	Number uint32 // port, register
	Size   uint8
	Value  uint64
}

// CPU is a virtual processor. Fields that start with a capital letter are the
// embedder's to read and, while Run does not run, to write.
type CPU struct {
	R   [256]uint64 // general registers; 256, so that indexing needs no check
	RIP uint64

	// Flags of the last operation: see flags.go.
	fa, fb, fr, fc uint64
	fk             uint8
	sys            uint64 // the other bits of RFLAGS

	X     [16]XMM
	MXCSR uint32

	FSBase, GSBase, KernelGSBase uint64
	CR0, CR2, CR3, CR4, CR8      uint64
	ID                           uint32 // number of the processor, for CPUID and RDTSCP
	Pauses                       uint64 // PAUSE instructions executed
	Retired                      uint64 // instructions executed; each iteration of a REP counts

	// The trap range: a jump there stops.
	TrapBase, TrapEnd uint64

	// StopVisible makes accesses to pages without mem.Private stop, and those to
	// private pages of others: see SetPrivate.
	StopVisible bool
	// StopPageable makes accesses to mem.Pageable pages, and their execution,
	// stop: for IRQL >= DISPATCH_LEVEL.
	StopPageable bool

	// What the last stop is about.
	Access    Access
	Fault     mem.Fault
	Exception Exception
	Operation Operation
	Bytes     []byte // of the instruction; valid until the next Run

	own [2]uint64 // whose mem.Private is meant: from, to; to 0: all

	mem     *mem.Space
	code    *Code
	epoch   uint64 // blocks seen in this epoch are valid
	limit   uint64 // of Run
	left    uint64 // instructions that it may still execute
	fp      fpu    // of the present floating-point instruction
	stop    Stop
	last    Stop // what Run returned
	bytes   [maxLength]byte
	codeOK  bool // a store to a page with code may happen: it is the last of its block
	allowed bool // the next access that stopped may happen
	noted   bool // the present access has to be put into the log
	atomic  bool // the load half of the present locked access has happened

	// Accesses of the present instruction that have happened already.
	log         [maxLog]logEntry
	logN, logAt int

	rt, wt  tlb
	top     tlbEntry // one of wt: the page at the top of the stack
	pass    passing
	fills   [4 * tlbSize]uint8 // entries of the TLBs that are in use
	nfills  int
	changes uint64 // mem.Space.Changes when they were filled
	shared  bool   // StopVisible when they were filled
}

// New returns a processor on a memory, with the code cache of its own.
func New(m *mem.Space) *CPU { return NewShared(NewCode(m)) }

// NewShared returns a processor that shares decoded code with others on the
// same memory. Only one of them may run at a time.
func NewShared(code *Code) *CPU {
	c := &CPU{mem: code.mem, code: code, CR0: 0x80050033, CR4: 0x00000668}
	c.Reset()
	c.top.page = nowhere
	for i := range tlbSize {
		for _, e := range []*tlbEntry{&c.rt[i], &c.wt[i], &c.pass.r[i].tlbEntry, &c.pass.w[i].tlbEntry} {
			e.page = invalidPage(i)
		}
	}
	return c
}

// Reset gives the registers of an activation the values that they have in a new
// processor, whatever it was used for before.
func (c *CPU) Reset() {
	c.Load(&Context{Flags: flagI, MXCSR: mxcsrDefault})
}

// Context is the part of the state that belongs to an activation: what has to
// be kept while another one uses the processor.
type Context struct {
	R     [16]uint64
	RIP   uint64
	Flags uint64
	X     [16]XMM
	MXCSR uint32
}

// Save copies the state of the activation. It must not be between the halves
// of an instruction (Pending).
func (c *CPU) Save(to *Context) {
	copy(to.R[:], c.R[:16])
	to.RIP, to.Flags, to.X, to.MXCSR = c.RIP, c.Flags(), c.X, c.MXCSR
}

// Load makes a saved state the present one, and gives up what was allowed.
func (c *CPU) Load(from *Context) {
	copy(c.R[:16], from.R[:])
	c.RIP, c.X, c.MXCSR = from.RIP, from.X, from.MXCSR
	c.SetFlags(from.Flags)
	c.Abandon()
}

// Pending reports whether the instruction at RIP is half done: then it has to
// be finished, or given up with Abandon, before anything else can run here.
func (c *CPU) Pending() bool { return c.logN > 0 }

// Abandon forgets what the instruction at RIP has done so far, and what was
// allowed.
func (c *CPU) Abandon() { c.allowed, c.logN, c.logAt, c.last = false, 0, 0, stopNone }

// AppendState appends everything of the processor that decides what it does
// next: the registers of the activation and, in the middle of an instruction,
// the accesses that it has made. Equal states on equal memory do the same.
func (c *CPU) AppendState(b []byte) []byte {
	b = le.AppendUint64(b, c.RIP)
	for _, r := range c.R[:16] {
		b = le.AppendUint64(b, r)
	}
	for i := range c.X {
		b = le.AppendUint64(le.AppendUint64(b, c.X[i].Lo), c.X[i].Hi)
	}
	b = le.AppendUint64(b, c.Flags())
	b = le.AppendUint32(b, c.MXCSR)
	b = append(b, byte(c.logN))
	for i := range c.log[:c.logN] {
		e := &c.log[i]
		b = le.AppendUint64(le.AppendUint64(le.AppendUint64(b, e.addr), e.value.Lo), e.value.Hi)
		b = append(b, e.size, e.kind)
	}
	return b
}

// Allow lets go on what Run stopped before: a visible or pageable access
// happens, a store to a device or behind a fault counts as done, a privileged
// operation takes effect, an INT3 or INT n is skipped.
func (c *CPU) Allow() {
	switch c.last {
	case StopVisible, StopPageable:
		if c.last == StopPageable && c.Fault.Access == mem.Fetch {
			panic("BUG: x86: Allow of execution: clear StopPageable")
		}
		c.allowed = true
	case StopDevice, StopFault:
		if c.Access.Kind == Read || c.Fault.Access == mem.Fetch {
			panic("BUG: x86: Allow, but a load needs a value (Supply), and a fetch cannot go on")
		}
		c.note(logEntry{addr: c.Access.Addr, size: c.Access.Size, kind: logStore})
	case StopPrivileged:
		c.note(logEntry{kind: logOperation})
	case StopException:
		if !c.Exception.Asked {
			panic("BUG: x86: Allow of an exception that the processor raises")
		}
		c.RIP = c.Exception.Next
		c.Retired++
	default:
		panic("BUG: x86: Allow without a stop that needs it: " + c.last.String())
	}
	c.last = stopNone
}

// Supply gives the load that Run stopped before its value.
func (c *CPU) Supply(v uint64) { c.SupplyWide(XMM{Lo: v}) }

// SupplyWide is Supply for loads of 16 bytes.
func (c *CPU) SupplyWide(v XMM) {
	switch {
	case (c.last == StopDevice || c.last == StopFault) && c.Access.Kind == Read && c.Fault.Access != mem.Fetch:
		c.note(logEntry{addr: c.Access.Addr, size: c.Access.Size, kind: logLoad, value: v})
	case c.last == StopPrivileged:
		c.note(logEntry{kind: logOperation, value: v})
	default:
		panic("BUG: x86: Supply without a load that needs it: " + c.last.String())
	}
	c.last = stopNone
}

// Run executes until something needs the embedder, at most limit instructions.
// Between two Runs anything may change: memory, registers, the switches. Only
// while Pending, the processor has to go on with its instruction before it can
// take an interrupt, as a real one would.
func (c *CPU) Run(limit uint64) Stop {
	c.begin(limit)
	if limit > 0 && (c.allowed || c.logN > 0) {
		c.step()
	}
	for {
		if c.stop == stopCode {
			c.codeOK = true
			c.step()
			c.codeOK = false
		}
		if c.stop != stopNone {
			break
		}
		if c.left == 0 {
			c.stop = StopLimit
			break
		}
		b := c.enter(c.RIP)
		if b == nil {
			continue
		}
		if b.n > c.left {
			b = b.prefix(c.left)
		}
		c.left -= b.n
		c.exec(b)
	}
	if c.stop == StopException || c.stop == StopUnsupported {
		c.commit() // whoever handles it begins the instruction again, or another
	}
	c.Retired += limit - c.left
	c.last = c.stop
	return c.stop
}

func (c *CPU) begin(limit uint64) {
	c.limit, c.left, c.stop, c.pass.n = limit, limit, stopNone, 0
	c.epoch = c.code.now(c.StopPageable)
	if c.changes != c.mem.Changes() || c.shared != c.StopVisible {
		c.forget()
		c.shared = c.StopVisible
	}
}

// step executes the one instruction at RIP, of which accesses may have
// happened already or may happen now.
func (c *CPU) step() {
	c.stop = stopNone
	b := c.enter(c.RIP)
	if b == nil {
		return
	}
	rest, pass := c.left-1, c.pass.end
	c.left, c.logAt, c.pass.end = 0, 0, 0
	c.exec(b.prefix(1))
	c.left, c.pass.end = c.left+rest, pass
	switch c.stop {
	case StopLimit: // one iteration of a REP: there is more, but nothing is half done
		c.stop = stopNone
	case stopNone, StopTrap: // done; a jump into the trap range is done, too
		c.commit()
	}
}

// commit forgets the accesses of an instruction, or of an iteration of a
// string instruction, that is done.
func (c *CPU) commit() { c.allowed, c.logN, c.logAt = false, 0, 0 }

func (c *CPU) note(e logEntry) {
	if c.logN == len(c.log) {
		panic(fmt.Sprintf("BUG: x86: more than %d accesses in one instruction at 0x%X", len(c.log), c.RIP))
	}
	c.log[c.logN] = e
	c.logN++
}

// raise stops with an exception.
func (c *CPU) raise(vector uint8) bool {
	c.Exception = Exception{Vector: vector}
	c.stop = StopException
	return false
}

// misaligned is the exception of an operand that has to be aligned to 16 bytes
// (SDM volume 1, 4.1.1).
func (c *CPU) misaligned(uint64) { c.raise(GeneralProtection) }
