//go:build ignore

/*
 * Drivers that do not behave, one mistake each (see BUG_... below): what dirql
 * must survive and name. Without a macro, DriverEntry only fails.
 */

#include <ntddk.h>
#include <wdf.h>

DRIVER_INITIALIZE DriverEntry;

#ifdef BUG_RECURSE
static volatile int depth;

static int
Deeper(void)
{
    volatile char frame[100];

    frame[0] = (char)depth++;
    return depth > 0 ? Deeper() + frame[0] : 0;
}
#endif

#ifdef BUG_WRITE_READONLY
static const int constant = 5;
#endif

#ifdef BUG_DIVIDE
static volatile int zero;
#endif

#ifdef BUG_DEAD_EVENT
static PKEVENT forgotten;

static void
Remember(PKEVENT Event)
{
    KeInitializeEvent(Event, NotificationEvent, FALSE);
    forgotten = Event;
}

static void
MakeEvent(void)
{
    KEVENT event;

    Remember(&event);
}
#endif

_Use_decl_annotations_
NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath)
{
    (void)DriverObject;
    (void)RegistryPath;
#if defined(BUG_SPIN)
    for (;;) {
        __asm__ volatile("nop");
    }
#elif defined(BUG_RECURSE)
    return Deeper();
#elif defined(BUG_JUMP)
    ((void (*)(void))0xFFFFF80012345678ULL)();
#elif defined(BUG_WRITE_READONLY)
    *(volatile int *)&constant = 6;
#elif defined(BUG_TRAP)
    __builtin_trap();
#elif defined(BUG_X87)
    __asm__ volatile("fldpi");
#elif defined(BUG_AVX)
    __asm__ volatile("vpaddd %ymm1, %ymm2, %ymm3");
#elif defined(BUG_DIVIDE)
    return 5 / zero;
#elif defined(BUG_DEAD_EVENT)
    MakeEvent();
    KeSetEvent(forgotten, IO_NO_INCREMENT, FALSE);
#endif
    return STATUS_UNSUCCESSFUL;
}
