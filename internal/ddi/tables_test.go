package ddi

import (
	"slices"
	"strings"
	"testing"
)

// TestFunctions spot-checks the KMDF function table.
func TestFunctions(t *testing.T) {
	if n := len(Functions()); n != 458 {
		t.Fatalf("%d functions, want 458", n)
	}
	f, ok := Function("WdfInterruptQueueDpcForIsr")
	want := KMDFFunction{
		Index: 142, Name: "WdfInterruptQueueDpcForIsr", Header: "wdfinterrupt.h", ReturnType: "BOOLEAN",
		Params:     []Param{{"PWDF_DRIVER_GLOBALS", "DriverGlobals"}, {"WDFINTERRUPT", "Interrupt"}},
		MinVersion: Version{1, 0}, DocVersion: "1.0", DocIRQL: "<=DIRQL", Limit: f.Limit, Public: true, Documented: true,
	}
	if !ok || f.Index != want.Index || !slices.Equal(f.Params, want.Params) || f.ReturnType != want.ReturnType ||
		f.Header != want.Header || f.MinVersion != want.MinVersion || f.DocVersion != want.DocVersion ||
		f.DocIRQL != want.DocIRQL || f.Public != want.Public || f.Documented != want.Documented {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
	if f, ok := Function("NoSuchFunction"); ok {
		t.Errorf("NoSuchFunction is %+v", f)
	}
	for name, index := range map[string]int{"WdfChildListCreate": 0, "WdfDeviceCreate": 75, "WdfDriverCreate": 116,
		"WdfIoQueueCreate": 152, "WdfObjectGetTypedContextWorker": 202} {
		if f, _ := Function(name); f.Index != index || Functions()[index].Name != name {
			t.Errorf("%s has index %d, want %d", name, f.Index, index)
		}
	}
}

// TestFunctionParams checks the shape of every parameter list.
func TestFunctionParams(t *testing.T) {
	for _, f := range Functions() {
		if f.Params[0] != (Param{"PWDF_DRIVER_GLOBALS", "DriverGlobals"}) {
			t.Errorf("%s: first parameter is %v", f.Name, f.Params[0])
		}
		for _, p := range f.Params {
			if strings.Contains(p.Type, "aliasesMem") || strings.TrimSpace(p.Type) == "" || strings.Contains(p.Name, "*") {
				t.Errorf("%s: parameter %+v", f.Name, p)
			}
		}
	}
	f, _ := Function("WdfObjectQuery")
	if want := (Param{"CONST GUID*", "Guid"}); !slices.Contains(f.Params, want) {
		t.Errorf("WdfObjectQuery: %v has no %v", f.Params, want)
	}
}

// TestFunctionVersions compares the version column with the table lengths, and
// with the reference pages except where data/README.md says so.
func TestFunctionVersions(t *testing.T) {
	var differ []int
	for _, f := range Functions() {
		i := slices.IndexFunc(Releases(), func(r Release) bool { return r.Entries > f.Index })
		if v := Releases()[i].Version; v != f.MinVersion {
			t.Errorf("%s (%d) is in the table from %v on, the row says %v", f.Name, f.Index, v, f.MinVersion)
		}
		if f.DocVersion != "" && f.DocVersion != f.MinVersion.String() {
			differ = append(differ, f.Index)
		}
	}
	if want := []int{385, 452}; !slices.Equal(differ, want) {
		t.Errorf("documented version differs for %v, README.md says %v", differ, want)
	}
}

// TestReleases spot-checks the table lengths.
func TestReleases(t *testing.T) {
	list := Releases()
	first, last := list[0], list[len(list)-1]
	if first.Version != (Version{1, 0}) || first.Entries != 383 || first.ByPointer {
		t.Errorf("first release is %+v", first)
	}
	if last.Version != (Version{1, 33}) || last.Entries != len(Functions()) || !last.ByPointer {
		t.Errorf("last release is %+v", last)
	}
	for _, r := range list {
		if want := r.Version.Compare(Version{1, 15}) >= 0; r.ByPointer != want || r.ByPointer != (r.Entries > 438) {
			t.Errorf("%v: bound by pointer is %v, %d entries", r.Version, r.ByPointer, r.Entries)
		}
	}
}

// TestVersion checks reading, printing and order.
func TestVersion(t *testing.T) {
	for _, s := range []string{"", "1", "1.", ".1", "1.x", "1.-1", "1.11 beta"} {
		if v, err := parseVersion(s); err == nil {
			t.Errorf("parseVersion(%q) = %v, want an error", s, v)
		}
	}
	a, err := parseVersion("1.9")
	b, _ := parseVersion("1.33")
	if err != nil || a.Compare(b) != -1 || b.Compare(a) != 1 || a.Compare(a) != 0 || a.String() != "1.9" {
		t.Errorf("1.9 is %v, %v", a, err)
	}
}

// TestOffset spot-checks layouts against values that are known from elsewhere.
func TestOffset(t *testing.T) {
	for _, c := range []struct {
		structName, field string
		want              uint64
	}{
		{"KDPC", "Importance", 1},
		{"KDPC", "DpcListEntry", 8},
		{"KDPC", "DeferredRoutine", 24},
		{"KDPC", "DeferredContext", 32},
		{"KDPC", "SystemArgument1", 40},
		{"KDPC", "SystemArgument2", 48},
		{"KDPC", "DpcData", 56},
		{"LIST_ENTRY", "Blink", 8},
		{"UNICODE_STRING", "Buffer", 8},
		{"IO_STATUS_BLOCK", "Information", 8},
		{"WDF_INTERRUPT_CONFIG", "EvtInterruptIsr", 24},
		{"WDF_INTERRUPT_CONFIG", "EvtInterruptDpc", 32},
		{"WDF_BIND_INFO", "Version", 16},
		{"WDF_USB_CONTROL_SETUP_PACKET", "Packet.wValue.Bytes.HiByte", 3},
	} {
		if got := Offset(c.structName, c.field); got != c.want {
			t.Errorf("Offset(%s, %s) = %d, want %d", c.structName, c.field, got, c.want)
		}
	}
	for name, want := range map[string]uint64{"KDPC": 64, "KTIMER": 64, "KEVENT": 24, "DISPATCHER_HEADER": 24,
		"IRP": 208, "MDL": 48, "DEVICE_OBJECT": 336, "UNICODE_STRING": 16, "GUID": 16, "WDF_INTERRUPT_CONFIG": 104,
		"WDF_BIND_INFO2": 88} {
		if got := SizeOf(name); got != want {
			t.Errorf("SizeOf(%s) = %d, want %d", name, got, want)
		}
	}
	mustBug(t, `no structure "KDCP"`, func() { Offset("KDCP", "Type") })
	mustBug(t, `KDPC has no field "Tpye"`, func() { Offset("KDPC", "Tpye") })
	mustBug(t, `no structure ""`, func() { SizeOf("") })
}

// TestStruct checks lookups, bit fields and that every structure has fields.
func TestStruct(t *testing.T) {
	if s, ok := Struct("NO_SUCH_STRUCT"); ok {
		t.Errorf("NO_SUCH_STRUCT is %+v", s)
	}
	s, _ := Struct("DISPATCHER_HEADER")
	want := Field{Name: "EncodedTolerableDelay", Type: "UCHAR", Offset: 1, IsBits: true, FirstBit: 3, LastBit: 7}
	if f, ok := s.Field("EncodedTolerableDelay"); !ok || f != want {
		t.Errorf("got %+v, want %+v", f, want)
	}
	n := 0
	for _, s := range Structs() {
		if len(s.Fields) == 0 {
			t.Errorf("%s has no fields", s.Name)
		}
		n += 1 + len(s.Fields)
	}
	if n != len(column(t, structFile, "struct")) {
		t.Errorf("structures have %d rows, the table has %d", n, len(column(t, structFile, "struct")))
	}
}

// TestStructSizes compares the size history with the layouts.
func TestStructSizes(t *testing.T) {
	var changed []string
	for _, name := range column(t, sizeFile, "struct") {
		h, ok := StructSizes(name)
		s, okLayout := Struct(name)
		if !ok || !okLayout {
			t.Errorf("%s: size history %v, layout %v", name, ok, okLayout)
			continue
		}
		if last := h.Headers[len(h.Headers)-1]; last != (VersionSize{"1.33", s.Size}) {
			t.Errorf("%s: last size %v, layout has %d bytes", name, last, s.Size)
		}
		if h.Changed {
			changed = append(changed, name)
		}
		for _, old := range h.Older {
			oldName := name + "_V" + strings.ToUpper(strings.NewReplacer(".", "_", " ", "_").Replace(old.Version))
			if SizeOf(oldName) != old.Size {
				t.Errorf("%s has %d bytes, size history says %d", oldName, SizeOf(oldName), old.Size)
			}
		}
	}
	if want := []string{"WDF_DEVICE_STATE", "WDF_POWER_FRAMEWORK_SETTINGS"}; !slices.Equal(changed, want) {
		t.Errorf("size changes within 1.15 to 1.33 for %q, README.md says %q", changed, want)
	}
	h, _ := StructSizes("WDF_INTERRUPT_CONFIG")
	for size, want := range map[uint64]bool{56: true, 96: true, 104: true, 100: false, 0: false} {
		if h.Accepts(size) != want {
			t.Errorf("WDF_INTERRUPT_CONFIG: Accepts(%d) = %v", size, !want)
		}
	}
	if _, ok := StructSizes("KDPC"); ok {
		t.Error("KDPC has a size history")
	}
}

// TestEnums spot-checks enumerators.
func TestEnums(t *testing.T) {
	for name, want := range map[string]int64{"WdfFalse": 0, "WdfTrue": 1, "WdfUseDefault": 2,
		"WdfExecutionLevelPassive": 2, "WdfSynchronizationScopeDevice": 2, "WdfIoQueueDispatchSequential": 1} {
		if got := EnumValue(name); got != want {
			t.Errorf("EnumValue(%s) = %d, want %d", name, got, want)
		}
	}
	e, ok := Enum("WDF_TRI_STATE")
	if s, found := e.NameOf(1); !ok || !found || s != "WdfTrue" || e.Header != "wdftypes.h" {
		t.Errorf("WDF_TRI_STATE is %+v", e)
	}
	if s, ok := e.NameOf(77); ok {
		t.Errorf("77 is %s", s)
	}
	if e, ok := Enum("NO_SUCH_ENUM"); ok {
		t.Errorf("NO_SUCH_ENUM is %+v", e)
	}
	mustBug(t, `no enumerator "WdfTreu"`, func() { EnumValue("WdfTreu") })
}

// TestNeeds checks that what drivers need is in the KMDF table under its index.
func TestNeeds(t *testing.T) {
	count := make(map[NeedKind]int)
	for _, n := range Needs() {
		count[n.Kind]++
		if n.Drivers < 1 {
			t.Errorf("%s is used by %d drivers", n.Name, n.Drivers)
		}
		if n.Kind != NeedKMDF {
			if n.Index != -1 {
				t.Errorf("%s has index %d", n.Name, n.Index)
			}
			continue
		}
		if f, ok := Function(n.Name); !ok || f.Index != n.Index {
			t.Errorf("%s has index %d, the function table says %d", n.Name, n.Index, f.Index)
		}
	}
	if count[NeedKMDF] != 211 || count[NeedImport] != 150 || count[NeedInstruction] != 127 {
		t.Errorf("needs by kind: %v", count)
	}
}

// TestTableFaults checks that wrong rows of the other tables are refused.
func TestTableFaults(t *testing.T) {
	const structHeader = "struct,field,offset,size,bits,type,struct_size,struct_align,source\n"
	const whole = "S,(whole),,8,,,8,4,x\n"
	for text, want := range map[string]string{
		"S,a,0,4,,ULONG,8,4,x\n":                               "does not belong",
		whole + "S,a,4,8,,ULONG64,8,4,x\n":                     "outside",
		whole + "S,a,0,,0-64,ULONG,8,4,x\n":                    "bits are",
		whole + "S,a,0,,x,ULONG,8,4,x\n":                       "bits are",
		whole + "S,a,0,4,,ULONG,8,4,x\nS,a,4,4,,ULONG,8,4,x\n": "S.a occurs twice",
		whole + whole:                     "S occurs twice",
		"S,(whole),,8,,,12,4,x\n":         "do not fit",
		"S,(whole),,6,,,6,4,x\n":          "do not fit",
		whole + "S,a,-4,4,,ULONG,8,4,x\n": "negative",
		whole + "T,(whole),,8,,,8,4,x\nS,a,0,4,,ULONG,8,4,late\n": "does not belong",
	} {
		mustBug(t, want, func() { parseStructs(structHeader + text) })
	}
	mustBug(t, "A occurs twice", func() { parseEnums("enum,name,value,header\nE,A,0,h\nE,A,1,h\n") })
	mustBug(t, "is in h and in i", func() { parseEnums("enum,name,value,header\nE,A,0,h\nE,B,1,i\n") })
	needs := "kind,module,name,kmdf_index,drivers\nimport,m,f,,1\n"
	mustBug(t, "m f occurs twice", func() { parseNeeds(needs + "import,m,f,,2\n") })
	mustBug(t, "not kmdf", func() { parseNeeds(needs + "import,m,g,3,2\n") })
	mustBug(t, "must not fall", func() {
		const pointer = ",,s,client variable set to point at library table\n"
		parseReleases("kmdf_version,function_table_entries,first_shipped_with,source,binding_style\n1.15,444" + pointer + "1.13,438" + pointer)
	})
	function := strings.Join(strings.Split(dataFile(kmdfFile), "\n")[:2], "\n") + "\n"
	mustBug(t, "index is 0, want 1", func() { parseFunctions(function + strings.Split(function, "\n")[1] + "\n") })
	mustBug(t, "abi_param_count says 6", func() { parseFunctions(strings.Replace(function, "NTSTATUS,5,", "NTSTATUS,6,", 1)) })
	history := strings.Join(strings.Split(dataFile(sizeFile), "\n")[:2], "\n") + "\n"
	mustBug(t, "WDFMEMORY_OFFSET occurs twice", func() { parseSizes(history + strings.Split(history, "\n")[1] + "\n") })
	mustBug(t, "otherwise", func() { parseSizes(strings.Replace(history, ",16,no", ",24,no", 1)) })
	mustBug(t, "older size", func() { parseSizes(strings.Replace(history, "OFFSET,,", "OFFSET,1.9,", 1)) })
}

// BenchmarkParse measures the cost of the first use of all tables.
func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		mergeLimits(parseLimits(dataFile(kernelFile)), parseFunctions(dataFile(kmdfFile)).list)
		parseStructs(dataFile(structFile))
		parseEnums(dataFile(enumFile))
	}
}

// BenchmarkLimits measures one lookup, as every checked call makes it.
func BenchmarkLimits(b *testing.B) {
	for b.Loop() {
		Limits("WdfInterruptQueueDpcForIsr")
	}
}
