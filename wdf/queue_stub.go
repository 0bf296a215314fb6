package wdf

import "github.com/dirql/dirql/internal/kernel"

type queue struct{}
type request struct {
	fromApp      bool
	systemBuffer uint64
}
type memory struct{ owned uint64 }

func (f *Framework) registerQueueThunks(add func(at *uint64, name string, fn func(s *Sys, a kernel.Args) uint64)) {
}
func (s *Sys) rundownQueue(n int32) {}

// Hooks for power.go.
func (s *Sys) startQueues(device id) {} // power-managed queues begin to deliver
func (s *Sys) stopQueues(device id)  {} // EvtIoStop; returns when the driver has answered for all requests
func (s *Sys) purgeQueues(device id) {} // removal: what waits is cancelled, EvtIoStop with purge for what the driver has
