package trace

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteText writes one line per event: the canonical form of a run.
func (l *Log) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	for i := range l.Events {
		b.WriteString(l.Events[i].Line())
		b.WriteByte('\n')
	}
	return b.Flush()
}

// Line returns the canonical one-line form of an event.
func (e *Event) Line() string {
	cpu := "--"
	if e.CPU >= 0 {
		cpu = fmt.Sprintf("P%d", e.CPU)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d %s %d #%d %s", e.Time, cpu, e.IRQL, e.Act, e.Kind)
	for _, part := range []string{e.Name, e.Text, e.ValueString()} {
		if part != "" {
			s.WriteByte(' ')
			s.WriteString(part)
		}
	}
	return s.String()
}

// ValueString returns Value in its form, "" if there is none.
func (e *Event) ValueString() string { return FormatValue(e.ValueKind, e.Value) }

// FormatValue shows a value in a form that Windows developers know.
func FormatValue(k ValueKind, v uint64) string {
	switch k {
	case Bool:
		if v&0xFF != 0 {
			return "TRUE"
		}
		return "FALSE"
	case Status:
		return StatusName(uint32(v))
	case Hex:
		return fmt.Sprintf("0x%X", v)
	case Decimal:
		return fmt.Sprint(v)
	case Level:
		return LevelName(uint8(v))
	}
	return ""
}

// LevelName returns the name of an IRQL: PASSIVE_LEVEL, APC_LEVEL,
// DISPATCH_LEVEL, DIRQL n, CLOCK_LEVEL, IPI_LEVEL, HIGH_LEVEL (IRQL-2).
func LevelName(irql uint8) string {
	switch irql {
	case 0:
		return "PASSIVE_LEVEL"
	case 1:
		return "APC_LEVEL"
	case 2:
		return "DISPATCH_LEVEL"
	case 13:
		return "CLOCK_LEVEL"
	case 14:
		return "IPI_LEVEL"
	case 15:
		return "HIGH_LEVEL"
	}
	return fmt.Sprintf("DIRQL %d", irql)
}
