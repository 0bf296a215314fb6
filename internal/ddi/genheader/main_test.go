package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/ddi"
)

const includeDir = "../../../drivers/include"

func generated(t *testing.T) []file {
	t.Helper()
	kernel, err := os.ReadFile(filepath.Join(includeDir, kernelHeader))
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(string(kernel))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestUpToDate compares the headers in the repository with what the tables give.
func TestUpToDate(t *testing.T) {
	for _, f := range generated(t) {
		text, err := os.ReadFile(filepath.Join(includeDir, f.name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.ReplaceAll(string(text), "\r\n", "\n") != f.text {
			t.Errorf("drivers/include/%s is not what the tables give: go generate ./internal/ddi/genheader", f.name)
		}
	}
}

// TestEnumsComplete checks that no enumeration of the table is left out.
func TestEnumsComplete(t *testing.T) {
	in, err := os.Open("../data/kmdf-enums.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	text := generated(t)[0].text
	for _, r := range rows[1:] {
		if !strings.Contains(text, "typedef enum _"+r[0]+" {\n") {
			t.Errorf("no enum %s: add it to flagEnums", r[0])
		}
		if !strings.Contains(text, "    "+r[1]+" = ") {
			t.Errorf("no enumerator %s of %s", r[1], r[0])
		}
	}
}

// TestRoles checks that every role is the type of a callback of the framework,
// and that those which a driver with interrupts needs are there.
func TestRoles(t *testing.T) {
	roles, err := parseRoles(rolesText)
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, l := range allLayouts() {
		for _, f := range l.newest.Fields {
			used = append(used, f.Type)
		}
	}
	for _, f := range ddi.Functions() {
		for _, p := range f.Params {
			used = append(used, p.Type)
		}
	}
	var names []string
	for _, r := range roles {
		names = append(names, r.name)
		if pointer := "PFN_" + strings.TrimPrefix(r.name, "EVT_"); !slices.Contains(used, pointer) {
			t.Errorf("%s: nothing uses %s", r.name, pointer)
		}
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) != len(names) {
		t.Error("a role occurs twice")
	}
	for _, name := range []string{"EVT_WDF_INTERRUPT_ISR", "EVT_WDF_INTERRUPT_DPC", "EVT_WDF_IO_QUEUE_IO_STOP", "EVT_WDF_TIMER"} {
		if !slices.Contains(names, name) {
			t.Errorf("no role %s", name)
		}
	}
}

// TestVersions checks what depends on the KMDF version, on examples.
func TestVersions(t *testing.T) {
	text := generated(t)[0].text
	for _, want := range []string{
		"#elif KMDF_VERSION_MINOR == 11\n#define WDF_FUNCTION_COUNT 432\n#define WDF_FUNCTIONS_BY_POINTER 0\n",
		"#elif KMDF_VERSION_MINOR == 15\n#define WDF_FUNCTION_COUNT 444\n#define WDF_FUNCTIONS_BY_POINTER 1\n",
		"    WdfInterruptQueueDpcForIsrTableIndex = 142,\n",
		"#define WdfInterruptGetDevice(Interrupt) \\\n    WDF_CALL(PFN_WDFINTERRUPTGETDEVICE, WdfInterruptGetDeviceTableIndex)(WdfDriverGlobals, Interrupt)\n",
		"typedef BOOLEAN EVT_WDF_INTERRUPT_ISR(WDFINTERRUPT Interrupt, ULONG MessageID);\ntypedef EVT_WDF_INTERRUPT_ISR *PFN_WDF_INTERRUPT_ISR;\n",
		"#if KMDF_VERSION_MINOR <= 9\nstruct _WDF_INTERRUPT_CONFIG {\n",
		"#elif KMDF_VERSION_MINOR <= 11\nstruct _WDF_INTERRUPT_CONFIG {\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("wdfddi.h does not contain\n%s", want)
		}
	}
}

// TestUnknownType checks the message for a type that nobody declares.
func TestUnknownType(t *testing.T) {
	_, err := generate("")
	if err == nil || !strings.Contains(err.Error(), "is declared nowhere") {
		t.Errorf("without %s: %v", kernelHeader, err)
	}
}
