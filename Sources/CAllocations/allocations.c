#include "CAllocations.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if !defined(SANITIZED) && !defined(__GLIBC__) && !defined(__linux__)

long kvd_allocated_bytes(void) { return 0; }
long kvd_allocated_peak(void) { return 0; }
void kvd_allocated_peak_restart(void) {}

#else

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_long allocated;
static atomic_long peak;

#if defined(SANITIZED)
// Called from within the sanitizer's own malloc.
#define PLAIN __attribute__((disable_sanitizer_instrumentation))
#else
#define PLAIN
#endif

PLAIN static void add(long bytes) {
    long now = atomic_fetch_add_explicit(&allocated, bytes, memory_order_relaxed) + bytes;
    if (now > atomic_load_explicit(&peak, memory_order_relaxed))
        atomic_store_explicit(&peak, now, memory_order_relaxed);
}

PLAIN static void subtract(long bytes) {
    atomic_fetch_sub_explicit(&allocated, bytes, memory_order_relaxed);
}

#if defined(SANITIZED)

#include <sanitizer/allocator_interface.h>

PLAIN static void was_allocated(const volatile void *memory, size_t bytes) {
    if (memory) add((long)bytes);
}

PLAIN static void will_be_freed(const volatile void *memory) {
    if (memory) subtract((long)__sanitizer_get_allocated_size(memory));
}

__attribute__((constructor)) static void install(void) {
    __sanitizer_install_malloc_and_free_hooks(was_allocated, will_be_freed);
}

#else

// What glibc's own malloc goes by where it is stood in for.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void *taken(void *memory) {
    if (memory) add((long)malloc_usable_size(memory));
    return memory;
}

static void given_back(void *memory) {
    if (memory) subtract((long)malloc_usable_size(memory));
}

void *malloc(size_t bytes) { return taken(__libc_malloc(bytes)); }

void *calloc(size_t count, size_t bytes) { return taken(__libc_calloc(count, bytes)); }

void *realloc(void *memory, size_t bytes) {
    long before = memory ? (long)malloc_usable_size(memory) : 0;
    void *moved = __libc_realloc(memory, bytes);
    if (moved || bytes == 0) subtract(before);
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

#endif

long kvd_allocated_bytes(void) { return atomic_load_explicit(&allocated, memory_order_relaxed); }

long kvd_allocated_peak(void) { return atomic_load_explicit(&peak, memory_order_relaxed); }

void kvd_allocated_peak_restart(void) {
    atomic_store_explicit(
        &peak, atomic_load_explicit(&allocated, memory_order_relaxed), memory_order_relaxed);
}

#endif
