package bind

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/wdf"
)

// checkPointers is bug check 0x10D/4 for a NULL pointer where the framework
// requires one (OBJ-19). An invalid handle comes first; the routine itself
// reports it.
func (c *call) checkPointers() {
	if len(c.r.required) == 0 {
		return
	}
	f, _ := ddi.Function(c.r.name)
	if p := f.Params[1]; isHandleType(p.Type) && c.r.required[0] != 1 && !c.Framework().IsHandle(wdf.Handle(c.arg(1)), p.Type) {
		return
	}
	for _, n := range c.r.required {
		if c.arg(n) == 0 {
			c.BugCheck(0x10D, [4]uint64{4, 0, c.caller}, "OBJ-19", fmt.Sprintf("%s of %s is NULL, but required", f.Params[n].Name, f.Name))
		}
	}
}

func isHandleType(typ string) bool {
	return strings.HasPrefix(typ, "WDF") && !strings.HasSuffix(typ, "*")
}

// requiredOf returns the indexes of the arguments of a framework function that
// must not be NULL.
func requiredOf(name string) []int {
	f, _ := ddi.Function(name)
	return f.Required
}
