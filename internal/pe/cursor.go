package pe

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cursor reads little-endian data. What does not fit reads as zero and sets
// bad, which stays set: check it once per loop round.
type cursor struct {
	data []byte
	pos  int
	bad  bool
}

func (c *cursor) left() int { return len(c.data) - c.pos }

// take returns the next n bytes, or nil if there are fewer.
func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > c.left() {
		c.bad = true
		return nil
	}
	c.pos += n
	return c.data[c.pos-n : c.pos : c.pos]
}

func (c *cursor) skip(n int) { c.take(n) }

// seek goes to an absolute position.
func (c *cursor) seek(pos int) {
	if pos < 0 || pos > len(c.data) {
		c.bad = true
		return
	}
	c.pos = pos
}

// align goes on to the next multiple of n, at most to the end.
func (c *cursor) align(n int) { c.pos = min((c.pos+n-1)/n*n, len(c.data)) }

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// cstring reads a string that ends with a zero byte.
func (c *cursor) cstring() string {
	if c.bad {
		return ""
	}
	n := bytes.IndexByte(c.data[c.pos:], 0)
	if n < 0 {
		c.bad = true
		return ""
	}
	s := string(c.data[c.pos : c.pos+n])
	c.pos += n + 1
	return s
}

// uleb and sleb read the variable-length numbers of DWARF; bits beyond 64 are
// dropped.
func (c *cursor) uleb() uint64 {
	v, _, _ := c.leb()
	return v
}

func (c *cursor) sleb() int64 {
	v, shift, last := c.leb()
	if shift < 64 && last&0x40 != 0 {
		v |= ^uint64(0) << shift
	}
	return int64(v)
}

func (c *cursor) leb() (v uint64, shift uint, last byte) {
	for {
		b := c.u8()
		if shift < 64 {
			v |= uint64(b&0x7F) << shift
			shift += 7
		}
		if b&0x80 == 0 {
			return v, shift, b
		}
	}
}

// maxName is the longest name that is taken from a file.
const maxName = 1024

// nameAt returns the string that starts at off in a table of strings, without
// copying; "" if there is none or it is longer than maxName.
func nameAt(table string, off uint64) string {
	if off >= uint64(len(table)) {
		return ""
	}
	s := table[off:min(off+maxName, uint64(len(table)))]
	if n := strings.IndexByte(s, 0); n >= 0 {
		return s[:n]
	}
	return ""
}

// printable returns s if it may be shown on a terminal. Otherwise it returns
// the beginning with question marks for what may not: no longer, because many
// names of a hostile file can share one text.
func printable(s string) string {
	const cut = 80
	if len(s) > maxName {
		s = s[:maxName]
	}
	bad := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), cut)])
}

// identifier reports whether s is a non-empty string of visible ASCII, as all
// names in import and export tables are.
func identifier(s string) bool {
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7F {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

func (c *cursor) guid() (g GUID) {
	copy(g[:], c.take(16))
	return g
}
