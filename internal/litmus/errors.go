package litmus

import "fmt"

// Error is a mistake in a litmus test.
type Error struct {
	File string
	Line int
	What string
	Hint string
}

// Error returns "file:line: what, hint".
func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What)
	if e.Hint != "" {
		text += ", " + e.Hint
	}
	return text
}

// mistake is the panic by which the parser leaves its nested calls; Parse turns it into an *Error.
type mistake struct {
	line int
	what string
	hint string
}

// fail reports a mistake in a line. The hint says what to write instead; it may be empty.
func fail(line int, hint, format string, args ...any) {
	panic(mistake{line, fmt.Sprintf(format, args...), hint})
}

// catch is deferred by Parse.
func catch(file string, err *error) {
	switch r := recover().(type) {
	case nil:
	case mistake:
		*err = &Error{File: file, Line: r.line, What: r.what, Hint: r.hint}
	default:
		panic(r)
	}
}
