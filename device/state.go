package device

import "fmt"

// Bits of the first byte of a function's state.
const (
	stateLine    = 1 << 0
	stateRemoved = 1 << 1
)

// stateHeader is the size of a function's state before the model's.
const stateHeader = 1 + configSize

// AppendState appends the state of the function and of its model to b and
// returns the result. Equal states give equal bytes. Pending events and
// whatever the host made of line and messages are the host's state.
func (f *Function) AppendState(b []byte) []byte {
	var flags byte
	if f.line {
		flags |= stateLine
	}
	if f.removed {
		flags |= stateRemoved
	}
	b = append(b, flags)
	b = append(b, f.config[:]...)
	b = append(append(b, f.msix.table...), f.msix.pending...)
	return f.model.AppendState(b)
}

// RestoreState sets the state of the function and of its model from what
// AppendState of a function with the same Info appended. Bytes that it never
// appends are an error, and the state stays as it was. The host is not called:
// it restores its own state, and Line returns the level of the pin.
func (f *Function) RestoreState(b []byte) error {
	if len(b) < stateHeader {
		return f.info.errorf("state of %d bytes, want at least %d", len(b), stateHeader)
	}
	flags, config := b[0], configSpace(b[1:stateHeader])
	if flags > stateRemoved { // no other bits, and a removed function has no line
		return f.info.errorf("state has flags %#x", flags)
	}
	if err := f.checkConfig(&config); err != nil {
		return f.info.errorf("state: %w", err)
	}
	table, rest, err := f.restoreMSIX(b[stateHeader:])
	if err != nil {
		return f.info.errorf("state: %w", err)
	}
	if err := f.model.RestoreState(rest); err != nil {
		return f.info.errorf("state: %w", err)
	}
	f.line, f.removed = flags&stateLine != 0, flags&stateRemoved != 0
	f.config, f.msix = config, table
	f.pin = f.pinLevel()
	return nil
}

// checkConfig returns what a function of this layout cannot have in its
// configuration space, or nil.
func (f *Function) checkConfig(c *configSpace) error {
	for i := range c {
		fixed := ^(f.layout.writable[i] | f.layout.clear[i])
		if (c[i]^f.layout.reset[i])&fixed != 0 {
			return fmt.Errorf("byte %#x of configuration space is %#x: another device?", i, c[i])
		}
	}
	if s := c[powerCapability+PowerControl] & PowerStateMask; s != PowerD0 && s != PowerD3hot {
		return fmt.Errorf("unsupported power state D%d", s)
	}
	if f.info.Messages != 0 {
		control := c.get16(msiCapability + MSIControl)
		if n := 1 << (control >> MSIMultipleShift & 7); n > f.info.Messages {
			return fmt.Errorf("%d messages enabled of %d", n, f.info.Messages)
		}
	}
	return nil
}
