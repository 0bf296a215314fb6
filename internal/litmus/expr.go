package litmus

// ExprKind is the kind of an expression.
type ExprKind uint8

// The kinds of expressions.
const (
	ExprConst   ExprKind = iota + 1 // Value
	ExprReg                         // register Reg
	ExprObject                      // handle of Object
	ExprPeek                        // value of the shared variable Object; only in conditions of steps and OpUntil
	ExprObserve                     // observation Property of Object, or of processor Value if that is NoObject
	ExprCount                       // number of values in List
	ExprNot                         // 1 if X is 0, else 0
	ExprBinary                      // X Op Y
)

// Expr is a side-effect free expression over registers, constants and observations. It is never changed once compiled.
type Expr struct {
	Kind     ExprKind
	Type     Type
	Value    int64
	Reg      int
	Object   ObjectID
	Property string
	List     int
	Op       string // + - * == != < <= > >= and or
	X, Y     *Expr
}

// Env is where the value of an expression comes from.
type Env interface {
	Register(r int) int64
	Handle(o ObjectID) int64
	Peek(o ObjectID) int64
	Observe(o ObjectID, property string) int64
	ObserveProcessor(processor int, property string) int64
	Count(list int) int64
}

// Eval computes the value of the expression.
func (e *Expr) Eval(env Env) int64 {
	switch e.Kind {
	case ExprConst:
		return e.Value
	case ExprReg:
		return env.Register(e.Reg)
	case ExprObject:
		return env.Handle(e.Object)
	case ExprPeek:
		return env.Peek(e.Object)
	case ExprObserve:
		if e.Object == NoObject {
			return env.ObserveProcessor(int(e.Value), e.Property)
		}
		return env.Observe(e.Object, e.Property)
	case ExprCount:
		return env.Count(e.List)
	case ExprNot:
		return number(e.X.Eval(env) == 0)
	case ExprBinary:
		return operate(e.Op, e.X.Eval(env), e.Y.Eval(env))
	}
	panic("BUG: litmus: unknown kind of expression")
}

// operate applies a binary operator.
func operate(op string, x, y int64) int64 {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "==":
		return number(x == y)
	case "!=":
		return number(x != y)
	case "<":
		return number(x < y)
	case "<=":
		return number(x <= y)
	case ">":
		return number(x > y)
	case ">=":
		return number(x >= y)
	case "and":
		return number(x != 0 && y != 0)
	case "or":
		return number(x != 0 || y != 0)
	}
	panic("BUG: litmus: unknown operator " + op)
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// reads returns the set of registers that the expression reads.
func (e *Expr) reads() uint64 {
	if e == nil {
		return 0
	}
	set := e.X.reads() | e.Y.reads()
	if e.Kind == ExprReg {
		set |= 1 << e.Reg
	}
	return set
}
