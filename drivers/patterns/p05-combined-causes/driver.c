//go:build ignore

/*
 * Pattern 5: two causes in one interrupt.
 *
 * A storage controller with two kinds of work: writes, and commands. The ISR
 * reads the cause register, which clears it, notes what happened, and queues the
 * DPC, which completes the request of that kind.
 *
 * What goes wrong: the ISR compares the register with single causes. When the
 * second kind of work is done before the ISR has read the register, it reads
 * both bits at once, which is none of the values that it knows. Both causes are
 * cleared and forgotten, and both requests wait for ever.
 *
 * The mend: a cause register is a set of bits. Test each one.
 *
 * Clauses: INT-6, QD-5. Seen in a storage driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    volatile LONG Causes; /* what the DPC has not seen */
    PVOID volatile Write; /* the write under way, a WDFREQUEST, or NULL */
    PVOID volatile Command;
};

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_WRITE EvtIoWrite;
EVT_WDF_IO_QUEUE_IO_STOP EvtIoStop;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;

/* EvtDeviceAdd creates the device, its interrupt, and a queue for each kind of work. */
NTSTATUS
EvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    WDFQUEUE writes;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    status = PatternCreateDevice(DeviceInit, &callbacks, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtInterruptDpc, &GetContext(device)->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT(&config, WdfIoQueueDispatchSequential);
    config.EvtIoWrite = EvtIoWrite;
    config.EvtIoStop = EvtIoStop;
    status = WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &writes);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = WdfDeviceConfigureRequestDispatching(device, writes, WdfRequestTypeWrite);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    config.EvtIoStop = EvtIoStop;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EvtIoWrite begins a write. */
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

/* EvtIoDeviceControl begins a command. */
VOID
EvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode != IOCTL_PATTERN_START) {
        WdfRequestComplete(Request, STATUS_INVALID_DEVICE_REQUEST);
        return;
    }
    (VOID)InterlockedExchangePointer(&context->Command, Request);
    RING_WRITE(context, RING_COMMAND, 1);
}

/* Known returns what the driver knows of the causes that it has read. */
static ULONG
Known(
    IN ULONG Causes
    )
{
#ifdef BUG
    switch (Causes) {
    case RING_SENT_ONE:
    case RING_DONE:
        return Causes;
    }
    return 0;
#else
    return Causes == RING_GONE ? 0 : Causes & (RING_SENT_ONE | RING_DONE);
#endif
}

/* EvtInterruptIsr notes the causes for the DPC. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = Known(RING_READ(context, RING_CAUSE));

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == 0) {
        return FALSE;
    }
    InterlockedOr(&context->Causes, causes);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EndRequest completes the request that waits in a field of the context. */
static VOID
EndRequest(
    IN PVOID volatile *Field
    )
{
    WDFREQUEST request = InterlockedExchangePointer(Field, NULL);

    if (request != NULL) {
        WdfRequestComplete(request, STATUS_SUCCESS);
    }
}

/* EvtInterruptDpc completes what is done: one kind, or both. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    ULONG causes = InterlockedExchange(&context->Causes, 0);

    UNREFERENCED_PARAMETER(Interrupt);

    if (causes & RING_SENT_ONE) {
        EndRequest(&context->Write);
    }
    if (causes & RING_DONE) {
        EndRequest(&context->Command);
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

    if (InterlockedCompareExchangePointer(&context->Write, NULL, Request) != Request &&
        InterlockedCompareExchangePointer(&context->Command, NULL, Request) != Request) {
        return;
    }
    if (ActionFlags & WdfRequestStopActionSuspend) {
        WdfRequestStopAcknowledge(Request, TRUE);
    } else {
        WdfRequestComplete(Request, STATUS_DEVICE_REMOVED);
    }
}
