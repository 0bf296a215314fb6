package hostcpu

import "testing"

func TestHost(t *testing.T) {
	h, err := New()
	if err != nil {
		t.Skip(err)
	}
	defer h.Close()
	h.Put(0, []byte{0x48, 0x01, 0xD8}) // add rax, rbx
	var in, out State
	in.R[0], in.R[3], in.MXCSR, in.Flags = 1<<63, 1<<63, 0x1F80, 0x202
	in.X[7] = [2]uint64{1, 2}
	h.Run(0, &in, &out)
	if out.R[0] != 0 || out.Flags&0xFFF != 0xA47 || out.X[7] != in.X[7] || out.MXCSR != in.MXCSR || out.Path != 0 {
		t.Errorf("%+v", out)
	}
	h.Put(1, []byte{0xEB, Taken - 2}) // jmp
	if h.Run(1, &in, &out); out.Path != 1 || out.R != in.R {
		t.Errorf("%+v", out)
	}
}

// TestExceptions: each is noted with the registers of that moment, and Go's own
// faults still arrive at Go.
func TestExceptions(t *testing.T) {
	h, err := New()
	if err != nil {
		t.Skip(err)
	}
	defer h.Close()
	in := State{MXCSR: 0x1F80, Flags: 0x202}
	in.R[0], in.R[1], in.R[3] = 7, 0, Hole+8
	for i, c := range []struct {
		code string
		want Exception
	}{
		{"\x0F\x0B", Exception{Vector: 6}},                                   // ud2
		{"\xF7\xF1", Exception{Vector: 0}},                                   // div ecx
		{"\x89\x03", Exception{Vector: 14, Code: 6, Addr: Hole + 8}},         // mov [rbx], eax
		{"\x48\x8B\x43\xF4", Exception{Vector: 14, Code: 4, Addr: Hole}},     // mov rax, [rbx-12]
		{"\xC6\x43\xF0\x01", Exception{Vector: 14, Code: 7, Addr: Hole - 8}}, // mov byte [rbx-16], 1
		{"\x0F\x28\x43\x01", Exception{Vector: 13}},                          // movaps xmm0, [rbx+1]
		{"\xF4", Exception{Vector: 13}},                                      // hlt
	} {
		var out State
		h.Put(i, []byte(c.code))
		h.Run(i, &in, &out)
		c.want.RIP = uint64(Slots + i*SlotSize)
		if out.Exception.Vector != 14 {
			out.Exception.Addr = 0 // that of the last page fault
		}
		if out.Path != 2 || out.Exception != c.want || out.R != in.R {
			t.Errorf("% X: %+v, want %+v", c.code, out, c.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a fault of Go's is lost")
		}
	}()
	var p *int
	*p = 1
}
