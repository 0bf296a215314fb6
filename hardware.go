package dirql

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/bind"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/trace"
)

// Hardware is what is known of a device whose registers are not: how it is found
// on the bus. See device.Unknown.
type Hardware struct {
	VendorID, DeviceID, SubsystemVendorID, SubsystemID uint16
	Revision                                           uint8
	Messages                                           int // MSI-X messages that the driver's INF allows; 0: the device uses its line
}

// maxMessages is how many messages an unknown device has at most: there are as many
// vectors of its level.
const maxMessages = 16

// DefaultHardware is what an unknown device is unless somebody says otherwise.
// No company has this vendor id.
var DefaultHardware = Hardware{VendorID: 0x1AF0, DeviceID: 0x0001}

// String returns the hardware as ParseHardware reads it.
func (h Hardware) String() string {
	return fmt.Sprintf("%04X:%04X:%04X:%04X:%02X:%d", h.VendorID, h.DeviceID, h.SubsystemVendorID, h.SubsystemID, h.Revision, h.Messages)
}

// ParseHardware reads vendor:device, and, each if the one before is there,
// subsystem vendor, subsystem, revision (all hexadecimal) and the number of
// messages: "1AF4:1005" or "1AF4:1005:1AF4:0004:00:2".
func ParseHardware(s string) (Hardware, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 6 {
		return Hardware{}, fmt.Errorf("%q is no PCI identity: vendor:device, and perhaps :subsystem vendor:subsystem:revision:messages", s)
	}
	var v [6]uint64
	for i, p := range parts {
		base, bits := 16, 16
		if i == 4 {
			bits = 8
		} else if i == 5 {
			base, bits = 10, 8
		}
		var err error
		if v[i], err = strconv.ParseUint(p, base, bits); err != nil {
			return Hardware{}, fmt.Errorf("%q is no PCI identity: part %d, %q, is no number of %d bits", s, i+1, p, bits)
		}
	}
	h := Hardware{uint16(v[0]), uint16(v[1]), uint16(v[2]), uint16(v[3]), uint8(v[4]), int(v[5])}
	if h.VendorID == 0xFFFF {
		return h, fmt.Errorf("%q is no PCI identity: vendor FFFF means that nothing is there", s)
	}
	if h.Messages > maxMessages {
		return h, fmt.Errorf("%q: the number of messages is 0 to %d", s, maxMessages)
	}
	return h, nil
}

// Hardware returns the device that the driver's INF names, if the file lies
// beside the driver and has its name, and DefaultHardware otherwise. The error
// is about a file that is there and cannot be read.
func (d *Driver) Hardware() (Hardware, error) {
	if d.file == nil {
		return DefaultHardware, nil
	}
	path := strings.TrimSuffix(d.path, filepath.Ext(d.path)) + ".inf"
	data, err := pe.ReadBounded(path, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultHardware, nil
	}
	if err != nil {
		return DefaultHardware, err
	}
	return hardwareOf(infText(data)), nil
}

// infText returns the text of an INF file without its comments.
func infText(data []byte) string {
	text := string(data)
	if len(data) >= 2 && data[0] == 0xFF && data[1] == 0xFE {
		var units []uint16
		for i := 2; i+1 < len(data); i += 2 {
			units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
		}
		text = string(utf16.Decode(units))
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, ";")
		b.WriteString(line + "\n")
	}
	return b.String()
}

// What INF files say of PCI devices and their messages.
var (
	infID       = regexp.MustCompile(`(?i)PCI\\VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})(?:&SUBSYS_([0-9A-F]{4})([0-9A-F]{4}))?(?:&REV_([0-9A-F]{2}))?`)
	infMessages = regexp.MustCompile(`(?im)^.*,\s*"?MSISupported"?\s*,.*,\s*(?:0x)?0*1\s*$`)
	infLimit    = regexp.MustCompile(`(?im)^.*,\s*"?MessageNumberLimit"?\s*,.*,\s*(?:0x)?([0-9A-F]{1,4})\s*$`)
)

// hardwareOf reads what an INF says: the first PCI device, and whether and how
// many messages are allowed.
func hardwareOf(inf string) Hardware {
	h := DefaultHardware
	if m := infID.FindStringSubmatch(inf); m != nil {
		number := func(s string) uint64 {
			v, _ := strconv.ParseUint(s, 16, 16) // "" is 0
			return v
		}
		h = Hardware{uint16(number(m[1])), uint16(number(m[2])), uint16(number(m[4])), uint16(number(m[3])), uint8(number(m[5])), 0}
	}
	if h.VendorID == 0xFFFF {
		h.VendorID = DefaultHardware.VendorID
	}
	if infMessages.MatchString(inf) {
		h.Messages = 1
		if m := infLimit.FindStringSubmatch(inf); m != nil {
			limit, _ := strconv.ParseUint(m[1], 16, 16)
			h.Messages = min(max(int(limit), 1), maxMessages)
		}
	}
	return h
}

// OnUnknownHardware replaces the scenario's device by one of which nothing is
// known but its identity. What applications expect of results is not checked
// then, and a driver may refuse to start the device.
func (s *Scenario) OnUnknownHardware(h Hardware) {
	var values []uint64
	if s.Driver.file != nil {
		_, values = bind.Constants(s.Driver.file)
	}
	s.hardware = &h
	s.Device.Messages = h.Messages > 0
	s.Device.Model = func() device.Model {
		return &device.Unknown{
			Identity: device.Identity{VendorID: h.VendorID, DeviceID: h.DeviceID, SubsystemVendorID: h.SubsystemVendorID, SubsystemID: h.SubsystemID,
				Revision: h.Revision, Class: 0xFF0000},
			Vectors: h.Messages, Values: values,
		}
	}
}

// UnknownScenario is the scenario for a driver of which nothing is known: its
// device is unknown hardware; applications open it, read, write, send I/O control
// codes that the driver's code mentions and cancel what does not end; the device
// is powered down and up, and taken out while it is in use.
func UnknownScenario(d Driver, h Hardware) *Scenario {
	s := &Scenario{Name: "unknown", Title: "any driver: unknown hardware, applications that try what there is, power, removal", Processors: 2, Driver: d}
	codes := controlCodes(&d)
	few := codes[:min(len(codes), 4)]
	all := Application{Name: "first.exe", Run: func(a *App) { a.try(codes, make([]byte, tryLength)) }}
	backwards := Application{Name: "second.exe", Run: func(a *App) { a.try(reversed(codes), bytes.Repeat([]byte{1}, tryLength)) }}
	short := Application{Name: "first.exe", Run: func(a *App) { a.try(few, bytes.Repeat([]byte{0xFF}, tryLength)) }}
	s.Phases = []Phase{
		{Name: "in use", Applications: []Application{all, backwards}},
		{Name: "power down and up", Applications: []Application{short}, System: func(s *System) {
			s.PowerDown()
			s.Sleep(20_000)
			s.PowerUp()
		}},
		{Name: "in use again", Applications: []Application{short, backwards}},
		{Name: "surprise removal", Applications: []Application{short}, System: func(s *System) { s.SurpriseRemove() }},
	}
	s.OnUnknownHardware(h)
	return s
}

func reversed(codes []uint32) []uint32 {
	list := slices.Clone(codes)
	slices.Reverse(list)
	return list
}

// tryLength is the length of the buffers of requests whose meaning is not known.
const tryLength = 64

// maxTried bounds the I/O control codes that an application tries.
const maxTried = 24

// commonCodes are codes that drivers often have: the first ones of
// FILE_DEVICE_UNKNOWN, of each method.
var commonCodes = []uint32{0x222000, 0x222004, 0x222008, 0x22200C, 0x222001, 0x222002, 0x222003}

// controlCodes returns the I/O control codes that the driver seems to know.
func controlCodes(d *Driver) []uint32 {
	if d.file == nil {
		return commonCodes
	}
	codes, _ := bind.Constants(d.file)
	if len(codes) == 0 {
		return commonCodes
	}
	return codes[:min(len(codes), maxTried)]
}

// try sends a request of each kind without knowing what comes of it. What has
// not ended when two more were sent is cancelled; nothing is waited for: it may
// depend on hardware that does not answer.
func (a *App) try(codes []uint32, in []byte) {
	var sent []*Operation
	keep := func(o *Operation) {
		sent = append(sent, o)
		if n := len(sent); n > 2 {
			sent[n-3].Cancel()
		}
	}
	keep(a.StartRead(len(in)))
	keep(a.StartWrite(in))
	for _, c := range codes {
		keep(a.StartDeviceIoControlBuffer(c, in, slices.Clone(in)))
	}
	a.Sleep(100_000)
	for _, o := range sent[max(len(sent)-2, 0):] {
		o.Cancel()
	}
}

// manyPolls is how many reads of one register in a row are polling without end.
const manyPolls = 1000

// polling is the finding for a run on unknown hardware that reached the bound on
// steps. What such a device says can make a driver count far; that is none. The
// driver is wrong where it polls a register without end whatever that answers.
func (r *rig) polling() *Finding {
	bar, offset, times := r.unknown.Polled()
	if times < manyPolls {
		return nil
	}
	text := fmt.Sprintf("%s: the driver has read BAR %d at 0x%X %d times in a row, whatever it answered, and does not give up", r.reason, bar, offset, times)
	return &Finding{Title: noEnd, Rule: noEnd, identity: noEnd, variant: noEnd, Processor: -1, Text: text, Stack: r.m.Waiters(), Time: r.m.Now()}
}

// maxAnswers bounds the answers that a finding repeats; the timeline has all.
const maxAnswers = 8

// withHardware adds to the findings of a run on unknown hardware which answers of
// the device, other than the usual ones, led there.
func (r *rig) withHardware(rep *Report) *Report {
	if r.unknown == nil {
		return rep
	}
	for i := range rep.Findings {
		f := &rep.Findings[i]
		if f.Unsupported {
			continue
		}
		f.Text += " (with unknown hardware"
		var answers []string
		for k := range rep.log.Events {
			if e := &rep.log.Events[k]; e.Kind == trace.Bus && e.Name == "unknown" && e.Time <= f.Time && strings.Contains(e.Text, " reads ") {
				text, _, _ := strings.Cut(e.Text, ": ")
				answers = append(answers, text)
			}
		}
		if n := len(answers) - maxAnswers; n > 0 {
			answers = append([]string{fmt.Sprintf("%d answers before", n)}, answers[n:]...)
		}
		if len(answers) > 0 {
			f.Text += "; unusual answers that led here: " + strings.Join(answers, ", ")
		}
		f.Text += ")"
	}
	return rep
}
