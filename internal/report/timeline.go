package report

import (
	"bufio"
	"io"
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// Options say how a timeline is drawn. The zero value is the default view.
type Options struct {
	Title string // first line, "" for none
	// Verbose shows every event: changes of the IRQL that a start or an end
	// implies, switches to the idle thread, vectors that were pending for no
	// time, DPCs that leave the queue, ends of interrupts, getters, repeated
	// rows.
	Verbose bool
	// Processors are the processors to show; nil means all that do something.
	Processors []int
	Width      int  // characters in a line; 0: 100 for one processor, 120 for two
	Unicode    bool // box drawing characters instead of ASCII
}

// Timeline writes a run as text: one row per event, the virtual time on the
// left, then a column per processor with its IRQL and what happens there. What
// runs on top of something is drawn inside it.
func Timeline(w io.Writer, log *trace.Log, opt Options) error {
	var events []trace.Event
	if log != nil {
		events = log.Events
	}
	r := replay(events, opt.Verbose)
	rows := r.rows
	if !opt.Verbose {
		rows = foldRepeats(rows)
	}
	b := bufio.NewWriter(w)
	l := newLayout(b, rows, opt)
	l.head(opt.Title)
	for i := range rows {
		l.row(&rows[i])
	}
	if len(events) == 0 {
		b.WriteString("(nothing happened)\n")
	}
	l.missing(rows)
	r.unfinished(b, l.width)
	return b.Flush()
}

// mark says how a row belongs to the nesting.
type mark uint8

const (
	inside  mark = iota // happens at this depth
	opening             // a routine begins
	closing             // it returns
)

// row is one row of a timeline.
type row struct {
	time   uint64
	cpu    int    // -1: the whole width
	level  string // name of the IRQL, or who acts if it is no processor
	rails  string // what the row lies in, outermost first: one of the rail bytes each
	after  string // the same for the next row of this processor
	text   string
	act    uint32 // number of the activation that begins, 0: none
	mark   mark
	silent bool // not shown; only changes what the next rows lie in
}

// The rails that lie left of a row.
const (
	boxRail  = '|' // a routine of the driver is active
	callRail = ':' // a call of a kernel or framework routine has not returned
)

// shown returns the processors that get a column: those of the options, or
// those with a row, in ascending order.
func (o *Options) shown(rows []row) []int {
	var cpus []int
	if o.Processors != nil {
		cpus = slices.DeleteFunc(slices.Clone(o.Processors), func(cpu int) bool { return cpu < 0 })
	} else {
		cpus = active(rows)
	}
	slices.Sort(cpus)
	return slices.Compact(cpus)
}

// active returns the processors with a row, each once.
func active(rows []row) []int {
	var cpus []int
	var seen []bool
	for i := range rows {
		c := rows[i].cpu
		if c < 0 || rows[i].silent {
			continue
		}
		if c >= len(seen) {
			seen = append(seen, make([]bool, c+1-len(seen))...)
		}
		if !seen[c] {
			seen[c] = true
			cpus = append(cpus, c)
		}
	}
	slices.Sort(cpus)
	return cpus
}
