/*
 * ntddk.h: what drivers in this project need of the Windows kernel interface,
 * x64 only, for gcc (mingw-w64) and clang (MSVC ABI).
 *
 * Written for this project. Names, numbers and layouts are those of the
 * documented interface; layout_check.c compares every structure here with
 * internal/ddi/data/kmdf-structs.csv. It is not complete: add what a driver
 * needs.
 *
 * Where the WDK has inline functions that touch hardware or call the system,
 * this header has macros: debug information then gives the line of the driver,
 * not a line of this header.
 */
#ifndef DIRQL_NTDDK_H
#define DIRQL_NTDDK_H

#ifndef __x86_64__
#error "these headers are for x64"
#endif

/* ---- Annotations for static analysis, which are nothing to a compiler ---- */

#define IN
#define OUT
#define OPTIONAL
#define _In_
#define _In_opt_
#define _In_z_
#define _Out_
#define _Out_opt_
#define _Inout_
#define _Inout_opt_
#define _In_reads_bytes_(Bytes)
#define _Out_writes_bytes_(Bytes)
#define _Must_inspect_result_
#define _Use_decl_annotations_
#define _Function_class_(Class)
#define _IRQL_requires_(Irql)
#define _IRQL_requires_max_(Irql)
#define _IRQL_requires_min_(Irql)
#define _IRQL_requires_same_
#define _IRQL_raises_(Irql)
#define _IRQL_saves_
#define _IRQL_restores_
#define _Requires_lock_held_(Lock)
#define _Requires_lock_not_held_(Lock)
#define _Acquires_lock_(Lock)
#define _Releases_lock_(Lock)
#define _Guarded_by_(Lock)
#define _Interlocked_
#define _When_(Condition, Annotation)
#define _Analysis_assume_(Condition)
#define __drv_aliasesMem

/* ---- The compiler ---- */

#define CONST const
#define VOID void
#define NTAPI
#define FORCEINLINE static inline __attribute__((always_inline, unused))
#define DECLSPEC_IMPORT __declspec(dllimport)
#define DECLSPEC_SELECTANY __declspec(selectany)
#define DECLSPEC_NORETURN __attribute__((noreturn))
#define DECLSPEC_NOINLINE __attribute__((noinline))
#define DECLSPEC_ALIGN(Bytes) __attribute__((aligned(Bytes)))
#define NTSYSAPI DECLSPEC_IMPORT
#define NTKERNELAPI DECLSPEC_IMPORT
#define NTHALAPI DECLSPEC_IMPORT

/*
 * CODE_SEG("PAGE") or CODE_SEG("INIT") before the declaration of a function puts
 * it into that section: PAGE is pageable, INIT is discarded when the driver is
 * initialized. It does what #pragma alloc_text does with Microsoft's compiler.
 */
#define CODE_SEG(Section) __attribute__((section(Section), noinline))

#define UNREFERENCED_PARAMETER(P) ((void)(P))
#define FIELD_OFFSET(Type, Field) ((LONG)__builtin_offsetof(Type, Field))
#define CONTAINING_RECORD(Address, Type, Field) ((Type *)((PUCHAR)(Address) - __builtin_offsetof(Type, Field)))
#define ARRAYSIZE(Array) (sizeof(Array) / sizeof((Array)[0]))
#define RTL_NUMBER_OF(Array) ARRAYSIZE(Array)
#define C_ASSERT(Condition) _Static_assert(Condition, #Condition)

/* ---- Basic types ---- */

#define TRUE 1
#define FALSE 0
#define NULL ((void *)0)

typedef __SIZE_TYPE__ size_t;
typedef __WCHAR_TYPE__ WCHAR;
typedef char CHAR, CCHAR;
typedef unsigned char UCHAR, BYTE, BOOLEAN;
typedef short SHORT, CSHORT;
typedef unsigned short USHORT;
typedef int INT;
typedef unsigned int UINT;
typedef long LONG;
typedef unsigned long ULONG, DWORD;
typedef long long LONGLONG, LONG64, LONG_PTR, SSIZE_T;
typedef unsigned long long ULONGLONG, ULONG64, ULONG_PTR, SIZE_T, KAFFINITY, KSPIN_LOCK;
typedef void *PVOID, *HANDLE;
typedef CHAR *PCHAR, *PSTR;
typedef const CHAR *PCSTR, *LPCSTR, *PCCH;
typedef WCHAR *PWCHAR, *PWSTR;
typedef const WCHAR *PCWSTR, *LPCWSTR;
typedef UCHAR *PUCHAR;
typedef BOOLEAN *PBOOLEAN;
typedef USHORT *PUSHORT;
typedef LONG *PLONG;
typedef ULONG *PULONG;
typedef LONGLONG *PLONGLONG;
typedef LONG64 *PLONG64;
typedef ULONGLONG *PULONGLONG;
typedef ULONG64 *PULONG64;
typedef ULONG_PTR *PULONG_PTR;
typedef SIZE_T *PSIZE_T;
typedef HANDLE *PHANDLE;
typedef KAFFINITY *PKAFFINITY;
typedef KSPIN_LOCK *PKSPIN_LOCK;
typedef LONG NTSTATUS, KPRIORITY, USBD_STATUS;
typedef NTSTATUS *PNTSTATUS;
typedef UCHAR KIRQL;
typedef KIRQL *PKIRQL;
typedef CCHAR KPROCESSOR_MODE;
typedef ULONG ACCESS_MASK, DEVICE_TYPE, LCID, DEVPROPTYPE, *PDEVPROPTYPE;
typedef ULONGLONG POOL_FLAGS;

C_ASSERT(sizeof(long) == 4 && sizeof(void *) == 8 && sizeof(WCHAR) == 2);

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    };
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER, PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

typedef union _ULARGE_INTEGER {
    struct {
        ULONG LowPart;
        ULONG HighPart;
    };
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef struct _GUID {
    ULONG Data1;
    USHORT Data2;
    USHORT Data3;
    UCHAR Data4[8];
} GUID, *LPGUID;
typedef const GUID *LPCGUID;

typedef struct _UNICODE_STRING {
    USHORT Length;        /* bytes */
    USHORT MaximumLength; /* bytes */
    PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

#define RTL_CONSTANT_STRING(Literal) {sizeof(Literal) - sizeof((Literal)[0]), sizeof(Literal), Literal}
#define DECLARE_CONST_UNICODE_STRING(Name, Literal) \
    const WCHAR Name##_buffer[] = Literal; \
    const UNICODE_STRING Name = {sizeof(Literal) - sizeof(WCHAR), sizeof(Literal), (PWSTR)Name##_buffer}

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

typedef struct _SINGLE_LIST_ENTRY {
    struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

/* Structures that drivers here only pass on. */
typedef struct _DEVICE_OBJECT *PDEVICE_OBJECT;
typedef struct _FILE_OBJECT *PFILE_OBJECT;
typedef struct _IRP *PIRP;
typedef struct _IO_STACK_LOCATION *PIO_STACK_LOCATION;
typedef struct _KINTERRUPT *PKINTERRUPT;
typedef struct _KTHREAD *PKTHREAD, *PETHREAD;
typedef struct _EPROCESS *PEPROCESS;
typedef struct _OBJECT_TYPE *POBJECT_TYPE;
typedef struct _OBJECT_ATTRIBUTES *POBJECT_ATTRIBUTES;
typedef struct _SCATTER_GATHER_LIST *PSCATTER_GATHER_LIST;

/* ---- Status values ---- */

#define NT_SUCCESS(Status) ((NTSTATUS)(Status) >= 0)

#define STATUS_SUCCESS                    ((NTSTATUS)0x00000000)
#define STATUS_TIMEOUT                    ((NTSTATUS)0x00000102)
#define STATUS_PENDING                    ((NTSTATUS)0x00000103)
#define STATUS_OBJECT_NAME_EXISTS         ((NTSTATUS)0x40000000)
#define STATUS_NO_MORE_ENTRIES            ((NTSTATUS)0x8000001A)
#define STATUS_UNSUCCESSFUL               ((NTSTATUS)0xC0000001)
#define STATUS_NOT_IMPLEMENTED            ((NTSTATUS)0xC0000002)
#define STATUS_INFO_LENGTH_MISMATCH       ((NTSTATUS)0xC0000004)
#define STATUS_INVALID_PARAMETER          ((NTSTATUS)0xC000000D)
#define STATUS_NO_SUCH_DEVICE             ((NTSTATUS)0xC000000E)
#define STATUS_INVALID_DEVICE_REQUEST     ((NTSTATUS)0xC0000010)
#define STATUS_BUFFER_TOO_SMALL           ((NTSTATUS)0xC0000023)
#define STATUS_DELETE_PENDING             ((NTSTATUS)0xC0000056)
#define STATUS_INSUFFICIENT_RESOURCES     ((NTSTATUS)0xC000009A)
#define STATUS_DEVICE_NOT_CONNECTED       ((NTSTATUS)0xC000009D)
#define STATUS_DEVICE_NOT_READY           ((NTSTATUS)0xC00000A3)
#define STATUS_IO_TIMEOUT                 ((NTSTATUS)0xC00000B5)
#define STATUS_NOT_SUPPORTED              ((NTSTATUS)0xC00000BB)
#define STATUS_INTERNAL_ERROR             ((NTSTATUS)0xC00000E5)
#define STATUS_CANCELLED                  ((NTSTATUS)0xC0000120)
#define STATUS_CANNOT_DELETE              ((NTSTATUS)0xC0000121)
#define STATUS_DEVICE_CONFIGURATION_ERROR ((NTSTATUS)0xC0000182)
#define STATUS_INVALID_DEVICE_STATE       ((NTSTATUS)0xC0000184)
#define STATUS_IO_DEVICE_ERROR            ((NTSTATUS)0xC0000185)
#define STATUS_NOT_FOUND                  ((NTSTATUS)0xC0000225)
#define STATUS_DEVICE_REMOVED             ((NTSTATUS)0xC00002B6)

/* ---- IRQL ---- */

#define PASSIVE_LEVEL  0
#define APC_LEVEL      1
#define DISPATCH_LEVEL 2
#define CLOCK_LEVEL    13
#define IPI_LEVEL      14
#define HIGH_LEVEL     15

/* On x64 the IRQL is control register 8. */
#define KeGetCurrentIrql() \
    ({ \
        ULONG64 cr8_; \
        __asm__ volatile("movq %%cr8, %0" : "=r"(cr8_)::"memory"); \
        (KIRQL) cr8_; \
    })
#define KeLowerIrql(NewIrql) ({ __asm__ volatile("movq %0, %%cr8" ::"r"((ULONG64)(KIRQL)(NewIrql)) : "memory"); })
#define KfRaiseIrql(NewIrql) \
    ({ \
        KIRQL irql_ = KeGetCurrentIrql(); \
        KeLowerIrql(NewIrql); \
        irql_; \
    })
#define KeRaiseIrql(NewIrql, OldIrql) (*(OldIrql) = KfRaiseIrql(NewIrql))

#ifndef DBG
#define DBG 0
#endif
#if DBG
#define NT_ASSERT(Condition) ((Condition) ? (void)0 : __builtin_trap())
#else
#define NT_ASSERT(Condition) ((void)0)
#endif
#define ASSERT(Condition) NT_ASSERT(Condition)
#define PAGED_CODE() NT_ASSERT(KeGetCurrentIrql() <= APC_LEVEL)

/* ---- Processor ---- */

#define _ReadWriteBarrier() __asm__ volatile("" ::: "memory")
#define YieldProcessor() __builtin_ia32_pause()
#define DbgBreakPoint() __asm__ volatile("int3")

/* A locked operation on the stack, which is faster than mfence and does the same. */
#define KeMemoryBarrier() __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc")

#define InterlockedIncrement(Target)              __atomic_add_fetch((volatile LONG *)(Target), 1, __ATOMIC_SEQ_CST)
#define InterlockedDecrement(Target)              __atomic_sub_fetch((volatile LONG *)(Target), 1, __ATOMIC_SEQ_CST)
#define InterlockedAdd(Target, Value)             __atomic_add_fetch((volatile LONG *)(Target), (LONG)(Value), __ATOMIC_SEQ_CST)
#define InterlockedExchangeAdd(Target, Value)     __atomic_fetch_add((volatile LONG *)(Target), (LONG)(Value), __ATOMIC_SEQ_CST)
#define InterlockedExchange(Target, Value)        __atomic_exchange_n((volatile LONG *)(Target), (LONG)(Value), __ATOMIC_SEQ_CST)
#define InterlockedOr(Target, Value)              __atomic_fetch_or((volatile LONG *)(Target), (LONG)(Value), __ATOMIC_SEQ_CST)
#define InterlockedAnd(Target, Value)             __atomic_fetch_and((volatile LONG *)(Target), (LONG)(Value), __ATOMIC_SEQ_CST)
#define InterlockedXor(Target, Value)             __atomic_fetch_xor((volatile LONG *)(Target), (LONG)(Value), __ATOMIC_SEQ_CST)
#define InterlockedIncrement64(Target)            __atomic_add_fetch((volatile LONG64 *)(Target), 1, __ATOMIC_SEQ_CST)
#define InterlockedDecrement64(Target)            __atomic_sub_fetch((volatile LONG64 *)(Target), 1, __ATOMIC_SEQ_CST)
#define InterlockedExchangeAdd64(Target, Value)   __atomic_fetch_add((volatile LONG64 *)(Target), (LONG64)(Value), __ATOMIC_SEQ_CST)
#define InterlockedExchange64(Target, Value)      __atomic_exchange_n((volatile LONG64 *)(Target), (LONG64)(Value), __ATOMIC_SEQ_CST)
#define InterlockedOr64(Target, Value)            __atomic_fetch_or((volatile LONG64 *)(Target), (LONG64)(Value), __ATOMIC_SEQ_CST)
#define InterlockedAnd64(Target, Value)           __atomic_fetch_and((volatile LONG64 *)(Target), (LONG64)(Value), __ATOMIC_SEQ_CST)
#define InterlockedExchangePointer(Target, Value) __atomic_exchange_n((PVOID volatile *)(Target), (PVOID)(Value), __ATOMIC_SEQ_CST)
#define InterlockedCompareExchange(Target, Value, Comparand) \
    __sync_val_compare_and_swap((volatile LONG *)(Target), (LONG)(Comparand), (LONG)(Value))
#define InterlockedCompareExchange64(Target, Value, Comparand) \
    __sync_val_compare_and_swap((volatile LONG64 *)(Target), (LONG64)(Comparand), (LONG64)(Value))
#define InterlockedCompareExchangePointer(Target, Value, Comparand) \
    __sync_val_compare_and_swap((PVOID volatile *)(Target), (PVOID)(Comparand), (PVOID)(Value))

#define ReadNoFence(Source)             (*(const volatile LONG *)(Source))
#define WriteNoFence(Target, Value)     (*(volatile LONG *)(Target) = (LONG)(Value))
#define ReadAcquire(Source)             __atomic_load_n((const volatile LONG *)(Source), __ATOMIC_ACQUIRE)
#define WriteRelease(Target, Value)     __atomic_store_n((volatile LONG *)(Target), (LONG)(Value), __ATOMIC_RELEASE)

/*
 * Device registers: a plain access that the compiler does not move; a write is
 * followed by a fence.
 */
#define DIRQL_READ_REGISTER(Type, Register) \
    ({ \
        const volatile Type *register_ = (Register); \
        _ReadWriteBarrier(); \
        *register_; \
    })
#define DIRQL_WRITE_REGISTER(Type, Register, Value) \
    ({ \
        volatile Type *register_ = (Register); \
        *register_ = (Type)(Value); \
        KeMemoryBarrier(); \
    })
#define READ_REGISTER_UCHAR(Register)           DIRQL_READ_REGISTER(UCHAR, Register)
#define READ_REGISTER_USHORT(Register)          DIRQL_READ_REGISTER(USHORT, Register)
#define READ_REGISTER_ULONG(Register)           DIRQL_READ_REGISTER(ULONG, Register)
#define READ_REGISTER_ULONG64(Register)         DIRQL_READ_REGISTER(ULONG64, Register)
#define WRITE_REGISTER_UCHAR(Register, Value)   DIRQL_WRITE_REGISTER(UCHAR, Register, Value)
#define WRITE_REGISTER_USHORT(Register, Value)  DIRQL_WRITE_REGISTER(USHORT, Register, Value)
#define WRITE_REGISTER_ULONG(Register, Value)   DIRQL_WRITE_REGISTER(ULONG, Register, Value)
#define WRITE_REGISTER_ULONG64(Register, Value) DIRQL_WRITE_REGISTER(ULONG64, Register, Value)

#define DIRQL_READ_PORT(Type, Suffix, Port) \
    ({ \
        Type value_; \
        __asm__ volatile("in" Suffix " %1, %0" : "=a"(value_) : "Nd"((USHORT)(ULONG_PTR)(Port)) : "memory"); \
        value_; \
    })
#define DIRQL_WRITE_PORT(Type, Suffix, Port, Value) \
    ({ __asm__ volatile("out" Suffix " %0, %1" ::"a"((Type)(Value)), "Nd"((USHORT)(ULONG_PTR)(Port)) : "memory"); })
#define READ_PORT_UCHAR(Port)           DIRQL_READ_PORT(UCHAR, "b", Port)
#define READ_PORT_USHORT(Port)          DIRQL_READ_PORT(USHORT, "w", Port)
#define READ_PORT_ULONG(Port)           DIRQL_READ_PORT(ULONG, "l", Port)
#define WRITE_PORT_UCHAR(Port, Value)   DIRQL_WRITE_PORT(UCHAR, "b", Port, Value)
#define WRITE_PORT_USHORT(Port, Value)  DIRQL_WRITE_PORT(USHORT, "w", Port, Value)
#define WRITE_PORT_ULONG(Port, Value)   DIRQL_WRITE_PORT(ULONG, "l", Port, Value)

typedef struct _GROUP_AFFINITY {
    KAFFINITY Mask;
    USHORT Group;
    USHORT Reserved[3];
} GROUP_AFFINITY, *PGROUP_AFFINITY;

typedef struct _PROCESSOR_NUMBER {
    USHORT Group;
    UCHAR Number;
    UCHAR Reserved;
} PROCESSOR_NUMBER, *PPROCESSOR_NUMBER;

#define ALL_PROCESSOR_GROUPS 0xffff

NTKERNELAPI ULONG KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber);
NTKERNELAPI ULONG KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors);
NTKERNELAPI ULONG KeQueryActiveProcessorCountEx(USHORT GroupNumber);
NTHALAPI VOID KeStallExecutionProcessor(ULONG MicroSeconds);
DECLSPEC_NORETURN NTKERNELAPI VOID KeBugCheckEx(
    ULONG BugCheckCode, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4);

/* ---- Memory ---- */

typedef enum _POOL_TYPE {
    NonPagedPool = 0,
    NonPagedPoolExecute = NonPagedPool,
    PagedPool = 1,
    NonPagedPoolCacheAligned = 4,
    PagedPoolCacheAligned = 5,
    NonPagedPoolNx = 512,
    NonPagedPoolNxCacheAligned = NonPagedPoolNx + 4,
} POOL_TYPE;

#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_NON_PAGED     0x0000000000000040ULL
#define POOL_FLAG_PAGED         0x0000000000000100ULL

NTKERNELAPI PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
NTKERNELAPI PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);
NTKERNELAPI VOID ExFreePoolWithTag(PVOID P, ULONG Tag);
NTKERNELAPI VOID ExFreePool(PVOID P);

typedef enum _MEMORY_CACHING_TYPE {
    MmNonCached = 0,
    MmCached = 1,
    MmWriteCombined = 2,
} MEMORY_CACHING_TYPE;

#define PAGE_SIZE      0x1000
#define PAGE_READONLY  0x02
#define PAGE_READWRITE 0x04
#define PAGE_NOCACHE   0x200

NTKERNELAPI PVOID MmMapIoSpace(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType);
NTKERNELAPI PVOID MmMapIoSpaceEx(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, ULONG Protect);
NTKERNELAPI VOID MmUnmapIoSpace(PVOID BaseAddress, SIZE_T NumberOfBytes);
NTKERNELAPI PVOID MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress);
NTKERNELAPI VOID MmFreeContiguousMemory(PVOID BaseAddress);
NTKERNELAPI PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID BaseAddress);
NTKERNELAPI PVOID MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName);

typedef struct _MDL {
    struct _MDL *Next;
    CSHORT Size;
    CSHORT MdlFlags;
    PEPROCESS Process;
    PVOID MappedSystemVa;
    PVOID StartVa;
    ULONG ByteCount;
    ULONG ByteOffset;
} MDL, *PMDL;

/* The compiler calls these by itself, too. */
void *memcpy(void *Destination, const void *Source, size_t Length);
void *memmove(void *Destination, const void *Source, size_t Length);
void *memset(void *Destination, int Fill, size_t Length);
int memcmp(const void *A, const void *B, size_t Length);

#define RtlCopyMemory(Destination, Source, Length) memcpy(Destination, Source, Length)
#define RtlMoveMemory(Destination, Source, Length) memmove(Destination, Source, Length)
#define RtlFillMemory(Destination, Length, Fill)   memset(Destination, Fill, Length)
#define RtlZeroMemory(Destination, Length)         memset(Destination, 0, Length)
#define RtlEqualMemory(A, B, Length)               (!memcmp(A, B, Length))

NTSYSAPI VOID RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);
NTSYSAPI VOID RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);

/* ---- Dispatcher objects and waits ---- */

typedef struct _DISPATCHER_HEADER {
    union {
        struct {
            UCHAR Type;
            UCHAR Signalling;
            UCHAR Size;
            UCHAR Reserved1;
        };
        volatile LONG Lock;
    };
    LONG SignalState;
    LIST_ENTRY WaitListHead;
} DISPATCHER_HEADER;

typedef struct _KEVENT {
    DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT, *PRKEVENT;

typedef struct _KSEMAPHORE {
    DISPATCHER_HEADER Header;
    LONG Limit;
} KSEMAPHORE, *PKSEMAPHORE, *PRKSEMAPHORE;

typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;
typedef enum _TIMER_TYPE { NotificationTimer, SynchronizationTimer } TIMER_TYPE;
typedef enum _MODE { KernelMode, UserMode } MODE;
typedef enum _KWAIT_REASON { Executive, FreePage, PageIn, PoolAllocation, DelayExecution, Suspended, UserRequest } KWAIT_REASON;

#define IO_NO_INCREMENT 0

NTKERNELAPI VOID KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State);
NTKERNELAPI LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);
NTKERNELAPI LONG KeResetEvent(PRKEVENT Event);
NTKERNELAPI VOID KeClearEvent(PRKEVENT Event);
NTKERNELAPI LONG KeReadStateEvent(PRKEVENT Event);
NTKERNELAPI VOID KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit);
NTKERNELAPI LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait);
NTKERNELAPI NTSTATUS KeWaitForSingleObject(
    PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout);
NTKERNELAPI NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval);
NTKERNELAPI ULONG KeQueryTimeIncrement(VOID);
NTKERNELAPI LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency);

typedef struct _FAST_MUTEX {
    LONG Count;
    PKTHREAD Owner;
    ULONG Contention;
    KEVENT Event;
    ULONG OldIrql;
} FAST_MUTEX, *PFAST_MUTEX;

#define FM_LOCK_BIT 1
#define ExInitializeFastMutex(Mutex) \
    ((Mutex)->Count = FM_LOCK_BIT, (Mutex)->Owner = NULL, (Mutex)->Contention = 0, \
     KeInitializeEvent(&(Mutex)->Event, SynchronizationEvent, FALSE))
NTKERNELAPI VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex);
NTKERNELAPI VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex);

/* ---- Spin locks ---- */

typedef struct _KSPIN_LOCK_QUEUE {
    struct _KSPIN_LOCK_QUEUE *volatile Next;
    PKSPIN_LOCK volatile Lock;
} KSPIN_LOCK_QUEUE, *PKSPIN_LOCK_QUEUE;

typedef struct _KLOCK_QUEUE_HANDLE {
    KSPIN_LOCK_QUEUE LockQueue;
    KIRQL OldIrql;
} KLOCK_QUEUE_HANDLE, *PKLOCK_QUEUE_HANDLE;

#define KeInitializeSpinLock(SpinLock) ((void)(*(volatile KSPIN_LOCK *)(SpinLock) = 0))
#define KeAcquireSpinLock(SpinLock, OldIrql) ((void)(*(OldIrql) = KeAcquireSpinLockRaiseToDpc(SpinLock)))
NTKERNELAPI KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock);
NTKERNELAPI VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql);
NTKERNELAPI VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
NTKERNELAPI VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);
NTKERNELAPI BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
NTKERNELAPI VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);
NTKERNELAPI VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle);

/* ---- DPCs, timers, interrupts, threads ---- */

struct _KDPC;
typedef VOID KDEFERRED_ROUTINE(struct _KDPC *Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2);
typedef KDEFERRED_ROUTINE *PKDEFERRED_ROUTINE;

typedef struct _KDPC {
    UCHAR Type;
    UCHAR Importance;
    volatile USHORT Number;
    SINGLE_LIST_ENTRY DpcListEntry;
    KAFFINITY ProcessorHistory;
    PKDEFERRED_ROUTINE DeferredRoutine;
    PVOID DeferredContext;
    PVOID SystemArgument1;
    PVOID SystemArgument2;
    PVOID DpcData;
} KDPC, *PKDPC, *PRKDPC;

typedef enum _KDPC_IMPORTANCE { LowImportance, MediumImportance, HighImportance, MediumHighImportance } KDPC_IMPORTANCE;

NTKERNELAPI VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);
NTKERNELAPI BOOLEAN KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2);
NTKERNELAPI BOOLEAN KeRemoveQueueDpc(PRKDPC Dpc);
NTKERNELAPI VOID KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number);
NTKERNELAPI NTSTATUS KeSetTargetProcessorDpcEx(PKDPC Dpc, PPROCESSOR_NUMBER ProcNumber);
NTKERNELAPI VOID KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance);
NTKERNELAPI VOID KeFlushQueuedDpcs(VOID);

typedef struct _KTIMER {
    DISPATCHER_HEADER Header;
    ULARGE_INTEGER DueTime;
    LIST_ENTRY TimerListEntry;
    struct _KDPC *Dpc;
    ULONG Processor;
    ULONG Period;
} KTIMER, *PKTIMER;

NTKERNELAPI VOID KeInitializeTimer(PKTIMER Timer);
NTKERNELAPI VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type);
NTKERNELAPI BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc);
NTKERNELAPI BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc);
NTKERNELAPI BOOLEAN KeCancelTimer(PKTIMER Timer);

typedef enum _KINTERRUPT_MODE { LevelSensitive, Latched } KINTERRUPT_MODE;
typedef BOOLEAN KSYNCHRONIZE_ROUTINE(PVOID SynchronizeContext);
typedef KSYNCHRONIZE_ROUTINE *PKSYNCHRONIZE_ROUTINE;
NTKERNELAPI BOOLEAN KeSynchronizeExecution(
    PKINTERRUPT Interrupt, PKSYNCHRONIZE_ROUTINE SynchronizeRoutine, PVOID SynchronizeContext);

typedef VOID KSTART_ROUTINE(PVOID StartContext);
typedef KSTART_ROUTINE *PKSTART_ROUTINE;
#define THREAD_ALL_ACCESS 0x1FFFFF
NTKERNELAPI NTSTATUS PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
    HANDLE ProcessHandle, PVOID ClientId, PKSTART_ROUTINE StartRoutine, PVOID StartContext);
NTKERNELAPI NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus);
NTKERNELAPI KPRIORITY KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority);
NTKERNELAPI VOID KeSetSystemAffinityThread(KAFFINITY Affinity);
NTKERNELAPI NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
    KPROCESSOR_MODE AccessMode, PVOID *Object, PVOID HandleInformation);
NTKERNELAPI LONG_PTR ObfDereferenceObject(PVOID Object);
#define ObDereferenceObject(Object) ObfDereferenceObject(Object)
NTSYSAPI NTSTATUS ZwClose(HANDLE Handle);

NTSYSAPI ULONG DbgPrint(PCSTR Format, ...);
NTSYSAPI ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...);

/* ---- Devices and power ---- */

#define FILE_DEVICE_UNKNOWN 0x00000022
#define METHOD_BUFFERED     0
#define METHOD_IN_DIRECT    1
#define METHOD_OUT_DIRECT   2
#define METHOD_NEITHER      3
#define FILE_ANY_ACCESS     0
#define FILE_READ_ACCESS    1
#define FILE_WRITE_ACCESS   2
#define CTL_CODE(DeviceType, Function, Method, Access) \
    (((ULONG)(DeviceType) << 16) | ((ULONG)(Access) << 14) | ((ULONG)(Function) << 2) | (ULONG)(Method))

typedef enum _SYSTEM_POWER_STATE {
    PowerSystemUnspecified, PowerSystemWorking, PowerSystemSleeping1, PowerSystemSleeping2, PowerSystemSleeping3,
    PowerSystemHibernate, PowerSystemShutdown, PowerSystemMaximum,
} SYSTEM_POWER_STATE;

typedef enum _DEVICE_POWER_STATE {
    PowerDeviceUnspecified, PowerDeviceD0, PowerDeviceD1, PowerDeviceD2, PowerDeviceD3, PowerDeviceMaximum,
} DEVICE_POWER_STATE;

typedef enum _POWER_ACTION {
    PowerActionNone, PowerActionReserved, PowerActionSleep, PowerActionHibernate, PowerActionShutdown,
    PowerActionShutdownReset, PowerActionShutdownOff, PowerActionWarmEject,
} POWER_ACTION;

typedef enum _INTERFACE_TYPE {
    InterfaceTypeUndefined = -1, Internal, Isa, Eisa, MicroChannel, TurboChannel, PCIBus,
} INTERFACE_TYPE;

typedef enum _DEVICE_RELATION_TYPE {
    BusRelations, EjectionRelations, PowerRelations, RemovalRelations, TargetDeviceRelation, SingleBusRelations,
} DEVICE_RELATION_TYPE;

typedef enum _DMA_WIDTH { Width8Bits, Width16Bits, Width32Bits, Width64Bits, WidthNoWrap } DMA_WIDTH;
typedef enum _DMA_COMPLETION_STATUS { DmaComplete, DmaAborted, DmaError, DmaCancelled } DMA_COMPLETION_STATUS;
typedef INT DEVICE_REGISTRY_PROPERTY;

#define CmResourceTypeNull                      0
#define CmResourceTypePort                      1
#define CmResourceTypeInterrupt                 2
#define CmResourceTypeMemory                    3
#define CmResourceTypeDma                       4
#define CmResourceShareDeviceExclusive          1
#define CmResourceShareShared                   3
#define CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE   0
#define CM_RESOURCE_INTERRUPT_LATCHED           1
#define CM_RESOURCE_INTERRUPT_MESSAGE           2

#pragma pack(push, 4)
typedef struct _CM_PARTIAL_RESOURCE_DESCRIPTOR {
    UCHAR Type;
    UCHAR ShareDisposition;
    USHORT Flags;
    union {
        struct {
            PHYSICAL_ADDRESS Start;
            ULONG Length;
        } Generic, Port, Memory;
        struct {
            USHORT Level;
            USHORT Group;
            ULONG Vector;
            KAFFINITY Affinity;
        } Interrupt;
        union {
            struct {
                USHORT Group;
                USHORT MessageCount;
                ULONG Vector;
                KAFFINITY Affinity;
            } Raw;
            struct {
                USHORT Level;
                USHORT Group;
                ULONG Vector;
                KAFFINITY Affinity;
            } Translated;
        } MessageInterrupt;
        struct {
            ULONG Channel;
            ULONG Port;
            ULONG Reserved1;
        } Dma;
    } u;
} CM_PARTIAL_RESOURCE_DESCRIPTOR, *PCM_PARTIAL_RESOURCE_DESCRIPTOR;
#pragma pack(pop)

typedef struct _IO_STATUS_BLOCK {
    union {
        NTSTATUS Status;
        PVOID Pointer;
    };
    ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

typedef struct _INTERFACE {
    USHORT Size;
    USHORT Version;
    PVOID Context;
    VOID (*InterfaceReference)(PVOID Context);
    VOID (*InterfaceDereference)(PVOID Context);
} INTERFACE, *PINTERFACE;

struct _DRIVER_OBJECT;
typedef NTSTATUS DRIVER_INITIALIZE(struct _DRIVER_OBJECT *DriverObject, PUNICODE_STRING RegistryPath);
typedef NTSTATUS DRIVER_ADD_DEVICE(struct _DRIVER_OBJECT *DriverObject, PDEVICE_OBJECT PhysicalDeviceObject);
typedef NTSTATUS DRIVER_DISPATCH(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef VOID DRIVER_STARTIO(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef VOID DRIVER_UNLOAD(struct _DRIVER_OBJECT *DriverObject);

typedef struct _DRIVER_OBJECT {
    CSHORT Type;
    CSHORT Size;
    PDEVICE_OBJECT DeviceObject;
    ULONG Flags;
    PVOID DriverStart;
    ULONG DriverSize;
    PVOID DriverSection;
    PVOID DriverExtension;
    UNICODE_STRING DriverName;
    PUNICODE_STRING HardwareDatabase;
    PVOID FastIoDispatch;
    DRIVER_INITIALIZE *DriverInit;
    DRIVER_STARTIO *DriverStartIo;
    DRIVER_UNLOAD *DriverUnload;
    DRIVER_DISPATCH *MajorFunction[28];
} DRIVER_OBJECT, *PDRIVER_OBJECT;

/* ---- Lists ---- */

FORCEINLINE VOID InitializeListHead(PLIST_ENTRY Head)
{
    Head->Flink = Head->Blink = Head;
}

FORCEINLINE BOOLEAN IsListEmpty(const LIST_ENTRY *Head)
{
    return Head->Flink == Head;
}

FORCEINLINE BOOLEAN RemoveEntryList(PLIST_ENTRY Entry)
{
    PLIST_ENTRY next = Entry->Flink, previous = Entry->Blink;

    previous->Flink = next;
    next->Blink = previous;
    return next == previous;
}

FORCEINLINE PLIST_ENTRY RemoveHeadList(PLIST_ENTRY Head)
{
    PLIST_ENTRY entry = Head->Flink;

    RemoveEntryList(entry);
    return entry;
}

FORCEINLINE VOID InsertTailList(PLIST_ENTRY Head, PLIST_ENTRY Entry)
{
    PLIST_ENTRY last = Head->Blink;

    Entry->Flink = Head;
    Entry->Blink = last;
    last->Flink = Entry;
    Head->Blink = Entry;
}

FORCEINLINE VOID InsertHeadList(PLIST_ENTRY Head, PLIST_ENTRY Entry)
{
    PLIST_ENTRY first = Head->Flink;

    Entry->Flink = first;
    Entry->Blink = Head;
    first->Blink = Entry;
    Head->Flink = Entry;
}

/* ---- DMA ---- */

typedef struct _SCATTER_GATHER_ELEMENT {
    PHYSICAL_ADDRESS Address;
    ULONG Length;
    ULONG_PTR Reserved;
} SCATTER_GATHER_ELEMENT, *PSCATTER_GATHER_ELEMENT;

typedef struct _SCATTER_GATHER_LIST {
    ULONG NumberOfElements;
    ULONG_PTR Reserved;
    SCATTER_GATHER_ELEMENT Elements[];
} SCATTER_GATHER_LIST;

/* ---- Wake ---- */

#define STATUS_POWER_STATE_INVALID      ((NTSTATUS)0xC00002D3)
#define CM_RESOURCE_INTERRUPT_WAKE_HINT 32

/* ---- String I/O: one instruction for all elements ---- */

#define DIRQL_PORT_BUFFER(Instruction, Register, Port, Buffer, Count) \
    ({ \
        PVOID buffer_ = (Buffer); \
        ULONG64 count_ = (Count); \
        __asm__ volatile("rep " Instruction : "+" Register(buffer_), "+c"(count_) : "d"((USHORT)(ULONG_PTR)(Port)) : "memory"); \
    })
#define READ_PORT_BUFFER_UCHAR(Port, Buffer, Count)   DIRQL_PORT_BUFFER("insb", "D", Port, Buffer, Count)
#define READ_PORT_BUFFER_USHORT(Port, Buffer, Count)  DIRQL_PORT_BUFFER("insw", "D", Port, Buffer, Count)
#define READ_PORT_BUFFER_ULONG(Port, Buffer, Count)   DIRQL_PORT_BUFFER("insl", "D", Port, Buffer, Count)
#define WRITE_PORT_BUFFER_UCHAR(Port, Buffer, Count)  DIRQL_PORT_BUFFER("outsb", "S", Port, Buffer, Count)
#define WRITE_PORT_BUFFER_USHORT(Port, Buffer, Count) DIRQL_PORT_BUFFER("outsw", "S", Port, Buffer, Count)
#define WRITE_PORT_BUFFER_ULONG(Port, Buffer, Count)  DIRQL_PORT_BUFFER("outsl", "S", Port, Buffer, Count)

#endif
