//go:build ignore

/*
 * Pattern 10: tested, and then empty.
 *
 * A network adapter. Reads wait in a list for packets; the DPC gives each packet
 * to the oldest read. A request to cancel (IOCTL_PATTERN_CLOSE) ends all reads
 * that wait.
 *
 * What goes wrong: the DPC asks whether a read waits, and then takes one out.
 * Each of the two is done under the lock, so no list is ever damaged and no
 * race detector complains; but between them the other side takes the last read.
 * The DPC gets NULL and uses it.
 *
 * The mend: test and removal are one operation. PopRead answers NULL when there
 * is none, and that answer is the test.
 *
 * Clauses: IOQ-10, DPC-14. Seen in a network driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

/* A read that waits. */
typedef struct _READ {
    LIST_ENTRY Link;
    WDFREQUEST Request;
} READ, *PREAD;

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFSPINLOCK Lock;
    _Guarded_by_(Lock) LIST_ENTRY Reads;
};

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_READ EvtIoRead;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;
EVT_WDF_IO_QUEUE_IO_STOP EvtIoStop;

/* EvtDeviceAdd creates the device, its interrupt and its queue. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_IO_QUEUE_CONFIG config;
    PDEVICE_CONTEXT context;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    context = GetContext(device);
    InitializeListHead(&context->Reads);
    status = PatternCreateLock(device, &context->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtInterruptDpc, &context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoRead = EvtIoRead;
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    config.EvtIoStop = EvtIoStop;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* PopRead takes the oldest read out of the list; NULL: there is none. */
static PREAD
PopRead(
    IN PDEVICE_CONTEXT Context
    )
{
    PREAD read = NULL;

    WdfSpinLockAcquire(Context->Lock);
    if (!IsListEmpty(&Context->Reads)) {
        read = CONTAINING_RECORD(RemoveHeadList(&Context->Reads), READ, Link);
    }
    WdfSpinLockRelease(Context->Lock);
    return read;
}

#ifdef BUG
/* ReadWaits reports whether there is a read. */
static BOOLEAN
ReadWaits(
    IN PDEVICE_CONTEXT Context
    )
{
    BOOLEAN waits;

    WdfSpinLockAcquire(Context->Lock);
    waits = !IsListEmpty(&Context->Reads);
    WdfSpinLockRelease(Context->Lock);
    return waits;
}
#endif

/* EvtIoRead lets the read wait for a packet. */
VOID
EvtIoRead(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t Length
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));
    PREAD read = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(READ), PATTERN_TAG);

    UNREFERENCED_PARAMETER(Length);

    if (read == NULL) {
        WdfRequestComplete(Request, STATUS_INSUFFICIENT_RESOURCES);
        return;
    }
    read->Request = Request;
    WdfSpinLockAcquire(context->Lock);
    InsertTailList(&context->Reads, &read->Link);
    WdfSpinLockRelease(context->Lock);
    RING_WRITE(context, RING_LISTEN, 1);
}

/* CancelReads ends all reads that wait. */
static VOID
CancelReads(
    IN PDEVICE_CONTEXT Context
    )
{
    PREAD read;

    while ((read = PopRead(Context)) != NULL) {
        WdfRequestComplete(read->Request, STATUS_CANCELLED);
        ExFreePoolWithTag(read, PATTERN_TAG);
    }
}

/* EvtIoDeviceControl gives up all reads. */
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

    if (IoControlCode != IOCTL_PATTERN_CLOSE) {
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
        return;
    }
    CancelReads(GetContext(WdfIoQueueGetDevice(Queue)));
    WdfRequestComplete(Request, STATUS_SUCCESS);
}

/* EvtIoStop gives up all reads when the device goes away or to sleep. */
VOID
EvtIoStop(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN ULONG ActionFlags
    )
{
    UNREFERENCED_PARAMETER(Request);
    UNREFERENCED_PARAMETER(ActionFlags);
    CancelReads(GetContext(WdfIoQueueGetDevice(Queue)));
}

/* EvtInterruptIsr: reading the causes clears them. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    ULONG causes = RING_READ(GetContext(WdfInterruptGetDevice(Interrupt)), RING_CAUSE);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == 0 || causes == RING_GONE) {
        return FALSE;
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EvtInterruptDpc gives each packet to a read, and drops those that nobody wants. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    ULONG packet;
    PREAD read;

    UNREFERENCED_PARAMETER(Interrupt);

    while ((packet = RING_READ(context, RING_PACKET)) != 0 && packet != RING_GONE) {
#ifdef BUG
        if (!ReadWaits(context)) {
            continue;
        }
        read = PopRead(context);
#else
        read = PopRead(context);
        if (read == NULL) {
            continue;
        }
#endif
        PatternReturnNumber(read->Request, packet);
        ExFreePoolWithTag(read, PATTERN_TAG);
    }
}
