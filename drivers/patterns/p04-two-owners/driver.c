//go:build ignore

/*
 * Pattern 4: two owners of a request.
 *
 * A serial port. A write is handed to the device and kept in the context until
 * the DPC says that it has been sent. On power-down EvtIoStop puts it back into
 * the queue, so that it is sent again later.
 *
 * What goes wrong: EvtIoStop believes that the request it is called for is still
 * under way. But the DPC may have taken it out of the context just before, on
 * another processor, and be about to complete it. Then the request has two
 * owners: it is put back into the queue and completed.
 *
 * The mend: the context has the request as long as nobody owns its completion,
 * and whoever takes it out, under the lock, is the owner. EvtIoStop leaves a
 * request alone that it does not find there; the DPC completes it soon.
 *
 * Clauses: IOQ-10, IOQ-12. Seen in a serial port driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFSPINLOCK Lock;
    _Guarded_by_(Lock) WDFREQUEST Write; /* what the device sends, or NULL */
};

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_WRITE EvtIoWrite;
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
    status = PatternCreateLock(device, &context->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = PatternCreateInterrupt(device, EvtInterruptIsr, EvtInterruptDpc, &context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoWrite = EvtIoWrite;
    config.EvtIoStop = EvtIoStop;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* TakeWrite takes the write out of the context: who gets it has to end it. */
static WDFREQUEST
TakeWrite(
    IN PDEVICE_CONTEXT Context
    )
{
    WDFREQUEST request;

    WdfSpinLockAcquire(Context->Lock);
    request = Context->Write;
    Context->Write = NULL;
    WdfSpinLockRelease(Context->Lock);
    return request;
}

/* EvtIoWrite lets the device send. */
VOID
EvtIoWrite(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t Length
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfIoQueueGetDevice(Queue));

    UNREFERENCED_PARAMETER(Length);

    WdfSpinLockAcquire(context->Lock);
    context->Write = Request;
    RING_WRITE(context, RING_TRANSMIT, 1);
    WdfSpinLockRelease(context->Lock);
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

    if (causes == RING_GONE || !(causes & RING_SENT_ONE)) {
        return FALSE;
    }
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* EvtInterruptDpc ends the write that has been sent. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    WDFREQUEST request = TakeWrite(GetContext(AssociatedObject));

    UNREFERENCED_PARAMETER(Interrupt);

    if (request != NULL) {
        WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, 1);
    }
}

/* EvtIoStop gives up a write that is under way. */
VOID
EvtIoStop(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN ULONG ActionFlags
    )
{
    WDFREQUEST request = TakeWrite(GetContext(WdfIoQueueGetDevice(Queue)));

#ifdef BUG
    /* Whether it was there does not matter here, it seems. */
    request = Request;
#else
    UNREFERENCED_PARAMETER(Request);
#endif
    if (request == NULL) {
        return; /* the DPC completes it */
    }
    if (ActionFlags & WdfRequestStopActionSuspend) {
        WdfRequestStopAcknowledge(request, TRUE);
    } else {
        WdfRequestComplete(request, STATUS_DEVICE_REMOVED);
    }
}
