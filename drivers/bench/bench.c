//go:build ignore

/*
 * bench.c: a KMDF driver for the edu PCI device that does as much as a request
 * asks it to: what the benchmarks of dirql (internal/bench) run. Its ISR and
 * its DPC are those of a driver for a network or disk controller: the ISR
 * acknowledges and queues the DPC, the DPC completes what a ring of descriptors
 * says, moving requests from one list to another.
 *
 * bash drivers/build.sh makes bench.sys from it.
 */
#include <ntddk.h>
#include <wdf.h>

/* In: BENCH_WORK. Out: how many descriptors the DPC has gone through, a ULONG. Code 0x222000. */
#define IOCTL_BENCH_WORK CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

/* What a request asks for. */
typedef struct _BENCH_WORK {
    ULONG Descriptors; /* in each DPC */
    ULONG Cycles;      /* interrupts with their DPCs, at least 1 */
    ULONG Inserts;     /* more calls of WdfInterruptQueueDpcForIsr in each ISR */
    ULONG Locks;       /* pairs of WdfSpinLockAcquire and WdfSpinLockRelease */
    ULONG Waits;       /* waits for an event that is set before */
} BENCH_WORK, *PBENCH_WORK;

/* Registers of the edu device, by offset in BAR 0. */
#define EDU_REGISTERS_LENGTH (1024 * 1024)
#define EDU_FACTORIAL        0x08 /* a write starts a computation */
#define EDU_STATUS           0x20
#define EDU_CAUSES           0x24
#define EDU_ACKNOWLEDGE      0x64
#define EDU_STATUS_INTERRUPT 0x80 /* interrupt when it is ready */

#define BENCH_RING 16

typedef struct _BENCH_DESCRIPTOR {
    ULONG64 Address;
    ULONG Length;
    USHORT Flags;
    USHORT Id;
} BENCH_DESCRIPTOR, *PBENCH_DESCRIPTOR;

#define BENCH_GOOD 1

typedef struct _BENCH_BUFFER {
    LIST_ENTRY Link;
    ULONG64 Key;
    ULONG64 Cookie;
    ULONG State;
    ULONG Length;
} BENCH_BUFFER, *PBENCH_BUFFER;

/* The device context. Lock protects what the DPC uses; Causes belongs to the ISR and the DPC. */
typedef struct _BENCH_DEVICE_CONTEXT {
    PUCHAR Registers; /* mapped BAR 0 */
    WDFSPINLOCK Lock;
    WDFSPINLOCK Other; /* for BENCH_WORK.Locks */
    WDFINTERRUPT Interrupt;
    WDFREQUEST Request;
    BENCH_WORK Work;
    volatile LONG Causes;
    ULONG Head, Interrupts, Runs, Done;
    ULONG64 Good, Bad, Bytes;
    LIST_ENTRY Active, Completed;
    BENCH_DESCRIPTOR Ring[BENCH_RING];
    BENCH_BUFFER Buffers[BENCH_RING];
} BENCH_DEVICE_CONTEXT, *PBENCH_DEVICE_CONTEXT;

WDF_DECLARE_CONTEXT_TYPE(BENCH_DEVICE_CONTEXT)

CODE_SEG("INIT") DRIVER_INITIALIZE DriverEntry;

CODE_SEG("PAGE") EVT_WDF_DRIVER_DEVICE_ADD BenchEvtDeviceAdd;
CODE_SEG("PAGE") EVT_WDF_DEVICE_PREPARE_HARDWARE BenchEvtDevicePrepareHardware;
CODE_SEG("PAGE") EVT_WDF_DEVICE_RELEASE_HARDWARE BenchEvtDeviceReleaseHardware;
EVT_WDF_INTERRUPT_ISR BenchEvtInterruptIsr;
EVT_WDF_INTERRUPT_DPC BenchEvtInterruptDpc;
EVT_WDF_INTERRUPT_DISABLE BenchEvtInterruptDisable;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL BenchEvtIoDeviceControl;

/* ---- Driver and device ---- */

_Use_decl_annotations_
NTSTATUS
DriverEntry(
    IN PDRIVER_OBJECT DriverObject,
    IN PUNICODE_STRING RegistryPath
    )
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, BenchEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* BenchFill gives the ring its descriptors, and each buffer its place on the list. */
CODE_SEG("PAGE")
static VOID
BenchFill(
    IN PBENCH_DEVICE_CONTEXT Context
    )
{
    InitializeListHead(&Context->Active);
    InitializeListHead(&Context->Completed);
    for (ULONG i = 0; i < BENCH_RING; i++) {
        Context->Ring[i].Address = 0x1000 * i;
        Context->Ring[i].Length = 64 + i;
        Context->Ring[i].Flags = (i & 3) != 3 ? BENCH_GOOD : 0;
        Context->Ring[i].Id = (USHORT)((i * 5) & (BENCH_RING - 1));
        Context->Buffers[i].Key = 77 * i;
        InsertTailList(&Context->Active, &Context->Buffers[i].Link);
    }
}

/* BenchEvtDeviceAdd creates the device with its locks, its interrupt and its queue. */
_Use_decl_annotations_
NTSTATUS
BenchEvtDeviceAdd(
    IN WDFDRIVER Driver,
    IN PWDFDEVICE_INIT DeviceInit
    )
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_INTERRUPT_CONFIG interrupt;
    WDF_IO_QUEUE_CONFIG queue;
    PBENCH_DEVICE_CONTEXT context;
    WDFDEVICE device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Driver);
    PAGED_CODE();

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = BenchEvtDevicePrepareHardware;
    callbacks.EvtDeviceReleaseHardware = BenchEvtDeviceReleaseHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, BENCH_DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    context = WdfObjectGetTypedContext(device, BENCH_DEVICE_CONTEXT);
    BenchFill(context);

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    status = WdfSpinLockCreate(&attributes, &context->Lock);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = WdfSpinLockCreate(&attributes, &context->Other);
    if (!NT_SUCCESS(status)) {
        return status;
    }

    WDF_INTERRUPT_CONFIG_INIT(&interrupt, BenchEvtInterruptIsr, BenchEvtInterruptDpc);
    interrupt.EvtInterruptDisable = BenchEvtInterruptDisable;
    status = WdfInterruptCreate(device, &interrupt, WDF_NO_OBJECT_ATTRIBUTES, &context->Interrupt);
    if (!NT_SUCCESS(status)) {
        return status;
    }

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&queue, WdfIoQueueDispatchSequential);
    queue.EvtIoDeviceControl = BenchEvtIoDeviceControl;
    return WdfIoQueueCreate(device, &queue, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

/* BenchEvtDevicePrepareHardware maps the registers. */
_Use_decl_annotations_
NTSTATUS
BenchEvtDevicePrepareHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesRaw,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PBENCH_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, BENCH_DEVICE_CONTEXT);
    ULONG count = WdfCmResourceListGetCount(ResourcesTranslated);

    UNREFERENCED_PARAMETER(ResourcesRaw);
    PAGED_CODE();

    for (ULONG i = 0; i < count; i++) {
        PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);

        if (descriptor->Type == CmResourceTypeMemory && descriptor->u.Memory.Length >= EDU_REGISTERS_LENGTH &&
            context->Registers == NULL) {
            context->Registers = MmMapIoSpace(descriptor->u.Memory.Start, EDU_REGISTERS_LENGTH, MmNonCached);
        }
    }
    return context->Registers == NULL ? STATUS_DEVICE_CONFIGURATION_ERROR : STATUS_SUCCESS;
}

/* BenchEvtDeviceReleaseHardware undoes it. */
_Use_decl_annotations_
NTSTATUS
BenchEvtDeviceReleaseHardware(
    IN WDFDEVICE Device,
    IN WDFCMRESLIST ResourcesTranslated
    )
{
    PBENCH_DEVICE_CONTEXT context = WdfObjectGetTypedContext(Device, BENCH_DEVICE_CONTEXT);
    PVOID registers = InterlockedExchangePointer((PVOID volatile *)&context->Registers, NULL);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    PAGED_CODE();

    if (registers != NULL) {
        MmUnmapIoSpace(registers, EDU_REGISTERS_LENGTH);
    }
    return STATUS_SUCCESS;
}

#define BENCH_READ(Context, Offset)         READ_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)))
#define BENCH_WRITE(Context, Offset, Value) WRITE_REGISTER_ULONG((PULONG)((Context)->Registers + (Offset)), Value)

/* ---- Interrupt ---- */

/* BenchEvtInterruptIsr runs at DIRQL. */
_Use_decl_annotations_
BOOLEAN
BenchEvtInterruptIsr(
    IN WDFINTERRUPT Interrupt,
    IN ULONG MessageID
    )
{
    PBENCH_DEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfInterruptGetDevice(Interrupt), BENCH_DEVICE_CONTEXT);
    ULONG causes;

    UNREFERENCED_PARAMETER(MessageID);

    causes = BENCH_READ(context, EDU_CAUSES);
    if (causes == 0 || causes == 0xFFFFFFFF) {
        return FALSE;
    }
    InterlockedOr(&context->Causes, (LONG)causes);
    BENCH_WRITE(context, EDU_ACKNOWLEDGE, causes);
    context->Interrupts++;
    for (ULONG i = 0; i <= context->Work.Inserts; i++) {
        WdfInterruptQueueDpcForIsr(Interrupt);
    }
    return TRUE;
}

/* BenchComplete moves the buffer of a descriptor to the list of completed ones. */
static VOID
BenchComplete(
    IN PBENCH_DEVICE_CONTEXT Context,
    IN PBENCH_DESCRIPTOR Descriptor
    )
{
    PBENCH_BUFFER buffer = &Context->Buffers[Descriptor->Id];

    if (Descriptor->Flags & BENCH_GOOD) {
        Context->Good++;
        Context->Bytes += Descriptor->Length;
        buffer->State = 2;
    } else {
        Context->Bad++;
        buffer->State = 3;
    }
    buffer->Length = Descriptor->Length;
    buffer->Cookie = Descriptor->Address ^ buffer->Key;
    RemoveEntryList(&buffer->Link);
    InsertTailList(&Context->Completed, &buffer->Link);
}

/* BenchEvtInterruptDpc runs at DISPATCH_LEVEL. */
_Use_decl_annotations_
VOID
BenchEvtInterruptDpc(
    IN WDFINTERRUPT Interrupt,
    IN WDFOBJECT AssociatedObject
    )
{
    PBENCH_DEVICE_CONTEXT context = WdfObjectGetTypedContext(AssociatedObject, BENCH_DEVICE_CONTEXT);
    WDFREQUEST request = NULL;
    PVOID output;

    UNREFERENCED_PARAMETER(Interrupt);

    if (InterlockedExchange(&context->Causes, 0) == 0) {
        return;
    }
    WdfSpinLockAcquire(context->Lock);
    for (ULONG i = 0; i < context->Work.Descriptors; i++) {
        BenchComplete(context, &context->Ring[context->Head++ & (BENCH_RING - 1)]);
    }
    context->Runs++;
    context->Done += context->Work.Descriptors;
    while (!IsListEmpty(&context->Completed)) { /* they are used again */
        InsertTailList(&context->Active, RemoveHeadList(&context->Completed));
    }
    if (--context->Work.Cycles > 0) {
        BENCH_WRITE(context, EDU_FACTORIAL, 1);
    } else {
        request = context->Request;
        context->Request = NULL;
    }
    WdfSpinLockRelease(context->Lock);
    if (request != NULL && NT_SUCCESS(WdfRequestRetrieveOutputBuffer(request, sizeof(ULONG), &output, NULL))) {
        *(PULONG)output = context->Done;
        WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, sizeof(ULONG));
    }
}

/* BenchEvtInterruptDisable keeps the device from interrupting. */
_Use_decl_annotations_
NTSTATUS
BenchEvtInterruptDisable(
    IN WDFINTERRUPT Interrupt,
    IN WDFDEVICE AssociatedDevice
    )
{
    PBENCH_DEVICE_CONTEXT context = WdfObjectGetTypedContext(AssociatedDevice, BENCH_DEVICE_CONTEXT);

    UNREFERENCED_PARAMETER(Interrupt);

    BENCH_WRITE(context, EDU_STATUS, 0);
    BENCH_WRITE(context, EDU_ACKNOWLEDGE, 0xFFFFFFFF);
    return STATUS_SUCCESS;
}

/* ---- Requests ---- */

/* BenchCall makes the calls that a request asks for. */
static VOID
BenchCall(
    IN PBENCH_DEVICE_CONTEXT Context,
    IN const BENCH_WORK *Work
    )
{
    KEVENT event;

    for (ULONG i = 0; i < Work->Locks; i++) {
        WdfSpinLockAcquire(Context->Other);
        WdfSpinLockRelease(Context->Other);
    }
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    for (ULONG i = 0; i < Work->Waits; i++) {
        KeSetEvent(&event, IO_NO_INCREMENT, FALSE);
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    }
}

/* BenchEvtIoDeviceControl keeps the request and lets the device interrupt. */
_Use_decl_annotations_
VOID
BenchEvtIoDeviceControl(
    IN WDFQUEUE Queue,
    IN WDFREQUEST Request,
    IN size_t OutputBufferLength,
    IN size_t InputBufferLength,
    IN ULONG IoControlCode
    )
{
    PBENCH_DEVICE_CONTEXT context = WdfObjectGetTypedContext(WdfIoQueueGetDevice(Queue), BENCH_DEVICE_CONTEXT);
    PBENCH_WORK work;
    PVOID buffer;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);

    if (IoControlCode != IOCTL_BENCH_WORK || !NT_SUCCESS(WdfRequestRetrieveInputBuffer(Request, sizeof(BENCH_WORK), &buffer, NULL)) ||
        ((PBENCH_WORK)buffer)->Cycles == 0) {
        WdfRequestComplete(Request, STATUS_INVALID_PARAMETER);
        return;
    }
    work = buffer;
    BenchCall(context, work);
    WdfSpinLockAcquire(context->Lock);
    context->Work = *work;
    context->Done = 0;
    context->Request = Request;
    BENCH_WRITE(context, EDU_STATUS, EDU_STATUS_INTERRUPT);
    BENCH_WRITE(context, EDU_FACTORIAL, 1);
    WdfSpinLockRelease(context->Lock);
}
