package ddi

import "sync"

// EnumType is one enumeration of the KMDF headers.
type EnumType struct {
	Name   string
	Header string
	Values []Enumerator // in the order of the header
}

// Enumerator is one named value.
type Enumerator struct {
	Name  string
	Value int64
}

// Enum returns an enumeration by its type name, and false if there is none.
func Enum(name string) (EnumType, bool) {
	e, ok := enums().types[name]
	return e, ok
}

// EnumValue returns the value of an enumerator, for instance of
// "WdfExecutionLevelPassive". An unknown name is a bug of our own code.
func EnumValue(enumerator string) int64 {
	v, ok := enums().values[enumerator]
	if !ok {
		bug("no enumerator %q", enumerator)
	}
	return v
}

// NameOf returns the first enumerator that has the value, and false if none has.
func (e EnumType) NameOf(value int64) (string, bool) {
	for _, v := range e.Values {
		if v.Value == value {
			return v.Name, true
		}
	}
	return "", false
}

type enumTable struct {
	types  map[string]EnumType
	values map[string]int64 // by enumerator; C puts all of them into one name space
}

const enumFile = "kmdf-enums.csv"

var enums = sync.OnceValue(func() enumTable { return parseEnums(dataFile(enumFile)) })

func parseEnums(text string) enumTable {
	rows := readTable(enumFile, text, "enum", "name", "value", "header")
	t := enumTable{make(map[string]EnumType), make(map[string]int64, len(rows))}
	for _, r := range rows {
		name, header := r.name("enum"), r.name("header")
		v := Enumerator{r.name("name"), r.number("value")}
		if _, ok := t.values[v.Name]; ok {
			r.bug("%s occurs twice", v.Name)
		}
		t.values[v.Name] = v.Value
		e, ok := t.types[name]
		if ok && e.Header != header {
			r.bug("%s is in %s and in %s", name, e.Header, header)
		}
		e.Name, e.Header = name, header
		e.Values = append(e.Values, v)
		t.types[name] = e
	}
	return t
}
