// Package fifo has a driver of a device with I/O ports: a queue of bytes that it
// fills and empties with string instructions (REP OUTS, REP INS), fifo.c. Its tests
// run it and the same in Go.
package fifo
