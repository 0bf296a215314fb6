package bind

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

func TestFormatting(t *testing.T) {
	imports(t, kernel.Done, func(b *bench) {
		text, wide := b.alloc(8, "abcdef"), b.wide("wide")
		open := b.alloc(16, "0123456789abcdef") // no zero at the end: behind it is a guard page
		counted := b.unicode("counted", 20)
		for _, c := range []struct {
			want, format string
			args         [2]uint64
		}{
			{"plain 100%", "plain 100%%", [2]uint64{}},
			{"-5 4294967291", "%d %u", [2]uint64{0xFFFFFFFB, 0xFFFFFFFB}},
			{"-5 18446744073709551615", "%I64d %llu", [2]uint64{^uint64(4), ^uint64(0)}},
			{"002A 0x2a", "%04X %#x", [2]uint64{42, 42}},
			{"[   7] [7   ]", "[%4d] [%-4d]", [2]uint64{7, 7}},
			{"[   7]", "[%*d]", [2]uint64{4, 7}},
			{"[007]", "[%.3d]", [2]uint64{7}},
			{"-1 65535", "%hd %hu", [2]uint64{0xFFFF, 0xFFFFFFFF}},
			{"abcdef wide", "%s %ws", [2]uint64{text, wide}},
			{"abc wide", "%.3s %S", [2]uint64{text, wide}},
			{"0123456789abcdef", "%.16s", [2]uint64{open}},
			{"0123", "%.*s", [2]uint64{4, open}},
			{"counted|(null)", "%wZ|%s", [2]uint64{counted, 0}},
			{"00000000000010F0 c", "%p %c", [2]uint64{0x10F0, 'c'}},
		} {
			format, out := b.alloc(100, c.format), b.alloc(100, "")
			b.is(uint64(len(c.want)), "sprintf_s", out, 100, format, c.args[0], c.args[1])
			if got := b.text(out, 1); got != c.want {
				t.Errorf("%q gives %q, want %q", c.format, got, c.want)
			}
		}
	})
}

// What does not fit: the functions differ in the zero at the end and in what is
// left in the buffer.
func TestFormattingWithoutRoom(t *testing.T) {
	const minus = 0xFFFFFFFF
	for _, c := range []struct {
		name   string
		args   []uint64 // behind the buffer
		result uint64
		buffer string // six bytes
	}{
		{"sprintf_s", []uint64{5}, minus, "\x00.....\x00"},
		{"sprintf_s", []uint64{6}, 5, "hello\x00"},
		{"_snprintf_s", []uint64{6, 3}, minus, "hel\x00.."},
		{"_snprintf_s", []uint64{4, ^uint64(0)}, minus, "hel\x00.."},
		{"_snprintf_s", []uint64{4, 4}, minus, "\x00....."},
		{"_snprintf_s", []uint64{6, 9}, 5, "hello\x00"},
		{"_snprintf", []uint64{4}, minus, "hell.."},
		{"_snprintf", []uint64{5}, 5, "hello."},
		{"_snprintf", []uint64{6}, 5, "hello\x00"},
	} {
		imports(t, kernel.Done, func(b *bench) {
			buffer, format := b.alloc(6, "......"), b.alloc(8, "hello")
			b.is(c.result, c.name, append(append([]uint64{buffer}, c.args...), format)...)
			var got [6]byte
			b.m.Mem.Read(buffer, got[:])
			if string(got[:]) != c.buffer[:6] {
				t.Errorf("%s%d leaves %q, want %q", c.name, c.args, got, c.buffer)
			}
		})
	}
}

func TestStrings(t *testing.T) {
	imports(t, kernel.Done, func(b *bench) {
		s, w := b.alloc(20, "needle in hay"), b.wide("a needle")
		b.is(13, "strlen", s)
		b.is(8, "wcslen", w)
		b.is(0, "strncmp", s, b.alloc(8, "needles"), 6)
		b.is(0xFFFFFFFF, "strncmp", s, b.alloc(8, "needles"), 7)
		b.is(1, "wcscmp", w, b.wide("a"))
		b.is(0, "_wcsicmp", w, b.wide("A NEEDLE"))
		b.is(w+4, "wcsstr", w, b.wide("needle"))
		b.is(0, "wcsstr", w, b.wide("needles"))
		b.is(s+10, "strstr", s, b.alloc(4, "hay"))
		b.is(s+1, "memchr", s, 'e', 3)
		b.is(0, "memchr", s, 'h', 10)
		b.is(s+5, "strrchr", s, 'e')
		b.is(0, "strcpy_s", s, 20, b.alloc(4, "abc"))
		b.is(0, "strcat_s", s, 20, b.alloc(4, "def"))
		if got := b.text(s, 1); got != "abcdef" {
			t.Errorf("strcat_s gives %q", got)
		}
		b.is(errRange, "strcpy_s", s, 3, b.alloc(4, "abc"))
		b.is(0, "strlen", s)
		b.is(errInvalid, "strcpy_s", s, 20, 0)
	})
}

func TestUnicodeStrings(t *testing.T) {
	imports(t, kernel.Done, func(b *bench) {
		value := b.alloc(16, "")
		for _, c := range []struct {
			text   string
			base   uint64
			status uint64
			value  uint64
		}{
			{" 42x", 0, 0, 42}, {"-0x2a", 0, 0, 0xFFFFFFD6}, {"0b101", 0, 0, 5}, {"0o17", 0, 0, 15},
			{"fF", 16, 0, 255}, {"", 10, 0, 0}, {"12", 7, 0xC000000D, 0},
		} {
			b.m.Mem.Store(value, 4, 0)
			b.is(c.status, "RtlUnicodeStringToInteger", b.unicode(c.text, 20), c.base, value)
			if got := b.load(value, 4); got != c.value {
				t.Errorf("%q in base %d is 0x%X, want 0x%X", c.text, c.base, got, c.value)
			}
		}
		to := b.unicode("ab", 8)
		b.is(0, "RtlAppendUnicodeToString", to, b.wide("cd"))
		b.is(0xC0000023, "RtlAppendUnicodeToString", to, b.wide("e"))
		if got := b.counted(to); got != "abcd" {
			t.Errorf("append gives %q", got)
		}
		b.is(1, "RtlEqualUnicodeString", to, b.unicode("ABCD", 8), 1)
		b.is(0, "RtlEqualUnicodeString", to, b.unicode("ABCD", 8), 0)

		ansi := b.alloc(16, "")
		b.call("RtlInitAnsiString", ansi, b.alloc(6, "hello"))
		b.is(0, "RtlAnsiStringToUnicodeString", value, ansi, 1)
		if got := b.counted(value); got != "hello" || b.load(value+2, 2) != 12 {
			t.Errorf("RtlAnsiStringToUnicodeString gives %q", got)
		}
		b.call("RtlFreeUnicodeString", value)
		b.is(statusBufferOverflow, "RtlAnsiStringToUnicodeString", b.unicode("", 10), ansi, 0)

		wide := b.alloc(16, "")
		b.is(0, "RtlUTF8ToUnicodeN", wide, 16, value, b.alloc(5, "z\u00E4\u20AC")) // no bytes: the length is 0
		b.is(0, "RtlUTF8ToUnicodeN", wide, 16, value, b.alloc(6, "z\u00E4\u20AC"), 6)
		if b.load(value, 4) != 6 || b.load(wide, 2) != 'z' || b.load(wide+2, 2) != 0xE4 || b.load(wide+4, 2) != 0x20AC {
			t.Error("RtlUTF8ToUnicodeN gives something else")
		}
		b.is(statusSomeNotMapped, "RtlUTF8ToUnicodeN", wide, 16, value, b.alloc(2, "a\xFF"), 2)
		b.is(0xC0000023, "RtlUTF8ToUnicodeN", wide, 2, value, b.alloc(2, "ab"), 2)
		b.is(0, "RtlGUIDFromString", b.unicode("{01020304-0506-0708-090a-0B0C0D0E0F10}", 80), wide)
		if b.load(wide, 4) != 0x01020304 || b.load(wide+4, 2) != 0x0506 || b.load(wide+8, 8) != 0x100F0E0D0C0B0A09 {
			t.Error("RtlGUIDFromString gives something else")
		}
		b.is(0xC000000D, "RtlGUIDFromString", b.unicode("{01020304-0506-0708-090a-0B0C0D0E0F1g}", 80), wide)
	})
}

func TestBitmaps(t *testing.T) {
	imports(t, kernel.Done, func(b *bench) {
		m, bits, index := b.alloc(16, ""), b.alloc(16, ""), b.alloc(4, "")
		b.call("RtlInitializeBitMap", m, bits, 40)
		b.call("RtlSetAllBits", m)
		b.is(40, "RtlNumberOfSetBits", m)
		if b.load(bits+8, 8) != 0 {
			t.Error("RtlSetAllBits sets bits behind the end")
		}
		b.call("RtlClearAllBits", m)
		b.call("RtlSetBits", m, 2, 3) // 2, 3, 4
		b.call("RtlSetBits", m, 30, 5)
		b.is(8, "RtlNumberOfSetBits", m)
		b.is(1, "RtlAreBitsSet", m, 30, 5)
		b.is(0, "RtlAreBitsSet", m, 30, 6)
		b.is(1, "RtlAreBitsClear", m, 5, 25)
		b.is(0, "RtlAreBitsClear", m, 35, 6) // beyond the end
		b.is(25, "RtlFindLongestRunClear", m, index)
		if b.load(index, 4) != 5 {
			t.Errorf("the longest run begins at %d", b.load(index, 4))
		}
		b.is(0, "RtlFindClearBits", m, 2, 0)
		b.is(5, "RtlFindClearBits", m, 3, 0)
		b.is(35, "RtlFindClearBits", m, 5, 28)
		b.is(5, "RtlFindClearBits", m, 6, 28) // from the start again
		b.is(27, "RtlFindClearBits", m, 3, 27)
		b.is(noBits, "RtlFindClearBits", m, 26, 0)
		b.is(30, "RtlFindSetBitsAndClear", m, 4, 0)
		b.is(0, "RtlTestBit", m, 33)
		b.is(1, "RtlTestBit", m, 34)
		b.is(0, "RtlFindClearBitsAndSet", m, 2, 39)
		b.is(6, "RtlNumberOfSetBits", m)
	})
}

// The inline functions of the headers work on the structure: what the kernel puts
// there and the two list routines have to fit them.
func TestLookasideList(t *testing.T) {
	imports(t, kernel.Done, func(b *bench) {
		list := b.alloc(0x80, "")
		b.call("ExInitializeNPagedLookasideList", list, 0, 0, 0x200, 0x30, uint64(kernel.PoolTag("Look")))
		if b.load(list+lookasideType, 4) != 0x200 || b.load(list+lookasideSize, 4) != 0x30 ||
			b.load(list+lookasideTag, 4) != uint64(kernel.PoolTag("Look")) {
			t.Error("the fields of the list are wrong")
		}
		allocate, free := b.load(list+lookasideAllocate, 8), b.load(list+lookasideFree, 8)
		var entries []uint64
		for range 3 {
			if b.call("ExpInterlockedPopEntrySList", list) != 0 {
				t.Error("the list is not empty")
			}
			p := b.d.Execute(b.s.Thread, allocate, kernel.Args{0x200, 0x30, uint64(kernel.PoolTag("Look"))})
			if a := b.m.Mem.Find(p); a == nil || a.Size != 0x30 || a.Paged {
				t.Fatalf("Allocate returns 0x%X", p)
			}
			entries = append(entries, p)
		}
		b.is(0, "ExpInterlockedPushEntrySList", list, entries[0])
		b.is(entries[0], "ExpInterlockedPushEntrySList", list, entries[1])
		b.is(2, "ExQueryDepthSList", list)
		b.is(entries[1], "ExpInterlockedPopEntrySList", list)
		b.is(1, "ExQueryDepthSList", list)
		b.d.Execute(b.s.Thread, free, kernel.Args{entries[1]})
		b.d.Execute(b.s.Thread, free, kernel.Args{entries[2]})
		b.call("ExDeleteNPagedLookasideList", list)
		b.s.CheckLeaks("test") // nothing is left
	})
}

func TestInterlockedLists(t *testing.T) {
	imports(t, kernel.Stopped, func(b *bench) {
		head, one, two, lock := b.alloc(16, ""), b.alloc(16, ""), b.alloc(16, ""), b.alloc(8, "")
		b.m.Mem.Store(head, 8, head)
		b.m.Mem.Store(head+8, 8, head)
		b.is(0, "ExInterlockedInsertTailList", head, one, lock)
		b.is(one, "ExInterlockedInsertTailList", head, two, lock)
		b.is(one, "ExInterlockedRemoveHeadList", head, lock)
		b.is(two, "ExInterlockedInsertHeadList", head, one, lock)
		b.is(one, "ExInterlockedRemoveHeadList", head, lock)
		b.is(two, "ExInterlockedRemoveHeadList", head, lock)
		b.is(0, "ExInterlockedRemoveHeadList", head, lock)
		b.call("ExInterlockedInsertTailList", head, one, lock)
		b.m.Mem.Store(one+8, 8, two) // damaged
		defer func() {
			if f := b.m.Findings(); len(f) != 1 || f[0].Code != 0x139 || f[0].Params[0] != 3 {
				t.Errorf("findings %v", f)
			}
		}()
		b.call("ExInterlockedRemoveHeadList", head, lock)
	})
}

// Handles, references and types, as .sys drivers see them.
func TestHandles(t *testing.T) {
	imports(t, kernel.Stopped, func(b *bench) {
		out := b.alloc(16, "")
		types := func(name string) uint64 { return b.load(b.d.variable(name), 8) }
		b.is(0, "ZwCreateEvent", out, 0x1F0003, 0, kernel.SynchronizationEvent, 1)
		h := b.load(out, 8)
		b.is(0xC0000024, "ObReferenceObjectByHandle", h, 0, types("PsThreadType"), 0, out)
		b.is(0xC0000008, "ObReferenceObjectByHandle", h, 0, types("ExEventObjectType"), 1, out) // UserMode
		b.is(0, "ObReferenceObjectByHandle", h, 0, types("ExEventObjectType"), 0, out)
		event := b.load(out, 8)
		b.is(0, "ZwWaitForSingleObject", h, 0, 0)
		if b.load(event+4, 4) != 0 {
			t.Error("the wait leaves the event signalled")
		}
		b.is(0, "ZwClose", h)
		b.is(0xC0000008, "ZwClose", h) // reported
		b.is(0, "KeSetEvent", event, 0, 0)
		b.is(0, "ObfDereferenceObject", event)
		if f := b.m.Mem.Find(event); f == nil || !f.Freed {
			t.Error("an event without references is not deleted")
		}
		defer func() {
			f := b.m.Findings()
			if len(f) != 2 || f[0].Rule != "invalid handle" || f[1].Code != 0x18 {
				t.Errorf("findings %v", f)
			}
		}()
		b.call("ObfDereferenceObject", event)
	})
}

// The processor block behind GS: what is known is right, everything else stops
// by name.
func TestProcessorBlock(t *testing.T) {
	imports(t, kernel.Stopped, func(b *bench) {
		b.call("KeSetSystemAffinityThreadEx", 2)
		block := b.m.ProcessorBlock(1)
		for _, c := range []struct{ at, size, want uint64 }{
			{0x18, 8, block}, {0x20, 8, block + 0x180}, {0x188, 8, b.s.Thread.Object()}, {0x1A4, 4, 1}, {0x184, 1, 1},
		} {
			if v, ok := b.s.LoadOpaque(block+c.at, int(c.size)); !ok || v != c.want {
				t.Errorf("gs:[0x%X] is 0x%X, %v", c.at, v, ok)
			}
		}
		if b.is(b.s.Thread.Object(), "PsGetCurrentThread"); b.s.Processor() != 1 {
			t.Error("the thread has not moved to processor 1")
		}
		defer func() {
			if f := b.m.Findings(); len(f) != 1 || !f[0].Unsupported || !strings.Contains(f[0].Text, "offset 0x2100") {
				t.Errorf("findings %v", f)
			}
		}()
		b.s.LoadOpaque(block+0x2100, 8)
	})
}

// Pages without an address: the MDL has their numbers, and they can be given back
// once.
func TestPagesForMdl(t *testing.T) {
	imports(t, kernel.Stopped, func(b *bench) {
		if b.call("MmAllocatePagesForMdl", 0, 0xFFF, 0, 0x3000) != 0 {
			t.Error("pages where no memory is")
		}
		mdl := b.call("MmAllocatePagesForMdlEx", 0, ^uint64(0), 0, 0x2001, 0, 0)
		if b.load(mdl+0x28, 4) != 0x3000 || b.load(mdl+0x38, 8) != b.load(mdl+0x30, 8)+1 {
			t.Error("the MDL does not have three pages")
		}
		if !b.m.Mem.ReadPhysical(b.load(mdl+0x30, 8)<<12, make([]byte, 0x3000)) {
			t.Error("the pages are no memory")
		}
		b.call("MmFreePagesFromMdl", mdl)
		defer func() {
			if f := b.m.Findings(); len(f) != 1 || f[0].Code != 0x4E {
				t.Errorf("findings %v", f)
			}
		}()
		b.call("MmFreePagesFromMdl", mdl)
	})
}

// Routines that the kernel package does not know have their documented levels,
// too, where the page says one.
func TestLevelsOfImports(t *testing.T) {
	for name, want := range map[string]kernel.Reason{
		"RtlFreeUnicodeString": kernel.Stopped, "RtlEqualSid": kernel.Done, "RtlTestBit": kernel.Done,
	} {
		imports(t, want, func(b *bench) {
			s := b.alloc(16, "")
			b.s.KeRaiseIrql(kernel.DispatchLevel)
			defer func() {
				if f := b.m.Findings(); want == kernel.Stopped && (len(f) != 1 || f[0].Code != 0xC4 || f[0].Params[0] != 0xE5) {
					t.Errorf("%s: findings %v", name, f)
				}
			}()
			b.call(name, s, s)
			b.s.KeLowerIrql(kernel.PassiveLevel)
		})
	}
}

// Routines are called for an object that is notified, as long as they are
// registered.
func TestCallbackObjects(t *testing.T) {
	imports(t, kernel.Done, func(b *bench) {
		var called []uint64
		routine := b.m.Function("callback", func(_ *kernel.Thread, a kernel.Args) uint64 {
			called = append(called, a[0], a[1], a[2])
			return 0
		})
		out, attributes := b.alloc(8, ""), b.alloc(48, "")
		b.m.Mem.Store(attributes+0x10, 8, b.unicode("TestCallback", 40))
		b.is(uint64(statusObjectNameNotFound), "ExCreateCallback", out, attributes, 0, 0)
		b.is(0, "ExCreateCallback", out, attributes, 1, 0)
		object := b.load(out, 8)
		b.is(0, "ExCreateCallback", out, attributes, 0, 0) // opens it
		if b.load(out, 8) != object {
			t.Error("another object of the same name")
		}
		r := b.call("ExRegisterCallback", object, routine, 7)
		b.is(0, "ExRegisterCallback", object, routine, 8) // must be alone
		b.call("ExNotifyCallback", object, 1, 2)
		b.call("ExUnregisterCallback", r)
		b.call("ExNotifyCallback", object, 3, 4)
		if !slices.Equal(called, []uint64{7, 1, 2}) {
			t.Errorf("called with %v", called)
		}
	})
}
