package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// TypeUserObject is the type of an object that only carries contexts of the driver.
const TypeUserObject Type = 0x100C

func init() { typeNames[TypeUserObject] = "WDFOBJECT" }

var (
	svcWdfObjectCreate          = kernel.NewService("WdfObjectCreate")
	svcWdfVerifierDbgBreakPoint = kernel.NewService("WdfVerifierDbgBreakPoint")
)

// WdfObjectCreate makes an object that only carries contexts of the driver. Without a
// parent it belongs to the driver. IRQL <= DISPATCH_LEVEL (fxuserobjectapi.cpp).
func (s *Sys) WdfObjectCreate(a *ObjectAttributes) (WDFOBJECT, NTSTATUS) {
	s.Enter(svcWdfObjectCreate)
	parent := s.parentOr(a, s.f.theDriver())
	s.Step()
	st := checkAttributes(a, true)
	if !st.Failed() {
		st = s.f.checkParent(parent)
	}
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	return s.create(TypeUserObject, parent, 0, a, "").handle(), s.LeaveStatus(StatusSuccess)
}

// WdfVerifierDbgBreakPoint is a break of the driver's own into the debugger, which
// there is none of: it is reported if the framework's verifier is on, else nothing
// happens. Any IRQL (wdfverifier.h).
func (s *Sys) WdfVerifierDbgBreakPoint() {
	s.Enter(svcWdfVerifierDbgBreakPoint)
	s.verifierBreak("WdfVerifierDbgBreakPoint", "VER-6", "the driver breaks into the debugger")
	s.LeaveVoid()
}
