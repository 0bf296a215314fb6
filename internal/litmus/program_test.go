package litmus

import (
	"fmt"
	"strings"
	"testing"
)

// TestCompile keeps the code of tests that between them use most statements.
func TestCompile(t *testing.T) {
	for _, id := range []string{"L-08", "L-10/edge-loop", "L-15/state", "L-03"} {
		lt := mustTest(t, id)
		var w strings.Builder
		for i := range lt.Programs {
			w.WriteString(lt.Print(&lt.Programs[i]))
		}
		golden(t, "compile-"+strings.ReplaceAll(id, "/", "-")+".golden", w.String())
	}
}

func TestProgramsAreSound(t *testing.T) {
	for _, lt := range mustCatalogue(t) {
		if err := sound(lt); err != nil {
			t.Errorf("%s: %v", lt.ID, err)
		}
	}
}

// sound checks what a runner relies on: every index is in range, and code does not run off its end.
func sound(lt *Test) error {
	for i := range lt.Programs {
		p := &lt.Programs[i]
		if n := len(p.Code); n == 0 || p.Code[n-1].Op != OpReturn && p.Code[n-1].Op != OpJump {
			return fmt.Errorf("%s runs off its end", p.Name)
		}
		for j := range p.Code {
			in := &p.Code[j]
			bad := in.Target < 0 || in.Target >= len(p.Code) || in.Dst >= len(p.Registers) || in.List < 0 || in.List > len(lt.Lists)
			if bad || in.Expr.reads()>>len(p.Registers) != 0 || in.Live>>len(p.Registers) != 0 {
				return fmt.Errorf("%s: instruction %d is broken", p.Name, j)
			}
			if j == 0 && in.Live != 0 {
				return fmt.Errorf("%s reads a register before it writes it", p.Name)
			}
		}
		lt.Print(p)
	}
	return nil
}

// machine is an Env with fixed contents.
type machine struct{}

func (machine) Register(r int) int64               { return int64(r) + 10 }
func (machine) Handle(o ObjectID) int64            { return int64(o) + 1 }
func (machine) Peek(o ObjectID) int64              { return 7 }
func (machine) Observe(o ObjectID, p string) int64 { return int64(len(p)) }
func (machine) ObserveProcessor(int, string) int64 { return 2 }
func (machine) Count(list int) int64               { return 3 }

func TestConditions(t *testing.T) {
	const head = "test L-99 x\nclauses X-1\nsetup\n    processors P0\n    kdpc D\n    var v = 0\ndpc D\n    x = 1\n    out r = x\n    until "
	const tail = "\noutcome\n    v = final(v)\nallowed\n    v = 0\n"
	tests := []struct {
		text string
		want int64
	}{
		{"v == 7", 1},
		{"v", 7},
		{"v + 2 * 3 == 13", 1},
		{"(v + 2) * 3 == 27", 1},
		{"v - 1 - 1 == 5", 1},
		{"not v == 7", 0},
		{"not v == 6 and not v == 5", 1},
		{"v == 6 or v == 7 and v > 8", 0},
		{"v < 8 and v <= 7 and v >= 7 and v > 6 and v != 6", 1},
		{"x == 10", 1},
		{"count(r) == 3", 1},
		{"D.runs == 4", 1},
		{"P0.irql == DISPATCH", 1},
		{"v == -7", 0},
	}
	for _, tt := range tests {
		list, err := Parse("x", []byte(head+tt.text+tail))
		if err != nil {
			t.Fatalf("%s: %v", tt.text, err)
		}
		code := list[0].Program("dpc D").Code
		until := code[len(code)-2]
		if got := until.Expr.Eval(machine{}); until.Op != OpUntil || got != tt.want {
			t.Errorf("%s = %d, want %d", tt.text, got, tt.want)
		}
	}
}
