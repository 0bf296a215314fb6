package litmus

import (
	"strconv"
	"strings"
)

// ObjectID is the index of an object in Test.Objects.
type ObjectID int

// NoObject stands for no object.
const NoObject ObjectID = -1

// ObjectKind is the kind of an object of the setup.
type ObjectKind uint8

// The kinds of objects.
const (
	KindInterrupt     ObjectKind = iota + 1 // WDFINTERRUPT
	KindInterruptDPC                        // the DPC inside a WDFINTERRUPT that calls EvtInterruptDpc
	KindKDPC                                // KDPC of the driver
	KindWDFDPC                              // WDFDPC
	KindSpinLock                            // KSPIN_LOCK
	KindWDFSpinLock                         // WDFSPINLOCK
	KindEvent                               // KEVENT
	KindRequest                             // WDFREQUEST that the driver owns
	KindPool                                // pool block that other objects lie in
	KindVar                                 // shared variable
	KindRegister                            // device register
	KindRing                                // ring device
	KindInterruptWork                       // the work item inside a WDFINTERRUPT that calls EvtInterruptWorkItem
	KindWorkItem                            // WDFWORKITEM
	KindTimer                               // WDFTIMER
	KindQueue                               // WDFQUEUE
	KindThreadedDPC                         // threaded KDPC of the driver
)

var kindNames = [...]string{
	KindInterrupt:     "interrupt",
	KindInterruptDPC:  "interrupt's dpc",
	KindKDPC:          "kdpc",
	KindWDFDPC:        "wdfdpc",
	KindSpinLock:      "spinlock",
	KindWDFSpinLock:   "wdfspinlock",
	KindEvent:         "event",
	KindRequest:       "request",
	KindPool:          "pool",
	KindVar:           "var",
	KindRegister:      "register",
	KindRing:          "ring",
	KindInterruptWork: "interrupt's work item",
	KindWorkItem:      "workitem",
	KindTimer:         "timer",
	KindQueue:         "queue",
	KindThreadedDPC:   "threaded",
}

// String returns the word that declares an object of this kind.
func (k ObjectKind) String() string { return nameOf(kindNames[:], int(k)) }

// nameOf names a value of an enumeration, or gives its number.
func nameOf(names []string, k int) string {
	if k < len(names) && names[k] != "" {
		return names[k]
	}
	return strconv.Itoa(k)
}

// article puts "a" or "an" before a word.
func article(word string) string {
	if strings.IndexByte("aeiou", word[0]) >= 0 {
		return "an " + word
	}
	return "a " + word
}

// kindSet is a set of object kinds.
type kindSet uint32

func kinds(list ...ObjectKind) kindSet {
	var s kindSet
	for _, k := range list {
		s |= 1 << k
	}
	return s
}

func (s kindSet) has(k ObjectKind) bool { return s&(1<<k) != 0 }

// String lists the kinds for a hint.
func (s kindSet) String() string {
	text := ""
	for k := range kindNames {
		if kindNames[k] != "" && s.has(ObjectKind(k)) {
			if text != "" {
				text += " or "
			}
			text += kindNames[k]
		}
	}
	return text
}

// dpcKinds are the objects that have a DPC routine.
var dpcKinds = kinds(KindInterruptDPC, KindKDPC, KindWDFDPC, KindThreadedDPC)

// workKinds are the objects that have a work item routine.
var workKinds = kinds(KindInterruptWork, KindWorkItem)

// runKinds are the objects with a routine whose runs are counted: a DPC's, a work item's, a timer's, EvtIoRead of a
// queue, EvtRequestCancel of a request.
var runKinds = dpcKinds | workKinds | kinds(KindTimer, KindQueue, KindRequest)

// Object is an object of the setup. Of the attributes only those of its kind count.
type Object struct {
	ID    ObjectID
	Name  string
	Kind  ObjectKind
	Block ObjectID // pool block that it lies in, or NoObject: memory of its own
	Line  int

	Interrupt InterruptAttr // KindInterrupt
	DPC       DPCAttr       // KindInterruptDPC, KindInterruptWork, KindKDPC, KindWDFDPC
	Cell      CellAttr      // KindVar, KindRegister
	Ring      RingAttr      // KindRing
	Timer     TimerAttr     // KindTimer
	Queue     QueueAttr     // KindQueue
}

// Trigger is the way in which an interrupt is signalled.
type Trigger uint8

// The triggers.
const (
	LineLevel Trigger = iota + 1
	LineLatched
	Message
)

var triggerNames = [...]string{LineLevel: "line level", LineLatched: "line latched", Message: "message"}

// String returns the trigger as it is written in a setup.
func (t Trigger) String() string { return nameOf(triggerNames[:], int(t)) }

// InterruptAttr are the attributes of a WDFINTERRUPT.
type InterruptAttr struct {
	Trigger                Trigger
	DIRQL                  int
	Affinity               uint64   // bit n: may interrupt processor n
	DPC                    ObjectID // its KindInterruptDPC if EvtInterruptDpc is registered, else NoObject
	Work                   ObjectID // its KindInterruptWork if EvtInterruptWorkItem is registered, else NoObject
	Lock                   ObjectID // WDFSPINLOCK given to it, or NoObject
	Shares                 ObjectID // interrupt declared above whose line it shares, or NoObject
	AutomaticSerialization bool
	Passive                bool // PassiveHandling
	NoResource             bool // the device gets no interrupt for it (WDFI-17)
	Wake                   bool // CanWakeDevice
	Late                   bool // made in EvtDevicePrepareHardware: by its program if there is one
}

// sameLine reports whether two interrupts can be on one line (INT-12).
func (a *InterruptAttr) sameLine(o *InterruptAttr) bool {
	return a.Trigger == o.Trigger && a.Trigger != Message && a.DIRQL == o.DIRQL && a.Affinity == o.Affinity && !a.NoResource && !o.NoResource
}

// Importance is the importance of a DPC.
type Importance uint8

// The importances; the zero value is the default. The numbers are not those of KDPC_IMPORTANCE.
const (
	MediumImportance Importance = iota
	LowImportance
	HighImportance
	MediumHighImportance
)

var importanceNames = [...]string{"medium", "low", "high", "mediumhigh"}

// String returns the importance as it is written in a setup.
func (i Importance) String() string { return nameOf(importanceNames[:], int(i)) }

// NoTarget is the target of a DPC that runs on the processor that queues it.
const NoTarget = -1

// DPCAttr are the attributes of a DPC object.
type DPCAttr struct {
	Importance             Importance
	Target                 int      // processor number or NoTarget
	Interrupt              ObjectID // interrupt that a KindInterruptDPC or KindInterruptWork belongs to, else NoObject
	Parent                 ObjectID // queue that is the parent of a WDFDPC, or NoObject: the device
	AutomaticSerialization bool     // of a WDFDPC
}

// TimerAttr are the attributes of a WDFTIMER.
type TimerAttr struct {
	Passive bool // ExecutionLevel passive: the callback runs in a work item
}

// QueueAttr are the attributes of a WDFQUEUE. The first queue of a setup is the default queue of the device.
type QueueAttr struct {
	Manual  bool // else sequential
	Passive bool // ExecutionLevel passive
	Scope   bool // SynchronizationScope queue: EvtIoRead and EvtRequestCancel run under its callback lock
}

// CellAttr describes a shared variable or a device register.
type CellAttr struct {
	Type Type
	// Values are constants or objects: the initial value of a variable, or what successive reads of a register give
	// (the last one again and again). A write to a register makes the written value the only one.
	Values []*Expr
}

// RingAttr describes a ring device: a queue of entries with the registers count (read: number of entries), pop (read:
// takes one entry) and IE (interrupt enable, 1 at first).
type RingAttr struct {
	Interrupt ObjectID // interrupt that it raises
}

// ringRegisters are the registers of a ring.
var ringRegisters = []string{"IE", "count", "pop"}
