package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// NTSTATUS is a status value; see the constants.
type NTSTATUS = kernel.NTSTATUS

// Status values. Those with WDF in their name are the framework's own.
const (
	StatusSuccess                        = kernel.StatusSuccess
	StatusTimeout                        = kernel.StatusTimeout
	StatusPending                        = kernel.StatusPending
	StatusUnsuccessful                   = kernel.StatusUnsuccessful
	StatusInfoLengthMismatch             = kernel.StatusInfoLengthMismatch
	StatusInvalidParameter               = kernel.StatusInvalidParameter
	StatusInvalidDeviceRequest           = kernel.StatusInvalidDeviceRequest
	StatusBufferTooSmall                 = kernel.StatusBufferTooSmall
	StatusInsufficientResources          = kernel.StatusInsufficientResources
	StatusDeviceNotReady                 = kernel.StatusDeviceNotReady
	StatusIOTimeout                      = kernel.StatusIOTimeout
	StatusNotSupported                   = kernel.StatusNotSupported
	StatusCancelled                      = kernel.StatusCancelled
	StatusCannotDelete                   = kernel.StatusCannotDelete
	StatusInvalidDeviceState             = kernel.StatusInvalidDeviceState
	StatusDeviceRemoved                  = kernel.StatusDeviceRemoved
	StatusNotFound                       = kernel.StatusNotFound
	StatusNoMoreEntries         NTSTATUS = 0x8000001A
	StatusObjectNameExists      NTSTATUS = 0x40000000
	StatusDeletePending         NTSTATUS = 0xC0000056

	StatusWdfObjectAttributesInvalid NTSTATUS = 0xC0200209

	StatusWdfIncompatibleExecutionLevel  NTSTATUS = 0xC020020C
	StatusWdfParentAssignmentNotAllowed  NTSTATUS = 0xC020020F
	StatusWdfSynchronizationScopeInvalid NTSTATUS = 0xC0200210
	StatusWdfExecutionLevelInvalid       NTSTATUS = 0xC0200211
	StatusWdfParentNotSpecified          NTSTATUS = 0xC0200212
	StatusDeviceConfigurationError       NTSTATUS = 0xC0000182
	StatusIODeviceError                  NTSTATUS = 0xC0000185
	StatusAbandoned                      NTSTATUS = 0x00000080

	StatusInvalidSecurityDescr         NTSTATUS = 0xC0000079
	StatusBufferOverflow               NTSTATUS = 0x80000005
	StatusPowerStateInvalid            NTSTATUS = 0xC00002D3
	StatusRetry                        NTSTATUS = 0xC000022D
	StatusInvalidDeviceObjectParameter NTSTATUS = 0xC0000369
	StatusMoreProcessingRequired       NTSTATUS = 0xC0000016
	StatusWdfTooFragmented             NTSTATUS = 0xC020020A
	StatusAccessViolation                       = kernel.StatusAccessViolation
)

// IRQL values (IRQL-2).
const (
	PassiveLevel  = kernel.PassiveLevel
	APCLevel      = kernel.APCLevel
	DispatchLevel = kernel.DispatchLevel
)

// Sys is the system as running driver code sees it: the routines of the
// framework (Wdf...) and, through the embedded Thread, those of the kernel
// (Ke..., Ex..., Mm...). Each callback gets the Sys of the thread that it runs
// on and must not keep it.
type Sys struct {
	*kernel.Thread
	f *Framework

	noResult string // see WithoutResult
}

// WithoutResult calls f, a routine that makes an object, for a driver that has
// passed NULL as the place for its handle, called what: bug check 0x10D/4 after
// the handles were checked.
func (s *Sys) WithoutResult(what string, f func()) {
	s.noResult = what
	defer func() { s.noResult = "" }()
	f()
}

// Framework is the framework on one machine. It is a kernel.Component.
type Framework struct {
	m *kernel.Machine
	tables
	thunks thunks

	configSpace ConfigSpace // nil: none
	pnpManager  PnpManager  // nil: none
	lower       func(LowerRequest) LowerAnswer

	onConnection func(s *Sys, h WDFINTERRUPT, connected bool) // nil: nobody asks
}

// NewFramework puts the framework on a machine.
func NewFramework(m *kernel.Machine) *Framework {
	f := &Framework{m: m}
	f.objects = make([]object, 1) // number 0: no object
	f.contexts = make([]context, 1)
	f.queues = make([]queue, 1)
	f.requests = make([]request, 1)
	f.childLists = make([]childList, 1)
	f.childRows = make([]child, 1)
	f.sendings = make([]sending, 1)
	f.files = make([]file, 1)
	f.registerThunks()
	m.Attach(f)
	m.SetNamer(contextNames{f})
	m.SetSubjects(f.subject)
	return f
}

// Machine returns the machine below.
func (f *Framework) Machine() *kernel.Machine { return f.m }

// Sys returns the framework's view of a thread.
func (f *Framework) Sys(t *kernel.Thread) *Sys {
	if s, ok := t.View.(*Sys); ok {
		return s
	}
	s := &Sys{Thread: t, f: f}
	t.View = s
	return s
}

// Framework returns the framework that the caller runs on.
func (s *Sys) Framework() *Framework { return s.f }

// verifierBreak reports what the framework's verifier would break on; the run
// goes on as the source does after the break (VER-6). With the verifier off it
// is a line in the trace.
func (s *Sys) verifierBreak(rule, clause, format string, args ...any) {
	s.breakWith(kernel.Finding{Rule: rule, Clause: clause, Text: fmt.Sprintf(format, args...)})
}

// breakWith is verifierBreak with a finding.
func (s *Sys) breakWith(f kernel.Finding) {
	if s.f.m.Profile().FrameworkVerifier {
		f.Break = true
		s.Report(f)
		return
	}
	s.note(trace.Note, f.Rule, "%s", f.Text)
}

// levelBreak does the IRQL check of a routine that checks itself when the
// verifier is on (VER-3). It reports whether the call is to return without
// doing anything.
func (s *Sys) levelBreak(routine, clause string, limit uint8) bool {
	irql := s.IRQL()
	if irql <= limit {
		return false
	}
	if !s.f.m.Profile().FrameworkVerifier {
		s.levelReport(routine, clause, limit)
		return false
	}
	s.verifierBreak(s.KmdfIrqlRule(), clause, "%s is called at %s, allowed is <= %s: it returns without doing anything",
		routine, trace.LevelName(irql), trace.LevelName(limit))
	return true
}

// levelReport reports a call above a level where the framework does not look.
func (s *Sys) levelReport(routine, clause string, limit uint8) {
	if irql := s.IRQL(); irql > limit {
		s.Report(kernel.Finding{Rule: s.KmdfIrqlRule(), Clause: clause, Text: fmt.Sprintf(
			"%s is called at %s, allowed is <= %s", routine, trace.LevelName(irql), trace.LevelName(limit))})
	}
}

// advise reports what a rule advises against although nothing need go wrong, if the
// profile asks for that.
func (s *Sys) advise(rule, clause, format string, args ...any) {
	if s.f.m.Profile().AdviceRules {
		s.Report(kernel.Finding{Rule: rule, Clause: clause, Text: fmt.Sprintf(format, args...)})
	}
}

// adviseParent advises against an object whose parent is the driver: it lives until
// the driver is unloaded.
func (s *Sys) adviseParent(rule string, a *ObjectAttributes) {
	if a == nil || a.ParentObject == 0 {
		s.advise(rule, "OBJ-1", "%s without a ParentObject: the object belongs to the driver and lives until that is unloaded", s.Service())
	}
}

// note puts a line of the framework into the trace.
func (s *Sys) note(k trace.Kind, name, format string, args ...any) {
	if s.f.m.Trace.On() {
		s.f.m.Record(s.Processor(), trace.Event{Kind: k, Name: name, Text: fmt.Sprintf(format, args...)})
	}
}

// call calls a callback of the driver in the current activation.
func (s *Sys) call(role string, c Callback, args ...uint64) uint64 {
	var a kernel.Args
	copy(a[:], args)
	return s.invoke(role, c, a)
}

// invoke is call with the arguments as they are. What the callback has to leave as
// it found it is checked when it returns.
func (s *Sys) invoke(role string, c Callback, a kernel.Args) uint64 {
	irql, regions := s.IRQL(), s.CriticalRegions()
	r := s.Invoke(role, uint64(c), a)
	s.checkLocksReleased(role, c)
	s.checkCallbackExit(role, c, irql, regions)
	return r
}

// callStatus is call for a PnP or power callback; no callback means success.
// Anything can happen before the framework makes the call.
func (s *Sys) callStatus(role string, c Callback, args ...uint64) NTSTATUS {
	if c == 0 {
		return StatusSuccess
	}
	s.Step()
	return NTSTATUS(s.call(role, c, args...))
}
