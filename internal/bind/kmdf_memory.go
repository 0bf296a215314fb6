package bind

func init() {
	register(map[string]func(c *call) uint64{
		"WdfMemoryCreate": (*call).memoryCreate,
		"WdfMemoryCreatePreallocated": func(c *call) uint64 {
			return c.created(4)(c.WdfMemoryCreatePreallocated(c.attributes(1), c.arg(2), c.arg(3)))
		},
		"WdfMemoryGetBuffer": (*call).memoryGetBuffer,
		"WdfMemoryCopyToBuffer": func(c *call) uint64 {
			return uint64(c.WdfMemoryCopyToBuffer(c.handle(1), c.arg(2), c.arg(3), c.arg(4)))
		},
		"WdfMemoryCopyFromBuffer": func(c *call) uint64 {
			return uint64(c.WdfMemoryCopyFromBuffer(c.handle(1), c.arg(2), c.arg(3), c.arg(4)))
		},
	})
}

// memoryCreate: (attributes, pool type, tag, size, address for the handle,
// address for the buffer or NULL).
func (c *call) memoryCreate() uint64 {
	h, p, st := c.WdfMemoryCreate(c.attributes(1), c.word(2), c.word(3), c.arg(4))
	if !st.Failed() {
		c.give(5, uint64(h))
		c.give(6, p)
	}
	return uint64(st)
}

// memoryGetBuffer: (memory, address for the size or NULL).
func (c *call) memoryGetBuffer() uint64 {
	p, size := c.WdfMemoryGetBuffer(c.handle(1))
	c.give(2, size)
	return p
}
