package report_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/report"
	"github.com/dirql/dirql/internal/trace"
)

// hostile makes a log of bytes: every order of events, also impossible ones.
func hostile(data []byte) *trace.Log {
	names := []string{"", "idle", "a", "KeInsertQueueDpc", "KeGetCurrentIrql", vector, "\x1b[2J", strings.Repeat("long ", 40), "\xff\u00a0"}
	log := &trace.Log{}
	for i := 0; i+4 <= len(data); i += 4 {
		b := data[i : i+4]
		log.Add(trace.Event{
			Time: uint64(i), CPU: int16(b[0]%6) - 1, IRQL: b[0] >> 4, Act: uint32(b[1] % 5), Depth: b[1],
			Kind: trace.Kind(b[2]) % (trace.Note + 1), ValueKind: trace.ValueKind(b[2] % 6), Value: uint64(b[2]) << 32,
			Name: names[int(b[3]>>4)%len(names)], Text: names[int(b[3]&15)%len(names)],
		})
	}
	return log
}

// FuzzTimeline: any log gives a timeline without control characters.
func FuzzTimeline(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"), uint8(0))
	f.Add(bytes.Repeat([]byte{0x11, 1, byte(trace.Start), 0x22}, 40), uint8(7))
	f.Add(bytes.Repeat([]byte{0x11, 1, byte(trace.Call), 0x33, 0x11, 1, byte(trace.Return), 0x33}, 40), uint8(6))
	f.Fuzz(func(t *testing.T, data []byte, options uint8) {
		opt := report.Options{Verbose: options&1 != 0, Unicode: options&2 != 0, Title: string(data[:min(len(data), 9)])}
		if options&4 != 0 {
			opt.Width = int(options) - 30
		}
		if options&8 != 0 {
			opt.Processors = []int{int(options >> 4), -1, 3}
		}
		log := hostile(data)
		first := timeline(t, log, opt)
		if again := timeline(t, log, opt); !bytes.Equal(first, again) {
			t.Error("the same log gives two timelines")
		}
		for _, r := range string(first) {
			if r != '\n' && (r < ' ' || r == 0x7F) {
				t.Fatalf("control character %q in\n%s", r, first)
			}
		}
	})
}

// FuzzReadJSON: any bytes give an error or a document that can be reported.
func FuzzReadJSON(f *testing.F) {
	f.Add(toJSON(f, document()))
	f.Add([]byte(`{"version":1,"events":[{"kind":"note","name":"\ud800"}],"meta":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := report.ReadJSON(bytes.NewReader(data))
		if err != nil {
			return
		}
		if err := report.Timeline(io.Discard, d.Log, report.Options{}); err != nil {
			t.Error(err)
		}
		if err := report.Findings(io.Discard, d.Findings); err != nil {
			t.Error(err)
		}
		text := toJSON(t, d)
		back, err := report.ReadJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if again := toJSON(t, back); !bytes.Equal(again, text) {
			t.Errorf("first  %s\nsecond %s", text, again)
		}
	})
}
