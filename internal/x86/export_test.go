package x86

// PassedAt is what a stopped access looks like when it passes.
func PassedAt(a *Access, pc uint64, before uint32) Passed {
	p := Passed{Addr: a.Addr, PC: pc, Before: before, what: whatOf(a.Size, a.Kind, a.Half)}
	if a.Kind == Write {
		p.Value = a.Value.Lo
	}
	return p
}
