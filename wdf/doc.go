// Package wdf is the Kernel-Mode Driver Framework as drivers see it: drivers,
// devices, interrupts, DPCs, timers, work items, locks, queues, requests and
// memory, by handle. Drivers in Go use it directly; the binding of .sys drivers
// calls the same functions with the addresses that guest code passes.
//
// To write a driver in Go read Sys first (what running code can do), then
// callback.go (how a function becomes a callback), context.go (typed contexts
// in simulated memory) and drivers/edu, the worked example.
//
// To read the framework itself: object.go (handles, parents, references, order
// of deletion), interrupt.go, interruptqueue.go and connect.go (WDFINTERRUPT),
// interruptlock.go and lockrules.go (who holds what), wake.go, power.go (which
// callback when), idle.go (what keeps a device in D0), child.go (child devices),
// queue_dispatch.go (what a queue delivers when), request.go,
// request_buffer.go and request_complete.go, file.go (opens of a device), send.go
// (requests that go to the driver below), dmatransaction.go and dmafragment.go.
//
// Rules that hold inside:
//   - State is plain data in the tables of Framework; objects refer to each
//     other by number. Restoring a snapshot is copying the tables.
//   - A callback is an address and is called with Sys.call.
//   - A function with a WDK name checks its handles first (OBJ-18), then the
//     pointers, then the level; what it does between two scheduling points is
//     one step, as under the framework's own locks.
//   - What the framework's source only asserts is reported and then behaves as
//     a release build does.
//
// Everything a driver shares between its callbacks lives in simulated memory:
// contexts, pool, registers. What a Go driver hides in Go variables is outside
// what searches and snapshots can promise.
package wdf
