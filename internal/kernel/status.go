package kernel

// NTSTATUS is a status as drivers see it: negative as a signed number means
// failure.
type NTSTATUS uint32

// Failed reports whether !NT_SUCCESS(s).
func (s NTSTATUS) Failed() bool { return int32(s) < 0 }

// Status values that the kernel and the framework return.
const (
	StatusSuccess               NTSTATUS = 0x00000000
	StatusTimeout               NTSTATUS = 0x00000102
	StatusPending               NTSTATUS = 0x00000103
	StatusUnsuccessful          NTSTATUS = 0xC0000001
	StatusInfoLengthMismatch    NTSTATUS = 0xC0000004
	StatusAccessViolation       NTSTATUS = 0xC0000005
	StatusInvalidParameter      NTSTATUS = 0xC000000D
	StatusInvalidDeviceRequest  NTSTATUS = 0xC0000010
	StatusBufferTooSmall        NTSTATUS = 0xC0000023
	StatusInvalidParameter1     NTSTATUS = 0xC00000EF
	StatusInvalidParameter10    NTSTATUS = 0xC00000F8
	StatusInsufficientResources NTSTATUS = 0xC000009A
	StatusDeviceNotReady        NTSTATUS = 0xC00000A3
	StatusIOTimeout             NTSTATUS = 0xC00000B5
	StatusNotSupported          NTSTATUS = 0xC00000BB
	StatusCancelled             NTSTATUS = 0xC0000120
	StatusCannotDelete          NTSTATUS = 0xC0000121
	StatusInvalidDeviceState    NTSTATUS = 0xC0000184
	StatusDeviceRemoved         NTSTATUS = 0xC00002B6
	StatusNotFound              NTSTATUS = 0xC0000225
)
