internal import CEpoll
internal import Glibc

/// epoll, level-triggered. Used by one thread.
package struct Poller: ~Copyable {
    package struct Event {
        package let token: Int
        package let isReadable: Bool
        package let isWritable: Bool
    }

    private let descriptor: Int32
    private let events: UnsafeMutableBufferPointer<epoll_event>

    package init(eventCountMax: Int = 512) throws(BenchError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system("epoll_create1", errno) }
        events = .allocate(capacity: eventCountMax)
    }

    deinit {
        close(descriptor)
        events.deallocate()
    }

    /// What to wait for; that a connection broke always.
    package func add(_ socket: Int32, token: Int, forWriting: Bool, forReading: Bool = true) {
        control(EPOLL_CTL_ADD, socket, token, forWriting, forReading)
    }

    package func change(_ socket: Int32, token: Int, forWriting: Bool, forReading: Bool = true) {
        control(EPOLL_CTL_MOD, socket, token, forWriting, forReading)
    }

    private func control(
        _ operation: Int32, _ socket: Int32, _ token: Int, _ forWriting: Bool, _ forReading: Bool
    ) {
        var event = epoll_event()
        event.events =
            (forReading ? EPOLLIN.rawValue : 0) | (forWriting ? EPOLLOUT.rawValue : 0)
        event.data.u64 = UInt64(token)
        let result = epoll_ctl(descriptor, operation, socket, &event)
        precondition(result == 0, "epoll_ctl on an open socket: \(errnoText(errno))")
    }

    /// Waits until something is ready or `timeout` is over; how many events there are.
    package func wait(timeout: Nanoseconds) -> Int {
        var time = timespec(
            tv_sec: Int(timeout / 1_000_000_000), tv_nsec: Int(timeout % 1_000_000_000))
        let count = epoll_pwait2(
            descriptor, events.baseAddress, Int32(events.count), &time, nil)
        if count >= 0 { return Int(count) }
        // Linux before 5.11 has no epoll_pwait2: whole milliseconds, rounded up.
        guard errno == ENOSYS else {
            precondition(errno == EINTR, "epoll_pwait2: \(errnoText(errno))")
            return 0
        }
        let milliseconds = Int32(clamping: (timeout + 999_999) / 1_000_000)
        return Int(
            max(0, epoll_wait(descriptor, events.baseAddress, Int32(events.count), milliseconds)))
    }

    package subscript(index: Int) -> Event {
        let event = events[index]
        let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue
        return Event(
            token: Int(event.data.u64),
            isReadable: event.events & (EPOLLIN.rawValue | broken) != 0,
            isWritable: event.events & (EPOLLOUT.rawValue | broken) != 0)
    }
}
