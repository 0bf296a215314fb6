// Package choice is where a run asks about everything that could go either
// way. A run is a pure function of the driver, the scenario and the answers:
// the same answers give the same bytes of trace.
//
// Read Source first. First, Random and Script are the sources for single runs;
// schedule.go describes a run by where it deviates from the default one; package
// explore has the sources that search.
package choice

import "math/rand/v2"

// Kind says what is being decided.
type Kind uint8

// Kinds of decisions.
const (
	Step   Kind = iota // which processor steps next, or which free event happens
	Target             // which processor of the affinity set gets an interrupt
	Device             // a device model asks
	Fault              // whether something goes wrong that can: 1
)

func (k Kind) String() string { return [...]string{"step", "target", "device", "fault"}[k] }

// Alternative is one of the possibilities at a point.
type Alternative struct {
	Event bool   // a free event, not a processor
	ID    uint32 // processor number, event number, or value
	// Of a processor: the number of the activation that would step, 0 for none,
	// and what it is about to do.
	Activation uint32
	Operation  Operation
	// Class is what kind of work a processor would do, or which event of a device
	// it is: the same in every run.
	Class uint64
}

// Process is what makes steps: a processor or an event, by the name that it keeps
// through a run.
type Process struct {
	Event bool
	Key   uint64
}

// Process returns what would make the step.
func (a *Alternative) Process() Process {
	if a.Event && a.Class != 0 {
		return Process{true, a.Class}
	}
	return Process{a.Event, uint64(a.ID)}
}

// Operation is what an activation is about to do, as far as searches care:
// an access to memory, or something else (Size 0).
type Operation struct {
	Addr   uint64
	PC     uint64 // the instruction, or the routine of a driver in Go
	Size   uint32
	Write  bool
	Locked bool // interlocked
}

// Races reports whether two accesses that nothing orders are a data race: they
// have a common byte, one writes, and the processor does not make them safe as
// it does interlocked operations among each other and beside plain reads.
func (o Operation) Races(p Operation) bool {
	if o.Size == 0 || p.Size == 0 || !o.Conflicts(p) {
		return false
	}
	return !(o.Locked && (p.Locked || !p.Write) || p.Locked && !o.Write)
}

// Conflicts reports whether the order of two operations can matter: both are
// accesses to a common byte and one writes, or one of them is no access.
func (o Operation) Conflicts(p Operation) bool {
	if o.Size == 0 || p.Size == 0 {
		return true
	}
	return (o.Write || p.Write) && o.Addr < p.Addr+uint64(p.Size) && p.Addr < o.Addr+uint64(o.Size)
}

// Activation names a thread, or a run of an ISR, DPC or work item, in a way
// that does not depend on what others did before: what runs, and the how
// manieth time.
type Activation struct {
	Kind   uint8 // kernel.ActivationKind
	Code   uint64
	Object uint64
	Nth    uint32 // from 1; 0: an idle processor, whose number is Object
}

// Position is a place of a run: before operation Op (from 0) of an activation,
// and there the decision number Try.
type Position struct {
	Activation Activation
	Op, Try    uint32
}

// Point is one decision. Alternative 0 is always what happens by default.
// The slice is valid during the call only.
type Point struct {
	Kind         Kind
	Alternatives []Alternative
	At           Position // of the processor that asks
	CPU          int      // its number
}

// Source answers. Choose returns an index below len(p.Alternatives), which is
// at least 2.
type Source interface {
	Choose(p *Point) int
}

// First always takes the default.
type First struct{}

// Choose returns 0.
func (First) Choose(*Point) int { return 0 }

// Rand is a source of random numbers.
type Rand = rand.Rand

// NewRand returns random numbers that depend on the seed only, on every
// platform; salt keeps users with the same seed apart.
func NewRand(seed, salt uint64) *Rand { return rand.New(rand.NewPCG(seed, salt)) }

// Random takes each alternative with equal probability.
type Random struct{ rng *Rand }

// NewRandom returns a source whose answers depend on the seed only, on every
// platform.
func NewRandom(seed uint64) *Random { return &Random{NewRand(seed, 0x6469726C71)} }

// Choose implements Source.
func (r *Random) Choose(p *Point) int { return r.rng.IntN(len(p.Alternatives)) }

// Script gives recorded answers, and the default after they are used up.
type Script struct {
	Answers []int
	next    int
	// Diverged is set when a recorded answer did not exist: the run is not the
	// one that was recorded.
	Diverged bool
}

// Choose implements Source.
func (s *Script) Choose(p *Point) int {
	if s.next >= len(s.Answers) {
		return 0
	}
	a := s.Answers[s.next]
	s.next++
	if a < 0 || a >= len(p.Alternatives) {
		s.Diverged = true
		return 0
	}
	return a
}
