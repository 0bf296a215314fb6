//go:build ignore

/*
 * Pattern 18: the DPC takes everything, and acknowledges afterwards.
 *
 * The receive path of an adapter with messages. The ISR leaves the causes as they
 * are; the DPC takes packets out of the ring until there is none, and clears the
 * cause. The device sends a message when the cause is set and was not set before.
 *
 * What goes wrong: a packet comes after the last look into the ring and before the
 * write that clears the cause. Its cause is set already, so that no message is
 * sent, and then cleared together with that of the packets before. The driver
 * waits for a message, the device for the driver: nothing happens until the next
 * packet comes, for ever if that one depends on an answer to this one.
 *
 * The mend: acknowledge first, and look then. What comes after the acknowledgement
 * is a cause of its own.
 *
 * Clauses: INT-6, INT-7. Litmus test: L-10, where enabling the interrupt plays the part of the
 * acknowledgement.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
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

/* EvtIoDeviceControl lets two packets come. */
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
    RING_WRITE(GetContext(WdfIoQueueGetDevice(Queue)), RING_LISTEN, 2);
    WdfRequestComplete(Request, STATUS_SUCCESS);
}

/* EvtInterruptIsr leaves everything to the DPC. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    ULONG causes = RING_READ(GetContext(WdfInterruptGetDevice(Interrupt)), RING_STATUS);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == RING_GONE || !(causes & RING_RECEIVED)) {
        return FALSE;
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EvtInterruptDpc takes what has come. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    ULONG packet;

    UNREFERENCED_PARAMETER(Interrupt);

#ifndef BUG
    RING_WRITE(context, RING_ACKNOWLEDGE, RING_RECEIVED);
#endif
    do {
        packet = RING_READ(context, RING_PACKET);
    } while (packet != 0 && packet != RING_GONE);
#ifdef BUG
    RING_WRITE(context, RING_ACKNOWLEDGE, RING_RECEIVED);
#endif
}
