package litmus

import (
	"path"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
)

// Test is one litmus test, or one variant of one, complete: nothing has to be looked up in the test it varies.
type Test struct {
	ID      string // "L-12" or "L-12/spinlock"
	Of      string // test that this is a variant of, or ""
	Title   string
	File    string // file and line of its `test` or `variant` line
	Line    int
	Clauses []string // clause ids of the specification

	Profile Profile
	Reports []Report // reports that exploring the test must produce, whatever the outcome
	Quiet   bool     // "report none": exploring the test must not produce any

	Processors int
	Settings   []Setting
	Device     DeviceAttr
	Objects    []Object // indexed by ObjectID
	Words      []string // words that programs handle as values: word k has the value k+1

	Programs   []Program
	Lists      []List // what `out` and `mark` append to
	Steps      []Step
	Components []Component

	Allowed   []Allowed
	Forbidden []Forbidden
}

// Number returns the catalogue number of the test, "L-12" for "L-12/spinlock".
func (t *Test) Number() string {
	number, _, _ := strings.Cut(t.ID, "/")
	return number
}

// Group returns the group of the test in the catalogue, "a" to "j": the first letter of its file.
func (t *Test) Group() string { return path.Base(t.File)[:1] }

// Object returns the object with that name, or nil.
func (t *Test) Object(name string) *Object {
	for i := range t.Objects {
		if t.Objects[i].Name == name {
			return &t.Objects[i]
		}
	}
	return nil
}

// Program returns the program with that name, such as "isr I" or "thread at P0", or nil.
func (t *Test) Program(name string) *Program {
	for i := range t.Programs {
		if t.Programs[i].Name == name {
			return &t.Programs[i]
		}
	}
	return nil
}

// ProgramOf returns the program of that kind that belongs to an object, such as the ISR of an interrupt, or nil.
func (t *Test) ProgramOf(kind ProgramKind, object ObjectID) *Program {
	for i := range t.Programs {
		if t.Programs[i].Kind == kind && t.Programs[i].Object == object {
			return &t.Programs[i]
		}
	}
	return nil
}

// Profile names what differs from the default profile (VER-6).
type Profile = kernel.Deviations

// Report is what a detector of the tool says about a schedule: a kind and what it is about, if anything.
type Report struct {
	Kind    string // "data race", "lost event", "lost wakeup", "lost work"
	Subject string // shared variable of a data race, value of a lost event
}

// String returns the report as it is written in a test.
func (r Report) String() string {
	switch {
	case r.Subject == "":
		return r.Kind
	case r.Kind == reportRace:
		return r.Kind + " on " + r.Subject
	}
	return r.Kind + " " + r.Subject
}

// DeviceAttr says how the device of a test differs from one that was started, is power-pageable and serializes nothing.
type DeviceAttr struct {
	NotStarted  bool   // the programs start it: start_device()
	NotPageable bool   // not power-pageable
	Passive     bool   // ExecutionLevel passive
	Scope       string // SynchronizationScope: device, queue; "": as the objects need it
}

// Setting is a tunable of the machine (DPC-10, WD-7).
type Setting struct {
	Name  string
	Value int64
}

// List is a sequence of values of one type that the programs of a test append to.
type List struct {
	Name string
	Type Type
}

// Step is something that the environment does: the device, or the clock.
type Step struct {
	Free   bool // may come at any point at which its condition holds; else in the order of the steps
	Must   bool // the run is wrong if it never came
	Only   bool // a run without it does not count
	Action Action
	While  *Expr // nil or a condition that holds at the step
	After  *Expr // nil or a condition that has held once, at the step or before
	Line   int
}

// Processors of an action that are not a number.
const (
	AnyProcessor  = -1 // any processor that the interrupt may go to
	ThisProcessor = -2 // the one that executes the statement
)

// Action is what a step or a statement makes the device or the clock do.
type Action struct {
	Kind      ActionKind
	Object    ObjectID // interrupt or ring; NoObject for a tick
	Processor int      // number, AnyProcessor or ThisProcessor
}

// Component says how one component of the outcome is computed when the run has ended.
type Component struct {
	Name   string
	Type   Type
	Source Source
	Line   int
}

// Source computes the value of a component. Func says how:
//
//	rel         relation of each pair of runs of Object, or of the calls of Object and Second: after, overlap, inside;
//	            if pairs differ, each relation once, in that order; none if there is no pair
//	between     "none" if no code below DISPATCH_LEVEL ran on a processor between two consecutive runs of Object that
//	            both ran there, else "thread"
//	final       value of the shared variable Object at the end
//	finding     names of the rule violations, verifier breaks and memory errors found, in order, each once, joined by
//	            ", "; "none" without any. Reports (see [Report]) are not among them
//	list        all values of List
//	last        last value of List
//	count       number of values of List
//	element     value number Index of List, counted from 1
//	observe     observation Property of Object at the end, or of its run number Index if that is not 0
//	choose      Then if When holds at the end, else Else
//
// A value that does not exist, such as the processor of a run that did not happen, is "none".
type Source struct {
	Func     string
	Object   ObjectID
	Second   ObjectID
	Property string
	List     int
	Index    int
	When     *Expr
	Then     Value
	Else     Value
}
