package litmus

// Call is a call that programs can make. Groups of the catalogue extend the language by rows of Calls.
type Call struct {
	Name    string // in a program
	Routine string // in Windows
	Params  []Param
	Needs   int  // number of parameters that must be given
	Result  Type // TypeNone: it has no result; typeOfArg: that of the first argument
	Visible bool // it is a visible step

	// Saves: the result is the IRQL to restore, kept in a register that the call named Restores hands back. The two
	// are matched by their object, or by nesting if they have none.
	Saves    bool
	Restores string
}

// typeOfArg is the result type of a call that returns what its first argument holds.
const typeOfArg Type = 0xFF

// Param is a parameter of a call: an object by reference (Of), one of some words, or a value of a type.
type Param struct {
	What  string // for messages
	Of    kindSet
	Words []string
	Type  Type // typeOfArg: that of what the first argument holds
}

var (
	paramDPC   = Param{What: "a KDPC", Of: kinds(KindKDPC, KindThreadedDPC)}
	paramWDF   = Param{What: "a WDFDPC", Of: kinds(KindWDFDPC)}
	paramInt   = Param{What: "a number", Type: TypeInt}
	paramIntr  = Param{What: "an interrupt", Of: kinds(KindInterrupt)}
	paramLock  = Param{What: "a spin lock", Of: kinds(KindSpinLock, KindWDFSpinLock)}
	paramVar   = Param{What: "a shared variable", Of: kinds(KindVar)}
	paramReg   = Param{What: "a device register", Of: kinds(KindRegister, KindRing)}
	paramEvent = Param{What: "an event", Of: kinds(KindEvent)}
	paramValue = Param{What: "a value", Type: typeOfArg}
	paramBool  = Param{What: "T or F", Type: TypeBool}
	paramTime  = Param{What: "a timeout in 100 ns units", Type: TypeInt} // without it: no timeout
	paramHow   = Param{What: "an importance", Words: importanceNames[:]}
	paramPool  = Param{What: "a pool block", Of: kinds(KindPool)}
	paramReq   = Param{What: "a request", Type: TypeHandle}
	paramSent  = Param{What: "a request", Of: kinds(KindRequest)}
	paramQueue = Param{What: "a queue", Of: kinds(KindQueue)}
	paramTimer = Param{What: "a timer", Of: kinds(KindTimer)}
	paramWork  = Param{What: "a workitem", Of: kinds(KindWorkItem)}
	paramKLock = Param{What: "a spinlock", Of: kinds(KindSpinLock)}
	paramPower = Param{What: "a power state", Words: powerStateNames}
	paramAddr  = Param{What: "an address", Type: TypeHandle}
	paramProc  = Param{What: "a processor", Type: TypeProc}
	paramPrio  = Param{What: "a priority", Words: []string{"undefined", "normal"}}
	paramInit  = Param{What: "how WDF_INTERRUPT_CONFIG was filled in", Words: []string{"init", "zeroed"}}
	paramFx    = Param{What: "a framework object", Of: kinds(KindInterrupt, KindWDFDPC, KindWDFSpinLock, KindWorkItem, KindTimer, KindQueue)}
)

// Calls are the calls of the language, in the order of the catalogue's needs.
var Calls = []Call{
	{Name: "q", Routine: "WdfInterruptQueueDpcForIsr", Params: []Param{paramIntr}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "ins", Routine: "KeInsertQueueDpc", Params: []Param{paramDPC, paramInt, paramInt}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "remove", Routine: "KeRemoveQueueDpc", Params: []Param{paramDPC}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "flush", Routine: "KeFlushQueuedDpcs", Visible: true},
	{Name: "set_target", Routine: "KeSetTargetProcessorDpc", Params: []Param{paramDPC, paramInt}, Needs: 2, Visible: true},
	{Name: "importance", Routine: "KeSetImportanceDpc", Params: []Param{paramDPC, paramHow}, Needs: 2, Visible: true},
	{Name: "enqueue", Routine: "WdfDpcEnqueue", Params: []Param{paramWDF}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "cancel", Routine: "WdfDpcCancel", Params: []Param{paramWDF, paramBool}, Needs: 2, Result: TypeBool, Visible: true},
	{Name: "arg1", Routine: "SystemArgument1 of the running DPC", Result: TypeInt},
	{Name: "arg2", Routine: "SystemArgument2 of the running DPC", Result: TypeInt},

	{Name: "acquire", Routine: "KeAcquireSpinLock or WdfSpinLockAcquire", Params: []Param{paramLock}, Needs: 1, Visible: true, Saves: true},
	{Name: "release", Routine: "KeReleaseSpinLock or WdfSpinLockRelease", Params: []Param{paramLock}, Needs: 1, Visible: true, Restores: "acquire"},
	{Name: "lock", Routine: "WdfInterruptAcquireLock", Params: []Param{paramIntr}, Needs: 1, Visible: true},
	{Name: "unlock", Routine: "WdfInterruptReleaseLock", Params: []Param{paramIntr}, Needs: 1, Visible: true},
	{Name: "raise", Routine: "KeRaiseIrql", Params: []Param{paramInt}, Needs: 1, Visible: true, Saves: true},
	{Name: "lower", Routine: "KeLowerIrql", Visible: true, Restores: "raise"},
	{Name: "irql", Routine: "KeGetCurrentIrql", Result: TypeInt},
	{Name: "processor", Routine: "KeGetCurrentProcessorNumberEx", Result: TypeProc},

	{Name: "interlocked_add", Routine: "InterlockedAdd", Params: []Param{paramVar, paramInt}, Needs: 2, Result: typeOfArg, Visible: true},
	{Name: "interlocked_exchange", Routine: "InterlockedExchange", Params: []Param{paramVar, paramValue}, Needs: 2, Result: typeOfArg, Visible: true},
	{Name: "read", Routine: "READ_REGISTER", Params: []Param{paramReg}, Needs: 1, Result: typeOfArg, Visible: true},
	{Name: "write", Routine: "WRITE_REGISTER", Params: []Param{paramReg, paramValue}, Needs: 2, Visible: true},
	{Name: "free", Routine: "ExFreePool", Params: []Param{paramPool}, Needs: 1, Visible: true},
	{Name: "set", Routine: "KeSetEvent", Params: []Param{paramEvent}, Needs: 1, Visible: true},
	{Name: "wait", Routine: "KeWaitForSingleObject", Params: []Param{paramEvent, paramTime}, Needs: 1, Result: TypeStatus, Visible: true},
	{Name: "complete", Routine: "WdfRequestComplete", Params: []Param{paramReq}, Needs: 1, Visible: true},

	{Name: "synchronize", Routine: "WdfInterruptSynchronize", Params: []Param{paramIntr}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "trylock", Routine: "WdfInterruptTryToAcquireLock", Params: []Param{paramIntr}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "acquire_at_dpc", Routine: "KeAcquireSpinLockAtDpcLevel", Params: []Param{paramKLock}, Needs: 1, Visible: true},
	{Name: "release_from_dpc", Routine: "KeReleaseSpinLockFromDpcLevel", Params: []Param{paramKLock}, Needs: 1, Visible: true},
	{Name: "lock_device", Routine: "WdfObjectAcquireLock", Visible: true},
	{Name: "unlock_device", Routine: "WdfObjectReleaseLock", Visible: true},

	{Name: "qw", Routine: "WdfInterruptQueueWorkItemForIsr", Params: []Param{paramIntr}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "disable", Routine: "WdfInterruptDisable", Params: []Param{paramIntr}, Needs: 1, Visible: true},
	{Name: "enable", Routine: "WdfInterruptEnable", Params: []Param{paramIntr}, Needs: 1, Visible: true},
	{Name: "create", Routine: "WdfInterruptCreate", Params: []Param{paramIntr, paramInit}, Needs: 2, Result: TypeStatus, Visible: true},
	{Name: "set_policy", Routine: "WdfInterruptSetExtendedPolicy", Params: []Param{paramIntr, paramProc, paramPrio}, Needs: 3, Visible: true},
	{Name: "processors", Routine: "WdfInterruptGetInfo", Params: []Param{paramIntr}, Needs: 1, Result: TypeInt, Visible: true},
	{Name: "vector", Routine: "WdfInterruptGetInfo", Params: []Param{paramIntr}, Needs: 1, Result: TypeInt, Visible: true},
	{Name: "delete", Routine: "WdfObjectDelete", Params: []Param{paramFx}, Needs: 1, Visible: true},
	{Name: "enqueue_work", Routine: "WdfWorkItemEnqueue", Params: []Param{paramWork}, Needs: 1, Visible: true},
	{Name: "start", Routine: "WdfTimerStart", Params: []Param{paramTimer, paramInt}, Needs: 2, Result: TypeBool, Visible: true},
	{Name: "stop", Routine: "WdfTimerStop", Params: []Param{paramTimer, paramBool}, Needs: 2, Result: TypeBool, Visible: true},

	{Name: "send", Routine: "NtReadFile", Params: []Param{paramSent}, Needs: 1, Visible: true},
	{Name: "cancel_request", Routine: "IoCancelIrp", Params: []Param{paramSent}, Needs: 1, Result: TypeBool, Visible: true},
	{Name: "request", Routine: "the request that the callback was given", Result: TypeHandle},
	{Name: "retrieve", Routine: "WdfIoQueueRetrieveNextRequest", Params: []Param{paramQueue}, Needs: 1, Result: TypeHandle, Visible: true},
	{Name: "mark_cancelable", Routine: "WdfRequestMarkCancelable", Params: []Param{paramReq}, Needs: 1, Visible: true},
	{Name: "mark_cancelable_ex", Routine: "WdfRequestMarkCancelableEx", Params: []Param{paramReq}, Needs: 1, Result: TypeStatus, Visible: true},
	{Name: "unmark", Routine: "WdfRequestUnmarkCancelable", Params: []Param{paramReq}, Needs: 1, Result: TypeStatus, Visible: true},

	{Name: "user", Routine: "VirtualAlloc", Params: []Param{paramInt}, Needs: 1, Result: TypeHandle, Visible: true},
	{Name: "map", Routine: "MmGetSystemAddressForMdlSafe", Params: []Param{paramAddr}, Needs: 1, Result: TypeHandle, Visible: true},
	{Name: "deref", Routine: "a read at an address", Params: []Param{paramAddr}, Needs: 1, Result: TypeInt, Visible: true},

	{Name: "start_device", Routine: "IRP_MN_START_DEVICE", Result: TypeStatus, Visible: true},
	{Name: "power", Routine: "IRP_MN_SET_POWER", Params: []Param{paramPower}, Needs: 1, Result: TypeStatus, Visible: true},
	{Name: "arm_for_wake", Routine: "IRP_MN_WAIT_WAKE", Visible: true},
	{Name: "surprise_remove", Routine: "IRP_MN_SURPRISE_REMOVAL", Visible: true},
}

// findCall returns the call with that name, or nil.
func findCall(name string) *Call {
	for i := range Calls {
		if Calls[i].Name == name {
			return &Calls[i]
		}
	}
	return nil
}

// ActionKind is what the environment can do.
type ActionKind uint8

// The actions.
const (
	ActionInterrupt ActionKind = iota + 1 // the interrupt comes and is accepted
	ActionMessage                         // an edge is signalled, whether or not it is masked
	ActionArrive                          // an entry arrives in a ring
	ActionTick                            // a clock tick
)

// actions says how actions are written. Like Calls, the table grows with the catalogue.
var actions = []struct {
	kind ActionKind
	name string
	of   kindSet // 0: it has no object
	at   bool    // it may say at which processor
}{
	{ActionInterrupt, "interrupt", kinds(KindInterrupt), true},
	{ActionMessage, "message", kinds(KindInterrupt), true},
	{ActionArrive, "arrive", kinds(KindRing), false},
	{ActionTick, "tick", 0, true},
}

// String returns the word that makes the action.
func (k ActionKind) String() string {
	for _, a := range actions {
		if a.kind == k {
			return a.name
		}
	}
	return nameOf(nil, int(k))
}

// Observation is a fact about an object that tests may look at. It is not a step of the driver.
type Observation struct {
	Name    string
	Of      kindSet // 0: a processor
	Type    Type
	PerRun  bool // an outcome may ask for run number n: D.proc[2]
	Meaning string
}

// Observations are the facts that can be observed.
var Observations = []Observation{
	{Name: "runs", Of: runKinds, Type: TypeInt, Meaning: "number of times the routine was called"},
	{Name: "active", Of: runKinds, Type: TypeBool, Meaning: "a run of the routine has started and has not returned"},
	{Name: "queued", Of: dpcKinds, Type: TypeBool, Meaning: "the DPC is in a queue"},
	{Name: "proc", Of: dpcKinds, Type: TypeProc, PerRun: true, Meaning: "processor of the last run, by start"},
	{Name: "calls", Of: kinds(KindInterrupt), Type: TypeInt, Meaning: "number of ISR calls that have started"},
	{Name: "returns", Of: kinds(KindInterrupt), Type: TypeInt, Meaning: "number of ISR calls that have returned"},
	{Name: "active", Of: kinds(KindInterrupt), Type: TypeBool, Meaning: "the ISR has started and has not returned"},
	{Name: "connected", Of: kinds(KindInterrupt), Type: TypeBool, Meaning: "the service routine is connected: its vector is live"},
	{Name: "known", Of: kinds(KindInterrupt), Type: TypeBool, Meaning: "the framework has stored the interrupt pointer"},
	{Name: "unclaimed", Of: kinds(KindInterrupt), Type: TypeInt, Meaning: "number of calls of the service routine that returned FALSE"},
	{Name: "level", Of: kinds(KindInterrupt), Type: TypeInt, Meaning: "DIRQL"},
	{Name: "arrived", Of: kinds(KindRing), Type: TypeInt, Meaning: "number of entries that ever arrived"},
	{Name: "count", Of: kinds(KindRing), Type: TypeInt, Meaning: "number of entries in the ring"},
	{Name: "IE", Of: kinds(KindRing), Type: TypeInt, Meaning: "interrupt enable"},
	{Name: "completions", Of: kinds(KindRequest), Type: TypeInt, Meaning: "number of completions"},
	{Name: "signaled", Of: kinds(KindEvent), Type: TypeBool, Meaning: "the event is set"},
	{Name: "held", Of: kinds(KindSpinLock, KindWDFSpinLock), Type: TypeBool, Meaning: "the lock is held"},
	{Name: "armed", Of: kinds(KindTimer), Type: TypeBool, Meaning: "the timer is in the timer queue"},
	{Name: "value", Of: kinds(KindRegister), Type: TypeInt, Meaning: "what a read of the register would give"},
	{Name: "irql", Type: TypeInt, Meaning: "IRQL of the processor"},
}

// findObservation returns the observation of a kind of object (0: a processor) with that name, or nil.
func findObservation(kind ObjectKind, name string) *Observation {
	for i := range Observations {
		o := &Observations[i]
		if o.Name == name && (kind == 0 && o.Of == 0 || o.Of.has(kind)) {
			return o
		}
	}
	return nil
}
