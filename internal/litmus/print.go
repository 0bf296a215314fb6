package litmus

import (
	"fmt"
	"strings"
)

// Print renders a compiled program for people: one instruction per line, visible steps marked by a '*', with the line
// of the source and the registers that are live.
func (t *Test) Print(p *Program) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s", p.Name)
	var names []string
	for _, r := range p.Registers {
		names = append(names, r.Name)
	}
	if len(names) > 0 {
		fmt.Fprintf(&w, " (registers %s)", strings.Join(names, ", "))
	}
	w.WriteString("\n")
	for i := range p.Code {
		in := &p.Code[i]
		mark := ' '
		if in.Visible() {
			mark = '*'
		}
		fmt.Fprintf(&w, "%4d %c %-48s line %d", i, mark, t.instr(p, in), in.Line)
		if live := t.liveNames(p, in); live != "" {
			fmt.Fprintf(&w, ", live %s", live)
		}
		w.WriteString("\n")
	}
	return w.String()
}

// liveNames lists the registers that are live before an instruction.
func (t *Test) liveNames(p *Program, in *Instr) string {
	var names []string
	for r := range p.Registers {
		if in.Live>>r&1 != 0 {
			names = append(names, p.Registers[r].Name)
		}
	}
	return strings.Join(names, " ")
}

// instr renders an instruction.
func (t *Test) instr(p *Program, in *Instr) string {
	switch in.Op {
	case OpSet:
		return fmt.Sprintf("set %s = %s", p.Registers[in.Dst].Name, t.Expr(p, in.Expr))
	case OpLoad:
		return fmt.Sprintf("load %s = %s", p.Registers[in.Dst].Name, t.objectName(in.Object))
	case OpStore:
		return fmt.Sprintf("store %s = %s", t.objectName(in.Object), t.Expr(p, in.Expr))
	case OpCall:
		return t.callText(p, in)
	case OpJump:
		return fmt.Sprintf("jump %d", in.Target)
	case OpUnless:
		return fmt.Sprintf("unless %s jump %d", t.Expr(p, in.Expr), in.Target)
	case OpOut:
		return fmt.Sprintf("out %s = %s", t.Lists[in.List].Name, t.Expr(p, in.Expr))
	case OpUntil:
		return "until " + t.Expr(p, in.Expr)
	case OpCheck:
		return "check " + t.Expr(p, in.Expr)
	case OpAction:
		return "action " + t.Action(in.Action)
	case OpSetupDone:
		return "setup done"
	case OpReturn:
		if in.Expr != nil {
			return "return " + t.Expr(p, in.Expr)
		}
		return "return"
	}
	return fmt.Sprintf("op %d", in.Op)
}

// callText renders a call.
func (t *Test) callText(p *Program, in *Instr) string {
	var args []string
	for _, a := range in.Args {
		switch {
		case a.Expr != nil:
			args = append(args, t.Expr(p, a.Expr))
		case a.Word != "":
			args = append(args, a.Word)
		case a.Field != "":
			args = append(args, t.objectName(a.Object)+"."+a.Field)
		default:
			args = append(args, t.objectName(a.Object))
		}
	}
	text := in.Call.Name + "(" + strings.Join(args, ", ") + ")"
	if in.Dst != NoRegister {
		text = p.Registers[in.Dst].Name + " = " + text
	}
	return "call " + text
}

// Action renders an action as it is written in a test.
func (t *Test) Action(a Action) string {
	text := a.Kind.String()
	if a.Object != NoObject {
		text += " " + t.objectName(a.Object)
	}
	switch {
	case a.Kind == ActionArrive || a.Processor == ThisProcessor:
	case a.Processor == AnyProcessor:
		text += " at any"
	default:
		text += fmt.Sprintf(" at P%d", a.Processor)
	}
	return text
}

// Step renders a step as it is written in a test.
func (t *Test) Step(s *Step) string {
	text := t.Action(s.Action)
	if s.Free {
		text = "free " + text
	}
	if s.While != nil {
		text += " while " + t.Expr(nil, s.While)
	}
	if s.After != nil {
		text += " after " + t.Expr(nil, s.After)
	}
	if s.Must {
		text += " (must)"
	}
	if s.Only {
		text += " (only)"
	}
	return text
}

// Expr renders an expression of a program, or of a condition if p is nil. Operators inside operators stand in
// parentheses.
func (t *Test) Expr(p *Program, e *Expr) string {
	switch e.Kind {
	case ExprConst:
		return string(t.Value(e.Type, e.Value))
	case ExprReg:
		return p.Registers[e.Reg].Name
	case ExprObject, ExprPeek:
		return t.objectName(e.Object)
	case ExprObserve:
		if e.Object == NoObject {
			return fmt.Sprintf("P%d.%s", e.Value, e.Property)
		}
		return t.objectName(e.Object) + "." + e.Property
	case ExprCount:
		return "count(" + t.Lists[e.List].Name + ")"
	case ExprNot:
		return "not " + t.nested(p, e.X)
	}
	return t.nested(p, e.X) + " " + e.Op + " " + t.nested(p, e.Y)
}

// nested renders an operand.
func (t *Test) nested(p *Program, e *Expr) string {
	if e.Kind == ExprBinary || e.Kind == ExprNot {
		return "(" + t.Expr(p, e) + ")"
	}
	return t.Expr(p, e)
}

func (t *Test) objectName(o ObjectID) string {
	if o < 0 || int(o) >= len(t.Objects) {
		return "?"
	}
	return t.Objects[o].Name
}
