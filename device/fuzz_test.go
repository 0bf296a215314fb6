package device

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
)

// An operation of the fuzzer is a byte that selects what is done and 13 more.
const fuzzOperation = 14

// fuzzRun applies the operations to a function and returns all that it
// answered.
func fuzzRun(f *Function, h *fakeHost, data []byte) []uint64 {
	var answers []uint64
	for len(data) >= fuzzOperation && len(answers) < 1000 {
		op, size, bar := data[0], int(int8(data[1])), int(int8(data[2]))
		near := uint64(data[3])
		far := binary.LittleEndian.Uint64(data[4:])
		value := far ^ uint64(data[12]) ^ uint64(data[13])<<32
		data = data[fuzzOperation:]
		var a uint64
		switch op % 12 {
		case 0:
			a = uint64(f.ReadConfig(int(near), size))
		case 1:
			f.WriteConfig(int(near), size, uint32(value))
		case 2:
			a = uint64(f.ReadConfig(int(far), size))
			f.WriteConfig(int(far), size, uint32(value))
		case 3:
			a = f.ReadRegister(0, near, size)
		case 4:
			f.WriteRegister(0, near, 4, value)
		case 5:
			f.WriteRegister(0, near, 8, value)
		case 6:
			a = f.ReadRegister(bar, far, size)
			f.WriteRegister(bar, far, size, value)
		case 7:
			h.advance(f, far%1_000_000)
		case 8:
			f.Event(uint32(near))
		case 9:
			_, a, _ = f.Decode(far, size)
		case 10:
			allOn(f)
		case 11:
			if near == 0 {
				f.Remove()
			} else if near < 8 {
				f.Reset()
			}
		}
		answers = append(answers, a)
	}
	return answers
}

// FuzzFunction throws accesses at an edu device. Half-way its state moves to
// another one, which from then on has to behave the same.
func FuzzFunction(f *testing.F) {
	op := func(code, size, near byte, value uint64) []byte {
		b := []byte{code, size, 0, near}
		b = binary.LittleEndian.AppendUint64(b, value)
		return append(b, 0, 0)
	}
	f.Add(bytes.Join([][]byte{
		op(10, 0, 0, 0), op(4, 4, eduStatus, 0x80), op(4, 4, eduFactorial, 5), op(7, 0, 0, 5000), op(3, 4, eduFactorial, 0),
		op(5, 8, eduSource, ramBase), op(5, 8, eduDestination, eduBuffer), op(5, 8, eduCount, 64), op(5, 8, eduCommand, 5),
		op(7, 0, 0, 500000), op(1, 2, powerCapability+PowerControl, 3), op(3, 4, 0, 0), op(1, 2, powerCapability+PowerControl, 0),
		op(1, 2, msiCapability+MSIControl, 0xffff), op(4, 4, eduRaise, 1), op(11, 0, 0, 0), op(3, 4, 0, 0),
	}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if g, err := NewFunction(NewEdu(), newFakeHost()); err != nil {
			t.Fatal(err)
		} else if g.RestoreState(data) == nil && !bytes.Equal(g.AppendState(nil), data) {
			t.Fatal("a state was restored as another")
		}

		first, rest := data[:len(data)/2], data[len(data)/2:]
		h := newFakeHost()
		one := start(t, NewEdu(), h)
		fuzzRun(one, h, first)

		k := h.clone()
		two := start(t, NewEdu(), newFakeHost())
		two.host = k
		if err := two.RestoreState(one.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		sameState(t, one, two)
		equal(t, "line that the host saw", h.line, one.Line())
		if !reflect.DeepEqual(fuzzRun(one, h, rest), fuzzRun(two, k, rest)) {
			t.Fatal("answers differ")
		}
		sameState(t, one, two)
		if !reflect.DeepEqual(h, k) {
			t.Fatal("hosts differ")
		}
	})
}
