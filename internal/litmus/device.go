package litmus

import "fmt"

// Device registers and rings: what answers behind the register addresses of the machine. Their state is part of
// observations.

// registerBase is the physical address of the first register; each takes 8 bytes.
const registerBase = 0xFE000000

// deviceRegister is a register of the machine: a KindRegister, or one of a ring.
type deviceRegister struct {
	object ObjectID
	field  string // of a ring
	name   string
}

// makeDevices maps the registers of all devices.
func (b *bench) makeDevices() {
	n := uint64(len(b.test.registers()))
	if n == 0 {
		return
	}
	base := b.m.MapIoSpace(registerBase, n*8)
	for i, r := range b.test.registers() {
		if in := &b.objects[r.object]; in.register == 0 {
			in.register = base + uint64(i)*8
		}
	}
}

// registers lists the registers of a test; those of a ring are in the order of ringRegisters.
func (t *Test) registers() (list []deviceRegister) {
	for i := range t.Objects {
		switch o := &t.Objects[i]; o.Kind {
		case KindRegister:
			list = append(list, deviceRegister{o.ID, "", o.Name})
		case KindRing:
			for _, f := range ringRegisters {
				list = append(list, deviceRegister{o.ID, f, o.Name + "." + f})
			}
		}
	}
	return list
}

// registerAddress returns the address of a register of a device.
func (b *bench) registerAddress(o ObjectID, field string) uint64 {
	addr := b.objects[o].register
	for i, f := range ringRegisters {
		if f == field {
			addr += uint64(i) * 8
		}
	}
	return addr
}

// ReadRegister implements kernel.Bus.
func (b *bench) ReadRegister(pa uint64, _ int) (value uint64, name string) {
	r := b.state.registers[(pa-registerBase)/8]
	o := &b.test.Objects[r.object]
	d := &b.state.devices[r.object]
	if b.state.gone {
		return ^uint64(0), r.name // PWR-8
	}
	switch r.field {
	case "":
		v := b.readCell(o, d)
		return uint64(v), b.registerName(&r, v)
	case "count":
		return uint64(d.count), r.name
	case "IE":
		return uint64(d.enable), r.name
	}
	if d.count == 0 {
		return 0, r.name
	}
	entry := d.arrived - d.count + 1
	d.count--
	b.driveLine(o)
	return uint64(entry), r.name
}

// peekCell returns what a read of a register would give.
func (b *bench) peekCell(o *Object) int64 {
	d := b.state.devices[o.ID]
	return b.readCell(o, &d)
}

// readCell returns what a register gives now: what was written last, else its next value.
func (b *bench) readCell(o *Object, d *deviceState) int64 {
	if d.written {
		return d.value
	}
	v := b.constant(o.Cell.Values[d.next])
	d.next = min(d.next+1, len(o.Cell.Values)-1)
	return v
}

// WriteRegister implements kernel.Bus.
func (b *bench) WriteRegister(pa uint64, _ int, value uint64) (name string) {
	r := b.state.registers[(pa-registerBase)/8]
	d := &b.state.devices[r.object]
	if b.state.gone {
		return r.name
	}
	switch r.field {
	case "":
		d.written, d.value = true, int64(value)
		return b.registerName(&r, d.value)
	case "IE":
		d.enable = int64(value)
		b.driveLine(&b.test.Objects[r.object])
	}
	return r.name
}

// ReadPort implements kernel.Bus: no device of a test has ports.
func (b *bench) ReadPort(port uint32, size int) (value uint64, name string) {
	return ^uint64(0) >> (64 - 8*size), fmt.Sprintf("port 0x%X (no device)", port)
}

// WritePort implements kernel.Bus.
func (b *bench) WritePort(port uint32, _ int, _ uint64) (name string) {
	return fmt.Sprintf("port 0x%X (no device)", port)
}

// registerName names a register for the trace, with its value if that is not a number.
func (b *bench) registerName(r *deviceRegister, v int64) string {
	if typ := b.test.Objects[r.object].Cell.Type; typ != TypeInt && b.m.Trace.On() {
		return r.name + " (" + string(b.valueOf(typ, v)) + ")"
	}
	return r.name
}

// Event implements kernel.Bus; the devices of tests have no events of their own.
func (b *bench) Event(uint32, uint32) {}

// ringArrives adds an entry to a ring: a latched line or a message gets an edge if interrupts are enabled.
func (b *bench) ringArrives(o *Object) {
	d := &b.state.devices[o.ID]
	d.arrived++
	d.count++
	i := o.Ring.Interrupt
	switch trigger := b.test.Objects[i].Interrupt.Trigger; {
	case trigger == LineLevel:
		b.driveLine(o)
	case d.enable == 0:
	case trigger == Message:
		b.m.SendMessage(b.objects[i].vector)
	default:
		b.m.SetLine(b.objects[i].line, int(o.ID)&63, true)
		b.m.SetLine(b.objects[i].line, int(o.ID)&63, false)
	}
}

// driveLine asserts the level-triggered line of a ring while interrupts are enabled and it is not empty.
func (b *bench) driveLine(o *Object) {
	i := o.Ring.Interrupt
	if b.test.Objects[i].Interrupt.Trigger == LineLevel {
		d := &b.state.devices[o.ID]
		b.m.SetLine(b.objects[i].line, int(o.ID)&63, d.enable != 0 && d.count > 0)
	}
}

// deviceState is the state of a register or a ring.
type deviceState struct {
	// Of a register.
	next    int // index of the value that the next read gives
	written bool
	value   int64 // that was written
	// Of a ring.
	arrived, count int64
	enable         int64 // register IE
}
