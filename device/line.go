package device

// SetLine implements [Bus].
func (f *Function) SetLine(asserted bool) {
	if f.removed {
		return
	}
	f.line = asserted
	f.updateLine()
}

// Line returns the level of the interrupt pin: what the host was last told, or
// after RestoreState what it has to assume.
func (f *Function) Line() bool { return f.pin }

// intxRequested tells whether the function requests service through INTx, as
// the Interrupt Status bit shows it: INTx disable does not matter there. While
// messages are enabled a function must not use its pin (PCI Local Bus
// Specification 3.0, section 6.8.3.3).
func (f *Function) intxRequested() bool {
	return f.line && f.info.InterruptPin != 0 && f.MessagesEnabled() == 0
}

// pinLevel computes the level of the interrupt pin. A function in D3hot
// requests nothing.
func (f *Function) pinLevel() bool {
	return !f.removed && f.intxRequested() && f.command()&CommandINTxDisable == 0 && f.powerState() == PowerD0
}

// updateLine tells the host about a change of the pin. It is called after every
// change of what pinLevel reads.
func (f *Function) updateLine() {
	if level := f.pinLevel(); level != f.pin {
		f.pin = level
		f.host.SetLine(f, level)
	}
}
