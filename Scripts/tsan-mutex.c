// Tells ThreadSanitizer of the locks that Swift's Mutex takes when somebody else has them.
//
// Mutex's fast path is inlined into our code, and so seen. The slow one lies in
// libswiftSynchronization.so, which is not instrumented, and goes by futexes: every Mutex that two
// threads ever met at would be reported as a race of what it guards. (A program of two threads that
// count up a Mutex<Int> a million times each is; with this it is not.) Loaded before that library by
// Scripts/test --tsan, in whose processes alone __tsan_acquire and __tsan_release are.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

#define CALLED_BY_SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

// Synchronization._MutexHandle._lockSlow(UInt32), ._tryLockSlow() -> Bool, ._unlockSlow()
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

CALLED_BY_SWIFT void kvd_lock_slow(uint32_t word, SELF) __asm__(LOCK);
CALLED_BY_SWIFT bool kvd_try_lock_slow(SELF) __asm__(TRY_LOCK);
CALLED_BY_SWIFT void kvd_unlock_slow(SELF) __asm__(UNLOCK);

typedef CALLED_BY_SWIFT void (*Lock)(uint32_t, SELF);
typedef CALLED_BY_SWIFT bool (*TryLock)(SELF);
typedef CALLED_BY_SWIFT void (*Unlock)(SELF);

static Lock lock;
static TryLock try_lock;
static Unlock unlock;

// Before any thread: looking a name up takes locks of its own.
__attribute__((constructor)) static void find(void) {
    lock = (Lock)dlsym(RTLD_NEXT, LOCK);
    try_lock = (TryLock)dlsym(RTLD_NEXT, TRY_LOCK);
    unlock = (Unlock)dlsym(RTLD_NEXT, UNLOCK);
}

CALLED_BY_SWIFT void kvd_lock_slow(uint32_t word, SELF) {
    lock(word, self);
    if (__tsan_acquire) __tsan_acquire(self);
}

CALLED_BY_SWIFT bool kvd_try_lock_slow(SELF) {
    bool is_taken = try_lock(self);
    if (is_taken && __tsan_acquire) __tsan_acquire(self);
    return is_taken;
}

CALLED_BY_SWIFT void kvd_unlock_slow(SELF) {
    if (__tsan_release) __tsan_release(self);
    unlock(self);
}
