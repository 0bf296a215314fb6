package bind

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/wdf"
)

// FuzzCode runs bytes as driver code, with calls of random routines: whatever
// it is, the run ends, and without a panic.
func FuzzCode(f *testing.F) {
	for _, code := range []string{codeRead, codeWrite, codeJump, codeDivide, codeUD2, codeFastFail, codeRecurse, codeInt80,
		"\xEB\xFE", "\x48\xB8\x00\x00\x00\x00\x0E\xF8\xFF\xFF\xFF\xD0\xC3", "\x44\x0F\x22\xC1\xC3", "\xFA\xFB\xC3"} {
		f.Add([]byte(code), uint64(3), uint8(0))
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, code []byte, arg uint64, irql uint8) {
		if len(code) > mem.PageSize/2 {
			return
		}
		names := ImplementedNames()
		var stub []byte // calls one routine first: mov rax, routine; call rax
		stub = append(stub, 0x48, 0xB8)
		stub = binary.LittleEndian.AppendUint64(stub, r.routines[names[arg%uint64(len(names))]])
		stub = append(stub, 0xFF, 0xD0)
		if arg&1 != 0 {
			code = append(stub, code...)
		}
		_, why := r.executed(t, string(code), irql%16, func(th *kernel.Thread) uint64 { return arg })
		if why == kernel.Stopped && len(r.m.Findings()) == 0 {
			t.Fatal("stopped without a finding")
		}
	})
}

// FuzzDriver loads whole driver files and calls their entry points.
func FuzzDriver(f *testing.F) {
	names, err := filepath.Glob("../../drivers/hostile/testdata/*.sys")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := pe.Parse("fuzz.sys", data)
		if err != nil || file.Size > 1<<22 {
			return
		}
		m, err := kernel.New(kernel.Config{Processors: 1, Profile: kernel.DefaultProfile, MaxSteps: 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		d, err := Load(wdf.NewFramework(m), file, "", nil)
		if err != nil {
			return
		}
		routine := m.InternalFunction("entry", func(th *kernel.Thread, _ kernel.Args) uint64 { return uint64(d.Entry(d.f.Sys(th))) })
		m.NewThread(kernel.ThreadParams{Name: "entry", Role: "thread", Routine: routine, Foreground: true})
		if why := m.Run(); why == kernel.Stopped && len(m.Findings()) == 0 {
			t.Fatal("stopped without a finding")
		}
	})
}
