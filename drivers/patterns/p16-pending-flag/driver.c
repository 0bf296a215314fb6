//go:build ignore

/*
 * Pattern 16: the driver's own mark "a DPC is pending".
 *
 * The event path of an input device. The ISR collects the causes and queues the
 * DPC, which takes all of them and reads what has come. A mark keeps the ISR from
 * queueing the DPC once more while it is queued or runs.
 *
 * What goes wrong: the DPC takes the causes, and clears the mark when it has done
 * its work. An interrupt in between finds the mark set and does not queue the
 * DPC, which does not look again. What has come stays there until the next
 * interrupt, for ever if none comes.
 *
 * The mend: no mark. WdfInterruptQueueDpcForIsr knows better than the driver
 * whether the DPC is queued: one that runs is not, and it will run once more. (A
 * mark that the DPC clears before it takes the causes does no harm.)
 *
 * Clauses: DPC-29, QD-2. Litmus test: L-11.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    volatile LONG Causes; /* that the DPC has not taken yet */
#ifdef BUG
    volatile LONG Pending; /* the DPC is queued or runs */
#endif
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

/* EvtInterruptIsr collects the causes for the DPC; reading them clears them. */
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
    InterlockedOr(&context->Causes, causes);
#ifdef BUG
    if (InterlockedExchange(&context->Pending, 1) != 0) {
        return TRUE; /* the DPC will see the causes */
    }
#endif
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

    if (InterlockedExchange(&context->Causes, 0) & RING_RECEIVED) {
        do {
            packet = RING_READ(context, RING_PACKET);
        } while (packet != 0 && packet != RING_GONE);
    }
#ifdef BUG
    InterlockedExchange(&context->Pending, 0);
#endif
}
