// Package report makes what people and other programs read of a run: the
// timeline, the block of findings, and JSON that can be read back. It knows
// nothing but the trace, so that a saved run is reported like a fresh one.
//
// To follow a timeline, read in this order:
//
//	timeline.go    Timeline and its options
//	plan.go        which events are noise, which calls fit one row with their result
//	replay.go      the events once more, with the stack of each thread: rows
//	words.go       what an event is called
//	repeat.go      a polling loop is not a thousand rows
//	layout.go      rows into columns; wrap.go breaks long texts
//	unfinished.go  what was still active at the end
//
// finding.go prints findings; json.go writes a run, readjson.go reads it.
//
// Rules that hold inside:
//   - A report never changes the order of events and never claims what the
//     trace does not say. What the default view leaves out, Verbose shows.
//   - The same trace gives the same bytes.
//   - A trace can come from a hostile file or name things as a hostile driver
//     does: nothing here panics, and no control character reaches a terminal.
package report
