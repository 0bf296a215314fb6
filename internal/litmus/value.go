package litmus

import (
	"fmt"
	"strconv"
	"strings"
)

// Type is the type of a register, a variable, a list or a component. Values of every type but Seq are int64.
type Type uint8

// The types.
const (
	TypeNone   Type = iota
	TypeInt         // number
	TypeBool        // 1 T, 0 F
	TypeProc        // processor number, P0 ...
	TypeWord        // word of Test.Words, its index plus 1; 0 is none
	TypeHandle      // handle of an object as the runner's machine gives it; 0 is NULL
	TypeStatus      // NTSTATUS
	TypeSeq         // sequence of values, only as component of an outcome
)

var typeNames = [...]string{"nothing", "number", "truth value", "processor", "word", "handle", "status", "sequence"}

// String names the type for a message.
func (t Type) String() string { return nameOf(typeNames[:], int(t)) }

// Value is a value in an outcome, in canonical text: T, F, NULL, none, 12, P1, after, STATUS_TIMEOUT; a sequence is its
// values separated by blanks. Two values are the same if their texts are.
type Value string

// None is the value of a component that does not exist in a run.
const None Value = "none"

// String returns the value as it is written in a test.
func (v Value) String() string {
	if v == "" || strings.Contains(string(v), " ") {
		return `"` + string(v) + `"`
	}
	return string(v)
}

// statusNames are the names of the NTSTATUS values that tests compare.
var statusNames = []struct {
	code int64
	name string
}{
	{0, "STATUS_SUCCESS"},
	{0x102, "STATUS_TIMEOUT"},
	{0xC0000001, "STATUS_UNSUCCESSFUL"},
	{0xC000000D, "STATUS_INVALID_PARAMETER"},
	{0xC0000010, "STATUS_INVALID_DEVICE_REQUEST"},
	{0xC0000184, "STATUS_INVALID_DEVICE_STATE"},
	{0xC0000120, "STATUS_CANCELLED"},
}

// Value returns the canonical form of a value of a type. Handles other than NULL have none here: the runner knows
// which object a handle names, and uses the object's name.
func (t *Test) Value(typ Type, v int64) Value {
	switch typ {
	case TypeBool:
		if v != 0 {
			return "T"
		}
		return "F"
	case TypeProc:
		if v < 0 {
			return None
		}
		return Value("P" + strconv.FormatInt(v, 10))
	case TypeWord:
		if v >= 1 && v <= int64(len(t.Words)) {
			return Value(t.Words[v-1])
		}
		return None
	case TypeHandle:
		if v == 0 {
			return "NULL"
		}
		return Hex(uint64(v))
	case TypeStatus:
		for _, s := range statusNames {
			if s.code == v&0xFFFFFFFF {
				return Value(s.name)
			}
		}
		return Hex(uint64(v & 0xFFFFFFFF))
	}
	return Value(strconv.FormatInt(v, 10))
}

// Seq returns the value of a sequence.
func Seq(values ...Value) Value {
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = string(v)
	}
	return Value(strings.Join(text, " "))
}

// Hex returns the canonical form of a bug check parameter.
func Hex(v uint64) Value { return Value(fmt.Sprintf("0x%X", v)) }
