package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dirql/dirql/internal/trace"
)

// jsonVersion is the version of the format. It changes when a field changes its
// meaning or goes away; readers skip fields that they do not know.
const jsonVersion = 1

// Document is a run as JSON. The fields of an event are time_ns, cpu (-1:
// none), irql, activation (0: none), depth, kind (trace.Kind), name, text, and
// if it has a value: value_kind, value, value_text. Values have 64 bits, more
// than a number has in some readers: value_text has them as the timeline does.
type Document struct {
	// Meta is what else is to be known about the run; it becomes a JSON
	// object. ReadJSON makes it a json.RawMessage.
	Meta     any
	Log      *trace.Log
	Findings []Finding
}

// jsonEvent is an event in JSON.
type jsonEvent struct {
	Time       uint64  `json:"time_ns"`
	CPU        int16   `json:"cpu"`
	IRQL       uint8   `json:"irql"`
	Activation uint32  `json:"activation"`
	Depth      uint8   `json:"depth"`
	Kind       string  `json:"kind"`
	Name       string  `json:"name"`
	Text       string  `json:"text"`
	ValueKind  string  `json:"value_kind,omitempty"`
	Value      *uint64 `json:"value,omitempty"`
	ValueText  string  `json:"value_text,omitempty"`
}

// valueKinds are the names of trace.ValueKind; the first one stands for none.
var valueKinds = [...]string{"", "bool", "status", "hex", "decimal", "level"}

// JSON writes a run as one JSON object with a line for each event and finding.
// Equal runs give equal bytes. What is not valid UTF-8 becomes U+FFFD.
func JSON(w io.Writer, d *Document) error {
	meta, err := marshalMeta(d.Meta)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "{\"version\": %d,\n\"meta\": %s,\n\"events\": [", jsonVersion, meta)
	if d.Log != nil {
		for i := range d.Log.Events {
			if err := writeElement(b, i, toJSON(&d.Log.Events[i])); err != nil {
				return err
			}
		}
	}
	b.WriteString("],\n\"findings\": [")
	for i := range d.Findings {
		if err := writeElement(b, i, &d.Findings[i]); err != nil {
			return err
		}
	}
	b.WriteString("]}\n")
	return b.Flush()
}

// writeElement writes the i-th element of an array on a line of its own.
func writeElement(b *bufio.Writer, i int, v any) error {
	text, err := marshal(v)
	if err != nil {
		return err
	}
	if i > 0 {
		b.WriteByte(',')
	}
	b.WriteByte('\n')
	b.Write(text)
	return nil
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func marshalMeta(meta any) ([]byte, error) {
	if meta == nil {
		return []byte("{}"), nil
	}
	text, err := marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("the metadata of the run: %w", err)
	}
	if len(text) == 0 || text[0] != '{' {
		return nil, errors.New("the metadata of the run is not a JSON object: pass a map or a struct")
	}
	return text, nil
}

func toJSON(e *trace.Event) *jsonEvent {
	j := &jsonEvent{Time: e.Time, CPU: e.CPU, IRQL: e.IRQL, Activation: e.Act, Depth: e.Depth,
		Kind: e.Kind.String(), Name: e.Name, Text: e.Text, ValueText: e.ValueString()}
	if int(e.ValueKind) < len(valueKinds) {
		j.ValueKind = valueKinds[e.ValueKind]
	}
	if e.ValueKind != trace.None || e.Value != 0 {
		j.Value = &e.Value
	}
	return j
}
