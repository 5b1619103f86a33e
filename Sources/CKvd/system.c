#define _GNU_SOURCE
#include "CKvd.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int kvd_preallocate(int fd, int64_t size) {
    for (;;) {
        if (fallocate(fd, 0, 0, size) == 0) return 0;
        if (errno == EINTR) continue;
        if (errno != EOPNOTSUPP) return errno;
        struct stat now;
        if (fstat(fd, &now) != 0) return errno;
        if (now.st_size >= size) return 0;
        return ftruncate(fd, size) == 0 ? 0 : errno;
    }
}

int kvd_lock_exclusive(int fd) {
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
        if (errno != EINTR) return errno;
    return 0;
}

const char *kvd_errno_name(int code) { return strerrorname_np(code); }

const char *kvd_errno_text(int code) { return strerrordesc_np(code); }

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t kvd_boottime_nanoseconds(void) { return nanoseconds(CLOCK_BOOTTIME); }

int64_t kvd_monotonic_nanoseconds(void) { return nanoseconds(CLOCK_MONOTONIC); }

void kvd_name_thread(const char *name) {
    char cut[16] = {0};
    strncpy(cut, name, sizeof cut - 1);
    pthread_setname_np(pthread_self(), cut);
}

void kvd_lower_thread_priority(void) {
    // On Linux a thread has a nice value and an I/O priority of its own; the latter's class is
    // in the bits from 13 on: 2, best effort, with level 7, its lowest.
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 15);
    syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7);
}

void kvd_idle_thread_priority(void) {
    kvd_lower_thread_priority();
    // Of this thread only: to the kernel a thread is a process of its own.
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
}

size_t kvd_find(const void *bytes, size_t count, size_t from, const void *pattern, size_t size) {
    const uint8_t *start = bytes;
    while (count >= size && from <= count - size) {
        const uint8_t *hit =
            memchr(start + from, *(const uint8_t *)pattern, count - size - from + 1);
        if (hit == NULL) return count;
        if (memcmp(hit, pattern, size) == 0) return (size_t)(hit - start);
        from = (size_t)(hit - start) + 1;
    }
    return count;
}

size_t kvd_count_without_trailing_zeros(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, p + count - 8, sizeof word);
        if (word != 0) break;
        count -= 8;
    }
    while (count > 0 && p[count - 1] == 0) count--;
    return count;
}

void kvd_heap_measure(size_t *free_bytes, size_t *used_bytes) {
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    *free_bytes = info.fordblks;
    *used_bytes = info.uordblks + info.hblkhd;
#else
    *free_bytes = *used_bytes = 0;
#endif
}

void kvd_heap_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void kvd_heap_limit_arenas(int count) {
#ifdef __GLIBC__
    const char *tunables = getenv("GLIBC_TUNABLES");
    if (getenv("MALLOC_ARENA_MAX")) return;
    if (tunables && strstr(tunables, "glibc.malloc.arena_max")) return;
    mallopt(M_ARENA_MAX, count);
#else
    (void)count;
#endif
}
