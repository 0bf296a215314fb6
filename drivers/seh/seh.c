//go:build ignore

/*
 * Structured exception handling: what a __try block of a driver may meet. Each
 * test returns what it saw, and DriverEntry fails with the number of the first
 * one that saw something else. Built with clang: gcc has no __try.
 *
 * BUG_... below are drivers with one exception that nobody handles.
 */

#include <ntddk.h>
#include <wdf.h>

DRIVER_INITIALIZE DriverEntry;

#define EXCEPTION_EXECUTE_HANDLER    1
#define EXCEPTION_CONTINUE_SEARCH    0
#define EXCEPTION_CONTINUE_EXECUTION (-1)

#define STATUS_ACCESS_VIOLATION       ((NTSTATUS)0xC0000005)
#define STATUS_INTEGER_DIVIDE_BY_ZERO ((NTSTATUS)0xC0000094)
#define STATUS_DATATYPE_MISALIGNMENT  ((NTSTATUS)0x80000002)

typedef struct _EXCEPTION_RECORD {
    NTSTATUS ExceptionCode;
    ULONG ExceptionFlags;
    struct _EXCEPTION_RECORD *ExceptionRecord;
    PVOID ExceptionAddress;
    ULONG NumberParameters;
    ULONG_PTR ExceptionInformation[15];
} EXCEPTION_RECORD;

typedef struct _CONTEXT {
    ULONG64 Home[6];
    ULONG ContextFlags, MxCsr;
    USHORT Segments[6];
    ULONG EFlags;
    ULONG64 Dr[6];
    ULONG64 Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15, Rip;
} CONTEXT;

typedef struct _EXCEPTION_POINTERS {
    EXCEPTION_RECORD *ExceptionRecord;
    CONTEXT *ContextRecord;
} EXCEPTION_POINTERS;

#define GetExceptionCode()        ((NTSTATUS)_exception_code())
#define GetExceptionInformation() ((EXCEPTION_POINTERS *)_exception_info())
#define AbnormalTermination()     _abnormal_termination()

NTKERNELAPI DECLSPEC_NORETURN VOID ExRaiseStatus(NTSTATUS Status);
NTKERNELAPI DECLSPEC_NORETURN VOID ExRaiseAccessViolation(VOID);
NTKERNELAPI VOID ProbeForRead(const volatile VOID *Address, SIZE_T Length, ULONG Alignment);
NTKERNELAPI VOID ProbeForWrite(volatile VOID *Address, SIZE_T Length, ULONG Alignment);

static volatile int zero, sink;
#ifdef BUG_DISPATCH_LEVEL
static KSPIN_LOCK lock;
#endif
static volatile int trail; /* decimal digits in the order in which blocks ran */

static void
Mark(int Digit)
{
    trail = trail * 10 + Digit;
}

/* The compiler takes calls, not instructions, to raise exceptions. */
DECLSPEC_NOINLINE static int
Divide(int Value)
{
    return sink = Value / zero; /* an unused quotient would not be computed */
}

DECLSPEC_NOINLINE static int
Read(ULONG_PTR Address)
{
    return *(volatile int *)Address;
}

DECLSPEC_NOINLINE static void
Write(ULONG_PTR Address)
{
    *(volatile int *)Address = 1;
}

DECLSPEC_NOINLINE static void
Call(ULONG_PTR Address)
{
    ((void (*)(void))Address)();
    Mark(9);
}

DECLSPEC_NOINLINE static int
TestDivide(void)
{
    NTSTATUS code = 0;

    __try {
        Divide(5);
        Mark(9);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    return code == STATUS_INTEGER_DIVIDE_BY_ZERO;
}

static int
Remember(EXCEPTION_POINTERS *Pointers, EXCEPTION_RECORD *Record)
{
    *Record = *Pointers->ExceptionRecord;
    return EXCEPTION_EXECUTE_HANDLER;
}

DECLSPEC_NOINLINE static int
TestAccess(int Kind)
{
    EXCEPTION_RECORD record = {0};

    __try {
        switch (Kind) {
        case 0:
            Read(0x10);
            break;
        case 1:
            Write(0x10);
            break;
        default:
            Call(0x10);
        }
        Mark(9);
    } __except (Remember(GetExceptionInformation(), &record)) {
        Mark(1);
    }
    return record.ExceptionCode == STATUS_ACCESS_VIOLATION && record.NumberParameters == 2 &&
           record.ExceptionInformation[0] == (ULONG_PTR)(Kind == 2 ? 8 : Kind) && record.ExceptionInformation[1] == 0x10;
}

DECLSPEC_NOINLINE static int
TestRaise(void)
{
    NTSTATUS code = 0;

    __try {
        ExRaiseStatus(STATUS_UNSUCCESSFUL);
    } __except (GetExceptionCode() == STATUS_UNSUCCESSFUL ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) {
        code = GetExceptionCode();
    }
    return code == STATUS_UNSUCCESSFUL;
}

/* A frame with registers of the caller in it, and a __finally block. */
DECLSPEC_NOINLINE static int
Inner(int Value)
{
    int a = Value + 1, b = Value + 2, c = Value + 3;

    __try {
        Mark(a);
        ExRaiseStatus(STATUS_UNSUCCESSFUL);
    } __finally {
        Mark(AbnormalTermination() ? b : c);
    }
    return a * b * c;
}

static int
Filter(int Digit, int Value)
{
    Mark(Digit);
    return Value;
}

DECLSPEC_NOINLINE static int
TestNesting(int Value)
{
    int kept = Value * 7;

    __try {
        __try {
            __try {
                Inner(Value);
                Mark(9);
            } __except (Filter(3, EXCEPTION_CONTINUE_SEARCH)) {
                Mark(9);
            }
        } __finally {
            Mark(5);
        }
    } __except (Filter(4, EXCEPTION_EXECUTE_HANDLER)) {
        Mark(6);
    }
    return trail == 134256 && kept == Value * 7; /* filters 3, 4; then __finally 2, 5; then __except */
}

/* The filter changes what the instruction divides by, which goes on. */
static int
Repair(void)
{
    zero = 2;
    return EXCEPTION_CONTINUE_EXECUTION;
}

__attribute__((naked)) static int
DivideByMemory(void)
{
    __asm__("mov $8, %eax\n\tcdq\n\tidivl zero(%rip)\n\tret");
}

DECLSPEC_NOINLINE static int
TestContinue(void)
{
    int result = 0;

    __try {
        result = DivideByMemory();
    } __except (Repair()) {
        Mark(9);
    }
    zero = 0;
    return result == 4;
}

/* The filter changes the registers. */
static int
SkipDivide(EXCEPTION_POINTERS *Pointers)
{
    CONTEXT *context = Pointers->ContextRecord;

    Mark(1);
    context->Rip += 2; /* over DIV or IDIV of a 32-bit register */
    context->Rax = 42;
    return EXCEPTION_CONTINUE_EXECUTION;
}

__attribute__((naked)) static int
DivideByEcx(void)
{
    __asm__("xor %ecx, %ecx\n\tmov $1, %eax\n\tcdq\n\tidiv %ecx\n\tret");
}

DECLSPEC_NOINLINE static int
TestSkip(void)
{
    int result = 0;

    __try {
        result = DivideByEcx();
    } __except (SkipDivide(GetExceptionInformation())) {
        Mark(9);
    }
    return result == 42 && trail == 1;
}

DECLSPEC_NOINLINE static int
TestProbe(ULONG_PTR Address, SIZE_T Length, NTSTATUS Expected)
{
    NTSTATUS code = 0;

    __try {
        ProbeForRead((PVOID)Address, Length, 4);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    return code == Expected;
}

DECLSPEC_NOINLINE static int
TestInKernel(void)
{
    UCHAR buffer[16];
    NTSTATUS code = 0;

    __try {
        memcpy(buffer, (PVOID)0x1000, sizeof(buffer) - zero);
        Mark(buffer[0]);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    return code == STATUS_ACCESS_VIOLATION;
}

DECLSPEC_NOINLINE static int
TestWriteProbe(void)
{
    NTSTATUS code = 0;

    __try {
        ProbeForWrite((PVOID)0x1000, 16, 1);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    return code == STATUS_ACCESS_VIOLATION;
}

/* An exception in a loop: nothing is left behind on the stack. */
DECLSPEC_NOINLINE static int
TestMany(void)
{
    int i, count = 0;

    for (i = 0; i < 200; i++) {
        count += TestRaise();
    }
    return count == 200;
}

/* A thread handles its own exceptions, and ends inside a __try block. */
extern DECLSPEC_IMPORT POBJECT_TYPE PsThreadType;
NTKERNELAPI PETHREAD PsGetCurrentThread(VOID);

static PETHREAD inThread, behindGs;

static VOID
Routine(PVOID Context)
{
    inThread = PsGetCurrentThread();
    __asm__("mov %%gs:0x188, %0" : "=r"(behindGs));
    __try {
        Read((ULONG_PTR)Context);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Mark(3);
    }
    __try {
        PsTerminateSystemThread(STATUS_SUCCESS);
        Mark(9);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Mark(9);
    }
    Mark(9);
}

DECLSPEC_NOINLINE static int
TestThread(void)
{
    HANDLE handle;
    PETHREAD thread;

    if (!NT_SUCCESS(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, (PVOID)0x10)) ||
        !NT_SUCCESS(ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, PsThreadType, KernelMode, (PVOID *)&thread, NULL))) {
        return 0;
    }
    ZwClose(handle);
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(thread);
    return trail == 3 && thread == inThread && thread == behindGs && thread != PsGetCurrentThread();
}

static int
RunTest(int Number)
{
    trail = 0;
    switch (Number) {
    case 1:
        return TestDivide();
    case 2:
        return TestAccess(0);
    case 3:
        return TestAccess(1);
    case 4:
        return TestAccess(2);
    case 5:
        return TestRaise();
    case 6:
        return TestNesting(0);
    case 7:
        return TestContinue();
    case 8:
        return TestSkip();
    case 9:
        return TestProbe(0x1002, 8, STATUS_DATATYPE_MISALIGNMENT);
    case 10:
        return TestProbe(0xFFFF800000001000, 8, STATUS_ACCESS_VIOLATION);
    case 11:
        return TestProbe(0x7FFFFFFEFFF0, 0x20, STATUS_ACCESS_VIOLATION);
    case 12:
        return TestProbe(0x1000, 0x20, STATUS_SUCCESS);
    case 13:
        return TestInKernel();
    case 14:
        return TestWriteProbe();
    case 15:
        return TestMany();
    case 16:
        return TestThread();
    }
    return -1;
}

/* A filter that changes nothing and goes on. */
DECLSPEC_NOINLINE __attribute__((unused)) static int
TestAgain(void)
{
    __try {
        Read(0x10);
    } __except (EXCEPTION_CONTINUE_EXECUTION) {
        Mark(9);
    }
    return 0;
}

/* What no __except catches, or may not continue. */
DECLSPEC_NOINLINE __attribute__((unused)) static int
Caught(ULONG_PTR Address)
{
    __try {
        Read(Address);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return 1;
    }
    return 0;
}

DECLSPEC_NOINLINE __attribute__((unused)) static void
TryToGoOn(int Value)
{
    __try {
        ExRaiseStatus(STATUS_UNSUCCESSFUL);
    } __except (Divide(Value)) {
        Mark(9);
    }
}

_Use_decl_annotations_
NTSTATUS
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    int number;

    (void)DriverObject;
    (void)RegistryPath;
#if defined(BUG_UNHANDLED)
    ExRaiseStatus(STATUS_INVALID_PARAMETER);
#elif defined(BUG_USER_ADDRESS)
    return Read(0x10);
#elif defined(BUG_SYSTEM_ADDRESS)
    return Caught(0xFFFFF00000000000) ? STATUS_INVALID_PARAMETER : STATUS_UNSUCCESSFUL;
#elif defined(BUG_DISPATCH_LEVEL)
    KeAcquireSpinLockRaiseToDpc(&lock);
    return Caught(0x10) ? STATUS_INVALID_PARAMETER : STATUS_UNSUCCESSFUL;
#elif defined(BUG_NONCONTINUABLE)
    zero = 1;
    TryToGoOn(-1);
#elif defined(BUG_AGAIN)
    return TestAgain();
#elif defined(BUG_IN_FILTER)
    TryToGoOn(1);
#endif
    for (number = 1;; number++) {
        int passed = RunTest(number);
        if (passed < 0) {
            return STATUS_NOT_SUPPORTED; /* all passed; this is not a driver */
        }
        if (!passed) {
            DbgPrint("test failed");
            return (NTSTATUS)(0xE0000000 | number);
        }
    }
}
