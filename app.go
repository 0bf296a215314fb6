package dirql

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// App is the system as an application sees it. Its methods are calls of the
// Windows API and take virtual time; they are called in the application's own
// thread only.
type App struct {
	s    *wdf.Sys
	r    *rig
	name string
}

// Operation is a request that has been sent and may not have ended.
type Operation struct {
	a       *App
	request wdf.WDFREQUEST
}

// StartDeviceIoControl sends an I/O control request with output room for n
// bytes and returns without waiting for its end.
func (a *App) StartDeviceIoControl(code uint32, in []byte, n int) *Operation {
	return a.send(wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: code, Input: in, OutputLength: uint64(n)})
}

// StartDeviceIoControlBuffer is StartDeviceIoControl with an output buffer that holds
// something: the data of METHOD_IN_DIRECT.
func (a *App) StartDeviceIoControlBuffer(code uint32, in, buffer []byte) *Operation {
	return a.send(wdf.RequestParams{Type: wdf.RequestTypeDeviceControl, IoControlCode: code, Input: in, Output: buffer})
}

// StartRead sends a read request for n bytes.
func (a *App) StartRead(n int) *Operation {
	return a.send(wdf.RequestParams{Type: wdf.RequestTypeRead, OutputLength: uint64(n)})
}

// StartWrite sends a write request.
func (a *App) StartWrite(p []byte) *Operation {
	return a.send(wdf.RequestParams{Type: wdf.RequestTypeWrite, Input: p})
}

func (a *App) send(p wdf.RequestParams) *Operation {
	h := a.s.PrepareRequest(a.r.device, p)
	a.r.sent = append(a.r.sent, h)
	a.s.SubmitRequest(h)
	return &Operation{a, h}
}

// Wait waits until the request has ended. The output has as many bytes as the
// driver said.
func (o *Operation) Wait() (output []byte, status wdf.NTSTATUS) {
	o.a.r.busy--
	r := o.a.s.AwaitRequest(o.request)
	o.a.r.busy++
	o.a.s.ObserveBytes(r.Output)
	return r.Output, r.Status
}

// Cancel asks for the request to be cancelled (CancelIoEx).
func (o *Operation) Cancel() { o.a.s.CancelRequest(o.request) }

// DeviceIoControl sends an I/O control request and waits for its end.
func (a *App) DeviceIoControl(code uint32, in []byte, n int) (output []byte, status wdf.NTSTATUS) {
	return a.StartDeviceIoControl(code, in, n).Wait()
}

// Read reads n bytes from the device.
func (a *App) Read(n int) (p []byte, status wdf.NTSTATUS) { return a.StartRead(n).Wait() }

// Write writes p to the device.
func (a *App) Write(p []byte) (status wdf.NTSTATUS) {
	_, status = a.StartWrite(p).Wait()
	return status
}

// Sleep lets virtual time pass.
func (a *App) Sleep(nanoseconds uint64) { a.s.KeDelayExecutionThread(kernel.After(nanoseconds)) }

// Errorf reports that something that must hold does not; the run goes on. Where
// something went wrong around the driver (Faults), or the hardware is unknown, the
// driver may fail, and nothing is reported.
func (a *App) Errorf(format string, args ...any) {
	if a.r.m.Injected() > 0 || a.r.unknown != nil {
		return
	}
	a.s.Report(kernel.Finding{Rule: "wrong result", Text: a.name + ": " + fmt.Sprintf(format, args...)})
}
