// What kvd needs from the machine and Swift cannot say, or cannot say fast enough.
//
// Nothing here allocates, blocks (but for the named system calls) or keeps state, except the
// tables of the CRC, which a constructor fills before main. A function that wraps a system call
// returns 0 or the errno, never -1.
#ifndef KVD_CSYSTEM_H
#define KVD_CSYSTEM_H

#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli, reflected 0x82F63B78) of `count` bytes rolled on from `crc`, with the
// semantics of Go's crc32.Update: the first call gets 0, each next one the last result.
// SSE4.2 or ARMv8 CRC instructions where the processor has them, tables elsewhere.
uint32_t kvd_crc32c(uint32_t crc, const void *bytes, size_t count);

// The same over the first `head_count` bytes, 8 to 16, of two words in memory's order, and then over
// `count` bytes elsewhere. The words' other bytes are zero. Quicker for short inputs one after the
// other: their own crc does not wait for `crc`, which is joined to it at the end, and nothing is
// read that was only just written.
uint32_t kvd_crc32c_headed(
    uint32_t crc, uint64_t low, uint64_t high, size_t head_count, const void *bytes,
    size_t count);

// The same by tables only, whatever the processor has. For tests.
uint32_t kvd_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

// What becomes of the difference (xor) of two crcs when both are rolled over the same `count`
// bytes, whatever the bytes are. Spares a second crc over bytes that had one already.
uint32_t kvd_crc32c_shift(uint32_t difference, size_t count);

// 1 if kvd_crc32c uses the processor's instruction.
int kvd_crc32c_is_accelerated(void);

// Makes the file at least `size` bytes long, its blocks allocated, the new part reading as zeros.
// A file system that cannot allocate ahead only gets the size.
int kvd_preallocate(int fd, int64_t size);

// flock(LOCK_EX | LOCK_NB). EWOULDBLOCK: another open file holds the lock.
int kvd_lock_exclusive(int fd);

// The C name of an errno ("ENOSPC") and its sentence ("No space left on device").
// NULL if the C library does not know it. Both point to constants.
const char *kvd_errno_name(int code);
const char *kvd_errno_text(int code);

// CLOCK_BOOTTIME and CLOCK_MONOTONIC in nanoseconds: the first goes on while the machine sleeps.
int64_t kvd_boottime_nanoseconds(void);
int64_t kvd_monotonic_nanoseconds(void);

// Names the calling thread, as top and gdb show it: 15 bytes at most.
void kvd_name_thread(const char *name);

// Lets every other thread go first, on the processor and at the disk. Best effort: where the
// system does not let it, nothing changes.
void kvd_lower_thread_priority(void);

// As above for the disk; of the processor it gets what nobody else wants (SCHED_IDLE).
void kvd_idle_thread_priority(void);

// Where `pattern` begins in `bytes` at or after `from`; `count` if nowhere. Fast over zeros.
size_t kvd_find(const void *bytes, size_t count, size_t from, const void *pattern, size_t size);

// How many bytes are left when all zeros at the end of `bytes` are taken off.
size_t kvd_count_without_trailing_zeros(const void *bytes, size_t count);

// What malloc holds and nobody uses, and what is used. Takes time in proportion to the pieces that the
// former is in, and keeps other threads from allocating meanwhile. Both 0 where malloc does not tell.
void kvd_heap_measure(size_t *free_bytes, size_t *used_bytes);

// Gives whole pages of that back to the system, in the middle of the heap too; takes its time likewise.
void kvd_heap_trim(void);

// How many heaps malloc spreads threads over, at most; to be said before there are other threads. Nothing
// changes where the environment says it (MALLOC_ARENA_MAX, GLIBC_TUNABLES), or malloc is another one.
void kvd_heap_limit_arenas(int count);

#endif
