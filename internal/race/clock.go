package race

// clock is a vector clock: for each slot, up to which of its times everything
// is ordered before the owner of the clock.
type clock []uint32

func (c clock) of(slot int32) uint32 {
	if int(slot) < len(c) {
		return c[slot]
	}
	return 0
}

// join makes the clock know everything that o knows.
func (c *clock) join(o clock) {
	c.grow(len(o))
	mine := (*c)[:len(o)]
	for i, t := range o {
		mine[i] = max(mine[i], t)
	}
}

func (c *clock) grow(n int) {
	for len(*c) < n {
		*c = append(*c, 0)
	}
}

// epoch is a time of one slot.
type epoch struct {
	slot int32
	time uint32
}

// knows reports whether the epoch is ordered before the owner of the clock.
func (c clock) knows(e epoch) bool { return e.time <= c.of(e.slot) }
