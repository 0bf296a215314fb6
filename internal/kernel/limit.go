package kernel

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/trace"
)

// irqlLimit is the documented IRQL range of a service (IRQL-12).
type irqlLimit struct {
	ddi.Limit
	known     bool
	framework bool
	rule      string // that lists the routine, or ""
	code      uint64 // of the rule
}

// NewLenientService is NewService for a routine that checks its level itself,
// with codes of its own.
func NewLenientService(name string) *Service {
	s := NewService(name)
	s.limit.known = false
	return s
}

// NewLevels returns the documented IRQL range of a routine that is none of this
// package, for CheckLevel. Where the page points at its remarks (as a rule: any
// level, if the memory is not pageable) there is nothing to check.
func NewLevels(name string) *Service {
	s := &Service{Name: name, limit: limitOf(name)}
	if s.limit.Conditional || strings.Contains(s.limit.Text, "emarks") {
		s.limit.known = false
	}
	return s
}

// CheckLevel checks the IRQL of a call, as Enter does.
func (t *Thread) CheckLevel(s *Service) { t.checkLevel(s) }

func limitOf(name string) irqlLimit {
	l, ok := ddi.Limits(name)
	rule, code := ddi.LevelRule(name)
	return irqlLimit{Limit: l, known: ok, framework: strings.HasPrefix(name, "Wdf"), rule: rule, code: code}
}

// checkLevel checks the IRQL of a call. A kernel routine at a wrong level is
// 0xC4/0xE5, or 0xC4 with the code of the DDI compliance rule that lists it, under
// Driver Verifier. A framework routine breaks the rule KmdfIrql, which the
// verifiers report and the framework survives.
func (t *Thread) checkLevel(s *Service) {
	if irql := t.IRQL(); s.limit.known && !s.limit.Allows(irql, 0) {
		t.wrongLevel(s)
	}
}

// wrongLevel reports a call at a wrong level.
func (t *Thread) wrongLevel(s *Service) {
	irql := t.IRQL()
	text := fmt.Sprintf("%s is called at %s; allowed is %s", s.Name, trace.LevelName(irql), s.limit.Limit.String())
	if s.limit.framework {
		t.Report(Finding{Rule: t.KmdfIrqlRule(), Clause: "IRQL-12", Text: text})
		return
	}
	f := Finding{Code: 0xC4, Rule: "IRQL", Clause: "IRQL-12", Params: [4]uint64{0xE5, uint64(irql)}, Text: text}
	if s.limit.rule != "" {
		f.Rule, f.Params[0] = s.limit.rule, s.limit.code
	}
	t.violation(f)
}

// checkMaximum is checkLevel where the documented maximum depends on an argument.
func (t *Thread) checkMaximum(s *Service, highest uint8) {
	if t.IRQL() > highest {
		t.wrongLevel(s)
	}
}

// levelByExecution are the callbacks of the framework whose IRQL depends on the
// execution level of their object.
var levelByExecution = map[string]bool{
	"EvtIoDefault": true, "EvtIoRead": true, "EvtIoWrite": true, "EvtIoDeviceControl": true, "EvtIoInternalDeviceControl": true,
	"EvtIoStop": true, "EvtIoResume": true, "EvtIoCanceledOnQueue": true, "EvtIoQueueState": true, "EvtRequestCancel": true,
	"EvtTimerFunc": true,
}

// KmdfIrqlRule returns the name of the rule that a framework routine breaks that is
// called above its level: KmdfIrql2 in a callback whose own level depends on the
// execution level, else KmdfIrql.
func (t *Thread) KmdfIrqlRule() string {
	for i := len(t.stack) - 1; i >= 0; i-- {
		if f := &t.stack[i]; f.kind == routineFrame {
			if levelByExecution[f.role] {
				return "KmdfIrql2"
			}
			break
		}
	}
	return "KmdfIrql"
}

// ServiceNames returns the names of all routines that drivers can call.
func ServiceNames() []string {
	var names []string
	for _, s := range services {
		if !strings.ContainsAny(s.Name, " ") && s.Name != svcAccept.Name {
			names = append(names, s.Name)
		}
	}
	return names
}
