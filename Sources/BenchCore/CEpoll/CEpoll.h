// What Swift's Glibc module leaves out: epoll, eventfd, signalfd, and prctl (variadic in C).
#ifndef KVD_CEPOLL_H
#define KVD_CEPOLL_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

// How late the kernel may wake the calling thread from a timed wait. 0 or the errno.
static inline int kvd_bench_set_timer_slack(unsigned long nanoseconds) {
    return prctl(PR_SET_TIMERSLACK, nanoseconds, 0UL, 0UL, 0UL) == 0 ? 0 : errno;
}

#endif
