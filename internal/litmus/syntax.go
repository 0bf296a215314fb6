package litmus

import "slices"

// maxDepth bounds the nesting of expressions and of blocks.
const maxDepth = 16

// nodeKind is the kind of a node of an expression's syntax tree.
type nodeKind uint8

const (
	nodeConst    nodeKind = iota + 1
	nodeName              // text
	nodeProperty          // text.property
	nodeCall              // text(args)
	nodeNot               // not args[0]
	nodeBinary            // args[0] text args[1]
)

// node is an expression as written, before names have a meaning.
type node struct {
	kind     nodeKind
	text     string
	property string
	value    int64
	args     []*node
}

// precedence lists the binary operators, loosest first.
var precedence = [][]string{
	{"or"},
	{"and"},
	{"==", "!=", "<", "<=", ">", ">="},
	{"+", "-"},
	{"*"},
}

// expression reads an expression.
func (r *reader) expression() *node { return r.binary(0, maxDepth) }

// binary reads operators of one precedence level, and those that bind tighter, between operands.
func (r *reader) binary(level, depth int) *node {
	if level == len(precedence) {
		return r.operand(depth)
	}
	if depth == 0 {
		fail(r.line, "use a variable for a part of it", "the expression is nested too deeply")
	}
	if level == 2 && r.take("not") {
		return &node{kind: nodeNot, args: []*node{r.binary(level, depth-1)}}
	}
	x := r.binary(level+1, depth)
	for slices.Contains(precedence[level], r.peek().text) && r.peek().kind != tokenString {
		op := r.next().text
		x = &node{kind: nodeBinary, text: op, args: []*node{x, r.binary(level+1, depth)}}
	}
	if r.peek().kind == tokenPunct && r.peek().text == "=" {
		fail(r.line, "use == to compare", "unexpected = in an expression")
	}
	return x
}

// operand reads a number, a name, a property, a call, or an expression in parentheses.
func (r *reader) operand(depth int) *node {
	switch t := r.next(); {
	case t.kind == tokenNumber:
		return &node{kind: nodeConst, value: t.value}
	case t.kind == tokenPunct && t.text == "-" && r.peek().kind == tokenNumber:
		return &node{kind: nodeConst, value: -r.next().value}
	case t.kind == tokenPunct && t.text == "(":
		x := r.binary(0, depth-1)
		r.need(")", "close the parenthesis")
		return x
	case t.kind != tokenName || operatorWord(t.text):
		fail(r.line, "", "expected a value, found %s", t)
		return nil
	default:
		return r.named(t.text, depth)
	}
}

func operatorWord(text string) bool { return text == "and" || text == "or" || text == "not" }

// named reads what may follow a name. A call has no blank before its parenthesis, so that "D.active (must)" is none.
func (r *reader) named(text string, depth int) *node {
	switch t := r.peek(); {
	case t.text == "." && t.kind == tokenPunct:
		r.next()
		return &node{kind: nodeProperty, text: text, property: r.name("a property", "")}
	case t.text == "(" && t.kind == tokenPunct && t.tight:
		r.next()
		args := r.arguments(depth)
		r.need(")", "close the parenthesis")
		return &node{kind: nodeCall, text: text, args: args}
	}
	return &node{kind: nodeName, text: text}
}

// arguments reads expressions with commas between them, up to a closing parenthesis or the end of the line.
func (r *reader) arguments(depth int) []*node {
	var args []*node
	if t := r.peek(); t.kind == tokenEnd || t.text == ")" {
		return nil
	}
	for {
		if depth == 0 {
			fail(r.line, "use a variable for a part of it", "the expression is nested too deeply")
		}
		args = append(args, r.binary(0, depth-1))
		if !r.take(",") {
			return args
		}
	}
}
