// Package litmus holds litmus tests as data, a small text language for them with its compiler, the catalogue
// (catalogue/*.litmus), and the runner: [Run] executes a compiled test on the simulated machine under every schedule,
// collects the [Outcome]s and compares them with the allowed ones by [Diff]; [Replay] makes one of these runs again and
// records it.
//
// Read first: one file of the catalogue, then this comment, then test.go (what a test is) and program.go (what a
// program compiles to); then run.go and, in this order, what a run is made of:
//
//	bench.go         the machine of a test, its setup phase, one run
//	build.go         objects of the setup in simulated memory
//	driver.go        the small driver of the test: its device, its framework objects, its resources
//	activation.go    the interpreter of programs; callcode.go, wdfobject.go, request.go, pnpcode.go: what a call does
//	environment.go   steps and actions as events of the machine; device.go: registers and rings
//	observe.go       what a test sees of a run; relation.go: rel and between
//	evaluate.go      the outcome of a run
//	guest.go         a driver binary in the place of the programs; harness.go: what it imports
//
// A new kind of statement, call, action, observation or component is a row in a table of the compiler and its code in
// one of these files.
//
// # The language
//
// A line that starts in column one begins a section; indented lines are its body; // starts a comment.
//
//	test L-02 The same with the ISR on another processor      a new test
//	variant L-12/spinlock of L-12: with a spin lock           inherits every section of L-12, replaces those it writes
//	clauses QD-4 QD-12                                        rules of the specification that the test checks
//	profile driver-verifier off                               differences from the default profile
//	report data race on c                                     what the tool must report; "report none": nothing at all
//	setup                                                     processors, settings and objects
//	    processors P0 P1
//	    setting MinimumDpcRate = 0
//	    device: not started                                   also: not pageable, passive, scope device, scope queue
//	    interrupt I: message, DIRQL 5, affinity {P0, P1}, dpc D   triggers: line level, line latched, message; also:
//	                                                          work W, lock S, shares J (the line of J), passive,
//	                                                          late (made in EvtDevicePrepareHardware), wake,
//	                                                          no resource, AutomaticSerialization
//	    pool B
//	    kdpc D in B: importance high, target P1               "in B": lies in the pool block B; also: threaded D; wdfdpc D, which can
//	                                                          have: parent Q, AutomaticSerialization
//	    spinlock S                                            also: wdfspinlock, event, workitem
//	    timer TM: passive                                     WDFTIMER; when it expires is a choice
//	    queue Q: sequential                                   or: manual; also: passive, scope queue
//	    request R                                             the driver owns it; with queues: the program sends it
//	    var c = 0                                             shared variable in simulated memory
//	    register CAUSE = A then B                             the k-th read gives the k-th value, then the last one
//	    ring RING: raises I                                   device with registers RING.count, RING.pop, RING.IE
//	isr I                                                     EvtInterruptIsr of I; ends with "return T" or "return F"
//	dpc D                                                     routine of a KDPC or WDFDPC, or EvtInterruptDpc
//	work W, timer TM, read Q, cancel R                        work item routine, EvtTimerFunc, EvtIoRead, EvtRequestCancel
//	enable I, disable I, sync I                               EvtInterruptEnable, EvtInterruptDisable, EvtInterruptSynchronize
//	D0Entry                                                   of the device; also: PostInterruptsEnabled, D0Exit,
//	                                                          PrepareHardware, SurpriseRemoval
//	connected I, disconnected I                               mark and out only: what the test notes when that happens
//	thread at P0                                              thread at PASSIVE_LEVEL that stays on P0
//	steps
//	    interrupt I at P0                                     fixed step
//	    free interrupt I at P1 while D.active (must)          free step
//	outcome
//	    r = r[2]                                              components of the outcome, see [Source]
//	allowed
//	    r = T, runs = 2, rel in {after, overlap, inside}      one outcome per value of a set
//	    handled = B    report lost event A                    the tool must report this if the outcome is reached
//	    calls = 1 (may)                                       need not be reached
//	    bugcheck 0x10D, p1 = 5, finding = DoubleCompletion
//	forbidden
//	    DPC#2 on P0: proc = P0                                [name:] components that make an outcome wrong
//
// Statements of programs:
//
//	x = EXPR          if EXPR / else if EXPR / else / end        while EXPR / end      repeat N / end      return [EXPR]
//	out NAME [= EXPR]   append a value to the list NAME (without "= EXPR": the local variable of that name)
//	mark WORD           append WORD to the list seq
//	until EXPR          wait in place, at the current IRQL, until EXPR holds
//	check EXPR          must hold, else the test has failed
//	setup done          the statements of this thread up to here belong to the setup
//	interrupt I [at P1], message I [at P1], arrive RING, tick [at P1]     the device or the clock acts here
//	name(ARGS) or name ARGS                                               a call, see [Calls]
//
// Expressions have + - *, == != < <= > >=, and or not, T F NULL, numbers, the IRQL names PASSIVE APC DISPATCH HIGH,
// processors, shared and local variables, calls, and observations: D.runs, D.active, I.calls, P0.irql, count(r), see
// [Observations]. "and" and "or" evaluate both sides.
//
// # What a run is
//
//   - Visible steps are OpLoad, OpStore, OpCall of a call marked visible, OpUntil, OpAction and OpSetupDone. There is a
//     scheduling point before each. All other instructions run together with the visible step before them, so that
//     an observation that follows a call sees the machine as it is when the call returns.
//   - Interrupts are taken at any scheduling point at which the processor accepts them; so are free steps.
//   - A program may loop without a visible step (the compiler only refuses the plain cases): bound the instructions
//     between two visible steps.
//   - The private state of an activation is its program counter and the registers that are live there [Instr.Live].
//   - OpUntil waits without giving up the processor or changing the IRQL. Its condition reads shared variables in one
//     step; that and the observations are the test's view, not accesses of the driver.
//   - "setup done": the threads that have it run up to it one after the other, in the order of the file, without any
//     choice. Everything else starts when all of them have arrived: the other threads, steps, and choices.
//   - An `interrupt` action happens at a point at which the processor accepts the interrupt, and is accepted there. As
//     fixed step or statement it has ended when the service routine returned (that of a passive-level interrupt runs in a
//     thread: there it has ended at once); a program that interrupts another
//     processor busy-waits for that. A `message` action is an edge: it may come while the processor masks it, waits in
//     the pending mark then, and coalesces with an edge that waits already (INT-6); it has ended at once, and so have
//     `arrive` and `tick`. A tick is accepted like an interrupt, at CLOCK_LEVEL.
//   - `arrive` adds an entry to the ring. With a latched or message interrupt it raises an edge if RING.IE is 1; a
//     level line is asserted while RING.IE is 1 and the ring is not empty.
//   - When a timer that is set expires is a choice: at any point from then on.
//   - A callback that returns a status returns STATUS_SUCCESS unless it says otherwise.
//   - Fixed steps come in order, each at any point after the previous one has ended and its condition holds. A free
//     step comes once, at any point at which its condition holds ("while"), or has held once ("after"); at the latest
//     when nothing else can go on. A run may end without a free step only if it cannot come any more; for a step
//     marked "(must)" that is an error in the test, and with a step marked "(only)" the run does not count.
//   - The clock ticks by itself only when nothing else can happen, not even a free step: a queue without a drain request
//     is drained then. Virtual time also passes before a free step where a wait or a timer could end first.
//   - A run that ends with a bug check has its parameters as outcome. A finding that no component of the test shows, a
//     stuck thread, a check that does not hold and a step that had to come make the outcome a failure.
//   - A run is at rest when no activation can go on, nothing is queued or pending, and no step can come.
package litmus
