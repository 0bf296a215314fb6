package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// A fragment is the part of a DMA transfer that the device does at once. This
// file cuts transfers into fragments and tells the device where the bytes are:
// the part of WDM's DMA operations. There is no IOMMU, and memory that the device
// can reach needs no map registers, so that nothing ever waits for some.

// What bounds a transfer: the MDLs of one buffer, and its fragments.
const (
	maxChain     = 4096
	maxFragments = 4096
)

// segments calls do for each MDL of a chain that has some of the length bytes at
// an offset from the first one, with the offset in its buffer and the number of
// bytes. It reports false if the MDLs have less, or are too many.
func (s *Sys) segments(mdl, offset, length uint64, do func(mdl, at, n uint64)) bool {
	for range maxChain {
		_, count := s.MDLBuffer(mdl)
		if offset < count {
			n := min(count-offset, length)
			do(mdl, offset, n)
			if length -= n; length == 0 {
				return true
			}
			offset += n
		}
		offset -= count
		if mdl = s.NextMDL(mdl); mdl == 0 {
			return false
		}
	}
	return false
}

// mapRegisters returns how many map registers a stretch of a chain of MDLs takes
// if each page takes one, and how many of its bytes go into available ones.
func (s *Sys) mapRegisters(mdl, offset, length, available uint64) (possible, required uint64, st NTSTATUS) {
	ok := length == 0 || s.segments(mdl, offset, length, func(in, at, n uint64) {
		va, _ := s.MDLBuffer(in)
		required += ((va+at)&(mem.PageSize-1) + n + mem.PageSize - 1) / mem.PageSize
		if required <= available {
			possible += n
		}
	})
	if !ok {
		return 0, 0, StatusBufferTooSmall
	}
	return possible, required, StatusSuccess
}

// available returns the number of map registers that the system gives an adapter:
// enough for its longest transfer.
func (e *dmaEnabler) available() uint64 {
	return (e.maximumLength+mem.PageSize-1)/mem.PageSize + 1
}

// checkFragments checks that each fragment of a transfer takes as few elements as
// the driver wants.
func (s *Sys) checkFragments(t *dmaTransaction) NTSTATUS {
	e := s.enablerOf(t)
	if t.length/t.maximum > maxFragments {
		s.Unsupported("a DMA transfer in more than 4096 fragments")
	}
	for done := uint64(0); done < t.length; done += t.maximum {
		_, required, st := s.mapRegisters(t.mdl, t.offset+done, min(t.length-done, t.maximum), e.available())
		switch {
		case st.Failed():
			s.verifierBreak("WdfDmaTransactionInitialize", "DMA", "the MDLs have less than %d bytes", t.length)
			return st
		case required > e.elements:
			return StatusWdfTooFragmented
		}
	}
	return StatusSuccess
}

var svcStage = kernel.NewService("the next fragment of a DMA transaction")

// stage hands the next fragment to EvtProgramDma. On a packet-based device
// WdfDmaTransactionDmaCompleted in EvtProgramDma only asks for it, and the next
// fragment is handed over when the callback has returned; with scatter/gather
// the calls nest (fxdmatransactionpacket.cpp, fxdmatransactionscattergather.cpp).
func (s *Sys) stage(n int32) NTSTATUS {
	t := &s.f.transactions[n]
	packet := !s.enablerOf(t).profile.scatters()
	if packet && t.staging {
		t.again = true
		return StatusSuccess
	}
	object := t.object
	s.f.objects[object].references++
	s.Begin(svcStage, uint64(object.handle()))
	st := StatusSuccess
	for again := true; again && !st.Failed(); {
		t = &s.f.transactions[n]
		t.staging, t.again = packet, false
		if st = s.nextFragment(t); st.Failed() {
			break
		}
		old := s.RaiseLevel(DispatchLevel)
		s.SetPosition(1)
		s.call("EvtProgramDma", t.program, uint64(object.handle()), uint64(s.enablerOf(t).device.handle()), t.context, uint64(t.direction), t.list)
		s.SetPosition(2)
		s.Step()
		s.LowerLevel(old)
		again = packet && s.f.transactions[n].again
	}
	if packet {
		s.f.transactions[n].staging = false
	}
	s.End()
	s.dereference(object)
	return st
}

// nextFragment cuts the next fragment off and makes its list.
func (s *Sys) nextFragment(t *dmaTransaction) NTSTATUS {
	e := s.enablerOf(t)
	t.fragment = min(t.remaining, t.maximum)
	at := t.offset + t.transferred
	possible, required, st := s.mapRegisters(t.mdl, at, t.fragment, e.available())
	switch {
	case st.Failed():
		t.fragment = 0
		return st
	case e.profile.scatters() && required > e.elements:
		t.fragment = 0
		return StatusWdfTooFragmented
	}
	t.fragment = possible
	elements := s.elements(t.mdl, at, t.fragment)
	if !e.profile.scatters() && len(elements) > 1 {
		elements = s.bounceBuffer(t, at)
	}
	for _, el := range elements {
		if el.Address+el.Length-1 > e.highest {
			s.Unsupported("DMA to memory above the highest address that the device can reach")
		}
	}
	t.remaining -= t.fragment
	s.writeList(t, elements)
	return StatusSuccess
}

// ScatterGatherElement is SCATTER_GATHER_ELEMENT: Length bytes at a physical
// address.
type ScatterGatherElement struct{ Address, Length uint64 }

// elements returns the stretches of consecutive physical memory behind a stretch
// of a chain of MDLs.
func (s *Sys) elements(mdl, offset, length uint64) (list []ScatterGatherElement) {
	if length == 0 {
		return nil
	}
	s.segments(mdl, offset, length, func(in, at, left uint64) {
		for left > 0 {
			pa := s.MDLPhysical(in, at)
			n := min(left, mem.PageSize-pa&(mem.PageSize-1))
			if k := len(list) - 1; k >= 0 && list[k].Address+list[k].Length == pa {
				list[k].Length += n
			} else {
				list = append(list, ScatterGatherElement{pa, n})
			}
			at, left = at+n, left-n
		}
	})
	return list
}

// bounceBuffer returns consecutive memory for a fragment that is scattered, for a
// device that cannot do that. Data for the device is copied into it now, data from
// the device is copied back by flushFragment.
func (s *Sys) bounceBuffer(t *dmaTransaction, at uint64) []ScatterGatherElement {
	t.bounce = s.f.m.Mem.Alloc((t.fragment+mem.PageSize-1)&^(mem.PageSize-1), kernel.PoolTag("HalB"), false, s.ActivationID())
	pa, _ := s.f.m.Mem.Physical(t.bounce)
	if t.direction == DMAWriteToDevice {
		s.copyPhysical(t, at, t.fragment, true)
	}
	return []ScatterGatherElement{{pa, t.fragment}}
}

// copyPhysical copies between the data of a transfer and its bounce buffer.
func (s *Sys) copyPhysical(t *dmaTransaction, at, length uint64, out bool) {
	to := t.bounce
	for _, el := range s.elements(t.mdl, at, length) {
		p := make([]byte, el.Length)
		if out {
			s.f.m.Mem.ReadPhysical(el.Address, p)
			s.f.m.Mem.Write(to, p)
		} else {
			s.f.m.Mem.Read(to, p)
			s.f.m.Mem.WritePhysical(el.Address, p)
		}
		to += el.Length
	}
}

// flushFragment ends a fragment of which t.fragment bytes, counted in
// t.transferred, are done.
func (s *Sys) flushFragment(t *dmaTransaction) {
	if t.bounce != 0 && t.direction == DMAReadFromDevice {
		s.copyPhysical(t, t.offset+t.transferred-t.fragment, t.fragment, false)
	}
	s.freeList(t)
}

// freeList gives up the list of a fragment: the driver has no use for it any more.
func (s *Sys) freeList(t *dmaTransaction) {
	for _, p := range []*uint64{&t.list, &t.bounce} {
		if *p != 0 {
			s.FreeBlock(*p)
			*p = 0
		}
	}
}

// freeFragment gives up everything that a transfer has of the system.
func (s *Sys) freeFragment(t *dmaTransaction) {
	s.freeList(t)
	if t.adapter {
		t.adapter, s.device(s.enablerOf(t).device).dmaPacket = false, false
	}
}

// Layout of a SCATTER_GATHER_LIST.
const (
	listHeader  = 16 // NumberOfElements, Reserved
	listElement = 24 // Address, Length, Reserved
)

func (s *Sys) writeList(t *dmaTransaction, elements []ScatterGatherElement) {
	m := s.f.m.Mem
	t.list = m.Alloc(listHeader+listElement*uint64(len(elements)), kernel.PoolTag("HalS"), false, s.ActivationID())
	m.Store(t.list, 4, uint64(len(elements)))
	for i, el := range elements {
		at := t.list + listHeader + listElement*uint64(i)
		m.Store(at, 8, el.Address)
		m.Store(at+8, 4, el.Length)
	}
}

// maxElements bounds what ScatterGatherList reads.
const maxElements = 1 << 16

// ScatterGatherList reads the SCATTER_GATHER_LIST at an address, as EvtProgramDma
// does.
func (s *Sys) ScatterGatherList(list uint64) (elements []ScatterGatherElement) {
	n := min(s.Load(list, 4), maxElements)
	for i := range n {
		at := list + listHeader + listElement*i
		elements = append(elements, ScatterGatherElement{s.Load(at, 8), s.Load(at+8, 4)})
	}
	return elements
}
