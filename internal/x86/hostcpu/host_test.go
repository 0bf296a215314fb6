package hostcpu

import "testing"

func TestHost(t *testing.T) {
	h, err := New()
	if err != nil {
		t.Skip(err)
	}
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
