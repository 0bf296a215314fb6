//go:build ignore

/*
 * Pattern 12: a deferred routine outlives its memory.
 *
 * A network adapter that polls: the ISR queues a DPC, which takes one packet and
 * queues itself again as long as there are more, so that other DPCs of the
 * processor get their turn in between. Packets go into a ring of memory that the
 * device has as long as it is in D0.
 *
 * What goes wrong: on removal, and whenever the device leaves D0, the driver
 * frees the ring in EvtDeviceD0Exit and relies on the framework, which has
 * flushed the DPCs before. The flush waits for the DPCs that were queued when it
 * began. One that queues itself again meanwhile is not among them: it runs
 * afterwards, and uses the ring.
 *
 * The mend: first nothing new, then the end of what there is. A mark, under the
 * lock, keeps the DPC from queueing itself; KeFlushQueuedDpcs waits for the runs
 * that are left; and only then the memory goes.
 *
 * Clauses: DPC-22, PWR-2, PWR-3. Seen in a driver for ATM adapters.
 */
#include <ntddk.h>
#include <wdf.h>

#define RING_SLOTS 4

/* The ring of packets. */
typedef struct _PACKETS {
    ULONG Polls;
    ULONG Packet[RING_SLOTS];
} PACKETS, *PPACKETS;

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFDPC PollDpc;
    WDFSPINLOCK Lock;
    _Guarded_by_(Lock) PPACKETS Packets;
    _Guarded_by_(Lock) BOOLEAN Stopped;
};

#include "../pattern.h"

EVT_WDF_DEVICE_D0_ENTRY EvtDeviceD0Entry;
EVT_WDF_DEVICE_D0_EXIT EvtDeviceD0Exit;
EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_DPC EvtPollDpc;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

/* CreatePollDpc makes the DPC that polls. */
static NTSTATUS
CreatePollDpc(
    IN WDFDEVICE Device
    )
{
    WDF_DPC_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;

    WDF_DPC_CONFIG_INIT(&config, EvtPollDpc);
    config.AutomaticSerialization = FALSE;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    return WdfDpcCreate(&config, &attributes, &GetContext(Device)->PollDpc);
}

/* EvtDeviceAdd creates the device, its interrupt, its DPC and its queue. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = EvtDeviceD0Entry;
    callbacks.EvtDeviceD0Exit = EvtDeviceD0Exit;
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateLock(device, &GetContext(device)->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CreatePollDpc(device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, NULL, &GetContext(device)->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EvtDeviceD0Entry gets the ring. Interrupts are not connected yet. */
NTSTATUS
EvtDeviceD0Entry(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE PreviousState
    )
{
    PDEVICE_CONTEXT context = GetContext(Device);
    PPACKETS packets = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(PACKETS), PATTERN_TAG);

    UNREFERENCED_PARAMETER(PreviousState);

    if (packets == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    WdfSpinLockAcquire(context->Lock);
    context->Packets = packets;
    context->Stopped = FALSE;
    WdfSpinLockRelease(context->Lock);
    return STATUS_SUCCESS;
}

/* EvtDeviceD0Exit frees the ring. Interrupts are disconnected. */
NTSTATUS
EvtDeviceD0Exit(
    IN WDFDEVICE Device,
    IN WDF_POWER_DEVICE_STATE TargetState
    )
{
    PDEVICE_CONTEXT context = GetContext(Device);

    UNREFERENCED_PARAMETER(TargetState);

#ifndef BUG
    WdfSpinLockAcquire(context->Lock);
    context->Stopped = TRUE;
    WdfSpinLockRelease(context->Lock);
    KeFlushQueuedDpcs();
#endif
    ExFreePoolWithTag(context->Packets, PATTERN_TAG);
    return STATUS_SUCCESS;
}

/* EvtInterruptIsr: reading the causes clears them. */
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
    WdfDpcEnqueue(context->PollDpc);
    return TRUE;
}

/* EvtPollDpc takes one packet. */
VOID
EvtPollDpc(
    IN WDFDPC Dpc
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfDpcGetParentObject(Dpc));
    ULONG packet;

    WdfSpinLockAcquire(context->Lock);
    context->Packets->Polls++;
    packet = RING_READ(context, RING_PACKET);
    if (packet != 0 && packet != RING_GONE) {
        context->Packets->Packet[packet % RING_SLOTS] = packet;
        if (!context->Stopped) {
            WdfDpcEnqueue(Dpc); /* there may be more */
        }
    }
    WdfSpinLockRelease(context->Lock);
}

/* EvtIoDeviceControl lets four packets come. */
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
    RING_WRITE(GetContext(WdfIoQueueGetDevice(Queue)), RING_LISTEN, 4);
    WdfRequestComplete(Request, STATUS_SUCCESS);
}
