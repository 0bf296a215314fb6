//go:build ignore

/*
 * A driver for the edu device that does not leave its interrupt to the framework: it
 * connects it in all the ways that IoConnectInterruptEx has, checks what it gets, and
 * works with CONNECT_MESSAGE_BASED and a fallback for the line. A read makes the device
 * interrupt and is completed by the DPC that the service routine queues. The start fails
 * with the number of the line where something was not as it should be.
 *
 *   BUG_STILL_CONNECTED     the interrupt is not disconnected
 *   BUG_WRONG_VERSION       it is disconnected as what was asked for, not as what was made
 *   BUG_TWICE               it is disconnected twice
 *   BUG_DIVIDE              an exception in the service routine
 */

#include <ntddk.h>
#include <wdf.h>

#define EXPECT(condition) \
    do { \
        if (!(condition)) \
            return (NTSTATUS)(0xE0000000 | __LINE__); \
    } while (0)

#define STATUS_NOT_FOUND            ((NTSTATUS)0xC0000225)
#define STATUS_INVALID_PARAMETER_1  ((NTSTATUS)0xC00000EF)
#define STATUS_INVALID_PARAMETER_10 ((NTSTATUS)0xC00000F8)

/* What ntddk.h of this project does not declare. */

#define CONNECT_FULLY_SPECIFIED 1
#define CONNECT_LINE_BASED      2
#define CONNECT_MESSAGE_BASED   3

typedef BOOLEAN SERVICE(PKINTERRUPT Interrupt, PVOID ServiceContext);
typedef BOOLEAN MESSAGE_SERVICE(PKINTERRUPT Interrupt, PVOID ServiceContext, ULONG MessageId);

typedef struct _MESSAGE_ENTRY {
    PHYSICAL_ADDRESS MessageAddress;
    KAFFINITY TargetProcessorSet;
    PKINTERRUPT InterruptObject;
    ULONG MessageData;
    ULONG Vector;
    KIRQL Irql;
    KINTERRUPT_MODE Mode;
    ULONG Polarity;
} MESSAGE_ENTRY;

typedef struct _MESSAGE_INFO {
    KIRQL UnifiedIrql;
    ULONG MessageCount;
    MESSAGE_ENTRY MessageInfo[1];
} MESSAGE_INFO;

typedef struct _CONNECT {
    ULONG Version;
    union {
        struct {
            PDEVICE_OBJECT PhysicalDeviceObject;
            PKINTERRUPT *InterruptObject;
            SERVICE *ServiceRoutine;
            PVOID ServiceContext;
            PKSPIN_LOCK SpinLock;
            KIRQL SynchronizeIrql;
            BOOLEAN FloatingSave;
            BOOLEAN ShareVector;
            ULONG Vector;
            KIRQL Irql;
            KINTERRUPT_MODE InterruptMode;
            KAFFINITY ProcessorEnableMask;
            USHORT Group;
        } FullySpecified;
        struct {
            PDEVICE_OBJECT PhysicalDeviceObject;
            PKINTERRUPT *InterruptObject;
            SERVICE *ServiceRoutine;
            PVOID ServiceContext;
            PKSPIN_LOCK SpinLock;
            KIRQL SynchronizeIrql;
            BOOLEAN FloatingSave;
        } LineBased;
        struct {
            PDEVICE_OBJECT PhysicalDeviceObject;
            PVOID *ConnectionContext;
            MESSAGE_SERVICE *MessageServiceRoutine;
            PVOID ServiceContext;
            PKSPIN_LOCK SpinLock;
            KIRQL SynchronizeIrql;
            BOOLEAN FloatingSave;
            SERVICE *FallBackServiceRoutine;
        } MessageBased;
    };
} CONNECT;

typedef struct _CONNECTION {
    ULONG Version;
    PVOID ConnectionContext;
} CONNECTION;

NTKERNELAPI NTSTATUS IoConnectInterruptEx(CONNECT *Parameters);
NTKERNELAPI VOID IoDisconnectInterruptEx(CONNECTION *Parameters);
NTKERNELAPI VOID IoReportInterruptActive(CONNECTION *Parameters);
NTKERNELAPI VOID IoReportInterruptInactive(CONNECTION *Parameters);
NTKERNELAPI KIRQL KeAcquireInterruptSpinLock(PKINTERRUPT Interrupt);
NTKERNELAPI VOID KeReleaseInterruptSpinLock(PKINTERRUPT Interrupt, KIRQL OldIrql);

/* Registers of the edu device. */
#define EDU_CAUSES      0x24
#define EDU_RAISE       0x60
#define EDU_ACKNOWLEDGE 0x64

DRIVER_INITIALIZE DriverEntry;
static EVT_WDF_DRIVER_DEVICE_ADD ConnectEvtDeviceAdd;
static EVT_WDF_DEVICE_PREPARE_HARDWARE ConnectEvtPrepareHardware;
static EVT_WDF_DEVICE_RELEASE_HARDWARE ConnectEvtReleaseHardware;
static EVT_WDF_IO_QUEUE_IO_READ ConnectEvtIoRead;

static PUCHAR registers;
static KDPC dpc;
static WDFREQUEST request;
static CONNECTION connection;
static PKINTERRUPT interrupt;
static BOOLEAN connected;

static ULONG *
Register(ULONG Offset)
{
    return (ULONG *)(registers + Offset);
}

/* Service acknowledges what the device interrupts for. */
static BOOLEAN
Service(PKINTERRUPT Interrupt, PVOID ServiceContext)
{
    ULONG causes = READ_REGISTER_ULONG(Register(EDU_CAUSES));

    if (causes == 0 || causes == 0xFFFFFFFF || ServiceContext != registers) {
        return FALSE;
    }
#ifdef BUG_DIVIDE
    causes /= READ_REGISTER_ULONG(Register(EDU_RAISE)) + 1;
#endif
    WRITE_REGISTER_ULONG(Register(EDU_ACKNOWLEDGE), causes);
    KeInsertQueueDpc(&dpc, Interrupt, NULL);
    return TRUE;
}

static BOOLEAN
MessageService(PKINTERRUPT Interrupt, PVOID ServiceContext, ULONG MessageId)
{
    return MessageId == 0 && Service(Interrupt, ServiceContext);
}

static VOID
Deferred(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    (void)Dpc;
    (void)DeferredContext;
    (void)SystemArgument2;
    WdfRequestCompleteWithInformation(request, SystemArgument1 == interrupt ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL, 0);
}

static BOOLEAN
Synchronized(PVOID SynchronizeContext)
{
    *(KIRQL *)SynchronizeContext = KeGetCurrentIrql();
    return TRUE;
}

static VOID
Disconnect(ULONG Version, PVOID Context)
{
    CONNECTION d = {Version, Context};

    IoDisconnectInterruptEx(&d);
}

/* FullySpecified connects what the resource says, and tries the routines for an interrupt object. */
static NTSTATUS
FullySpecified(PDEVICE_OBJECT Pdo, PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource)
{
    CONNECT p = {.Version = 9};
    CONNECTION state = {CONNECT_FULLY_SPECIFIED, NULL};
    PKINTERRUPT object = NULL;
    KIRQL level = 0, old;

    EXPECT(IoConnectInterruptEx(&p) == STATUS_INVALID_PARAMETER_1);
    p.Version = CONNECT_FULLY_SPECIFIED;
    p.FullySpecified.InterruptObject = &object;
    p.FullySpecified.ServiceRoutine = Service;
    p.FullySpecified.Vector = Resource->u.Interrupt.Vector + 1;
    p.FullySpecified.Irql = (KIRQL)Resource->u.Interrupt.Level;
    p.FullySpecified.SynchronizeIrql = 9;
    p.FullySpecified.ShareVector = Resource->ShareDisposition == CmResourceShareShared;
    p.FullySpecified.InterruptMode = Resource->Flags & CM_RESOURCE_INTERRUPT_LATCHED ? Latched : LevelSensitive;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_INVALID_PARAMETER);
    p.FullySpecified.PhysicalDeviceObject = Pdo;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_NOT_FOUND);
    p.FullySpecified.Vector--;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_INVALID_PARAMETER_10);
    p.FullySpecified.ProcessorEnableMask = Resource->u.Interrupt.Affinity;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_SUCCESS && object != NULL);
    EXPECT(KeSynchronizeExecution(object, Synchronized, &level) && level == 9);
    old = KeAcquireInterruptSpinLock(object);
    EXPECT(KeGetCurrentIrql() == 9);
    KeReleaseInterruptSpinLock(object, old);
    state.ConnectionContext = object;
    IoReportInterruptInactive(&state);
    IoReportInterruptActive(&state);
    Disconnect(CONNECT_FULLY_SPECIFIED, object);
    return STATUS_SUCCESS;
}

/* LineBased connects the line, or the one message. */
static NTSTATUS
LineBased(PDEVICE_OBJECT Pdo, PDEVICE_OBJECT Other)
{
    CONNECT p = {.Version = CONNECT_LINE_BASED};
    PKINTERRUPT object = NULL;

    p.LineBased.InterruptObject = &object;
    p.LineBased.ServiceRoutine = Service;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_INVALID_PARAMETER);
    p.LineBased.PhysicalDeviceObject = Other;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_NOT_FOUND);
    p.LineBased.PhysicalDeviceObject = Pdo;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_SUCCESS && p.Version == CONNECT_LINE_BASED && object != NULL);
    Disconnect(CONNECT_LINE_BASED, object);
    return STATUS_SUCCESS;
}

/* MessageBased connects the messages, or the line if there are none, for good. */
static NTSTATUS
MessageBased(PDEVICE_OBJECT Pdo, PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource)
{
    BOOLEAN messages = (Resource->Flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0;
    CONNECT p = {.Version = CONNECT_MESSAGE_BASED};
    MESSAGE_INFO *table;

    p.MessageBased.PhysicalDeviceObject = Pdo;
    p.MessageBased.ConnectionContext = &connection.ConnectionContext;
    p.MessageBased.MessageServiceRoutine = MessageService;
    p.MessageBased.ServiceContext = registers;
    if (!messages) {
        EXPECT(IoConnectInterruptEx(&p) == STATUS_NOT_FOUND && p.Version == CONNECT_MESSAGE_BASED);
    }
    p.MessageBased.FallBackServiceRoutine = Service;
    EXPECT(IoConnectInterruptEx(&p) == STATUS_SUCCESS);
    connected = TRUE;
    connection.Version = p.Version;
    EXPECT(p.Version == (messages ? CONNECT_MESSAGE_BASED : CONNECT_LINE_BASED));
    interrupt = connection.ConnectionContext;
    if (messages) {
        table = connection.ConnectionContext;
        interrupt = table->MessageInfo[0].InterruptObject;
        EXPECT(table->UnifiedIrql == Resource->u.Interrupt.Level && table->MessageCount == 1);
        EXPECT(table->MessageInfo[0].Vector == Resource->u.Interrupt.Vector);
        EXPECT(table->MessageInfo[0].Irql == Resource->u.Interrupt.Level && table->MessageInfo[0].Mode == Latched);
        EXPECT(table->MessageInfo[0].MessageAddress.QuadPart >> 20 == 0xFEE);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
ConnectEvtPrepareHardware(IN WDFDEVICE Device, IN WDFCMRESLIST ResourcesRaw, IN WDFCMRESLIST ResourcesTranslated)
{
    PCM_PARTIAL_RESOURCE_DESCRIPTOR memory = WdfCmResourceListGetDescriptor(ResourcesTranslated, 0);
    PCM_PARTIAL_RESOURCE_DESCRIPTOR resource = WdfCmResourceListGetDescriptor(ResourcesTranslated, 1);
    PDEVICE_OBJECT pdo = WdfDeviceWdmGetPhysicalDevice(Device);
    NTSTATUS status;

    (void)ResourcesRaw;
    registers = MmMapIoSpace(memory->u.Memory.Start, memory->u.Memory.Length, MmNonCached);
    EXPECT(registers != NULL);
    KeInitializeDpc(&dpc, Deferred, NULL);
    status = FullySpecified(pdo, resource);
    if (NT_SUCCESS(status)) {
        status = LineBased(pdo, WdfDeviceWdmGetDeviceObject(Device));
    }
    if (NT_SUCCESS(status)) {
        status = MessageBased(pdo, resource);
    }
    return status;
}

static NTSTATUS
ConnectEvtReleaseHardware(IN WDFDEVICE Device, IN WDFCMRESLIST ResourcesTranslated)
{
    (void)Device;
    (void)ResourcesTranslated;
#ifdef BUG_WRONG_VERSION
    connection.Version = CONNECT_MESSAGE_BASED;
#endif
#ifndef BUG_STILL_CONNECTED
    if (connected) {
        IoDisconnectInterruptEx(&connection);
    }
#endif
#ifdef BUG_TWICE
    IoDisconnectInterruptEx(&connection);
#endif
    connected = FALSE;
    KeFlushQueuedDpcs();
    MmUnmapIoSpace(registers, 1 << 20);
    return STATUS_SUCCESS;
}

static VOID
ConnectEvtIoRead(IN WDFQUEUE Queue, IN WDFREQUEST Request, IN size_t Length)
{
    (void)Queue;
    (void)Length;
    request = Request;
    WRITE_REGISTER_ULONG(Register(EDU_RAISE), 1);
}

static NTSTATUS
ConnectEvtDeviceAdd(IN WDFDRIVER Driver, IN PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    (void)Driver;
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = ConnectEvtPrepareHardware;
    callbacks.EvtDeviceReleaseHardware = ConnectEvtReleaseHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    status = WdfDeviceCreate(&DeviceInit, WDF_NO_OBJECT_ATTRIBUTES, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoRead = ConnectEvtIoRead;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, ConnectEvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}
