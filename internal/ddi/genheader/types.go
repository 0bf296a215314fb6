package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/ddi"
)

// scalars are types of the KMDF headers that no table has.
var scalars = []struct{ name, is string }{
	{"WDFOBJECT", "HANDLE"},
	{"WDFCONTEXT", "PVOID"},
	{"WDFTYPE", "ULONG"},
	{"WDFSTATE", "ULONG"},
	{"WDF_WMI_PROVIDER_CONTROL", "INT"},
	{"WDF_MAJOR_VERSION", "ULONG"},
	{"WDF_MINOR_VERSION", "ULONG"},
	{"WDF_BUILD_NUMBER", "ULONG"},
	{"WDF_STRUCT_INFO", "ULONG_PTR"},
	{"USBDHANDLE", "PVOID"},
	{"PCMDESCRIPTOR", "PCM_PARTIAL_RESOURCE_DESCRIPTOR"},
}

// constPointers are the structures that have a type PC... for a pointer to a
// constant one.
var constPointers = []string{
	"WDF_OBJECT_CONTEXT_TYPE_INFO", "WDF_DEVICE_PNP_NOTIFICATION_DATA", "WDF_DEVICE_POWER_NOTIFICATION_DATA",
	"WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA",
}

var identifier = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// keywords are words in types that name no type.
var keywords = []string{"const", "struct", "union", "unsigned", "long", "short", "char", "volatile"}

// words are the identifiers that a text declares or names.
func words(text string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range identifier.FindAllString(text, -1) {
		set[w] = true
	}
	return set
}

// isHandle tells whether a type name is that of a framework handle.
func isHandle(name string) bool {
	rest, ok := strings.CutPrefix(name, "WDF")
	return ok && rest != "" && !strings.ContainsAny(rest, "_") && rest != "FUNC"
}

// usage collects the type names that the functions and structures mention.
type usage struct {
	handles  []string
	callback []string // PFN_ types
	others   []string // pointers to structures that nothing here describes
}

// usedTypes sorts the type names of the functions and structures that the
// header has. known are the names that are declared otherwise.
func usedTypes(texts []string, known map[string]bool) usage {
	var u usage
	seen := make(map[string]bool)
	for _, text := range texts {
		for _, w := range identifier.FindAllString(text, -1) {
			if seen[w] || known[w] || slices.Contains(keywords, w) {
				continue
			}
			seen[w] = true
			switch {
			case isHandle(w):
				u.handles = append(u.handles, w)
			case strings.HasPrefix(w, "PFN_"):
				u.callback = append(u.callback, w)
			default:
				u.others = append(u.others, w)
			}
		}
	}
	slices.Sort(u.handles)
	slices.Sort(u.callback)
	slices.Sort(u.others)
	return u
}

// isKMDF tells whether a structure of the tables is one that drivers pass to
// the framework in some version.
func isKMDF(s ddi.StructType) bool {
	return strings.HasPrefix(s.Name, "WDF") && !strings.HasPrefix(s.Name, "WDFCX")
}

// plainType is the type of a field or parameter as C writes it: an array's
// length is part of the declarator.
func plainType(t string) (base, array string) {
	base, array, ok := strings.Cut(t, "[")
	if ok {
		array = "[" + array
	}
	return strings.TrimSpace(base), array
}
