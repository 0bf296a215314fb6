package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs are files with much machine code that a host may have.
var programs = []string{"/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib64/libc.so.6", "/usr/local/go/bin/gofmt"}

// references returns what can be compared with here.
func references(t *testing.T) []reference {
	program, err := exec.LookPath("objdump")
	if err != nil {
		t.Log("SKIPPED: the comparison with objdump: ", err)
		return []reference{arch{}}
	}
	return []reference{arch{}, gnu{program, []string{"-d"}}}
}

// TestPrograms compares the decoder with others on programs of this host.
func TestPrograms(t *testing.T) {
	for _, ref := range references(t) {
		c := newComparison(ref)
		c.limit = 100_000
		for _, name := range programs {
			if _, err := os.Stat(name); err == nil && !(testing.Short() && c.files > 0) {
				if err := c.file(name); err != nil {
					t.Log(err)
				}
			}
		}
		if c.files == 0 {
			t.Skip("SKIPPED: none of these programs is here: ", strings.Join(programs, ", "))
		}
		c.check(t, 10_000)
	}
}

// check fails if anything was different, or too little was the same.
func (c *comparison) check(t *testing.T, least int) {
	t.Helper()
	for _, r := range c.reports {
		t.Errorf("%s: %s", c.ref.name(), r)
	}
	t.Logf("%s: %d files, %d instructions are equal, %d are not executed", c.ref.name(), c.files, c.equal, c.unsupported())
	if c.equal < least {
		t.Errorf("%s: only %d instructions", c.ref.name(), c.equal)
	}
}

// TestCompilers compiles operators.c in several ways: everything has to be
// executed. (With -O1, -O2, -Os and other processors there is nothing else.)
func TestCompilers(t *testing.T) {
	options := []string{"-O0", "-O3 -march=nehalem -mbmi -mbmi2 -mlzcnt -mpopcnt -mmovbe"}
	if testing.Short() {
		options = options[1:]
	}
	dir := t.TempDir()
	var objects []string
	for _, compiler := range []string{"gcc", "clang"} {
		for _, o := range options {
			object := filepath.Join(dir, compiler+o+".o")
			args := append(strings.Fields(o), "-c", "-w", "-m64", "-ffreestanding", "-mno-red-zone", "-o", object, "testdata/operators.c")
			if out, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
				t.Logf("SKIPPED: %s %s: %v %s", compiler, o, err, out)
				continue
			}
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 {
		t.Skip("SKIPPED: neither gcc nor clang compiles for x86-64 here")
	}
	for _, ref := range references(t) {
		c := newComparison(ref)
		for _, o := range objects {
			if err := c.file(o); err != nil {
				t.Fatal(err)
			}
		}
		c.check(t, 5_000*len(objects))
		for name, n := range c.missing {
			t.Errorf("%s occurs %d times and is not executed", name, n)
		}
	}
}

// TestMnemonics: names that disassemblers print, and the manual's.
func TestMnemonics(t *testing.T) {
	for text, want := range map[string]string{
		"rep stos QWORD PTR es:[rdi],rax": "STOS", "rex.W jmp QWORD PTR [rip+0x10]": "JMP", "lock xadd DWORD PTR [rcx],eax": "XADD",
		"cs nop WORD PTR [rax+rax*1+0x0]": "NOP", "jnbe 0x10": "Jcc", "setnle al": "SETcc", "cmovae eax,ecx": "CMOVcc", "jecxz 0x10": "JRCXZ",
		"cmpneqsd xmm0,xmm1": "CMPSD", "cmpsd_xmm xmm0, xmm1, 0x6": "CMPSD", "movsd xmm0,QWORD PTR [rax]": "MOVSD",
		"movsd DWORD PTR es:[rdi],DWORD PTR ds:[rsi]": "MOVS", "movq xmm0,rax": "MOVD", "movq xmm0,QWORD PTR [rax]": "MOVQ",
		"movq xmm0,xmm1": "MOVQ", "movabs rax,0x1122334455667788": "MOV", "(bad)": "(BAD)", "rex.WRXB": "", "data16": "",
	} {
		if got := mnemonic(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
