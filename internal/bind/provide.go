package bind

import (
	"strings"

	"github.com/dirql/dirql/wdf"
)

// Export is a routine that another image offers to the driver. It returns RAX.
type Export func(c *ExportCall) uint64

// ExportCall is a call of an Export.
type ExportCall struct{ call *call }

// Sys returns the kernel and the framework as the calling thread sees them.
func (c *ExportCall) Sys() *wdf.Sys { return c.call.Sys }

// Arg returns argument n, from 0.
func (c *ExportCall) Arg(n int) uint64 { return c.call.arg(n) }

// Text returns the zero-terminated string that argument n points to. An address
// that cannot be read is the driver's fault, as everywhere.
func (c *ExportCall) Text(n int) string { return c.call.text(c.call.arg(n)) }

// Provide says what is behind the driver's imports from a module that is not
// part of the system: an export driver. What the driver imports from it and is
// not among routines stays unsupported.
func (d *Driver) Provide(module string, routines map[string]Export) {
	for _, r := range d.imports { // order does not matter: each is changed by itself
		if fn := routines[r.name]; fn != nil && strings.EqualFold(r.module, module) {
			r.fn = func(c *call) uint64 { return fn(&ExportCall{c}) }
		}
	}
}
