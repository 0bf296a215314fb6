//go:build ignore

/*
 * A KMDF driver, built as a checked one (DBG), that keeps rules of which no other
 * driver here is an example: each I/O control calls a routine that may be paged out,
 * takes the cancel spin lock and gives it back, and is completed under no lock. Each
 * macro BUG_... breaks one of them.
 *
 *   BUG_CANCEL_LOCK_FREE    the cancel spin lock is released, but was not taken
 *   BUG_CANCEL_LOCK_HELD    it is taken and not released
 *   BUG_CANCEL_LOCK_LEVEL   it is released at another level
 *   BUG_COMPLETE_LOCKED     the request is completed under a spin lock
 *   BUG_PAGED_CODE          the routine is called at DISPATCH_LEVEL; PAGED_CODE is NT_ASSERT
 *   BUG_PAGED_CODE_OLD      the same with ASSERT, as drivers for Windows XP have it
 *   BUG_COMPLETE_DIRQL      the request is completed above DISPATCH_LEVEL
 *   BUG_KEEP_REQUEST        it is never completed, also when the device leaves D0
 *   BUG_DIVIDE              an exception that nobody handles, in the thread of the application
 *   BUG_LEAK                pool is not freed
 *   BUG_EVENT_LEVEL         a named event is made at DISPATCH_LEVEL
 *   BUG_WMI_LEVEL           WMI is asked for at DISPATCH_LEVEL
 */

#define DBG 1
#include <ntddk.h>
#include <wdf.h>

#ifdef BUG_PAGED_CODE_OLD
#undef PAGED_CODE
#define PAGED_CODE() \
    ({ \
        if (!(KeGetCurrentIrql() <= APC_LEVEL)) \
            RtlAssert("KeGetCurrentIrql() <= APC_LEVEL", __FILE__, __LINE__, NULL); \
    })
#endif

/* What ntddk.h of this project does not declare. */

NTKERNELAPI VOID IoAcquireCancelSpinLock(KIRQL *Irql);
NTKERNELAPI VOID IoReleaseCancelSpinLock(KIRQL Irql);
NTKERNELAPI PKEVENT IoCreateNotificationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle);
NTKERNELAPI NTSTATUS IoWMIRegistrationControl(PDEVICE_OBJECT DeviceObject, ULONG Action);
NTSYSAPI VOID RtlAssert(PVOID FailedAssertion, PVOID FileName, ULONG LineNumber, PCHAR Message);

DRIVER_INITIALIZE DriverEntry;
static EVT_WDF_DRIVER_DEVICE_ADD RulesEvtDeviceAdd;
static EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL RulesEvtIoDeviceControl;

static KSPIN_LOCK lock;
static ULONG count;

/* Cancelable counts under the cancel spin lock. */
static VOID
Cancelable(VOID)
{
    KIRQL old = PASSIVE_LEVEL;

#ifdef BUG_CANCEL_LOCK_FREE
    KeRaiseIrql(DISPATCH_LEVEL, &old);
#else
    IoAcquireCancelSpinLock(&old);
#endif
    count++;
#ifdef BUG_CANCEL_LOCK_LEVEL
    KeLowerIrql(PASSIVE_LEVEL);
#endif
#ifndef BUG_CANCEL_LOCK_HELD
    IoReleaseCancelSpinLock(old);
#endif
}

/* Pageable may only be called where memory can be paged in. */
static VOID
Pageable(VOID)
{
    PAGED_CODE();
    count++;
}

/* Locked is what is done under the spin lock. */
static VOID
Locked(VOID)
{
#if defined(BUG_PAGED_CODE) || defined(BUG_PAGED_CODE_OLD)
    Pageable();
#elif defined(BUG_EVENT_LEVEL)
    UNICODE_STRING name = {0, 0, NULL};
    HANDLE handle;
    IoCreateNotificationEvent(&name, &handle);
#elif defined(BUG_WMI_LEVEL)
    IoWMIRegistrationControl(NULL, 1);
#endif
    count++;
}

static VOID
RulesEvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    KIRQL old;

    UNREFERENCED_PARAMETER(Queue);
    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);
    UNREFERENCED_PARAMETER(IoControlCode);
    UNREFERENCED_PARAMETER(Request);

    Pageable();
    Cancelable();
#ifdef BUG_DIVIDE
    count /= (ULONG)InputBufferLength;
#endif
#ifdef BUG_LEAK
    ExAllocatePool2(POOL_FLAG_NON_PAGED, 16, 'eluR');
#endif
    KeAcquireSpinLock(&lock, &old);
    Locked();
#if defined(BUG_KEEP_REQUEST)
    KeReleaseSpinLock(&lock, old);
#elif defined(BUG_COMPLETE_DIRQL)
    KeReleaseSpinLock(&lock, old);
    KeRaiseIrql(5, &old);
    WdfRequestComplete(Request, STATUS_SUCCESS);
    KeLowerIrql(old);
#elif defined(BUG_COMPLETE_LOCKED)
    WdfRequestComplete(Request, STATUS_SUCCESS);
    KeReleaseSpinLock(&lock, old);
#else
    KeReleaseSpinLock(&lock, old);
    WdfRequestComplete(Request, STATUS_SUCCESS);
#endif
}

static NTSTATUS
RulesEvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    KeInitializeSpinLock(&lock);
    status = WdfDeviceCreate(&DeviceInit, WDF_NO_OBJECT_ATTRIBUTES, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoDeviceControl = RulesEvtIoDeviceControl;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, RulesEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
