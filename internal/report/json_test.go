package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/report"
	"github.com/dirql/dirql/internal/trace"
)

func document() *report.Document {
	return &report.Document{
		Meta:     map[string]any{"seed": 7, "program": "dirql", "cpus": 2, "choices": []int{1, 0}},
		Log:      waitInDPC(),
		Findings: []report.Finding{waitFinding(), leakFinding()},
	}
}

func toJSON(t testing.TB, d *report.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.JSON(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJSON(t *testing.T) {
	text := toJSON(t, document())
	golden(t, "run.json", text)
	if !json.Valid(text) {
		t.Error("it is not JSON")
	}
}

// What is written is read back, and written again it gives the same bytes.
func TestJSONRoundTrip(t *testing.T) {
	extreme := &trace.Log{Events: []trace.Event{
		{Time: math.MaxUint64, CPU: -1, IRQL: 15, Depth: 255, Act: math.MaxUint32, Kind: trace.Note,
			ValueKind: trace.Hex, Value: math.MaxUint64, Name: "\x00\x1b<&>\u2028", Text: "a \"b\"\n"},
		{CPU: 63, ValueKind: trace.None, Value: 1},
		{ValueKind: trace.Level, Value: 2},
	}}
	for _, d := range []*report.Document{
		document(),
		{Log: &trace.Log{}},
		{Log: forumQuestion()},
		{Log: fourProcessors(), Meta: struct {
			Seed uint64 `json:"seed"`
		}{math.MaxUint64}},
		{Log: extreme},
	} {
		text := toJSON(t, d)
		back, err := report.ReadJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(d.Log.Events) > 0 && !reflect.DeepEqual(back.Log, d.Log) {
			t.Errorf("got  %+v\nwant %+v", back.Log, d.Log)
		}
		if !reflect.DeepEqual(back.Findings, d.Findings) {
			t.Errorf("got  %+v\nwant %+v", back.Findings, d.Findings)
		}
		if again := toJSON(t, back); !bytes.Equal(again, text) {
			t.Errorf("first  %s\nsecond %s", text, again)
		}
	}
}

// A saved run gives the same timeline as the fresh one.
func TestSavedTimeline(t *testing.T) {
	fresh := overlap()
	saved, err := report.ReadJSON(bytes.NewReader(toJSON(t, &report.Document{Log: fresh})))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := timeline(t, fresh, report.Options{}), timeline(t, saved.Log, report.Options{}); !bytes.Equal(a, b) {
		t.Errorf("fresh:\n%s\nsaved:\n%s", a, b)
	}
}

func TestJSONRefusesMeta(t *testing.T) {
	for _, meta := range []any{3, "x", []int{1}, (*struct{})(nil), func() {}} {
		var b bytes.Buffer
		if err := report.JSON(&b, &report.Document{Meta: meta}); err == nil || b.Len() > 0 {
			t.Errorf("%T: error %v, %d bytes", meta, err, b.Len())
		}
	}
}

func TestReadJSONRefuses(t *testing.T) {
	const event = `{"cpu":0,"irql":0,"kind":"note"}`
	wrap := func(events string) string { return `{"version":1,"events":[` + events + `]}` }
	for _, test := range []struct{ name, text, want string }{
		{"empty", ``, "unexpected EOF"},
		{"text", `hello`, "invalid character"},
		{"array", `[]`, "found [ where { was expected"},
		{"number", `7`, "found 7"},
		{"no version", `{"events":[]}`, `no "version"`},
		{"no events", `{"version":1}`, `no "events"`},
		{"other version", `{"version":2,"events":[]}`, "version 2"},
		{"twice", `{"version":1,"events":[],"events":[]}`, "twice"},
		{"truncated", wrap(event)[:40], "unexpected EOF"},
		{"more", wrap(event) + `{}`, "something follows"},
		{"garbage behind", wrap(event) + `@`, "invalid character"},
		{"meta", `{"version":1,"meta":[],"events":[]}`, `"meta" is not an object`},
		{"no array", `{"version":1,"events":{}}`, "found { where [ was expected"},
		{"kind", wrap(event + `,{"kind":"dance"}`), `element 1: no kind of event is called "dance"`},
		{"no kind", wrap(`{}`), `element 0: no kind of event is called ""`},
		{"value kind", wrap(`{"kind":"note","value_kind":"roman"}`), `no kind of value is called "roman"`},
		{"processor", wrap(`{"kind":"note","cpu":64}`), "processor 64"},
		{"negative processor", wrap(`{"kind":"note","cpu":-2}`), "processor -2"},
		{"IRQL", wrap(`{"kind":"note","irql":16}`), "IRQL 16"},
		{"big IRQL", wrap(`{"kind":"note","irql":256}`), "256"},
		{"time", wrap(`{"kind":"note","time_ns":-1}`), "-1"},
		{"finding", `{"version":1,"events":[],"findings":[{"cpu":99}]}`, `"findings", element 0: processor 99`},
		{"deep", `{"x":` + strings.Repeat("[", 20000), "exceeded max depth"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := report.ReadJSON(strings.NewReader(test.text))
			if err == nil {
				t.Fatalf("read as %+v", d)
			}
			if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "not a saved run") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestReadJSONSkipsUnknownFields(t *testing.T) {
	d, err := report.ReadJSON(strings.NewReader(
		`{"new":{"a":[1]},"new":2,"version":1,"events":[{"kind":"note","cpu":1,"color":"red"}],"later":null}`))
	if err != nil || len(d.Log.Events) != 1 || d.Log.Events[0].CPU != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}

// repeated reads as the same text again and again, between a head and a tail.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// An endless file is refused, not read to its end.
func TestReadJSONIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads four million events")
	}
	head := `{"version":1,"events":[{"kind":"note"}`
	_, err := report.ReadJSON(&prefixed{head, &repeated{text: `,{"kind":"note"}`}})
	if err == nil || !strings.Contains(err.Error(), "has more than 4194304 elements") {
		t.Error(err)
	}
}

type prefixed struct {
	head string
	rest *repeated
}

func (p *prefixed) Read(b []byte) (int, error) {
	if p.head == "" {
		return p.rest.Read(b)
	}
	n := copy(b, p.head)
	p.head = p.head[n:]
	return n, nil
}

// The reader knows the last kind of event: String panics behind it.
func TestKindsAreComplete(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("there is a kind of event behind trace.Note: teach kindNamed in readjson.go")
		}
	}()
	_ = (trace.Note + 1).String()
}
