package dirql

import (
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// broken returns the rule and the clause that a finding is about: the rule of a
// bug check where the machine names none.
func broken(f *kernel.Finding) (rule, clause string) {
	rule, clause = f.Rule, f.Clause
	if !isClause(clause) {
		if rule == "" {
			rule = clause
		}
		clause = ""
	}
	if known, ok := ddi.BugCheckOf(f.Code, f.Params[0]); ok && rule == "" {
		rule = known.Rule
	}
	return rule, clause
}

// isClause tells whether a name is the id of a clause, such as QD-3.
func isClause(s string) bool {
	_, number, found := strings.Cut(s, "-")
	return found && number != "" && strings.Trim(number, "0123456789") == ""
}

// explain says what the parameters of a bug check mean in this case.
func (r *rig) explain(f *kernel.Finding) []Argument {
	if f.Code == 0 {
		return nil
	}
	known, ok := ddi.BugCheckOf(f.Code, f.Params[0])
	list := make([]Argument, len(f.Params))
	for i, v := range f.Params {
		a := &known.Args[i]
		list[i] = Argument{Value: v, Meaning: a.Meaning, Text: a.Value(v)}
		switch {
		case !ok:
			list[i].Meaning = "no meaning is known"
		case a.Meaning == "":
			list[i].Meaning = "reserved"
		case a.Form == ddi.FormCode && v == 0 && i > 0 && f.Params[0] != 0:
			list[i].Text = "no address: a routine of the kernel, or a driver in Go"
		case list[i].Text == "":
			list[i].Text = r.formed(a.Form, v)
		}
	}
	return list
}

// formed shows a value as the kind of thing that it is.
func (r *rig) formed(form ddi.ArgForm, v uint64) string {
	switch form {
	case ddi.FormIRQL:
		return trace.LevelName(uint8(v))
	case ddi.FormStatus:
		return trace.StatusName(uint32(v))
	case ddi.FormType:
		return wdf.Type(v).String()
	case ddi.FormDecimal:
		return fmt.Sprint(v)
	case ddi.FormCode, ddi.FormName:
		if name := r.m.NameOf(v); v > 9 && !strings.HasPrefix(name, "0x") {
			return name
		}
		return r.place(v)
	}
	return ""
}

// place says what kind of memory an address belongs to, "" if that is not known.
func (r *rig) place(addr uint64) string {
	b := r.m.Mem.Find(addr)
	if b == nil {
		if region, ok := r.m.Mem.RegionAt(addr); ok && region == mem.Stacks {
			return "on a kernel stack"
		}
		return ""
	}
	where, freed, paged := "in", "", "non-paged"
	if addr >= b.Addr+b.Size {
		where = "behind"
	}
	if b.Freed {
		freed = "freed "
	}
	if b.Paged {
		paged = "paged"
	}
	what := fmt.Sprintf("%s a %sblock of %d bytes of %s pool, tag '%s'", where, freed, b.Size, paged, kernel.TagText(b.Tag))
	if name, ok := r.m.FieldOf(addr, 1); ok {
		what = name.Name + ", " + what
	}
	return what
}
