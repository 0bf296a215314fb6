package bind

import (
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

func init() {
	registerChecked(map[string]func(c *call) uint64{
		"RtlInitAnsiString":              (*call).initAnsiString,
		"RtlInitString":                  (*call).initAnsiString,
		"RtlAnsiStringToUnicodeString":   (*call).ansiToUnicode,
		"RtlFreeUnicodeString":           (*call).freeUnicodeString,
		"RtlUnicodeStringToInteger":      (*call).unicodeToInteger,
		"RtlIntegerToUnicodeString":      (*call).integerToUnicode,
		"RtlUTF8ToUnicodeN":              (*call).utf8ToUnicode,
		"RtlAppendUnicodeStringToString": func(c *call) uint64 { return c.appendUnicode(c.counted(1)) },
		"RtlAppendUnicodeToString":       func(c *call) uint64 { return c.appendUnicode(c.chars(1, 2, 0x7FFF)) },
		"RtlCompareUnicodeString":        func(c *call) uint64 { return uint64(uint32(c.compareUnicode())) },
		"RtlEqualUnicodeString":          func(c *call) uint64 { return boolean(c.compareUnicode() == 0) },
		"RtlGUIDFromString":              (*call).guidFromString,
	})
}

// Status values of the string routines.
const (
	statusSomeNotMapped     = 0x00000107
	statusBufferOverflow    = 0x80000005
	statusNoMemory          = 0xC0000017
	statusInvalidParameter2 = 0xC00000F0
)

// Offsets in UNICODE_STRING and ANSI_STRING.
const stringMaximum, stringBuffer = 2, 8

// counted returns the characters of the UNICODE_STRING that argument n points
// to; none for NULL.
func (c *call) counted(n int) []uint16 {
	p := c.arg(n)
	if p == 0 {
		return nil
	}
	buffer := c.load(p+stringBuffer, 8)
	s := make([]uint16, c.load(p, 2)/2)
	for i := range s {
		s[i] = uint16(c.load(buffer+uint64(2*i), 2))
	}
	return s
}

// putWide stores characters.
func (c *call) putWide(addr uint64, s []uint16) {
	for i, ch := range s {
		c.store(addr+uint64(2*i), 2, uint64(ch))
	}
}

// initAnsiString is (ANSI_STRING, text).
func (c *call) initAnsiString() uint64 {
	n := uint64(0)
	if c.arg(1) != 0 {
		n = uint64(len(c.chars(1, 1, 0xFFFE)))
	}
	c.store(c.arg(0), 2, n)
	c.store(c.arg(0)+stringMaximum, 2, n+boolean(c.arg(1) != 0))
	c.store(c.arg(0)+stringBuffer, 8, c.arg(1))
	return 0
}

// ansiToUnicode is (destination, source, allocate). Bytes above 0x7F are taken as
// Latin-1. PASSIVE_LEVEL.
func (c *call) ansiToUnicode() uint64 {
	to, from := c.arg(0), c.arg(1)
	n := c.load(from, 2)
	if 2*n+2 > 0xFFFF {
		return statusInvalidParameter2
	}
	if c.flag(2) {
		p := c.AllocatePool(true, 2*n+2, kernel.PoolTag("grtS"))
		if p == 0 {
			return statusNoMemory
		}
		c.store(to+stringBuffer, 8, p)
		c.store(to+stringMaximum, 2, 2*n+2)
	}
	room := c.load(to+stringMaximum, 2)
	if 2*n >= room {
		return statusBufferOverflow
	}
	c.store(to, 2, 2*n)
	source, buffer := c.load(from+stringBuffer, 8), c.load(to+stringBuffer, 8)
	for i := range n {
		c.store(buffer+2*i, 2, c.load(source+i, 1))
	}
	c.store(buffer+2*n, 2, 0)
	return uint64(wdf.StatusSuccess)
}

// freeUnicodeString frees what a routine of this file allocated. PASSIVE_LEVEL.
func (c *call) freeUnicodeString() uint64 {
	s := c.arg(0)
	if p := c.load(s+stringBuffer, 8); p != 0 {
		c.FreePool(p)
		c.store(s, 8, 0)
		c.store(s+stringBuffer, 8, 0)
	}
	return 0
}

// appendUnicode appends to the UNICODE_STRING that argument 0 points to.
func (c *call) appendUnicode(s []uint16) uint64 {
	to := c.arg(0)
	n, room := c.load(to, 2), c.load(to+stringMaximum, 2)
	if n+uint64(2*len(s)) > room {
		return uint64(wdf.StatusBufferTooSmall)
	}
	buffer := c.load(to+stringBuffer, 8)
	c.putWide(buffer+n, s)
	n += uint64(2 * len(s))
	c.store(to, 2, n)
	if n+2 <= room {
		c.store(buffer+n, 2, 0)
	}
	return uint64(wdf.StatusSuccess)
}

// compareUnicode compares two UNICODE_STRINGs; with argument 2 regardless of
// case, which is folded for ASCII only.
func (c *call) compareUnicode() int32 {
	a, b := c.counted(0), c.counted(1)
	if c.flag(2) {
		for _, s := range [][]uint16{a, b} {
			for i := range s {
				s[i] = uint16(upper(uint64(s[i])))
			}
		}
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return int32(a[i]) - int32(b[i])
		}
	}
	return int32(len(a) - len(b))
}

// unicodeToInteger is (string, base, address for the value): blanks, a sign, with
// base 0 a prefix 0x, 0o or 0b, and as many digits as there are.
func (c *call) unicodeToInteger() uint64 {
	s := c.counted(0)
	for len(s) > 0 && s[0] <= ' ' {
		s = s[1:]
	}
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	base := uint32(c.word(1))
	if base == 0 {
		base = 10
		if len(s) > 1 && s[0] == '0' {
			if b := map[uint16]uint32{'x': 16, 'o': 8, 'b': 2}[s[1]]; b != 0 {
				base, s = b, s[2:]
			}
		}
	}
	if !slices.Contains([]uint32{2, 8, 10, 16}, base) {
		return uint64(wdf.StatusInvalidParameter)
	}
	v := uint32(0)
	for _, ch := range s {
		d := digit(ch)
		if d >= base {
			break
		}
		v = v*base + d
	}
	if negative {
		v = -v
	}
	c.store(c.arg(2), 4, uint64(v))
	return uint64(wdf.StatusSuccess)
}

// digit returns the value of a digit, a large one for no digit.
func digit(ch uint16) uint32 {
	switch l := uint32(lower(uint64(ch))); {
	case l >= '0' && l <= '9':
		return l - '0'
	case l >= 'a' && l <= 'f':
		return l - 'a' + 10
	}
	return 1 << 16
}

// integerToUnicode is (value, base, string).
func (c *call) integerToUnicode() uint64 {
	base := int(c.word(1))
	if base == 0 {
		base = 10
	}
	if !slices.Contains([]int{2, 8, 10, 16}, base) {
		return uint64(wdf.StatusInvalidParameter)
	}
	s := []uint16{}
	for _, ch := range []byte(strconv.FormatUint(uint64(c.word(0)), base)) {
		s = append(s, uint16(upper(uint64(ch))))
	}
	to := c.arg(2)
	room := c.load(to+stringMaximum, 2)
	if uint64(2*len(s)) > room {
		return statusBufferOverflow
	}
	buffer := c.load(to+stringBuffer, 8)
	c.putWide(buffer, s)
	c.store(to, 2, uint64(2*len(s)))
	if uint64(2*len(s)) < room {
		c.store(buffer+uint64(2*len(s)), 2, 0)
	}
	return uint64(wdf.StatusSuccess)
}

// utf8ToUnicode is (destination, its size, address for the length, source, its
// length), all in bytes. Without a destination only the length is given.
func (c *call) utf8ToUnicode() uint64 {
	source := make([]byte, min(uint64(c.word(4)), maxScan))
	c.ReadBytes(c.arg(3), source)
	status := uint64(wdf.StatusSuccess)
	if !utf8.Valid(source) {
		status = statusSomeNotMapped // U+FFFD takes the place of what is not UTF-8
	}
	s := utf16.Encode([]rune(string(source)))
	to, room := c.arg(0), uint64(c.word(1))/2
	switch {
	case to == 0:
	case uint64(len(s)) > room:
		s, status = s[:room], uint64(wdf.StatusBufferTooSmall)
		fallthrough
	default:
		c.putWide(to, s)
	}
	if c.arg(2) != 0 {
		c.store(c.arg(2), 4, uint64(2*len(s)))
	}
	return status
}

// guidFromString is (string, address for the GUID): {8-4-4-4-12} hexadecimal
// digits.
func (c *call) guidFromString() uint64 {
	const form = "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}"
	s := c.counted(0)
	if len(s) < len(form) {
		return uint64(wdf.StatusInvalidParameter)
	}
	var guid []byte // in the order of the text
	high := true
	for i, want := range []byte(form) {
		d := digit(s[i])
		switch {
		case want != 'x' && s[i] != uint16(want), want == 'x' && d > 15:
			return uint64(wdf.StatusInvalidParameter)
		case want != 'x':
		case high:
			guid = append(guid, byte(d<<4))
			high = false
		default:
			guid[len(guid)-1] |= byte(d)
			high = true
		}
	}
	slices.Reverse(guid[0:4])
	slices.Reverse(guid[4:6])
	slices.Reverse(guid[6:8])
	c.WriteBytes(c.arg(1), guid)
	return uint64(wdf.StatusSuccess)
}
