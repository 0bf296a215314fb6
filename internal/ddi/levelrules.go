package ddi

// levelRules are the Driver Verifier and Static Driver Verifier rules about the
// level of kernel routines: by prefix of the routine and its highest level
// (docs/spec/bugchecks.md, section 9). Five rules share the Io routines of
// PASSIVE_LEVEL, so none is named for those.
var levelRules = []struct {
	prefix string
	max    uint8
	rule   string
}{
	{"Ke", levelDispatch, "IrqlKeDispatchLte"}, {"Ke", levelAPC, "IrqlKeApcLte1"},
	{"Ex", levelAPC, "IrqlExApcLte1"}, {"Ex", levelPassive, "IrqlExPassive"},
	{"Io", levelDispatch, "IrqlIoDispatch"}, {"Io", levelAPC, "IrqlIoApcLte"},
	{"Mm", levelDispatch, "IrqlMmDispatch"}, {"Mm", levelAPC, "IrqlMmApcLte"},
	{"Rtl", levelPassive, "IrqlRtlPassive"}, {"Zw", levelPassive, "IrqlZwPassive"},
	{"Ps", levelPassive, "IrqlPsPassive"}, {"Ob", levelPassive, "IrqlObPassive"},
}

// LevelRule returns the name of the rule about the highest level of a kernel
// routine, "" if none fits.
func LevelRule(routine string) string {
	l, ok := Limits(routine)
	if !ok || !l.MaxKnown {
		return ""
	}
	for _, r := range levelRules {
		if n := len(r.prefix); r.max == l.Max && len(routine) > n && routine[:n] == r.prefix && routine[n] >= 'A' && routine[n] <= 'Z' {
			return r.rule
		}
	}
	return ""
}
