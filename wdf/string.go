package wdf

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/dirql/dirql/internal/kernel"
)

// UnicodeString is a UNICODE_STRING in simulated memory: lengths in bytes.
type UnicodeString struct {
	Length, MaximumLength uint16
	Buffer                uint64
}

// check is what the framework checks of each string that it gets.
func (u *UnicodeString) check() NTSTATUS {
	if u.Length&1 != 0 || u.MaximumLength&1 != 0 || u.Length > u.MaximumLength || u.Buffer == 0 && u.Length+u.MaximumLength != 0 {
		return StatusInvalidParameter
	}
	return StatusSuccess
}

// unicodeText returns the characters of a string.
func (s *Sys) unicodeText(u *UnicodeString) string {
	p := make([]byte, u.Length)
	s.ReadBytes(u.Buffer, p)
	text := make([]uint16, len(p)/2)
	for i := range text {
		text[i] = binary.LittleEndian.Uint16(p[2*i:])
	}
	return string(utf16.Decode(text))
}

// stringObject is a WDFSTRING.
type stringObject struct {
	buffer uint64 // 0: empty
	length uint16 // bytes, without the zero at the end
}

var (
	svcWdfStringCreate           = kernel.NewLenientService("WdfStringCreate")
	svcWdfStringGetUnicodeString = kernel.NewLenientService("WdfStringGetUnicodeString")
)

// WdfStringCreate makes a string object with a copy of a string; nil makes an empty
// one. Without a parent it belongs to the driver. PASSIVE_LEVEL
// (fxstringapi.cpp).
func (s *Sys) WdfStringCreate(u *UnicodeString, a *ObjectAttributes) (WDFSTRING, NTSTATUS) {
	s.Enter(svcWdfStringCreate)
	parent := s.parentOr(a, s.f.theDriver())
	if s.levelBreak("WdfStringCreate", "IRQL-12", PassiveLevel) {
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	st := checkAttributes(a, false)
	if !st.Failed() && u != nil {
		st = u.check()
	}
	if !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	var o stringObject
	if u != nil && u.Length > 0 {
		o.length = u.Length
		o.buffer = s.f.m.Mem.Alloc(uint64(u.Length)+2, kernel.PoolTag("FxSt"), true, s.ActivationID())
		s.copyBytes(o.buffer, u.Buffer, uint64(u.Length))
	}
	s.f.strings = append(s.f.strings, o)
	return s.create(TypeString, parent, len(s.f.strings)-1, a, "").handle(), s.LeaveStatus(StatusSuccess)
}

// WdfStringGetUnicodeString returns where the characters of a string object lie;
// they go with the object. PASSIVE_LEVEL: verifier break above, and the string is
// not touched (fxstringapi.cpp).
func (s *Sys) WdfStringGetUnicodeString(h WDFSTRING) (u UnicodeString) {
	s.Enter(svcWdfStringGetUnicodeString, uint64(h))
	n := s.row(h, TypeString)
	if !s.levelBreak("WdfStringGetUnicodeString", "IRQL-12", PassiveLevel) {
		o := s.f.strings[n]
		u = UnicodeString{Length: o.length, MaximumLength: o.length, Buffer: o.buffer}
		if o.buffer != 0 {
			u.MaximumLength += 2
		}
	}
	s.LeaveVoid()
	return u
}
