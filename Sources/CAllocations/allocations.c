#include "CAllocations.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LEFT_ALONE 1
#endif
#endif

#if defined(LEFT_ALONE) || !defined(__GLIBC__) && !defined(__linux__)

long kvd_allocated_bytes(void) { return 0; }
long kvd_allocated_peak(void) { return 0; }
void kvd_allocated_peak_restart(void) {}

#else

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

// What glibc's own malloc goes by where it is stood in for.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static atomic_long allocated;
static atomic_long peak;

static void *taken(void *memory) {
    if (!memory) return memory;
    long bytes = (long)malloc_usable_size(memory);
    long now = atomic_fetch_add_explicit(&allocated, bytes, memory_order_relaxed) + bytes;
    if (now > atomic_load_explicit(&peak, memory_order_relaxed))
        atomic_store_explicit(&peak, now, memory_order_relaxed);
    return memory;
}

static void given_back(void *memory) {
    if (memory)
        atomic_fetch_sub_explicit(
            &allocated, (long)malloc_usable_size(memory), memory_order_relaxed);
}

void *malloc(size_t bytes) { return taken(__libc_malloc(bytes)); }

void *calloc(size_t count, size_t bytes) { return taken(__libc_calloc(count, bytes)); }

void *realloc(void *memory, size_t bytes) {
    long before = memory ? (long)malloc_usable_size(memory) : 0;
    void *moved = __libc_realloc(memory, bytes);
    if (moved || bytes == 0)
        atomic_fetch_sub_explicit(&allocated, before, memory_order_relaxed);
    return taken(moved);
}

void free(void *memory) {
    given_back(memory);
    __libc_free(memory);
}

void *memalign(size_t alignment, size_t bytes) { return taken(__libc_memalign(alignment, bytes)); }

void *aligned_alloc(size_t alignment, size_t bytes) {
    return taken(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    void *found = taken(__libc_memalign(alignment, bytes));
    if (!found) return ENOMEM;
    *memory = found;
    return 0;
}

long kvd_allocated_bytes(void) { return atomic_load_explicit(&allocated, memory_order_relaxed); }

long kvd_allocated_peak(void) { return atomic_load_explicit(&peak, memory_order_relaxed); }

void kvd_allocated_peak_restart(void) {
    atomic_store_explicit(
        &peak, atomic_load_explicit(&allocated, memory_order_relaxed), memory_order_relaxed);
}

#endif
