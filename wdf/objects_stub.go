package wdf

import "github.com/dirql/dirql/internal/kernel"

type dpc struct{ kdpc uint64 }
type timer struct{ ktimer, kdpc uint64 }
type workItem struct{}
type waitLock struct{ event uint64 }

func (f *Framework) registerObjectThunks(add func(at *uint64, name string, fn func(s *Sys, a kernel.Args) uint64)) {
}
func (s *Sys) rundownTimer(n int32)    {}
func (s *Sys) rundownWorkItem(n int32) {}
