//go:build ignore

/*
 * A driver that tries the kernel's DPCs, locks, waits and work items
 * beside the framework's, and checks what it gets. DriverEntry fails in the end:
 * with STATUS_NOT_SUPPORTED if everything was as it should be, else with the
 * number of the line where it was not. Each macro BUG_... is one mistake.
 */

#include <ntddk.h>
#include <wdf.h>

#define EXPECT(condition) \
    do { \
        if (!(condition)) \
            return (NTSTATUS)(0xE0000000 | __LINE__); \
    } while (0)

/* What ntddk.h of this project does not declare. */

typedef struct _WORK_QUEUE_ITEM {
    LIST_ENTRY List;
    VOID (*WorkerRoutine)(PVOID Parameter);
    PVOID Parameter;
} WORK_QUEUE_ITEM;

typedef struct _KDPC_WATCHDOG_INFORMATION {
    ULONG DpcTimeLimit;
    ULONG DpcTimeCount;
    ULONG DpcWatchdogLimit;
    ULONG DpcWatchdogCount;
    ULONG Reserved;
} KDPC_WATCHDOG_INFORMATION;

NTKERNELAPI VOID KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);
NTKERNELAPI ULONG KeIsExecutingDpc(VOID);
NTKERNELAPI NTSTATUS KeQueryDpcWatchdogInformation(KDPC_WATCHDOG_INFORMATION *Information);
NTKERNELAPI KIRQL KeAcquireSpinLockForDpc(PKSPIN_LOCK SpinLock);
NTKERNELAPI VOID KeReleaseSpinLockForDpc(PKSPIN_LOCK SpinLock, KIRQL OldIrql);
NTKERNELAPI BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock);
NTKERNELAPI BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex);
NTKERNELAPI VOID KeEnterCriticalRegion(VOID);
NTKERNELAPI VOID KeLeaveCriticalRegion(VOID);
NTKERNELAPI BOOLEAN KeAreApcsDisabled(VOID);
NTKERNELAPI NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID *Objects, ULONG WaitType, KWAIT_REASON Reason,
    KPROCESSOR_MODE Mode, BOOLEAN Alertable, PLARGE_INTEGER Timeout, PVOID WaitBlocks);
NTKERNELAPI VOID ExQueueWorkItem(WORK_QUEUE_ITEM *Item, ULONG QueueType);

DRIVER_INITIALIZE DriverEntry;

static KDPC ordinary, threaded;
static KSPIN_LOCK lock, other;
static KIRQL entry;
static ULONG executing;
static KEVENT done, never;
static WORK_QUEUE_ITEM item;

/* Ordinary notes how it was called. */
static VOID
Ordinary(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    (void)Dpc;
    (void)DeferredContext;
    (void)SystemArgument1;
    (void)SystemArgument2;
    entry = KeGetCurrentIrql();
    executing = KeIsExecutingDpc();
}

/* Threaded is what a threaded DPC has to look like; with a lock of the wrong kind
 * it is not. */
static VOID
Threaded(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    KIRQL old;

    (void)Dpc;
    (void)DeferredContext;
    (void)SystemArgument1;
    (void)SystemArgument2;
    entry = KeGetCurrentIrql();
#ifdef BUG_THREADED_LOCK
    (void)old;
    KeAcquireSpinLockAtDpcLevel(&lock);
    KeReleaseSpinLockFromDpcLevel(&lock);
#else
    old = KeAcquireSpinLockForDpc(&lock);
    KeReleaseSpinLockForDpc(&lock, old);
#endif
    KeSetEvent(&done, IO_NO_INCREMENT, FALSE);
}

static VOID
Work(PVOID Parameter)
{
    KeSetEvent(Parameter, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS
Wait(PVOID Object)
{
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
}

#ifdef BUG_WAIT_DPC
static VOID
Waiting(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    (void)Dpc;
    (void)DeferredContext;
    (void)SystemArgument1;
    (void)SystemArgument2;
    Wait(&never);
}
#endif

#ifdef BUG_WORK_LEVEL
/* Raised is a worker routine that returns at DISPATCH_LEVEL. */
static VOID
Raised(PVOID Parameter)
{
    KIRQL old;

    KeSetEvent(Parameter, IO_NO_INCREMENT, FALSE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
}
#endif

/* Dpcs tries ordinary and threaded DPCs and the watchdog's answer. */
static NTSTATUS
Dpcs(VOID)
{
    KDPC_WATCHDOG_INFORMATION watchdog;
    PROCESSOR_NUMBER nowhere = {0, 63, 0};
    KIRQL old;

    KeInitializeDpc(&ordinary, Ordinary, NULL);
    EXPECT(KeSetTargetProcessorDpcEx(&ordinary, &nowhere) == STATUS_INVALID_PARAMETER);
    EXPECT(!KeIsExecutingDpc());
    EXPECT(KeInsertQueueDpc(&ordinary, NULL, NULL));
    EXPECT(entry == DISPATCH_LEVEL && executing);
    EXPECT(!KeRemoveQueueDpc(&ordinary));
    KeInitializeThreadedDpc(&threaded, Threaded, NULL);
    EXPECT(KeInsertQueueDpc(&threaded, NULL, NULL));
    EXPECT(Wait(&done) == STATUS_SUCCESS);
    EXPECT(entry == PASSIVE_LEVEL);
    EXPECT(KeQueryDpcWatchdogInformation(&watchdog) == STATUS_UNSUCCESSFUL);
    KeAcquireSpinLock(&lock, &old);
    EXPECT(KeQueryDpcWatchdogInformation(&watchdog) == STATUS_SUCCESS && watchdog.DpcTimeLimit == 0x500);
    KeReleaseSpinLock(&lock, old);
    return STATUS_SUCCESS;
}

/* Locks tries locks and waits. */
static NTSTATUS
Locks(VOID)
{
    KLOCK_QUEUE_HANDLE handle;
    FAST_MUTEX mutex;
    LARGE_INTEGER soon = {.QuadPart = -10};
    PVOID objects[2] = {&never, &done};

    KeAcquireInStackQueuedSpinLock(&other, &handle);
    EXPECT(KeGetCurrentIrql() == DISPATCH_LEVEL && !KeTestSpinLock(&other));
    KeReleaseInStackQueuedSpinLock(&handle);
    EXPECT(KeGetCurrentIrql() == PASSIVE_LEVEL && KeTestSpinLock(&other));
    ExInitializeFastMutex(&mutex);
    ExAcquireFastMutex(&mutex);
    EXPECT(KeGetCurrentIrql() == APC_LEVEL);
    ExReleaseFastMutex(&mutex);
    EXPECT(ExTryToAcquireFastMutex(&mutex));
    ExReleaseFastMutex(&mutex);
    KeEnterCriticalRegion();
    EXPECT(KeAreApcsDisabled());
    KeLeaveCriticalRegion();
    KeSetEvent(&done, IO_NO_INCREMENT, FALSE);
    EXPECT(KeWaitForMultipleObjects(2, objects, 0, Executive, KernelMode, FALSE, &soon, NULL) == STATUS_TIMEOUT);
    EXPECT(KeWaitForMultipleObjects(2, objects, 1, Executive, KernelMode, FALSE, NULL, NULL) == 1);
    item.WorkerRoutine = Work;
    item.Parameter = &done;
    ExQueueWorkItem(&item, 1);
    EXPECT(Wait(&done) == STATUS_SUCCESS);
    return STATUS_SUCCESS;
}

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;
    KIRQL old;
    PROCESSOR_NUMBER second = {0, 1, 0};

    (void)DriverObject;
    (void)RegistryPath;
    (void)old;
    (void)second;
    KeInitializeSpinLock(&lock);
    KeInitializeSpinLock(&other);
    KeInitializeEvent(&done, SynchronizationEvent, FALSE);
    KeInitializeEvent(&never, SynchronizationEvent, FALSE);
    status = Dpcs();
    if (NT_SUCCESS(status)) {
        status = Locks();
    }
#if defined(BUG_UNLOAD_DPC)
    KeSetTargetProcessorDpcEx(&ordinary, &second); /* it waits there for the clock */
    KeInsertQueueDpc(&ordinary, NULL, NULL);
#elif defined(BUG_UNLOAD_WORK)
    KeRaiseIrql(DISPATCH_LEVEL, &old); /* so that it is still queued */
    ExQueueWorkItem(&item, 1);
    KeLowerIrql(old);
#elif defined(BUG_QUEUE_TWICE)
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    ExQueueWorkItem(&item, 1);
    ExQueueWorkItem(&item, 1);
    KeLowerIrql(old);
#elif defined(BUG_LOCK_ORDER)
    KeInitializeSpinLock(&other);
    static KSPIN_LOCK third;
    KeAcquireSpinLock(&lock, &old);
    KeAcquireSpinLockAtDpcLevel(&third);
    KeReleaseSpinLockFromDpcLevel(&third);
    KeReleaseSpinLock(&lock, old);
    KeAcquireSpinLock(&third, &old);
    KeAcquireSpinLockAtDpcLevel(&lock);
    KeReleaseSpinLockFromDpcLevel(&lock);
    KeReleaseSpinLock(&third, old);
#elif defined(BUG_HOLD_LOCK)
    KeAcquireSpinLock(&lock, &old);
#elif defined(BUG_MUTEX_TWICE)
    static FAST_MUTEX mutex;
    ExInitializeFastMutex(&mutex);
    ExAcquireFastMutex(&mutex);
    ExAcquireFastMutex(&mutex);
#elif defined(BUG_FREE_TWICE)
    PVOID block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 16, 'cpdP');
    ExFreePoolWithTag(block, 'cpdP');
    ExFreePoolWithTag(block, 'cpdP');
#elif defined(BUG_CLOCK)
    KeRaiseIrql(HIGH_LEVEL, &old);
    for (;;) {
        KeStallExecutionProcessor(50);
    }
#elif defined(BUG_WAIT_DPC)
    KeInitializeDpc(&ordinary, Waiting, NULL);
    KeInsertQueueDpc(&ordinary, NULL, NULL);
#elif defined(BUG_WORK_LEVEL)
    item.WorkerRoutine = Raised;
    ExQueueWorkItem(&item, 1);
    Wait(&done);
#endif
    return NT_SUCCESS(status) ? STATUS_NOT_SUPPORTED : status;
}
