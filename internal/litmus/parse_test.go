package litmus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestErrors checks the messages for mistakes. testdata/errors.txt has for each a line "=== what is wrong", the
// source, and "--- " with the message. Where the source does not start with "test", it is the part after a correct
// beginning.
func TestErrors(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "errors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var w strings.Builder
	for _, part := range strings.Split(string(src), "=== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		source, _, _ := strings.Cut(rest, "--- ")
		_, err := Parse("x.litmus", []byte(complete(source)))
		text := "no error"
		if err != nil {
			text = err.Error()
		}
		if _, ok := err.(*Error); !ok {
			t.Errorf("%s: %s", name, text)
		}
		w.WriteString("=== " + name + "\n" + source + "--- " + text + "\n\n")
	}
	golden(t, "errors.txt", strings.TrimSuffix(w.String(), "\n"))
}

// complete puts a correct beginning before a source that needs one.
func complete(source string) string {
	if strings.HasPrefix(source, "setup") {
		return "test L-99 A test\nclauses DPC-1\n" + source
	}
	if !strings.HasPrefix(source, "thread") && !strings.HasPrefix(source, "steps") && !strings.HasPrefix(source, "outcome") && !strings.HasPrefix(source, "allowed") {
		return source
	}
	const head = "test L-99 A test\nclauses DPC-1\n" +
		"setup\n    processors P0 P1\n    interrupt I: message, DIRQL 5, affinity {P0}\n    kdpc D\n    wdfdpc W\n    spinlock S\n    request R\n" +
		"    var v = 0\n    register REG = 1\n    ring RING: raises I\n" +
		"isr I\n    return T\ndpc D\ndpc W\n"
	if strings.HasPrefix(source, "allowed") {
		return head + "outcome\n    runs = D.runs\n    q = D.queued\n    p = D.proc\n    rel = rel(D)\n" + source
	}
	return head + source
}

// TestLargest parses files that are as large as the limits permit.
func TestLargest(t *testing.T) {
	base := "test L-1 x\nclauses A-1\nsetup\n    processors P0\n    var v = 0\n"
	body := "thread at P0\n" + strings.Repeat("    v = v + v * v - v\n", 300)
	end := "outcome\n    v = final(v)\nallowed\n" + "    v in {" + strings.TrimSuffix(strings.Repeat("1,", 1), ",") + "}\n"
	many := strings.Builder{}
	many.WriteString(base + body + end)
	for i := range maxTests - 1 {
		many.WriteString("variant L-1/" + strings.Repeat("v", i+1) + " of L-1: y\n")
	}
	start := time.Now()
	if _, err := Parse("x", []byte(many.String())); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("parsing took %v", took)
	}
}

func FuzzParse(f *testing.F) {
	for _, dir := range []string{"catalogue", "testdata"} {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || info.IsDir() {
				continue
			}
			src, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			addSeeds(f, string(src))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		tests, err := Parse("fuzz", src)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Line < 1 || e.What == "" {
				t.Fatalf("error without place or text: %v", err)
			}
			return
		}
		for _, lt := range tests {
			if err := sound(lt); err != nil {
				t.Fatal(err)
			}
			var w strings.Builder
			summarize(&w, lt)
		}
	})
}

// addSeeds adds a file, and each of its tests and cases alone.
func addSeeds(f *testing.F, src string) {
	f.Add([]byte(src))
	for _, part := range strings.Split(src, "\ntest ")[1:] {
		f.Add([]byte("test " + part))
	}
	for _, part := range strings.Split(src, "=== ")[1:] {
		_, rest, _ := strings.Cut(part, "\n")
		source, _, _ := strings.Cut(rest, "--- ")
		f.Add([]byte(complete(source)))
	}
}
