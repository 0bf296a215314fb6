package pe

// LoadConfig is what the image wants of its loader (IMAGE_LOAD_CONFIG_DIRECTORY64).
// Addresses are RVAs; 0 means that there is none.
type LoadConfig struct {
	Size uint32 // of the structure; 0: the image has none

	Cookie        uint32 // the variable __security_cookie
	GuardCheck    uint32 // pointer to the routine that checks the target of an indirect call
	GuardDispatch uint32 // pointer to the routine that checks the target in rax and jumps to it
	GuardFlags    uint32
	XFGCheck      uint32 // as GuardCheck and GuardDispatch, with a type hash in r10
	XFGDispatch   uint32
	XFGTable      uint32
}

// parseLoadConfig reads the load configuration. How much of the structure is
// there depends on the age of the linker.
func (f *File) parseLoadConfig() *Error {
	d := f.dirs[dirLoadConfig]
	if d.rva == 0 {
		return nil
	}
	data := f.at(d.rva)
	c := cursor{data: data}
	size := c.u32()
	if c.bad || size < 4 || int64(size) > int64(len(data)) {
		return f.damaged(d.rva, "the load configuration (%d bytes at 0x%X) is not in the file", size, d.rva)
	}
	c.data = data[:size]
	l := &f.Config
	l.Size = size
	for _, p := range []struct {
		offset uint32
		name   string
		rva    *uint32
	}{
		{0x58, "the security cookie", &l.Cookie},
		{0x70, "the control flow guard pointer", &l.GuardCheck},
		{0x78, "the control flow guard dispatch pointer", &l.GuardDispatch},
		{0x118, "the XFG check pointer", &l.XFGCheck},
		{0x120, "the XFG dispatch pointer", &l.XFGDispatch},
		{0x128, "the XFG table dispatch pointer", &l.XFGTable},
	} {
		if p.offset+8 > size {
			break
		}
		c.seek(int(p.offset))
		v := c.u64()
		if v == 0 {
			continue
		}
		rva := v - f.ImageBase
		if rva >= uint64(f.Size) || !f.loaded(uint32(rva), 8) {
			return f.damaged(d.rva+p.offset, "the load configuration places %s outside the image, at 0x%X", p.name, v)
		}
		*p.rva = uint32(rva)
	}
	if size >= 0x94 {
		c.seek(0x90)
		l.GuardFlags = c.u32()
	}
	return nil
}
