#ifndef C_ALLOCATIONS_H
#define C_ALLOCATIONS_H

// Counts what is allocated in a process, by standing in for malloc and its kin. Linked into kvd-fuzz
// only. Under AddressSanitizer or ThreadSanitizer, which do that themselves, they are asked.

/// Bytes that are allocated now.
long kvd_allocated_bytes(void);

/// The most bytes that were allocated at once since the last call of `kvd_allocated_peak_restart`.
long kvd_allocated_peak(void);

void kvd_allocated_peak_restart(void);

#endif
