// Package kernel is the simulated machine below the framework: processors with
// an IRQL, interrupt lines and messages, interrupt objects, DPC queues,
// threads, locks, timers, work items and pool.
//
// To follow one interrupt from the device to the end of its DPC, read in this
// order:
//
//	line.go       the device asserts a line or sends a message; a vector becomes pending
//	schedule.go   the one scheduling point: who steps next
//	irql.go       what happens when the IRQL changes; what a processor must take first
//	interrupt.go  a processor accepts a vector and calls the ISR under its lock
//	dpc.go        the ISR queues a DPC; the queue is drained when the IRQL drops
//
// Then thread.go and wait.go (threads and blocking), threadeddpc.go, watchdog.go, timer.go and
// clock.go (virtual time), workitem.go, memory.go, pool.go, mdl.go and user.go, bugcheck.go
// (what a driver did wrong), snapshot.go and state.go.
//
// Locks: heldlock.go says what a spin lock is; spinlock.go, queuedlock.go,
// cancellock.go, fastmutex.go, mutex.go, resource.go and region.go have the routines, lockorder.go
// the deadlock detection of Driver Verifier, eventlock.go circles of waits. limit.go
// checks levels.
//
// Drivers beside or without the framework: wdminterrupt.go, wdmwork.go;
// unload.go is what happens when a driver goes.
//
// Rules that hold inside:
//   - Everything that could go either way is asked of Machine.choose.
//   - State is plain data: tables and ids, no pointers between objects, no
//     closures, no map that is iterated. The Go stack of a coroutine holds
//     nothing that cannot be told from its frames (state.go).
//   - Code is an address (code.go). A callback is called with Thread.Invoke and
//     in no other way.
//   - Before a visible operation the running code calls Thread.point. Between
//     two points nothing of another processor happens.
//   - Methods with WDK names (KeInsertQueueDpc) are what a driver calls: they
//     check the IRQL and appear in the trace. The framework uses the methods
//     with Go names below them.
//   - A driver's mistake is a Finding; ours is a panic that starts with "BUG:".
package kernel
