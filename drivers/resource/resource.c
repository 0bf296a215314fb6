//go:build ignore

/*
 * A driver that tries executive resources: what each form of acquire answers, who
 * is next, and what the queries say. DriverEntry fails in the end: with
 * STATUS_NOT_SUPPORTED if everything was as it should be, else with the number of
 * the line where it was not. Each macro BUG_... is one mistake.
 */

#include <ntddk.h>
#include <wdf.h>

#define EXPECT(condition) \
    do { \
        if (!(condition)) \
            return (NTSTATUS)(0xE0000000 | __LINE__); \
    } while (0)

/* What ntddk.h of this project does not declare. */

typedef struct _ERESOURCE {
    PVOID Opaque[13];
} ERESOURCE, *PERESOURCE;

NTKERNELAPI NTSTATUS ExInitializeResourceLite(PERESOURCE Resource);
NTKERNELAPI NTSTATUS ExReinitializeResourceLite(PERESOURCE Resource);
NTKERNELAPI NTSTATUS ExDeleteResourceLite(PERESOURCE Resource);
NTKERNELAPI BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait);
NTKERNELAPI BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait);
NTKERNELAPI BOOLEAN ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait);
NTKERNELAPI BOOLEAN ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait);
NTKERNELAPI VOID ExConvertExclusiveToSharedLite(PERESOURCE Resource);
NTKERNELAPI VOID ExReleaseResourceLite(PERESOURCE Resource);
NTKERNELAPI VOID ExReleaseResourceForThreadLite(PERESOURCE Resource, ULONG_PTR ResourceThreadId);
NTKERNELAPI BOOLEAN ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource);
NTKERNELAPI ULONG ExIsResourceAcquiredSharedLite(PERESOURCE Resource);
NTKERNELAPI ULONG ExGetExclusiveWaiterCount(PERESOURCE Resource);
NTKERNELAPI ULONG ExGetSharedWaiterCount(PERESOURCE Resource);
NTKERNELAPI PVOID ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE Resource);
NTKERNELAPI PVOID ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE Resource);
NTKERNELAPI VOID ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE Resource);
NTKERNELAPI VOID KeEnterCriticalRegion(VOID);
NTKERNELAPI VOID KeLeaveCriticalRegion(VOID);
NTKERNELAPI PVOID KeGetCurrentThread(VOID);

DRIVER_INITIALIZE DriverEntry;

static PERESOURCE resource;
static KEVENT gone;
static ULONG order, exclusive, shared;
static ULONG_PTR owner;

/* Exclusive and Shared wait for the resource and note when they got it. */
static VOID
Exclusive(PVOID Context)
{
    (void)Context;
    ExEnterCriticalRegionAndAcquireResourceExclusive(resource);
    exclusive = ++order;
    ExReleaseResourceAndLeaveCriticalRegion(resource);
    KeSetEvent(&gone, IO_NO_INCREMENT, FALSE);
}

static VOID
Shared(PVOID Context)
{
    (void)Context;
    ExEnterCriticalRegionAndAcquireResourceShared(resource);
    shared = ++order;
    ExReleaseResourceAndLeaveCriticalRegion(resource);
    KeSetEvent(&gone, IO_NO_INCREMENT, FALSE);
}

/* Give releases the resource for the thread that owns it. */
static VOID
Give(PVOID Context)
{
    (void)Context;
    KeEnterCriticalRegion();
    ExReleaseResourceForThreadLite(resource, owner);
    KeLeaveCriticalRegion();
    KeSetEvent(&gone, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS
Start(VOID (*Routine)(PVOID Context))
{
    HANDLE thread;
    NTSTATUS status = PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, NULL);

    if (NT_SUCCESS(status)) {
        ZwClose(thread);
    }
    return status;
}

static VOID
Wait(VOID)
{
    KeWaitForSingleObject(&gone, Executive, KernelMode, FALSE, NULL);
}

static VOID
Pause(VOID)
{
    LARGE_INTEGER time = {.QuadPart = -1000};

    KeDelayExecutionThread(KernelMode, FALSE, &time);
}

/* Alone is what one thread sees. */
static NTSTATUS
Alone(VOID)
{
    KeEnterCriticalRegion();
    EXPECT(ExAcquireResourceSharedLite(resource, TRUE));
    EXPECT(!ExAcquireResourceExclusiveLite(resource, FALSE));
    EXPECT(ExAcquireSharedStarveExclusive(resource, FALSE) && ExAcquireSharedWaitForExclusive(resource, FALSE));
    EXPECT(ExIsResourceAcquiredSharedLite(resource) == 3 && !ExIsResourceAcquiredExclusiveLite(resource));
    ExReleaseResourceLite(resource);
    ExReleaseResourceLite(resource);
    ExReleaseResourceLite(resource);
    EXPECT(ExAcquireResourceExclusiveLite(resource, TRUE) && ExAcquireResourceExclusiveLite(resource, TRUE));
    EXPECT(ExIsResourceAcquiredExclusiveLite(resource) && ExIsResourceAcquiredSharedLite(resource) == 2);
    ExReleaseResourceLite(resource);
    ExConvertExclusiveToSharedLite(resource);
    EXPECT(!ExIsResourceAcquiredExclusiveLite(resource));
    ExReleaseResourceLite(resource);
    KeLeaveCriticalRegion();
    EXPECT(ExIsResourceAcquiredSharedLite(resource) == 0);
    return STATUS_SUCCESS;
}

/* Together is what several threads see. */
static NTSTATUS
Together(VOID)
{
    ExEnterCriticalRegionAndAcquireResourceExclusive(resource);
    EXPECT(NT_SUCCESS(Start(Exclusive)));
    Pause();
    EXPECT(NT_SUCCESS(Start(Shared)));
    Pause();
    EXPECT(ExGetExclusiveWaiterCount(resource) == 1 && ExGetSharedWaiterCount(resource) == 1);
    EXPECT(exclusive == 0 && shared == 0);
    ExReleaseResourceAndLeaveCriticalRegion(resource);
    Wait();
    Wait();
    EXPECT(shared == 1 && exclusive == 2);
    KeEnterCriticalRegion();
    owner = (ULONG_PTR)KeGetCurrentThread();
    EXPECT(ExAcquireResourceExclusiveLite(resource, TRUE));
    EXPECT(NT_SUCCESS(Start(Give)));
    Wait();
    EXPECT(ExIsResourceAcquiredSharedLite(resource) == 0);
    KeLeaveCriticalRegion();
    return STATUS_SUCCESS;
}

/* Break is the mistake of a variant. */
static VOID
Break(VOID)
{
#if defined(BUG_APCS_ENABLED)
    ExAcquireResourceSharedLite(resource, TRUE);
#elif defined(BUG_RELEASE_OUTSIDE)
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(resource, TRUE);
    KeLeaveCriticalRegion();
    ExReleaseResourceLite(resource);
#elif defined(BUG_UNALIGNED)
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite((PERESOURCE)((PUCHAR)resource + 4), TRUE);
#elif defined(BUG_INITIALIZE_TWICE)
    ExInitializeResourceLite(resource);
#elif defined(BUG_NOT_OWNED)
    KeEnterCriticalRegion();
    ExReleaseResourceLite(resource);
#elif defined(BUG_SHARED_EXCLUSIVE)
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(resource, TRUE);
    ExAcquireResourceExclusiveLite(resource, TRUE);
#elif defined(BUG_STILL_OWNED)
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(resource, TRUE);
#endif
}

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    (void)DriverObject;
    (void)RegistryPath;
    KeInitializeEvent(&gone, SynchronizationEvent, FALSE);
    resource = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *resource, 'cseR');
    if (resource == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExInitializeResourceLite(resource);
    status = Alone();
    if (NT_SUCCESS(status)) {
        status = Together();
    }
    Break();
#ifndef BUG_FREE_ACTIVE
    ExReinitializeResourceLite(resource);
    ExDeleteResourceLite(resource);
#endif
#ifdef BUG_DELETE_TWICE
    ExDeleteResourceLite(resource);
#endif
    ExFreePoolWithTag(resource, 'cseR');
    return NT_SUCCESS(status) ? STATUS_NOT_SUPPORTED : status;
}
