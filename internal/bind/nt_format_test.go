package bind

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// putText writes a zero-terminated string of characters of a width in bytes.
func putText(th *kernel.Thread, s string, width int) uint64 {
	p := th.AllocatePool(false, uint64((len(s)+1)*width), kernel.PoolTag("Text"))
	for i := range len(s) {
		th.Store(p+uint64(i*width), width, uint64(s[i]))
	}
	return p
}

// formatted calls _vsnprintf or _vsnwprintf and returns its result and the
// characters that it stored; the buffer is full of '#'.
func (r *rig) formatted(t *testing.T, width int, room uint64, format string, args ...any) (result int32, text string, why kernel.Reason) {
	t.Helper()
	r.restore()
	name := map[int]string{1: "_vsnprintf", 2: "_vsnwprintf"}[width]
	why = r.run(t, func(th *kernel.Thread) {
		list := th.AllocatePool(false, uint64(8*len(args)+8), kernel.PoolTag("Args"))
		for i, a := range args {
			switch a := a.(type) {
			case int:
				th.Store(list+uint64(8*i), 8, uint64(a))
			case rune:
				th.Store(list+uint64(8*i), 8, uint64(a))
			case uint64:
				th.Store(list+uint64(8*i), 8, a)
			case string:
				th.Store(list+uint64(8*i), 8, putText(th, a, width))
			case []rune: // a string of the other width
				th.Store(list+uint64(8*i), 8, putText(th, string(a), 3-width))
			}
		}
		buffer := th.AllocatePool(false, max(room, 1)*uint64(width), kernel.PoolTag("Out "))
		for i := range room {
			th.Store(buffer+i*uint64(width), width, '#')
		}
		result = int32(r.guestCall(th, name, buffer, room, putText(th, format, width), list))
		for i := range room {
			text += string(rune(th.Load(buffer+i*uint64(width), width)))
		}
	})
	return result, text, why
}

// Formats give what the C runtime gives, in buffers of any size.
func TestFormat(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	const room = 24
	for _, c := range []struct {
		room   uint64
		format string
		args   []any
		result int32
		text   string // without the '#' that are left
	}{
		{room, "plain", nil, 5, "plain\x00"},
		{room, "", nil, 0, "\x00"},
		{0, "x", nil, -1, ""},
		{5, "plain", nil, 5, "plain"}, // fits, without the zero
		{4, "plain", nil, -1, "plai"},
		{room, "%d%%", []any{-42}, 4, "-42%\x00"},
		{room, "%d", []any{uint64(0xFFFFFFFF_00000007)}, 1, "7\x00"},
		{room, "%I64d", []any{uint64(1) << 63}, 20, "-9223372036854775808\x00"},
		{room, "%lld %u", []any{-1, -1}, 13, "-1 4294967295\x00"},
		{room, "%08x %X", []any{0xBEEF, 0xBEEF}, 13, "0000beef BEEF\x00"},
		{room, "%#x|%-4d|%4d", []any{255, 7, 7}, 14, "0xff|7   |   7\x00"},
		{room, "%*d", []any{5, 42}, 5, "   42\x00"},
		{room, "%-*d|", []any{5, 42}, 6, "42   |\x00"},
		{room, "%*d|", []any{-5, 42}, 6, "42   |\x00"},
		{room, "%p", []any{uint64(0xFFFFF80012345678)}, 16, "FFFFF80012345678\x00"},
		{room, "%c%c", []any{'A', 'B'}, 2, "AB\x00"},
		{room, "%s and %s", []any{"one", "two"}, 11, "one and two\x00"},
		{room, "%.2s|%5s", []any{"long", "ab"}, 8, "lo|   ab\x00"},
		{room, "%S", []any{[]rune("other")}, 5, "other\x00"},
		{room, "%s", []any{0}, 6, "(null)\x00"},
		{room, "100%", nil, 3, "100\x00"}, // nothing after the %
		{room, "%5", []any{1}, 0, "\x00"},
	} {
		for _, width := range []int{1, 2} {
			result, text, why := r.formatted(t, width, c.room, c.format, c.args...)
			want := c.text
			for len(want) < int(c.room) {
				want += "#"
			}
			if result != c.result || text != want || why != kernel.Done {
				t.Errorf("width %d, %d, %q, %v: %d, %q, %s %v; want %d, %q", width, c.room, c.format, c.args, result, text, why, r.m.Findings(), c.result, want)
			}
		}
	}
}

// What a hostile format asks for is bounded, and bad pointers are bug checks.
func TestHostileFormat(t *testing.T) {
	r := newColdRig(t)
	r.keep(t)
	for _, c := range []struct {
		format string
		args   []any
		why    kernel.Reason
	}{
		{"%999999999999999d", []any{1}, kernel.Done},
		{"%.999999999999999s", []any{"a"}, kernel.Done},
		{"%*************d", []any{127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 1}, kernel.Stopped}, // not a conversion: it stops by name,
		{"%-+ #0-+ #0-+ #0d", []any{1}, kernel.Done},
		{"%n", []any{1}, kernel.Stopped},
		{"%f", []any{1}, kernel.Stopped},
		{"%s", []any{uint64(0x8000_0000_0000_0000)}, kernel.Stopped},
		{"%s", []any{1}, kernel.Stopped},
	} {
		if _, _, why := r.formatted(t, 1, 512, c.format, c.args...); why != c.why {
			t.Errorf("%q: %s, want %s: %v", c.format, why, c.why, r.m.Findings())
		}
	}
}
