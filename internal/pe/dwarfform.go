package pe

import "strconv"

// Forms of attributes (DWARF 5, section 7.5.6).
const (
	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0A
	formData1         = 0x0B
	formFlag          = 0x0C
	formSdata         = 0x0D
	formStrp          = 0x0E
	formUdata         = 0x0F
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUdata      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1A
	formAddrx         = 0x1B
	formRefSup4       = 0x1C
	formStrpSup       = 0x1D
	formData16        = 0x1E
	formLineStrp      = 0x1F
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx2        = 0x2A
	formAddrx3        = 0x2B
	formAddrx4        = 0x2C
)

// valueKind says what a value is, and so how to get at what it means.
type valueKind uint8

const (
	valueNone valueKind = iota
	valueNumber
	valueAddress
	valueAddrIndex // number of an address in .debug_addr
	valueReference // offset of an entry in .debug_info
	valueText
	valueStrp // offset in .debug_str
	valueLineStrp
	valueStrIndex // number of an offset in .debug_str_offsets
	valueBlock
)

// dwarfValue is the value of an attribute, not yet looked up in other sections.
type dwarfValue struct {
	kind  valueKind
	num   uint64
	text  string
	block []byte
}

// number reads a number of n bytes, 1 to 8.
func (c *cursor) number(n int) (v uint64) {
	for i, b := range c.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// value reads a value of a form. A form that does not exist sets bad: there is
// no way to know how long it is.
func (c *cursor) value(u *dwarfUnit, form uint64, implicit int64) dwarfValue {
	if form == formIndirect {
		if form = c.uleb(); form == formIndirect || form == formImplicitConst {
			c.bad = true
		}
	}
	num := func(kind valueKind, n uint64) dwarfValue { return dwarfValue{kind: kind, num: n} }
	block := func(n uint64) dwarfValue {
		return dwarfValue{kind: valueBlock, block: c.take(int(min(n, 1<<31-1)))}
	}
	offset := 4
	if u.wide {
		offset = 8
	}
	switch form {
	case formAddr:
		return num(valueAddress, c.number(u.addrSize))
	case formData1, formFlag:
		return num(valueNumber, c.number(1))
	case formData2:
		return num(valueNumber, c.number(2))
	case formData4:
		return num(valueNumber, c.number(4))
	case formData8:
		return num(valueNumber, c.number(8))
	case formData16:
		return block(16)
	case formSdata:
		return num(valueNumber, uint64(c.sleb()))
	case formUdata, formLoclistx, formRnglistx:
		return num(valueNumber, c.uleb())
	case formImplicitConst:
		return num(valueNumber, uint64(implicit))
	case formFlagPresent:
		return num(valueNumber, 1)
	case formSecOffset:
		return num(valueNumber, c.number(offset))
	case formBlock1:
		return block(c.number(1))
	case formBlock2:
		return block(c.number(2))
	case formBlock4:
		return block(c.number(4))
	case formBlock, formExprloc:
		return block(c.uleb())
	case formString:
		return dwarfValue{kind: valueText, text: c.cstring()}
	case formStrp:
		return num(valueStrp, c.number(offset))
	case formLineStrp:
		return num(valueLineStrp, c.number(offset))
	case formStrpSup:
		c.skip(offset)
		return dwarfValue{}
	case formStrx:
		return num(valueStrIndex, c.uleb())
	case formStrx1, formStrx2, formStrx3, formStrx4:
		return num(valueStrIndex, c.number(int(form-formStrx1)+1))
	case formAddrx:
		return num(valueAddrIndex, c.uleb())
	case formAddrx1, formAddrx2, formAddrx3, formAddrx4:
		return num(valueAddrIndex, c.number(int(form-formAddrx1)+1))
	}
	return c.reference(u, form, offset)
}

// reference reads a value that is the offset of an entry.
func (c *cursor) reference(u *dwarfUnit, form uint64, offset int) dwarfValue {
	v := dwarfValue{kind: valueReference}
	switch form {
	case formRefAddr:
		if u.version == 2 {
			offset = u.addrSize
		}
		v.num = c.number(offset)
		return v
	case formRef1:
		v.num = c.number(1)
	case formRef2:
		v.num = c.number(2)
	case formRef4:
		v.num = c.number(4)
	case formRef8:
		v.num = c.number(8)
	case formRefUdata:
		v.num = c.uleb()
	case formRefSup4:
		c.skip(4)
		return dwarfValue{}
	case formRefSup8, formRefSig8:
		c.skip(8)
		return dwarfValue{}
	default:
		c.bad = true
	}
	v.num += u.start
	return v
}

// text looks up a value that is a text; "" if it is none.
func (d *dwarfReader) text(u *dwarfUnit, v dwarfValue) string {
	switch v.kind {
	case valueText:
		return v.text
	case valueStrp:
		return nameAt(d.str, v.num)
	case valueLineStrp:
		return nameAt(d.lineStr, v.num)
	case valueStrIndex:
		size := 4
		if u.wide {
			size = 8
		}
		if off, ok := entryOf(d.strOffsets, u.strOffsetsBase, v.num, size); ok {
			return nameAt(d.str, off)
		}
	}
	return ""
}

// address looks up a value that is an address.
func (d *dwarfReader) address(u *dwarfUnit, v dwarfValue) (uint64, bool) {
	switch v.kind {
	case valueAddress:
		return v.num, true
	case valueAddrIndex:
		return entryOf(d.addr, u.addrBase, v.num, u.addrSize)
	}
	return 0, false
}

// entryOf returns entry n of a table of numbers that starts at base.
func entryOf(table []byte, base, n uint64, size int) (uint64, bool) {
	if base > uint64(len(table)) || n >= (uint64(len(table))-base)/uint64(size) {
		return 0, false
	}
	c := cursor{data: table, pos: int(base + n*uint64(size))}
	return c.number(size), true
}

func hex(n int) string { return "0x" + strconv.FormatInt(int64(n), 16) }
