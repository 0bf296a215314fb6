package pe

import (
	"fmt"
	"strings"
)

// Kind says which sort of driver a file is.
type Kind uint8

// Kinds of drivers, by what they import.
const (
	KMDF Kind = iota
	WDM
	NDIS
	Storport
	SCSIPort
	ATAPort
	Minifilter
	VideoPort
	Display
	PortClass
	KernelStreaming
	HIDMinidriver
	USBPort
	Win32k
	Library // exports functions to other drivers
	numKinds
)

// kinds describes the kinds: the image and the function that tell them, and a
// sentence for the user. The first that fits is it.
var kinds = []struct {
	kind Kind
	dll  string
	fn   string // "": any
	text string
}{
	{KMDF, "WDFLDR.SYS", "WdfVersionBind", "a KMDF driver"},
	{NDIS, "NDIS.SYS", "", "an NDIS network driver: it takes interrupts through NDIS, not through the framework"},
	{Storport, "STORPORT.SYS", "", "a Storport miniport driver: Storport.sys owns its interrupts and queues"},
	{SCSIPort, "SCSIPORT.SYS", "", "a SCSI port miniport driver: scsiport.sys owns its interrupts and queues"},
	{ATAPort, "ATAPORT.SYS", "", "an ATA port miniport driver: ataport.sys owns its interrupts and queues"},
	{Minifilter, "FLTMGR.SYS", "", "a file system minifilter: it has no device and no interrupts"},
	{VideoPort, "VIDEOPRT.SYS", "", "a video miniport driver of the Windows 2000 model"},
	{Display, "DXGKRNL.SYS", "", "a display driver (WDDM): dxgkrnl.sys owns its interrupts"},
	{Display, "WIN32K.SYS", "EngCreateBitmap", "a display or printer driver (GDI)"},
	{PortClass, "PORTCLS.SYS", "", "an audio miniport driver (port class)"},
	{KernelStreaming, "KS.SYS", "", "a kernel streaming (AVStream) driver"},
	{HIDMinidriver, "HIDCLASS.SYS", "HidRegisterMinidriver", "a HID minidriver: hidclass.sys is its framework"},
	{USBPort, "USBPORT.SYS", "", "a USB host controller miniport driver"},
	{Win32k, "WIN32K.SYS", "", "a part of the Windows graphics system"},
}

// Kind tells which sort of driver the file is.
func (f *File) Kind() Kind {
	k, _ := f.kind()
	return k
}

func (f *File) kind() (Kind, string) {
	for _, k := range kinds {
		if k.fn != "" && f.Imported(k.dll, k.fn) != nil || k.fn == "" && f.importsFrom(k.dll) {
			return k.kind, k.text
		}
	}
	if displayMiniport(f) {
		return Display, "a display driver (WDDM): dxgkrnl.sys owns its interrupts"
	}
	if f.exportsAnything() {
		return Library, "a library for other drivers (an export driver); it has no device of its own"
	}
	return WDM, "a WDM driver: it does not use the framework (no import of WdfVersionBind)"
}

// exportsAnything ignores what export drivers and mingw-w64 export anyway.
func (f *File) exportsAnything() bool {
	for i := range f.Exports {
		switch f.Exports[i].Name {
		case "", "DllInitialize", "DllUnload", "DriverEntry":
		default:
			return true
		}
	}
	return false
}

// displayMiniport recognises the library displib, which every WDDM miniport is
// linked with and which finds dxgkrnl.sys by its device name.
func displayMiniport(f *File) bool { return f.holdsUTF16(`\Device\DxgKrnl`) }

// Describe returns one sentence: what the file is, and whether dirql runs it.
func (f *File) Describe() string {
	k, text := f.kind()
	switch {
	case k == KMDF && f.importsFrom("NDIS.SYS"):
		return f.BaseName() + " is an NDIS network driver that also uses KMDF; dirql runs KMDF drivers that take their interrupts through the framework"
	case k == KMDF:
		return f.BaseName() + " is a KMDF driver"
	}
	return fmt.Sprintf("%s is %s; dirql runs KMDF drivers", f.BaseName(), text)
}

var subsystems = map[uint16]string{
	0: "of an unknown kind", 2: "a user-mode program with windows", 3: "a user-mode console program", 5: "an OS/2 program", 7: "a POSIX program",
	9: "a Windows CE program", 10: "an EFI application", 11: "an EFI boot service driver", 12: "an EFI runtime driver", 13: "an EFI ROM image",
	14: "an Xbox program", 16: "a Windows boot application",
}

const dll = 0x2000 // Characteristics

// checkKind refuses what is not a kernel-mode image. Mistakes in the import and
// export directories of such a file do not matter, so it looks at them with
// its own copy.
func (f *File) checkKind() *Error {
	look := *f
	_ = look.parseImports()
	_ = look.parseExports()
	const hint = "give the .sys file of a KMDF driver"
	if f.Subsystem == subsystemNative {
		if look.importsFrom("ntdll.dll") || look.importsFrom("kernel32.dll") {
			return f.fail(-1, hint, "not a driver: a native user-mode program (it imports %s)", look.Imports[0].DLL)
		}
		return nil
	}
	what := subsystems[f.Subsystem]
	if what == "" {
		what = fmt.Sprintf("of an unknown kind (subsystem %d)", f.Subsystem)
	}
	for i := range look.Exports {
		if strings.HasPrefix(look.Exports[i].Name, "FxDriverEntryUm") {
			return f.fail(-1, "dirql runs kernel-mode drivers: build it for KMDF", "a UMDF driver: it runs in user mode")
		}
	}
	if f.dirs[dirCLR].rva != 0 {
		what = "a .NET program or library"
	} else if f.Characteristics&dll != 0 && f.Subsystem <= 3 {
		what = "a user-mode DLL"
	}
	return f.fail(-1, hint, "not a driver: %s", what)
}
