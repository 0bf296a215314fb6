package bind

import (
	"bytes"
)

// maxScan bounds the characters or bytes that one call looks at: no block of a
// driver that means well is longer.
const maxScan = 1 << 20

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"strlen":  func(c *call) uint64 { return uint64(len(c.chars(0, 1, maxScan))) },
		"wcslen":  func(c *call) uint64 { return uint64(len(c.chars(0, 2, maxScan))) },
		"strnlen": func(c *call) uint64 { return uint64(len(c.chars(0, 1, c.arg(1)))) },
		"wcsnlen": func(c *call) uint64 { return uint64(len(c.chars(0, 2, c.arg(1)))) },
		"strcmp":  func(c *call) uint64 { return c.compareText(1, maxScan, false) },
		"wcscmp":  func(c *call) uint64 { return c.compareText(2, maxScan, false) },
		"strncmp": func(c *call) uint64 { return c.compareText(1, c.arg(2), false) },
		"wcsncmp": func(c *call) uint64 { return c.compareText(2, c.arg(2), false) },

		"_stricmp":  func(c *call) uint64 { return c.compareText(1, maxScan, true) },
		"_wcsicmp":  func(c *call) uint64 { return c.compareText(2, maxScan, true) },
		"_strnicmp": func(c *call) uint64 { return c.compareText(1, c.arg(2), true) },
		"_wcsnicmp": func(c *call) uint64 { return c.compareText(2, c.arg(2), true) },

		"strstr":   func(c *call) uint64 { return c.findText(1) },
		"wcsstr":   func(c *call) uint64 { return c.findText(2) },
		"strchr":   func(c *call) uint64 { return c.findChar(1, false) },
		"wcschr":   func(c *call) uint64 { return c.findChar(2, false) },
		"strrchr":  func(c *call) uint64 { return c.findChar(1, true) },
		"wcsrchr":  func(c *call) uint64 { return c.findChar(2, true) },
		"memchr":   (*call).memchr,
		"strcpy_s": func(c *call) uint64 { return c.copyText(1, 0) },
		"wcscpy_s": func(c *call) uint64 { return c.copyText(2, 0) },
		"strcat_s": func(c *call) uint64 { return c.copyText(1, uint64(len(c.chars(0, 1, c.arg(1))))) },
		"wcscat_s": func(c *call) uint64 { return c.copyText(2, uint64(len(c.chars(0, 2, c.arg(1))))) },
		"toupper":  func(c *call) uint64 { return upper(c.arg(0) & 0xFFFFFFFF) },
		"tolower":  func(c *call) uint64 { return lower(c.arg(0) & 0xFFFFFFFF) },
	})
}

// Results of functions with _s.
const (
	errInvalid = 22 // EINVAL
	errRange   = 34 // ERANGE
)

// chars reads the characters of the string that argument n points to, of 1 or 2
// bytes, up to a zero, at most limit.
func (c *call) chars(n, width int, limit uint64) []uint16 {
	var s []uint16
	for p := c.arg(n); uint64(len(s)) < min(limit, maxScan); p += uint64(width) {
		ch := c.load(p, width)
		if ch == 0 {
			break
		}
		s = append(s, uint16(ch))
	}
	return s
}

// compareText compares two strings of at most limit characters, as an int.
func (c *call) compareText(width int, limit uint64, fold bool) uint64 {
	for i := range min(limit, maxScan) {
		at := i * uint64(width)
		a, b := c.load(c.arg(0)+at, width), c.load(c.arg(1)+at, width)
		if fold {
			a, b = lower(a), lower(b)
		}
		switch {
		case a < b:
			return failure // -1
		case a > b:
			return 1
		case a == 0:
			return 0
		}
	}
	return 0
}

func lower(ch uint64) uint64 {
	if ch >= 'A' && ch <= 'Z' {
		ch += 'a' - 'A'
	}
	return ch
}

func upper(ch uint64) uint64 {
	if ch >= 'a' && ch <= 'z' {
		ch -= 'a' - 'A'
	}
	return ch
}

// wide makes bytes of characters, two for each.
func wide(s []uint16) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, ch := range s {
		b = append(b, byte(ch), byte(ch>>8))
	}
	return b
}

// findText returns where the second string begins in the first, 0 if nowhere.
func (c *call) findText(width int) uint64 {
	s, part := wide(c.chars(0, width, maxScan)), wide(c.chars(1, width, maxScan))
	for from := 0; ; {
		i := bytes.Index(s[from:], part)
		switch {
		case i < 0:
			return 0
		case (from+i)%2 == 0:
			return c.arg(0) + uint64((from+i)/2*width)
		}
		from += i + 1 // between two characters
	}
}

// findChar returns where a character is, the first or the last one; also the
// zero at the end can be asked for.
func (c *call) findChar(width int, last bool) (found uint64) {
	want := c.arg(1) & (1<<(8*width) - 1)
	for p := c.arg(0); p-c.arg(0) < maxScan; p += uint64(width) {
		ch := c.load(p, width)
		if ch == want {
			if found = p; !last {
				return found
			}
		}
		if ch == 0 {
			break
		}
	}
	return found
}

// memchr is (buffer, byte, count).
func (c *call) memchr() uint64 {
	for i := range min(c.arg(2), maxScan) {
		if c.load(c.arg(0)+i, 1) == c.arg(1)&0xFF {
			return c.arg(0) + i
		}
	}
	return 0
}

// copyText is strcpy_s and the like: (destination, its size, source), behind the
// first at characters. Without room the destination becomes the empty string.
func (c *call) copyText(width int, at uint64) uint64 {
	to, size := c.arg(0), c.arg(1)
	switch {
	case to == 0 || size == 0:
		return errInvalid
	case c.arg(2) == 0:
		c.store(to, width, 0)
		return errInvalid
	case at >= size: // strcat_s of a string without end
		c.store(to, width, 0)
		return errInvalid
	}
	s := append(c.chars(2, width, size), 0)
	if at+uint64(len(s)) > size {
		c.store(to, width, 0)
		return errRange
	}
	for i, ch := range s {
		c.store(to+(at+uint64(i))*uint64(width), width, uint64(ch))
	}
	return 0
}
