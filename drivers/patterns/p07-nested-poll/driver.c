//go:build ignore

/*
 * Pattern 7: a poll handler is run from inside another one.
 *
 * A network adapter with one interrupt message for packets that come and one for
 * packets that went. Each DPC runs a poll handler; the two handlers share the
 * rings, and a gate lets only one of them in at a time. The handler of the other
 * message may run on another processor, so that waiting at the gate is a matter
 * of a microsecond.
 *
 * What goes wrong: when the receive handler sees that packets have gone, too, it
 * runs the transmit handler at once, to save an interrupt. But it is inside the
 * gate itself, and the transmit handler waits there until the receive handler,
 * which is its caller, comes out: never.
 *
 * The mend: inside the gate, only note that there is more to do, and do it when
 * one is out. (To queue the other DPC instead looks better and is not: on removal
 * the other interrupt has been flushed before, and its DPC runs too late, PWR-3.)
 *
 * Clauses: DPC-16, WD-1. Seen in a network driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Receive;  /* message 0 */
    WDFINTERRUPT Transmit; /* message 1 */
    volatile LONG Gate;    /* 1: a handler is inside */
    PVOID volatile Read;   /* requests that wait, WDFREQUESTs, or NULL */
    PVOID volatile Write;
};

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtReceiveDpc;
EVT_WDF_INTERRUPT_DPC EvtTransmitDpc;
EVT_WDF_IO_QUEUE_IO_READ EvtIoRead;
EVT_WDF_IO_QUEUE_IO_WRITE EvtIoWrite;
EVT_WDF_IO_QUEUE_IO_STOP EvtIoStop;

/* EvtDeviceAdd creates the device, an interrupt for each message, and a queue for reads and one for writes. */
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
    WDFQUEUE reads;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    context = GetContext(device);
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtReceiveDpc, &context->Receive);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtTransmitDpc, &context->Transmit);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT(&config, WdfIoQueueDispatchSequential);
    config.EvtIoRead = EvtIoRead;
    config.EvtIoStop = EvtIoStop;
    status = WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &reads);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = WdfDeviceConfigureRequestDispatching(device, reads, WdfRequestTypeRead);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoWrite = EvtIoWrite;
    config.EvtIoStop = EvtIoStop;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EvtIoRead waits for a packet, EvtIoWrite sends one. */
VOID
EvtIoRead(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t Length
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));

    UNREFERENCED_PARAMETER(Length);

    (VOID)InterlockedExchangePointer(&context->Read, Request);
    RING_WRITE(context, RING_LISTEN, 1);
}

VOID
EvtIoWrite(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t Length
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));

    UNREFERENCED_PARAMETER(Length);

    (VOID)InterlockedExchangePointer(&context->Write, Request);
    RING_WRITE(context, RING_TRANSMIT, 1);
}

/* EvtInterruptIsr of both messages: each acknowledges its own causes. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));

    UNREFERENCED_PARAMETER(MessageID);

    RING_WRITE(context, RING_ACKNOWLEDGE, Interrupt == context->Receive ? RING_RECEIVED : RING_SENT_ONE);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EnterGate waits until no handler is inside; LeaveGate lets the next one in. */
static VOID
EnterGate(
    IN PDEVICE_CONTEXT Context
    )
{
    while (InterlockedCompareExchange(&Context->Gate, 1, 0) != 0) {
        YieldProcessor();
    }
}

static VOID
LeaveGate(
    IN PDEVICE_CONTEXT Context
    )
{
    InterlockedExchange(&Context->Gate, 0);
}

/* PollTransmit takes the write whose packet has gone; the caller completes it. */
static WDFREQUEST
PollTransmit(
    IN PDEVICE_CONTEXT Context
    )
{
    WDFREQUEST done = NULL;

    EnterGate(Context);
    if (RING_READ(Context, RING_SENT) != 0) {
        done = InterlockedExchangePointer(&Context->Write, NULL);
    }
    LeaveGate(Context);
    return done;
}

/* EvtReceiveDpc is the receive handler. */
VOID
EvtReceiveDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    WDFREQUEST sent = NULL, done = NULL;
    BOOLEAN more;
    ULONG packet;

    UNREFERENCED_PARAMETER(Interrupt);

    EnterGate(context);
    packet = RING_READ(context, RING_PACKET);
    if (packet != 0 && packet != RING_GONE) {
        done = InterlockedExchangePointer(&context->Read, NULL);
    }
    more = (RING_READ(context, RING_STATUS) & RING_SENT_ONE) != 0;
#ifdef BUG
    if (more) {
        sent = PollTransmit(context);
    }
    LeaveGate(context);
#else
    LeaveGate(context);
    if (more) {
        sent = PollTransmit(context);
    }
#endif
    if (done != NULL) {
        PatternReturnNumber(done, packet);
    }
    if (sent != NULL) {
        WdfRequestComplete(sent, STATUS_SUCCESS);
    }
}

/* EvtTransmitDpc is the transmit handler. */
VOID
EvtTransmitDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    WDFREQUEST sent = PollTransmit(GetContext(AssociatedObject));

    UNREFERENCED_PARAMETER(Interrupt);

    if (sent != NULL) {
        WdfRequestCompleteWithInformation(sent, STATUS_SUCCESS, 1);
    }
}

/*
 * EvtIoStop takes a request back, unless the DPC has it: before the device
 * sleeps, the request goes back into the queue; on removal it ends.
 */
VOID
EvtIoStop(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN ULONG ActionFlags
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));

    if (InterlockedCompareExchangePointer(&context->Read, NULL, Request) != Request &&
        InterlockedCompareExchangePointer(&context->Write, NULL, Request) != Request) {
        return;
    }
    if (ActionFlags & WdfRequestStopActionSuspend) {
        WdfRequestStopAcknowledge(Request, TRUE);
    } else {
        WdfRequestComplete(Request, STATUS_DEVICE_REMOVED);
    }
}
