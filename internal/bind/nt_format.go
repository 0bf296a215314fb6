package bind

import (
	"fmt"
	"strings"
)

// format is _vsnprintf or _vsnwprintf, by the width of a character in bytes:
// (buffer, count, format, va_list). It returns the number of characters, or -1
// if they do not fit; then there is no terminating zero.
func (c *call) format(width int) uint64 {
	f := formatter{c: c, width: width, args: c.arg(3)}
	text := f.expand(f.text(c.arg(2), width))
	n := c.arg(1)
	for i := uint64(0); i < min(uint64(len(text))+1, n); i++ {
		ch := uint64(0)
		if i < uint64(len(text)) {
			ch = uint64(text[i])
		}
		c.store(c.arg(0)+i*uint64(width), width, ch)
	}
	if uint64(len(text)) > n {
		return 0xFFFFFFFF
	}
	return uint64(len(text))
}

// formatter expands a printf format; arguments are 8 bytes each.
type formatter struct {
	c     *call
	width int
	args  uint64
}

// text reads a zero-terminated string of characters of 1 or 2 bytes.
func (f *formatter) text(addr uint64, width int) string {
	if addr == 0 {
		return "(null)"
	}
	var b []byte
	for len(b) < maxText {
		ch := f.c.load(addr+uint64(len(b)*width), width)
		if ch == 0 {
			break
		}
		b = append(b, byte(ch))
	}
	return string(b)
}

func (f *formatter) next() uint64 {
	v := f.c.load(f.args, 8)
	f.args += 8
	return v
}

func (f *formatter) expand(s string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "%")
		out.WriteString(before)
		if !found || rest == "" {
			return out.String()
		}
		var flags, length string
		flags, rest = leading(rest, "-+ #0123456789.*")
		length, rest = leading(rest, "hlwIL64")
		if rest == "" {
			return out.String()
		}
		out.WriteString(f.convert(f.stars(flags), length, rest[0]))
		s = rest[1:]
	}
}

// leading splits off the characters of a set at the beginning.
func leading(s, set string) (head, rest string) {
	rest = strings.TrimLeft(s, set)
	return s[:len(s)-len(rest)], rest
}

// stars replaces each '*' by an argument, and bounds widths.
func (f *formatter) stars(flags string) string {
	for strings.Contains(flags, "*") {
		flags = strings.Replace(flags, "*", fmt.Sprint(int8(f.next())), 1)
	}
	if len(flags) > 8 {
		flags = flags[:8]
	}
	return flags
}

// convert formats one argument.
func (f *formatter) convert(flags, length string, verb byte) string {
	long := strings.Contains(length, "I64") || length == "ll" || length == "I"
	switch verb {
	case '%':
		return "%"
	case 'd', 'i':
		if v := f.next(); long {
			return fmt.Sprintf("%"+flags+"d", int64(v))
		} else {
			return fmt.Sprintf("%"+flags+"d", int32(v))
		}
	case 'u', 'x', 'X', 'o':
		v := f.next()
		if !long {
			v &= 0xFFFFFFFF
		}
		if verb == 'u' {
			verb = 'd'
		}
		return fmt.Sprintf("%"+flags+string(verb), v)
	case 'p':
		return fmt.Sprintf("%016X", f.next())
	case 'c', 'C':
		return string(rune(f.next() & 0x7F))
	case 's', 'S':
		return fmt.Sprintf("%"+flags+"s", f.text(f.next(), f.stringWidth(length, verb)))
	}
	f.c.Unsupported("the printf conversion %" + flags + length + string(verb))
	return ""
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
