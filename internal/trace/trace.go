// Package trace is the event record of a run: what people read and reports are
// made of. Every layer appends to one Log; nothing in a run reads it.
//
// Read Event first. text.go has the one-line form that is compared byte by
// byte in tests; package report draws timelines from the same events.
package trace

// Kind says what happened.
type Kind uint8

// Kinds of events.
const (
	Start     Kind = iota // a routine of the driver begins: an activation
	End                   // it returned
	Call                  // driver code calls a kernel or framework routine
	Return                // that call returns; Value is its result
	IRQL                  // the IRQL of the processor changed to Value
	Line                  // an interrupt line changed; Value 1 asserted, 0 not
	Message               // a message-signalled interrupt was sent
	Pending               // a vector became pending on the processor
	Accept                // the processor accepts a vector
	EOI                   // the end of that interrupt
	Queue                 // a DPC was put into the processor's queue
	Dequeue               // a DPC was taken out to run
	Switch                // the processor goes on with another thread
	Register              // a device register was read or written
	Timer                 // a timer expired
	Framework             // a step of the framework: PnP, power, object life
	Bus                   // something the device or the bus did
	Finding               // a bug check or a broken rule
	Note                  // anything else worth reading
)

var kindNames = [...]string{"start", "end", "call", "return", "irql", "line", "message", "pending",
	"accept", "eoi", "queue", "dequeue", "switch", "register", "timer", "framework", "bus", "finding", "note"}

func (k Kind) String() string { return kindNames[k] }

// ValueKind says how Value is to be shown.
type ValueKind uint8

// Forms of a value.
const (
	None    ValueKind = iota
	Bool              // TRUE or FALSE
	Status            // an NTSTATUS
	Hex               // an address or a register
	Decimal           // a count
	Level             // an IRQL
)

// Event is one line of the record.
type Event struct {
	Time      uint64 // virtual nanoseconds since the start of the machine
	CPU       int16  // processor; -1: none (a device, the clock)
	IRQL      uint8  // of that processor, after the event
	Depth     uint8  // activations below this one on the same thread
	Act       uint32 // activation id, 0: none
	Kind      Kind
	ValueKind ValueKind
	Name      string // routine, object or register
	Text      string // details, ready to read
	Value     uint64
}

// Log collects the events of a run. A nil *Log records nothing, so that a
// search pays one comparison per event.
type Log struct {
	Events []Event
}

// On reports whether events are recorded: check it before formatting Text.
func (l *Log) On() bool { return l != nil }

// Add appends an event.
func (l *Log) Add(e Event) {
	if l != nil {
		l.Events = append(l.Events, e)
	}
}
