package litmus

// ProgramKind is the kind of a program: who calls it.
type ProgramKind uint8

// The kinds of programs.
const (
	ProgramISR     ProgramKind = iota + 1 // EvtInterruptIsr of Object
	ProgramDPC                            // DPC routine of Object
	ProgramThread                         // thread at PASSIVE_LEVEL that stays on Processor
	ProgramWork                           // EvtInterruptWorkItem or EvtWorkItem of Object
	ProgramTimer                          // EvtTimerFunc of Object
	ProgramRead                           // EvtIoRead of Object
	ProgramCancel                         // EvtRequestCancel of Object
	ProgramEnable                         // EvtInterruptEnable of Object
	ProgramDisable                        // EvtInterruptDisable of Object
	ProgramSync                           // EvtInterruptSynchronize of Object
	ProgramDevice                         // PnP or power callback of the device: the one that Name says
	ProgramWatch                          // what the test notes when an interrupt is connected or disconnected
)

// programKinds says which section starts which kind of program, what it belongs to, and what it returns.
var programKinds = []struct {
	kind    ProgramKind
	section string
	of      kindSet // 0: it belongs to no object
	result  Type    // a program that returns a status succeeds unless it says otherwise
	needed  bool    // each such object has one
	counts  bool    // its runs are those of the object
	routine string
}{
	{ProgramISR, "isr", kinds(KindInterrupt), TypeBool, true, true, "EvtInterruptIsr"},
	{ProgramDPC, "dpc", dpcKinds, TypeNone, true, true, "DPC routine"},
	{ProgramThread, "thread", 0, TypeNone, false, false, "thread"},
	{ProgramWork, "work", workKinds, TypeNone, true, true, "work item routine"},
	{ProgramTimer, "timer", kinds(KindTimer), TypeNone, true, true, "EvtTimerFunc"},
	{ProgramRead, "read", kinds(KindQueue), TypeNone, false, true, "EvtIoRead"},
	{ProgramCancel, "cancel", kinds(KindRequest), TypeNone, false, true, "EvtRequestCancel"},
	{ProgramEnable, "enable", kinds(KindInterrupt), TypeStatus, false, false, "EvtInterruptEnable"},
	{ProgramDisable, "disable", kinds(KindInterrupt), TypeStatus, false, false, "EvtInterruptDisable"},
	{ProgramSync, "sync", kinds(KindInterrupt), TypeBool, false, false, "EvtInterruptSynchronize"},
	{ProgramDevice, "D0Entry", 0, TypeStatus, false, false, "EvtDeviceD0Entry"},
	{ProgramDevice, "PostInterruptsEnabled", 0, TypeStatus, false, false, "EvtDeviceD0EntryPostInterruptsEnabled"},
	{ProgramDevice, "D0Exit", 0, TypeStatus, false, false, "EvtDeviceD0Exit"},
	{ProgramDevice, "PrepareHardware", 0, TypeStatus, false, false, "EvtDevicePrepareHardware"},
	{ProgramDevice, "SurpriseRemoval", 0, TypeNone, false, false, "EvtDeviceSurpriseRemoval"},
	{ProgramWatch, "connected", kinds(KindInterrupt), TypeNone, false, false, "observer of connections"},
	{ProgramWatch, "disconnected", kinds(KindInterrupt), TypeNone, false, false, "observer of connections"},
}

// Program is a compiled program. It starts at instruction 0 with all registers 0 and ends with an OpReturn.
type Program struct {
	Name      string // "isr I", "thread at P0"
	Kind      ProgramKind
	Object    ObjectID // what it belongs to, or NoObject
	Processor int      // of a thread, else ThisProcessor
	Setup     bool     // a thread with an OpSetupDone
	Counts    bool     // its runs are those of Object
	Registers []Register
	Code      []Instr
	Line      int
}

// section returns the word that starts the program's section.
func (p *Program) section() string {
	word, _ := cutWord(p.Name)
	return word
}

// Register is a local variable or, if its name starts with '$', a temporary.
type Register struct {
	Name string
	Type Type
}

// maxRegisters bounds the registers of a program, so that a set of them is a uint64.
const maxRegisters = 64

// Op is the operation of an instruction.
type Op uint8

// The operations. Expr and the arguments of calls only read registers and observations: every read of a shared
// variable is an OpLoad of its own before.
const (
	OpSet       Op = iota + 1 // Dst = Expr
	OpLoad                    // Dst = shared variable Object; visible
	OpStore                   // shared variable Object = Expr; visible
	OpCall                    // Dst = Call(Args), Dst may be NoRegister; visible if the call is
	OpJump                    // go to Target
	OpUnless                  // go to Target if Expr is 0
	OpOut                     // append Expr to List
	OpUntil                   // wait until Expr, which may peek at shared variables, is not 0; visible
	OpCheck                   // the test has failed if Expr is 0
	OpAction                  // the environment does Action; visible
	OpSetupDone               // the setup part of this thread ends; visible
	OpReturn                  // return Expr, or nothing if it is nil
)

// NoRegister is the destination of a call whose result is not used.
const NoRegister = -1

// Instr is one instruction.
type Instr struct {
	Op     Op
	Dst    int
	Object ObjectID
	Expr   *Expr
	Call   *Call
	Args   []Arg
	List   int
	Action Action
	Target int    // index of an instruction
	Live   uint64 // bit r: register r is read here or later before it is written
	Line   int
}

// Visible reports whether the instruction is a visible step: one with a scheduling point before it.
func (in *Instr) Visible() bool {
	switch in.Op {
	case OpLoad, OpStore, OpUntil, OpAction, OpSetupDone:
		return true
	case OpCall:
		return in.Call.Visible
	}
	return false
}

// Arg is an argument of a call. Expr is nil if the call takes the object itself rather than a value: a lock, a shared
// variable by reference, a register of a device (Field names which, for a ring).
type Arg struct {
	Object ObjectID
	Field  string
	Word   string // one of the words of the parameter, such as an importance
	Expr   *Expr
}

// setLive computes Instr.Live for every instruction, by iteration to a fixed point.
func (p *Program) setLive() {
	for changed := true; changed; {
		changed = false
		for i := len(p.Code) - 1; i >= 0; i-- {
			if live := p.liveAt(i); live != p.Code[i].Live {
				p.Code[i].Live = live
				changed = true
			}
		}
	}
}

// liveAt computes the registers that are live before instruction i from those that are live after it.
func (p *Program) liveAt(i int) uint64 {
	in := &p.Code[i]
	var live uint64
	switch in.Op {
	case OpReturn:
	case OpJump:
		live = p.Code[in.Target].Live
	case OpUnless:
		live = p.Code[i+1].Live | p.Code[in.Target].Live
	default:
		live = p.Code[i+1].Live
	}
	if in.Dst != NoRegister {
		live &^= 1 << in.Dst
	}
	live |= in.Expr.reads()
	for _, a := range in.Args {
		live |= a.Expr.reads()
	}
	return live
}
