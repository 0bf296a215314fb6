package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dirql/dirql/internal/x86/isa"
)

var arithmetic = regexp.MustCompile(`^(add|sub|mul|div|min|max|sqrt)(ps|pd|ss|sd)$`)

// coldBody is the case for an operation outside the main switch. Vector
// operations are pure functions named after their semantics.
func coldBody(r *isa.Row) string {
	pattern := strings.NewReplacer("+", "", "=", "").Replace(r.OperandText)
	switch {
	case arithmetic.MatchString(r.Sem):
		m := arithmetic.FindStringSubmatch(r.Sem)
		return fmt.Sprintf("return c.arithmetic(op, fp%s, %t, %t)", title(m[1]), m[2][1] == 'd', m[2][0] == 'p')
	case r.Has("fp") || len(r.Operands) == 0 || !r.Operands[0].Write:
	case pattern == "Vx Wx", pattern == "Vx Wq", pattern == "Vx Wd" && r.Sem != "movss", pattern == "Vx Ww":
		if r.Sem != "movsd" && r.Sem != "movqload" && !strings.Contains(r.Sem, "blendv") {
			return fmt.Sprintf("y, ok := c.readX(op)\nif ok { c.X[op.a&15] = %s(c.X[op.a&15], y) }\nreturn ok", r.Sem)
		}
	case pattern == "Vx Wx Ib":
		return fmt.Sprintf("y, ok := c.readX(op)\nif ok { c.X[op.a&15] = %s(c.X[op.a&15], y, uint8(op.imm)) }\nreturn ok", r.Sem)
	case pattern == "Ux Ib":
		return fmt.Sprintf("c.X[op.a&15] = %s(c.X[op.a&15], op.imm)\nreturn true", r.Sem)
	}
	return fmt.Sprintf("return c.do%s(b, op)", title(r.Sem))
}
