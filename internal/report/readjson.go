package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// Bounds of a file that ReadJSON reads.
const (
	maxBytes    = 1 << 29
	maxEvents   = 1 << 22
	maxFindings = 1 << 16
	maxCPU      = 63 // a processor group
	maxIRQL     = 15
)

// ReadJSON reads what JSON has written. Any input gives a document or an error;
// the error says what is wrong and at which byte or event.
func ReadJSON(r io.Reader) (*Document, error) {
	d := &Document{Log: &trace.Log{}}
	dec := json.NewDecoder(&boundedReader{r: r, left: maxBytes})
	seen, err := readMembers(dec, d)
	if err == nil {
		err = checkEnd(dec)
	}
	if err != nil {
		return nil, fmt.Errorf("not a saved run (near byte %d): %w", dec.InputOffset(), unexpected(err))
	}
	for _, name := range []string{"version", "events"} {
		if !slices.Contains(seen, name) {
			return nil, fmt.Errorf("not a saved run: it has no %q", name)
		}
	}
	return d, nil
}

// unexpected gives the end of the input in the middle of it its right name.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// checkEnd checks that nothing follows.
func checkEnd(dec *json.Decoder) error {
	switch _, err := dec.Token(); {
	case err == nil:
		return errors.New("something follows the end of the run")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// readMembers reads the outermost object and returns the names that it knows
// of its members.
func readMembers(dec *json.Decoder, d *Document) (seen []string, err error) {
	if err := delimiter(dec, '{'); err != nil {
		return nil, err
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if slices.Contains(seen, name) {
			return nil, fmt.Errorf("%q comes twice", name)
		}
		known, err := readMember(dec, name, d)
		if err != nil {
			return nil, err
		}
		if known {
			seen = append(seen, name)
		}
	}
	return seen, delimiter(dec, '}')
}

// readMember reads the value of one member.
func readMember(dec *json.Decoder, name string, d *Document) (known bool, err error) {
	switch name {
	case "version":
		return true, readVersion(dec)
	case "meta":
		return true, readMeta(dec, d)
	case "events":
		return true, readArray(dec, "events", maxEvents, func() error { return readEvent(dec, d.Log) })
	case "findings":
		return true, readArray(dec, "findings", maxFindings, func() error { return readFinding(dec, d) })
	}
	var skipped json.RawMessage
	return false, dec.Decode(&skipped)
}

func readVersion(dec *json.Decoder) error {
	var v int
	if err := dec.Decode(&v); err != nil {
		return err
	}
	if v != jsonVersion {
		return fmt.Errorf("it has version %d, and this program reads version %d: use the program that wrote it", v, jsonVersion)
	}
	return nil
}

func readMeta(dec *json.Decoder, d *Document) error {
	var meta json.RawMessage
	if err := dec.Decode(&meta); err != nil {
		return err
	}
	if meta[0] != '{' {
		return errors.New("\"meta\" is not an object")
	}
	d.Meta = meta
	return nil
}

// readArray reads an array of at most limit elements.
func readArray(dec *json.Decoder, name string, limit int, element func() error) error {
	if err := delimiter(dec, '['); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	for n := 0; dec.More(); n++ {
		if n == limit {
			return fmt.Errorf("%q has more than %d elements", name, limit)
		}
		if err := element(); err != nil {
			return fmt.Errorf("%q, element %d: %w", name, n, err)
		}
	}
	return delimiter(dec, ']')
}

func delimiter(dec *json.Decoder, want json.Delim) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("found %v where %v was expected", token, want)
	}
	return nil
}

func readEvent(dec *json.Decoder, log *trace.Log) error {
	var j jsonEvent
	if err := dec.Decode(&j); err != nil {
		return err
	}
	kind, ok := kindNamed(j.Kind)
	if !ok {
		return fmt.Errorf("no kind of event is called %q", j.Kind)
	}
	form := slices.Index(valueKinds[:], j.ValueKind)
	if form < 0 {
		return fmt.Errorf("no kind of value is called %q", j.ValueKind)
	}
	if err := checkPlace(int(j.CPU), j.IRQL); err != nil {
		return err
	}
	e := trace.Event{Time: j.Time, CPU: j.CPU, IRQL: j.IRQL, Depth: j.Depth, Act: j.Activation, Kind: kind,
		ValueKind: trace.ValueKind(form), Name: j.Name, Text: j.Text}
	if j.Value != nil {
		e.Value = *j.Value
	}
	log.Add(e)
	return nil
}

func readFinding(dec *json.Decoder, d *Document) error {
	var f Finding
	if err := dec.Decode(&f); err != nil {
		return err
	}
	if err := checkPlace(f.CPU, f.IRQL); err != nil {
		return err
	}
	d.Findings = append(d.Findings, f)
	return nil
}

func checkPlace(cpu int, irql uint8) error {
	if cpu < -1 || cpu > maxCPU {
		return fmt.Errorf("processor %d: they are numbered from 0 to %d", cpu, maxCPU)
	}
	if irql > maxIRQL {
		return fmt.Errorf("IRQL %d: the highest is %d", irql, maxIRQL)
	}
	return nil
}

// kindNamed returns the kind of event with a name.
func kindNamed(name string) (trace.Kind, bool) {
	for k := trace.Start; k <= trace.Note; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// boundedReader reads at most left bytes; more are an error.
type boundedReader struct {
	r    io.Reader
	left int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes", maxBytes)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
