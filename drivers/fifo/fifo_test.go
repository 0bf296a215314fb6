package fifo_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// fifo is a device.Model: a queue of bytes. Port 0 is its end, port 4 its length.
type fifo struct{ data []byte }

func (q *fifo) Info() device.Info {
	return device.Info{Name: "fifo", VendorID: 0x1234, DeviceID: 1, BARs: []device.BAR{{Size: 8, Kind: device.IO}}}
}

func (q *fifo) Reset(device.Bus) { q.data = nil }

func (q *fifo) ReadRegister(bus device.Bus, bar int, offset uint64, size int) (v uint64) {
	if offset == 4 {
		return uint64(len(q.data))
	}
	for i := range min(size, len(q.data)) {
		v |= uint64(q.data[i]) << (8 * i)
	}
	q.data = q.data[min(size, len(q.data)):]
	return v
}

func (q *fifo) WriteRegister(bus device.Bus, bar int, offset uint64, size int, value uint64) {
	for i := range size {
		q.data = append(q.data, byte(value>>(8*i)))
	}
}

func (q *fifo) Event(device.Bus, uint32)    {}
func (q *fifo) AppendState(b []byte) []byte { return append(b, q.data...) }
func (q *fifo) RestoreState(b []byte) error { q.data = bytes.Clone(b); return nil }
func newFifo() device.Model                 { return &fifo{} }
func start(r wdf.Resource) (port uint32, ok bool) {
	return uint32(r.Start), r.Type == wdf.CmResourceTypePort
}

// context of the driver in Go.
var (
	context  = wdf.NewContextType("FIFO_CONTEXT")
	ctxPorts = wdf.NewField[uint32](context, "Ports")
)

// driverEntry is the driver in Go: the same as fifo.c, a byte at a time.
func driverEntry(s *wdf.Sys) wdf.NTSTATUS {
	_, status := s.WdfDriverCreate(&wdf.DriverConfig{EvtDriverDeviceAdd: s.DeviceAdd(evtDeviceAdd)}, nil)
	return status
}

func evtDeviceAdd(s *wdf.Sys, _ wdf.WDFDRIVER, init *wdf.DeviceInit) wdf.NTSTATUS {
	s.WdfDeviceInitSetPnpPowerEventCallbacks(init, &wdf.PnpPowerEventCallbacks{EvtDevicePrepareHardware: s.PrepareHardware(evtPrepareHardware)})
	dev, status := s.WdfDeviceCreate(init, &wdf.ObjectAttributes{ContextType: context})
	if status.Failed() {
		return status
	}
	config := wdf.IoQueueConfigInitDefaultQueue(wdf.IoQueueDispatchSequential)
	config.EvtIoRead, config.EvtIoWrite = s.IoTransfer(evtIoRead), s.IoTransfer(evtIoWrite)
	_, status = s.WdfIoQueueCreate(dev, &config, nil)
	return status
}

func evtPrepareHardware(s *wdf.Sys, dev wdf.WDFDEVICE, raw, translated wdf.WDFCMRESLIST) wdf.NTSTATUS {
	port, ok := start(*s.WdfCmResourceListGetDescriptor(translated, 0))
	if !ok {
		return wdf.StatusDeviceConfigurationError
	}
	ctxPorts.Store(s, s.WdfObjectGetTypedContext(dev, context), port)
	return wdf.StatusSuccess
}

func evtIoWrite(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, length uint64) {
	port := ctxPorts.Load(s, s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), context))
	buffer, length, status := s.WdfRequestRetrieveInputBuffer(request, 1)
	for i := range length {
		s.WritePort(port, 1, s.Load(buffer+i, 1))
	}
	s.WdfRequestCompleteWithInformation(request, status, length)
}

func evtIoRead(s *wdf.Sys, queue wdf.WDFQUEUE, request wdf.WDFREQUEST, length uint64) {
	port := ctxPorts.Load(s, s.WdfObjectGetTypedContext(s.WdfIoQueueGetDevice(queue), context))
	buffer, length, status := s.WdfRequestRetrieveOutputBuffer(request, 1)
	length = min(length, s.ReadPort(port+4, 4))
	for i := range length {
		s.Store(buffer+i, 1, s.ReadPort(port, 1))
	}
	s.WdfRequestCompleteWithInformation(request, status, length)
}

// scenario writes n bytes and reads them back, into room for most.
func scenario(t *testing.T, file string, n, most int) *dirql.Scenario {
	t.Helper()
	d := dirql.Driver{Name: "fifo", Entry: driverEntry}
	if file != "" {
		var err error
		if d, err = dirql.LoadDriver(file); err != nil {
			t.Fatal(err)
		}
	}
	return &dirql.Scenario{Name: "fifo", Driver: d, Device: dirql.Device{Model: newFifo}, Phases: []dirql.Phase{{
		Name: "there and back", Applications: []dirql.Application{{Name: "copy.exe", Run: func(a *dirql.App) {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(7 * i)
			}
			if status := a.Write(data); status != wdf.StatusSuccess {
				a.Errorf("the write failed with status 0x%X", uint32(status))
			}
			if back, status := a.Read(most); status != wdf.StatusSuccess || !bytes.Equal(back, data[:min(n, most)]) {
				a.Errorf("the read returned % x with status 0x%X", back, uint32(status))
			}
		}}}}}}
}

// Strings of all lengths go to the ports and come back, from Go and from C.
func TestStrings(t *testing.T) {
	for _, file := range []string{"", "fifo.sys"} {
		for n := 1; n < 20; n++ {
			for _, most := range []int{1, n, 30} {
				t.Run(fmt.Sprintf("%s%d-%d", file, n, most), func(t *testing.T) {
					r, err := scenario(t, file, n, most).Run(dirql.Options{})
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range r.Findings {
						t.Errorf("%s: %s", f.Title, f.Text)
					}
					var b bytes.Buffer
					if err := r.WriteTrace(&b); err != nil {
						t.Fatal(err)
					}
					writes := n
					if file != "" {
						writes = n/4 + n%4
					}
					if got := strings.Count(b.String(), "register fifo+0x0 write"); got != writes {
						t.Errorf("%d writes, want %d\n%s", got, writes, &b)
					}
				})
			}
		}
	}
}

// A string that is longer than its buffer is caught at the first byte behind it.
func TestShortBuffer(t *testing.T) {
	r, err := scenario(t, "testdata/short-buffer.sys", 5000, 4096).Run(dirql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Findings[0].Rule != "pool overrun" {
		t.Errorf("findings %v", r.Findings)
	}
}
