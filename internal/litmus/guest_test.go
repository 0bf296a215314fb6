package litmus

import (
	"testing"

	drivers "github.com/dirql/dirql/drivers/litmus"
	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// A search of a driver does not decide before accesses to memory that is no object of the test: a driver that writes such
// memory is told so.
func TestStrayWrites(t *testing.T) {
	lt := mustTest(t, "L-12")
	b, err := newBench(lt, drivers.Driver(lt.Group()))
	if err != nil {
		t.Fatal(err)
	}
	defer b.m.Close()
	if o, reason := b.run(&choice.Script{}, nil, nil); o.Failure != "" || reason != kernel.Done {
		t.Fatalf("%s, %s", o, reason)
	}
	c := b.objects[lt.Object("c").ID].addr
	for _, r := range []struct {
		record kernel.Record
		stray  bool
	}{
		{kernel.Record{Kind: kernel.RecordWrite, Addr: c, Size: 8}, false},
		{kernel.Record{Kind: kernel.RecordRead, Addr: c + 8, Size: 8}, false},
		{kernel.Record{Kind: kernel.RecordWrite, Addr: c + 8, Size: 8}, true},
		{kernel.Record{Kind: kernel.RecordLocked, Addr: c + 8, Size: 4}, true},
	} {
		b.guest.watch.Records = []kernel.Record{r.record}
		if text := b.guest.stray(); (text != "") != r.stray {
			t.Errorf("%+v: %q, want a text: %t", r.record, text, r.stray)
		}
	}
}
