package device

import (
	"bytes"
	"testing"
)

func TestStateRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(f *Function)
	}{
		{"reset", func(f *Function) {}},
		{"on", allOn},
		{"line", func(f *Function) { f.SetLine(true) }},
		{"line, disabled", func(f *Function) { f.SetLine(true); f.WriteConfig(ConfigCommand, 2, CommandINTxDisable) }},
		{"messages", func(f *Function) { enableMessages(f, 2) }},
		{"D3hot", func(f *Function) { f.SetLine(true); setPower(f, PowerD3hot) }},
		{"master abort", func(f *Function) { allOn(f); f.WriteMemory(0, []byte{1}) }},
		{"register", func(f *Function) { allOn(f); f.WriteRegister(0, 0, 4, 99) }},
		{"removed", func(f *Function) { allOn(f); f.SetLine(true); f.Remove() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, g := start(t, newProbe(), newFakeHost()), start(t, newProbe(), newFakeHost())
			c.setup(f)
			g.Remove() // something else
			state := f.AppendState([]byte("x"))
			if err := g.RestoreState(state[1:]); err != nil {
				t.Fatal(err)
			}
			sameState(t, f, g)
			equal(t, "removed", g.Removed(), f.Removed())
		})
	}
}

func TestRestoreErrors(t *testing.T) {
	f := start(t, newProbe(), newFakeHost())
	allOn(f)
	f.SetLine(true)
	good := f.AppendState(nil)
	for _, c := range []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"empty", func(b []byte) []byte { return nil }},
		{"short", func(b []byte) []byte { return b[:stateHeader-1] }},
		{"model's too short", func(b []byte) []byte { return b[:len(b)-1] }},
		{"model's too long", func(b []byte) []byte { return append(b, 0) }},
		{"removed with a line", func(b []byte) []byte { b[0] = 3; return b }},
		{"unknown flag", func(b []byte) []byte { b[0] = 4; return b }},
		{"another device", func(b []byte) []byte { b[1+ConfigDeviceID]++; return b }},
		{"computed bit", func(b []byte) []byte { b[1+ConfigStatus] |= StatusInterrupt; return b }},
		{"address within the size", func(b []byte) []byte { b[1+ConfigBAR0] |= 0x10; return b }},
		{"D1", func(b []byte) []byte { b[1+powerCapability+PowerControl] = 1; return b }},
		{"too many messages", func(b []byte) []byte { b[1+msiCapability+MSIControl] |= 3 << MSIMultipleShift; return b }},
	} {
		if err := f.RestoreState(c.change(bytes.Clone(good))); err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if !bytes.Equal(f.AppendState(nil), good) {
			t.Fatalf("%s: the state changed", c.name)
		}
	}
}
