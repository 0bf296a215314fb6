//go:build ignore

/*
 * Pattern 3: the DPC that has nothing to do forgets to re-arm the interrupt.
 *
 * The receive path of a network adapter. The ISR masks the interrupt and queues
 * the DPC, which takes packets out of the ring for the reads that wait, and
 * unmasks the interrupt again. Two processors can run the DPC at the same time;
 * the second one leaves the work to the first one.
 *
 * What goes wrong: the first DPC has drained the ring and unmasked the
 * interrupt, but has not yet said that it is no longer active. A packet comes,
 * the ISR masks the interrupt again, and the DPC on the second processor finds
 * the first one active and returns. The first one does not look at the ring any
 * more. Nobody unmasks the interrupt: traffic stops for good.
 *
 * The mend: the second DPC tells the first one that there is more, and the first
 * one goes round again, unmasking included, until nobody told it anything.
 *
 * Clauses: DPC-17, QD-4. Seen in a network driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFQUEUE Reads;       /* requests that wait for a packet */
    volatile LONG Active; /* DPCs that came since the last one became idle */
};

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_READ EvtIoRead;

/* EvtDeviceAdd creates the device, its interrupt, and a queue for reads that wait behind the one that presents them. */
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
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtInterruptDpc, &context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT(&config, WdfIoQueueDispatchManual);
    status = WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &context->Reads);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoRead = EvtIoRead;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EvtIoRead lets a read wait and asks the wire for a packet. */
VOID
EvtIoRead(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t Length
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));
    NTSTATUS status = WdfRequestForwardToIoQueue(Request, context->Reads);

    UNREFERENCED_PARAMETER(Length);

    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    RING_WRITE(context, RING_LISTEN, 1);
}

/* EvtInterruptIsr masks the interrupt: the DPC unmasks it. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = RING_READ(context, RING_CAUSE);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == RING_GONE || !(causes & RING_RECEIVED)) {
        return FALSE;
    }
    RING_WRITE(context, RING_ENABLE, 0);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* Drain gives packets to reads, and unmasks the interrupt. */
static VOID
Drain(
    IN PDEVICE_CONTEXT Context
    )
{
    WDFREQUEST request;
    ULONG packet;

    for (packet = RING_READ(Context, RING_PACKET); packet != 0 && packet != RING_GONE;
         packet = RING_READ(Context, RING_PACKET)) {
        if (NT_SUCCESS(WdfIoQueueRetrieveNextRequest(Context->Reads, &request))) {
            PatternReturnNumber(request, packet);
        }
    }
    RING_WRITE(Context, RING_ENABLE, RING_RECEIVED);
}

/* EvtInterruptDpc drains the ring, if no other processor does. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);

    UNREFERENCED_PARAMETER(Interrupt);

#ifdef BUG
    if (InterlockedExchange(&context->Active, 1) != 0) {
        return; /* the other processor takes the packets */
    }
    Drain(context);
    InterlockedExchange(&context->Active, 0);
#else
    LONG seen;

    if (InterlockedIncrement(&context->Active) != 1) {
        return; /* the other processor goes round again */
    }
    do {
        seen = InterlockedCompareExchange(&context->Active, 0, 0);
        Drain(context);
    } while (InterlockedExchangeAdd(&context->Active, -seen) != seen);
#endif
}
