//go:build ignore

/*
 * Pattern 6: the error path takes a lock that the caller holds.
 *
 * The receive path of a network adapter. A request asks for a number of packets;
 * the DPC counts them under a lock and completes the request when all are there.
 * If the ring was full and a packet is lost, it fails the request.
 *
 * What goes wrong: the function that fails a request is used in other places,
 * too, and takes the lock itself. The DPC calls it with the lock held. Nobody
 * sees that in a test: the ring is full only if packets come faster than the DPC
 * takes them out.
 *
 * The mend: say of each function whether the lock is held when it is called, in
 * its annotation and its name, and let the one that takes the lock call the one
 * that does not.
 *
 * Clause: IRQL-15. Seen in a network driver for virtual machines.
 */
#include <ntddk.h>
#include <wdf.h>

struct _DEVICE_CONTEXT {
    PUCHAR Registers;
    WDFINTERRUPT Interrupt;
    WDFSPINLOCK Lock;
    _Guarded_by_(Lock) WDFREQUEST Request; /* the one that waits for packets, or NULL */
    _Guarded_by_(Lock) ULONG Missing;      /* packets for which it waits */
};

#define PACKETS 2

#include "../pattern.h"

EVT_WDF_INTERRUPT_ISR EvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC EvtInterruptDpc;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;
EVT_WDF_IO_QUEUE_IO_STOP EvtIoStop;

/* EvtDeviceAdd creates the device, its lock, its interrupt and its queue. */
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
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    config.EvtIoStop = EvtIoStop;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* EvtIoDeviceControl asks the wire for packets. */
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
    WdfSpinLockAcquire(context->Lock);
    context->Request = Request;
    context->Missing = PACKETS;
    RING_WRITE(context, RING_LISTEN, PACKETS);
    WdfSpinLockRelease(context->Lock);
}

/* EvtInterruptIsr leaves the causes to the DPC: they are cleared there. */
BOOLEAN
EvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PDEVICE_CONTEXT context = GetContext(WdfInterruptGetDevice(Interrupt));
    ULONG causes = RING_READ(context, RING_STATUS);

    UNREFERENCED_PARAMETER(MessageID);

    if (causes == RING_GONE || !(causes & (RING_RECEIVED | RING_OVERRUN))) {
        return FALSE;
    }
    RING_WRITE(context, RING_ENABLE, 0);
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

/* TakeRequestLocked takes the request away; the caller has to end it, without the lock. */
_Requires_lock_held_(Context->Lock)
static WDFREQUEST
TakeRequestLocked(
    IN PDEVICE_CONTEXT Context
    )
{
    WDFREQUEST request = Context->Request;

    Context->Request = NULL;
    return request;
}

_Requires_lock_not_held_(Context->Lock)
static WDFREQUEST
TakeRequest(
    IN PDEVICE_CONTEXT Context
    )
{
    WDFREQUEST request;

    WdfSpinLockAcquire(Context->Lock);
    request = TakeRequestLocked(Context);
    WdfSpinLockRelease(Context->Lock);
    return request;
}

/* EvtInterruptDpc counts packets, and ends the request when all are there or one is lost. */
VOID
EvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PDEVICE_CONTEXT context = GetContext(AssociatedObject);
    NTSTATUS status = STATUS_SUCCESS;
    WDFREQUEST done = NULL;
    ULONG packet;

    UNREFERENCED_PARAMETER(Interrupt);

    WdfSpinLockAcquire(context->Lock);
    if (RING_READ(context, RING_CAUSE) & RING_OVERRUN) {
        status = STATUS_IO_DEVICE_ERROR;
#ifdef BUG
        done = TakeRequest(context);
#else
        done = TakeRequestLocked(context);
#endif
    }
    for (packet = RING_READ(context, RING_PACKET); packet != 0 && packet != RING_GONE;
         packet = RING_READ(context, RING_PACKET)) {
        if (--context->Missing == 0 && done == NULL) {
            done = TakeRequestLocked(context);
        }
    }
    RING_WRITE(context, RING_ENABLE, RING_RECEIVED | RING_OVERRUN);
    WdfSpinLockRelease(context->Lock);
    if (done != NULL) {
        WdfRequestComplete(done, status);
    }
}

/* EvtIoStop ends the request when the device goes away or to sleep. */
VOID
EvtIoStop(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN ULONG ActionFlags
    )
{
    WDFREQUEST request = TakeRequest(GetContext(WdfIoQueueGetDevice(Queue)));

    UNREFERENCED_PARAMETER(Request);
    UNREFERENCED_PARAMETER(ActionFlags);

    if (request != NULL) {
        WdfRequestComplete(request, STATUS_DEVICE_NOT_READY);
    }
}
