package device

// This file is the DMA engine of the edu device.

// dmaRegister returns the register at the offset of one.
func (e *Edu) dmaRegister(offset uint64) *uint64 {
	switch offset {
	case eduSource:
		return &e.source
	case eduDestination:
		return &e.destination
	case eduCount:
		return &e.count
	}
	return &e.command
}

func (e *Edu) writeDMA(bus Bus, offset, value uint64) {
	switch {
	case e.command&eduDMARun != 0:
		bus.Note("write at %#x is ignored: DMA is running", offset)
	case offset != eduCommand:
		*e.dmaRegister(offset) = value
	case value&eduDMARun == 0:
		bus.Note("DMA command %#x is ignored: it does not start a transfer", value)
	default:
		e.command = value
		bus.After(eduDMADone, e.DMATime+e.DMAByteTime*min(e.count, eduBufferSize))
	}
}

// endDMA moves the bytes, all in the instant in which the transfer ends.
func (e *Edu) endDMA(bus Bus) {
	done := e.transfer(bus)
	e.command &^= eduDMARun
	if done && e.command&eduDMAInterrupt != 0 {
		e.raise(bus, eduInterruptDMA)
	}
}

// transfer moves the bytes of a DMA command. It returns false, and moves none,
// if the end of it in the device is not within the buffer.
func (e *Edu) transfer(bus Bus) bool {
	local, remote, access := e.destination, e.source, bus.ReadMemory
	if e.command&eduDMAToRAM != 0 {
		local, remote, access = e.source, e.destination, bus.WriteMemory
	}
	at := local - eduBuffer
	if local < eduBuffer || at > eduBufferSize || e.count > eduBufferSize-at {
		bus.Note("DMA of %#x bytes at %#x is outside the buffer (%#x bytes at %#x): nothing is moved, no interrupt",
			e.count, local, eduBufferSize, eduBuffer)
		return false
	}
	addr := remote & e.DMAMask
	if addr != remote {
		bus.Note("DMA address %#x is cut to %#x: the device has no more address bits", remote, addr)
	}
	if err := access(addr, e.buffer[at:at+e.count]); err != nil {
		bus.Note("DMA of %#x bytes at physical address %#x failed: %v", e.count, addr, err)
	}
	return true
}
