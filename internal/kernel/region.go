package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

var (
	svcKeEnterCriticalRegion = NewLenientService("KeEnterCriticalRegion")
	svcKeLeaveCriticalRegion = NewLenientService("KeLeaveCriticalRegion")
	svcKeEnterGuardedRegion  = NewService("KeEnterGuardedRegion")
	svcKeLeaveGuardedRegion  = NewService("KeLeaveGuardedRegion")
	svcKeAreApcsDisabled     = NewService("KeAreApcsDisabled")
	svcKeAreAllApcsDisabled  = NewService("KeAreAllApcsDisabled")
)

// KeEnterCriticalRegion disables normal kernel APCs. IRQL <= APC_LEVEL; above it
// 0xC4/0x11A under Driver Verifier.
func (t *Thread) KeEnterCriticalRegion() {
	t.Enter(svcKeEnterCriticalRegion)
	t.checkRegionLevel(0x11A, svcKeEnterCriticalRegion)
	t.enterCriticalRegion()
	t.LeaveVoid()
}

func (t *Thread) enterCriticalRegion() {
	t.criticalRegions++
	t.driverRegions++
}

// KeLeaveCriticalRegion undoes one KeEnterCriticalRegion; without one it is
// 0xC4/0x3E, above APC_LEVEL 0xC4/0x11B under Driver Verifier.
func (t *Thread) KeLeaveCriticalRegion() {
	t.Enter(svcKeLeaveCriticalRegion)
	t.checkRegionLevel(0x11B, svcKeLeaveCriticalRegion)
	t.leaveCriticalRegion()
	t.LeaveVoid()
}

func (t *Thread) leaveCriticalRegion() {
	if t.criticalRegions == 0 {
		t.violation(Finding{Code: 0xC4, Rule: "CriticalRegions", Clause: "CriticalRegions", Params: [4]uint64{0x3E},
			Text: "KeLeaveCriticalRegion without KeEnterCriticalRegion"})
	}
	t.criticalRegions--
	t.driverRegions--
}

func (t *Thread) checkRegionLevel(code uint64, s *Service) {
	if irql := t.IRQL(); irql > APCLevel {
		t.violation(Finding{Code: 0xC4, Rule: "IRQL", Clause: "IRQL-12", Params: [4]uint64{code, uint64(irql)},
			Text: fmt.Sprintf("%s at %s", s.Name, trace.LevelName(irql))})
	}
}

// KeEnterGuardedRegion disables all kernel APCs. IRQL <= APC_LEVEL.
func (t *Thread) KeEnterGuardedRegion() {
	t.Enter(svcKeEnterGuardedRegion)
	t.guardedRegions++
	t.LeaveVoid()
}

// KeLeaveGuardedRegion undoes one KeEnterGuardedRegion; without one it breaks the
// rule GuardedRegions.
func (t *Thread) KeLeaveGuardedRegion() {
	t.Enter(svcKeLeaveGuardedRegion)
	if t.guardedRegions == 0 {
		t.violation(Finding{Code: 0xC4, Rule: "GuardedRegions", Clause: "GuardedRegions", Params: [4]uint64{0x0004000E},
			Text: "KeLeaveGuardedRegion without KeEnterGuardedRegion"})
	}
	t.guardedRegions--
	t.LeaveVoid()
}

// KeAreApcsDisabled says whether normal kernel APCs are disabled, by a region or
// by the IRQL. IRQL <= DISPATCH_LEVEL.
func (t *Thread) KeAreApcsDisabled() bool {
	t.Enter(svcKeAreApcsDisabled)
	return t.LeaveBool(t.criticalRegions != 0 || t.guardedRegions != 0 || t.IRQL() >= APCLevel)
}

// KeAreAllApcsDisabled says whether special kernel APCs are disabled too. IRQL <=
// DISPATCH_LEVEL.
func (t *Thread) KeAreAllApcsDisabled() bool {
	t.Enter(svcKeAreAllApcsDisabled)
	return t.LeaveBool(t.guardedRegions != 0 || t.IRQL() >= APCLevel)
}

// EnterRegion and LeaveRegion are KeEnterCriticalRegion and
// KeLeaveCriticalRegion for the framework's own use.
func (t *Thread) EnterRegion() { t.criticalRegions++ }

// LeaveRegion: see EnterRegion.
func (t *Thread) LeaveRegion() { t.criticalRegions-- }

// checkCallbackEnd stops a routine of a driver that returns with a spin lock held
// or inside a region that it entered (rules SpinLock, QueuedSpinLock, CancelSpinLock,
// CriticalRegions, GuardedRegions), and reports a resource that it owns
// (ExclusiveResourceAccess).
func (t *Thread) checkCallbackEnd() {
	n := len(t.stack)
	e := &t.stack[n-1]
	routine := e.code
	for i := range t.m.held {
		if h := &t.m.held[i]; h.kind != frameworkLock && h.thread == t.id && h.depth > n {
			what := "holds " + t.m.lockName(h.addr)
			switch h.kind {
			case cancelLock: // no code is documented
				h.depth = 0 // reported
				t.Report(Finding{Rule: "CancelSpinLock", Clause: "IRQL-15", Text: t.m.NameOf(routine) + " returns and " + what})
			case queuedLock:
				t.leftover(0x00040006, "QueuedSpinLock", "IRQL-15", routine, what)
			default:
				t.leftover(0x00040009, "SpinLock", "IRQL-15", routine, what)
			}
		}
	}
	t.checkResourcesLeft(n, t.m.NameOf(routine)+" returns")
	if t.driverRegions != e.regions && !t.plainRegionCheck() {
		t.leftover(0x00040003, "CriticalRegions", "CriticalRegions", routine, "is inside another number of critical regions than before")
	}
	if t.guardedRegions != e.guarded {
		t.leftover(0x0004000E, "GuardedRegions", "GuardedRegions", routine, "is inside another number of guarded regions than before")
	}
}

// plainRegionCheck reports whether the kernel itself checks the regions of the
// routine that returns, with a code of its own that replaces the rule.
func (t *Thread) plainRegionCheck() bool {
	n := len(t.stack)
	return !t.m.cfg.Profile.DriverVerifier && n >= 2 && t.stack[n-2].kind <= WorkItemActivation
}

func (t *Thread) leftover(code uint64, rule, clause string, routine uint64, what string) {
	t.violation(Finding{Code: 0xC4, Rule: rule, Clause: clause, Params: [4]uint64{code, routine},
		Text: fmt.Sprintf("%s returns and %s", t.m.NameOf(routine), what)})
}
