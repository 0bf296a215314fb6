package report

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Widths in characters. A column has the name of the IRQL (levelWidth) and
// then the nesting (railWidth for each level) and the text.
const (
	levelWidth = 10
	railWidth  = 3
	columnGap  = 3
	minColumn  = 40 // else all processors share one column
	minText    = 24 // beyond that the outermost rails are left out
	maxColumns = 3  // more processors share one column
	hang       = 2  // indentation of what does not fit the line above
)

// glyphs are the characters of the drawing, railWidth each.
type glyphs struct{ box, call, open, end, left, rule string }

var (
	asciiGlyphs   = glyphs{"|  ", ":  ", "+- ", "'- ", ".. ", "-"}
	unicodeGlyphs = glyphs{"│  ", "┊  ", "┌─ ", "└─ ", "…  ", "─"}
)

// column is the place of one processor, or of all of them (cpu -1).
type column struct {
	cpu   int
	at    int // first character
	width int
	rails string // what the processor is in
}

// layout puts rows into columns.
type layout struct {
	out     *bufio.Writer
	g       glyphs
	unit    string
	time    int // width of the time
	width   int
	shown   []int // processors with a column, ascending
	columns []column
	line    strings.Builder
}

func newLayout(out *bufio.Writer, rows []row, opt Options) *layout {
	l := &layout{out: out, g: asciiGlyphs, unit: "us", time: 9}
	if opt.Unicode {
		l.g, l.unit = unicodeGlyphs, "µs"
	}
	for i := range rows {
		l.time = max(l.time, len(Microseconds(rows[i].time)))
	}
	l.shown = opt.shown(rows)
	l.place(l.shown, opt.Width)
	return l
}

// defaultWidths is the width of a line for a number of columns.
var defaultWidths = [maxColumns + 1]int{100, 100, 120, 160}

// place divides the line among the processors, or gives it to all of them
// together where the columns would be too narrow.
func (l *layout) place(cpus []int, width int) {
	left := l.time + 2
	n := max(len(cpus), 1)
	if width <= 0 {
		width = defaultWidths[2]
		if n <= maxColumns {
			width = defaultWidths[n]
		}
	}
	l.width = max(width, left+minColumn)
	each := (l.width - left - (n-1)*columnGap) / n
	if n > maxColumns || each < minColumn {
		l.columns = []column{{cpu: -1, at: left, width: l.width - left}}
		return
	}
	for i, cpu := range cpus {
		l.columns = append(l.columns, column{cpu: cpu, at: left + i*(each+columnGap), width: each})
	}
	if len(cpus) == 0 {
		l.columns = []column{{at: left, width: each}}
	}
}

// head writes the title and the names of the columns.
func (l *layout) head(title string) {
	if title != "" {
		fmt.Fprintf(l.out, "%s\n\n", strings.Join(wrap(title, l.width, l.width), "\n"))
	}
	fmt.Fprintf(&l.line, "%*s", l.time, l.unit)
	for i := range l.columns {
		c := &l.columns[i]
		l.pad(c.at)
		if c.cpu < 0 {
			fmt.Fprintf(&l.line, "%-*sIRQL", cpuWidth, "CPU")
			continue
		}
		fmt.Fprintf(&l.line, "P%d", c.cpu)
	}
	l.flush()
	l.line.WriteString(strings.Repeat(l.g.rule, l.time))
	for i := range l.columns {
		c := &l.columns[i]
		l.pad(c.at)
		l.line.WriteString(strings.Repeat(l.g.rule, c.width))
	}
	l.flush()
}

// pad fills the line with blanks up to a position.
func (l *layout) pad(to int) {
	if n := utf8.RuneCountInString(l.line.String()); n < to {
		l.line.WriteString(strings.Repeat(" ", to-n))
	}
}

func (l *layout) flush() {
	l.out.WriteString(strings.TrimRight(l.line.String(), " "))
	l.out.WriteByte('\n')
	l.line.Reset()
}

// row writes a row.
func (l *layout) row(r *row) {
	if r.cpu < 0 {
		l.wide(r)
		return
	}
	c := l.column(r.cpu)
	if c == nil {
		return
	}
	if !r.silent {
		l.narrow(r, c)
	}
	c.rails = r.after
}

// column returns the column of a processor, nil if it has none.
func (l *layout) column(cpu int) *column {
	if _, ok := slices.BinarySearch(l.shown, cpu); !ok {
		return nil
	}
	for i := range l.columns {
		if c := &l.columns[i]; c.cpu == cpu || c.cpu < 0 {
			return c
		}
	}
	return nil
}

// wide writes a row of no processor.
func (l *layout) wide(r *row) {
	at := l.columns[0].at
	if l.columns[0].cpu < 0 {
		at += cpuWidth
	}
	room := l.width - at - levelWidth
	for i, text := range wrap(r.text, room, room-hang) {
		if i == 0 {
			fmt.Fprintf(&l.line, "%*s", l.time, Microseconds(r.time))
			l.pad(at)
			l.line.WriteString(r.level)
		}
		l.pad(at + levelWidth + min(i, 1)*hang)
		l.line.WriteString(text)
		l.flush()
	}
}

// narrow writes a row into a column; in the others the nesting goes on.
func (l *layout) narrow(r *row, c *column) {
	prefix := levelWidth
	if c.cpu < 0 {
		prefix += cpuWidth
	}
	rails := l.draw(r.rails, c.width-prefix)
	room := c.width - prefix - utf8.RuneCountInString(rails)
	if r.mark != inside {
		room -= railWidth
	}
	text := r.text
	if r.act != 0 {
		text += fmt.Sprintf("%s#%d", glue, r.act)
	}
	for i, piece := range wrap(text, room, room-hang) {
		if i == 0 {
			fmt.Fprintf(&l.line, "%*s", l.time, Microseconds(r.time))
		}
		for j := range l.columns {
			o := &l.columns[j]
			l.pad(o.at)
			if o != c {
				l.pad(o.at + levelWidth)
				l.line.WriteString(l.draw(o.rails, o.width-levelWidth))
				continue
			}
			l.label(r, c, i)
			l.pad(c.at + prefix)
			l.line.WriteString(rails + l.bullet(r.mark, i) + piece)
		}
		l.flush()
	}
}

// cpuWidth is the width of the name of a processor in the shared column.
const cpuWidth = 5

// label writes what stands left of the nesting: the IRQL, and the processor if
// the column is shared.
func (l *layout) label(r *row, c *column, line int) {
	if line > 0 {
		return
	}
	if c.cpu < 0 {
		fmt.Fprintf(&l.line, "P%-*d", cpuWidth-1, r.cpu)
	}
	l.line.WriteString(r.level)
}

// bullet returns what stands before line i of a text.
func (l *layout) bullet(m mark, i int) string {
	b := ""
	switch m {
	case opening:
		b = l.g.open
		if i > 0 {
			b = l.g.box
		}
	case closing:
		b = l.g.end
		if i > 0 {
			b = strings.Repeat(" ", railWidth)
		}
	}
	if i > 0 {
		b += strings.Repeat(" ", hang)
	}
	return b
}

// draw draws rails; where they leave too little room for a text the outermost
// ones are left out.
func (l *layout) draw(rails string, room int) string {
	var s strings.Builder
	if most := max((room-minText)/railWidth, 1); len(rails) > most {
		s.WriteString(l.g.left)
		rails = rails[len(rails)-most+1:]
	}
	for i := range len(rails) {
		if rails[i] == boxRail {
			s.WriteString(l.g.box)
		} else {
			s.WriteString(l.g.call)
		}
	}
	return s.String()
}

// missing says which processors did something but have no column.
func (l *layout) missing(rows []row) {
	var names []string
	for _, cpu := range active(rows) {
		if l.column(cpu) == nil {
			names = append(names, fmt.Sprintf("P%d", cpu))
		}
	}
	if len(names) > 0 {
		fmt.Fprintf(l.out, "\nNot shown: %s\n", strings.Join(names, ", "))
	}
}
