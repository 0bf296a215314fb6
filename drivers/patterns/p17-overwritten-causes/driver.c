//go:build ignore

/*
 * Pattern 17: the ISR overwrites what the DPC has not seen.
 *
 * A device with two kinds of interrupts: a packet has come, a command was carried
 * out. The ISR reads the causes, which clears them, and leaves them in the device
 * context for the DPC, under the interrupt lock.
 *
 * What goes wrong: the second interrupt comes before the DPC has run for the first
 * one. Its ISR stores its cause over the first one, which is lost: the DPC runs
 * once, sees one of the two, and the device will not tell again.
 *
 * The mend: the ISR adds to what is there, and the DPC takes all there is.
 *
 * Clauses: QD-5, INT-5. Litmus test: L-09.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    ULONG Causes; /* that the DPC has not taken yet; the interrupt lock */
};

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

/* EvtDeviceAdd creates the device, its interrupt and its queue. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    UNREFERENCED_PARAMETER(Driver);
    return PatternAddDevice(DeviceInit, EvtInterruptIsr, EvtInterruptDpc, EvtIoDeviceControl);
}

/* EvtIoDeviceControl lets a packet come and begins a command. */
VOID
EvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode != IOCTL_PATTERN_START) {
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
        return;
    }
    RING_WRITE(GetContext(WdfIoQueueGetDevice(Queue)), RING_LISTEN, 1);
    RING_WRITE(GetContext(WdfIoQueueGetDevice(Queue)), RING_COMMAND, 1);
    WdfRequestComplete(Request, STATUS_SUCCESS);
}

/* EvtInterruptIsr leaves the causes to the DPC; reading them clears them. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = RING_READ(context, RING_CAUSE);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == 0 || causes == RING_GONE) {
        return FALSE;
    }
#ifdef BUG
    context->Causes = causes;
#else
    context->Causes |= causes;
#endif
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EvtInterruptDpc handles the causes. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    ULONG causes;

    WdfInterruptAcquireLock(Interrupt);
    causes = context->Causes;
    context->Causes = 0;
    WdfInterruptReleaseLock(Interrupt);

    if (causes & RING_RECEIVED) {
        RING_READ(context, RING_PACKET);
    }
    if (causes & RING_DONE) {
        RING_READ(context, RING_RESPONSE);
    }
}
