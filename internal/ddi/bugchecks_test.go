package ddi

import "testing"

// A case is found by its first parameter, 0xC8 by the lowest byte of it, and
// what no row has is not explained.
func TestBugCheckOf(t *testing.T) {
	for _, c := range []struct {
		code    uint32
		p1      uint64
		name    string
		meaning string // of parameter 1
		known   bool
	}{
		{0xD1, 0xFFFFF80000001000, "DRIVER_IRQL_NOT_LESS_OR_EQUAL", "memory referenced", true},
		{0xC4, 0x121, "DRIVER_VERIFIER_DETECTED_VIOLATION", "a wait at DISPATCH_LEVEL with a timeout of NULL", true},
		{0xC4, 0xABCD, "DRIVER_VERIFIER_DETECTED_VIOLATION", "", false},
		{0xC8, 0x20503, "IRQL_UNEXPECTED_VALUE", "current IRQL << 16, expected IRQL << 8, and 3: a service routine returned", true},
		{0x7F, 8, "UNEXPECTED_KERNEL_MODE_TRAP", "double fault: the kernel stack is used up", true},
		{0x7F, 6, "UNEXPECTED_KERNEL_MODE_TRAP", "trap", true},
		{0xDEAD, 0, "", "", false},
	} {
		b, ok := BugCheckOf(c.code, c.p1)
		if ok != c.known || b.Args[0].Meaning != c.meaning || BugCheckName(c.code) != c.name {
			t.Errorf("0x%X, 0x%X: %v %q, name %q", c.code, c.p1, ok, b.Args[0].Meaning, BugCheckName(c.code))
		}
	}
	d1, _ := BugCheckOf(0xD1, 0)
	if a := &d1.Args[2]; a.Value(1) != "write" || a.Value(7) != "" {
		t.Errorf("values of the access: %v", a.values)
	}
	x50, _ := BugCheckOf(0x50, 0)
	if got := x50.Args[3].Value(2); got != "nothing is mapped there" {
		t.Errorf("a value of several words: %q", got)
	}
}

// Every row can be found again, and no two are for the same case.
func TestBugCheckRows(t *testing.T) {
	for code, cases := range bugChecks() {
		seen := map[bugCheckKey]bool{}
		for _, c := range cases {
			key := bugCheckKey{c.P1, c.Any}
			if seen[key] {
				t.Errorf("0x%X, 0x%X: two rows", code, c.P1)
			}
			seen[key] = true
			if c.Name != cases[0].Name {
				t.Errorf("0x%X has the names %s and %s", code, c.Name, cases[0].Name)
			}
			if len(cases) > 1 && c.Args[0].Meaning == "" {
				t.Errorf("0x%X, 0x%X: what distinguishes the case is not said", code, c.P1)
			}
		}
	}
}

type bugCheckKey struct {
	p1  uint64
	any bool
}

func TestLevelRule(t *testing.T) {
	for name, want := range map[string]string{
		"KeSetEvent": "", "KeFlushQueuedDpcs": "", "KeEnterCriticalRegion": "IrqlKeApcLte2", "KeSetTimerEx": "IrqlKeDispatchLte",
		"IoConnectInterrupt": "IrqlIoPassive2", "ZwClose": "IrqlZwPassive", "WdfSpinLockCreate": "", "nonsense": "",
	} {
		got, code := LevelRule(name)
		if got != want || (code != 0) != (want != "") {
			t.Errorf("%s: %q (0x%X), want %q", name, got, code, want)
		}
		if b, ok := BugCheckOf(0xC4, code); want != "" && (!ok || b.Rule != want) {
			t.Errorf("%s: 0xC4/0x%X is explained as %q", name, code, b.Rule)
		}
	}
}
