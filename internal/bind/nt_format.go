package bind

import (
	"fmt"
	"strings"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"_vsnprintf":    func(c *call) uint64 { return c.format(1, c.arg(1), c.list(2, 3)) },
		"_vsnwprintf":   func(c *call) uint64 { return c.format(2, c.arg(1), c.list(2, 3)) },
		"_snprintf":     func(c *call) uint64 { return c.format(1, c.arg(1), c.variadic(2)) },
		"_snwprintf":    func(c *call) uint64 { return c.format(2, c.arg(1), c.variadic(2)) },
		"sprintf":       func(c *call) uint64 { return c.format(1, maxScan, c.variadic(1)) },
		"vsprintf":      func(c *call) uint64 { return c.format(1, maxScan, c.list(1, 2)) },
		"swprintf":      func(c *call) uint64 { return c.format(2, maxScan, c.variadic(1)) },
		"sprintf_s":     func(c *call) uint64 { return c.formatSafe(1, truncateNot, c.variadic(2)) },
		"swprintf_s":    func(c *call) uint64 { return c.formatSafe(2, truncateNot, c.variadic(2)) },
		"vsprintf_s":    func(c *call) uint64 { return c.formatSafe(1, truncateNot, c.list(2, 3)) },
		"vswprintf_s":   func(c *call) uint64 { return c.formatSafe(2, truncateNot, c.list(2, 3)) },
		"_snprintf_s":   func(c *call) uint64 { return c.formatSafe(1, c.arg(2), c.variadic(3)) },
		"_snwprintf_s":  func(c *call) uint64 { return c.formatSafe(2, c.arg(2), c.variadic(3)) },
		"_vsnprintf_s":  func(c *call) uint64 { return c.formatSafe(1, c.arg(2), c.list(3, 4)) },
		"_vsnwprintf_s": func(c *call) uint64 { return c.formatSafe(2, c.arg(2), c.list(3, 4)) },

		"DbgPrint":               func(c *call) uint64 { return c.print("", c.variadic(0)) },
		"DbgPrintEx":             func(c *call) uint64 { return c.print("", c.variadic(2)) },
		"vDbgPrintEx":            func(c *call) uint64 { return c.print("", c.list(2, 3)) },
		"vDbgPrintExWithPrefix":  func(c *call) uint64 { return c.print(c.text(c.arg(0)), c.list(3, 4)) },
		"DbgPrintReturnControlC": func(c *call) uint64 { return c.print("", c.variadic(0)) },
	})
}

// truncateNot as the count of a function with _s: what does not fit is an error.
const truncateNot = 1 << 62

// failure is what the functions return, as an int.
const failure = 0xFFFFFFFF

// format is (buffer, ...) of at most n characters. It returns the number of
// characters, or -1 if they do not fit; then there is no terminating zero.
func (c *call) format(width int, n uint64, f formatter) uint64 {
	text := f.expand(width)
	c.putText(c.arg(0), width, text, n)
	if uint64(len(text)) > n {
		return failure
	}
	return uint64(len(text))
}

// putText stores the characters of a text and the zero behind it, at most n in
// all.
func (c *call) putText(addr uint64, width int, text string, n uint64) {
	for i := uint64(0); i < min(uint64(len(text))+1, n); i++ {
		ch := uint64(0)
		if i < uint64(len(text)) {
			ch = uint64(text[i])
		}
		c.store(addr+i*uint64(width), width, ch)
	}
}

// formatSafe is (buffer, size, ...): at most count characters and a zero. Without
// room for them the buffer gets the empty string, or, with count _TRUNCATE (-1),
// as much as fits; the result is -1 then, as it is when count cuts the text off.
func (c *call) formatSafe(width int, count uint64, f formatter) uint64 {
	size := c.arg(1)
	if c.arg(0) == 0 || size == 0 {
		return failure
	}
	text, result := f.expand(width), uint64(0)
	full := uint64(len(text))
	switch room := size - 1; {
	case full <= min(count, room):
		result = full
	case count == ^uint64(0):
		text, result = text[:min(full, room)], failure
	case count <= room:
		text, result = text[:count], failure
	default:
		text, result = "", failure
	}
	c.putText(c.arg(0), width, text, size)
	return result
}

// print is the debugger output: a line of the trace. It returns STATUS_SUCCESS.
func (c *call) print(prefix string, f formatter) uint64 {
	c.Note(c.r.name, strings.TrimRight(prefix+f.expand(1), "\r\n"))
	return 0
}

// formatter expands a printf format; arguments are 8 bytes each, in registers
// and on the stack, or in a va_list.
type formatter struct {
	c      *call
	format uint64
	width  int    // of the characters of the format
	index  int    // of the next argument of the call
	args   uint64 // va_list; 0: arguments of the call
}

// variadic is the formatter of a function whose format is argument n, with the
// values behind it.
func (c *call) variadic(n int) formatter {
	return formatter{c: c, format: c.arg(n), index: n + 1}
}

// list is the formatter of a function whose format is argument n, and the va_list
// another one.
func (c *call) list(n, args int) formatter {
	return formatter{c: c, format: c.arg(n), args: c.arg(args)}
}

func (f *formatter) next() uint64 {
	if f.args == 0 {
		f.index++
		return f.c.arg(f.index - 1)
	}
	v := f.c.load(f.args, 8)
	f.args += 8
	return v
}

// text reads at most n characters of 1 or 2 bytes, up to a zero.
func (f *formatter) text(addr uint64, width, n int) string {
	if addr == 0 {
		return "(null)"
	}
	var b []byte
	for len(b) < n {
		ch := f.c.load(addr+uint64(len(b)*width), width)
		if ch == 0 {
			break
		}
		b = append(b, byte(ch))
	}
	return string(b)
}

func (f *formatter) expand(width int) string {
	f.width = width
	s := f.text(f.format, width, maxText)
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "%")
		out.WriteString(before)
		if !found || rest == "" {
			return out.String()
		}
		var flags, size, precision, length string
		flags, rest = leading(rest, "-+ #0")
		size, rest = f.number(rest)
		hasPrecision := strings.HasPrefix(rest, ".")
		if hasPrecision {
			precision, rest = f.number(rest[1:])
			if strings.HasPrefix(precision, "-") {
				hasPrecision = false
			}
		}
		length, rest = leading(rest, "hlwIL64zjt")
		if rest == "" {
			return out.String()
		}
		if hasPrecision {
			precision = "." + precision
		} else {
			precision = ""
		}
		out.WriteString(f.convert(flags+size, precision, length, rest[0]))
		s = rest[1:]
	}
}

// leading splits off the characters of a set at the beginning.
func leading(s, set string) (head, rest string) {
	rest = strings.TrimLeft(s, set)
	return s[:len(s)-len(rest)], rest
}

// maxWidth bounds the width and the precision of one conversion.
const maxWidth = maxText

// number takes a width or a precision: digits, or '*' for an argument.
func (f *formatter) number(s string) (n, rest string) {
	if strings.HasPrefix(s, "*") {
		v := int(int32(f.next()))
		return fmt.Sprint(max(min(v, maxWidth), -maxWidth)), s[1:]
	}
	n, rest = leading(s, "0123456789")
	if len(n) > 3 {
		n = fmt.Sprint(maxWidth)
	}
	return n, rest
}

// convert formats one argument. flags has the width, too.
func (f *formatter) convert(flags, precision, length string, verb byte) string {
	long := strings.Contains(length, "I64") || length == "ll" || length == "I" || strings.ContainsAny(length, "zjt")
	switch verb {
	case '%':
		return "%"
	case 'd', 'i':
		v := int64(f.next())
		if !long {
			v = narrow(v, length)
		}
		return fmt.Sprintf("%"+flags+precision+"d", v)
	case 'u', 'x', 'X', 'o':
		v := f.next()
		if !long {
			v = uint64(uint32(v))
			if length == "h" {
				v = uint64(uint16(v))
			}
		}
		if verb == 'u' {
			verb = 'd'
		}
		return fmt.Sprintf("%"+flags+precision+string(verb), v)
	case 'p':
		return fmt.Sprintf("%016X", f.next())
	case 'c', 'C':
		return fmt.Sprintf("%"+flags+"s", string(rune(f.next()&0x7F)))
	case 's', 'S':
		return fmt.Sprintf("%"+flags+"s", f.text(f.next(), f.stringWidth(length, verb), limit(precision)))
	case 'Z':
		return fmt.Sprintf("%"+flags+"s", f.counted(f.next(), length))
	}
	f.c.Unsupported("the printf conversion %" + flags + precision + length + string(verb))
	return ""
}

// narrow is an int, or a short with the length h.
func narrow(v int64, length string) int64 {
	if length == "h" {
		return int64(int16(v))
	}
	return int64(int32(v))
}

// limit is the number of characters that a precision leaves of a string.
func limit(precision string) int {
	n := maxText
	if precision != "" {
		n = 0
		_, _ = fmt.Sscanf(precision, ".%d", &n)
	}
	return n
}

// counted is the text of an ANSI_STRING, or with the length w or l of a
// UNICODE_STRING.
func (f *formatter) counted(addr uint64, length string) string {
	if addr == 0 {
		return "(null)"
	}
	width := 1
	if strings.ContainsAny(length, "lw") {
		width = 2
	}
	n := int(f.c.load(addr, 2)) / width
	return f.text(f.c.load(addr+8, 8), width, min(n, maxText))
}

// stringWidth returns the width of the characters of a string argument: S is the
// other one than that of the format.
func (f *formatter) stringWidth(length string, verb byte) int {
	switch {
	case strings.ContainsAny(length, "lw"):
		return 2
	case length == "h":
		return 1
	case verb == 'S':
		return 3 - f.width
	}
	return f.width
}
