internal import CEpoll
internal import Glibc

/// Waits for the workers and, if asked to, for Ctrl-C, in one call. Used by the main thread.
struct SignalWatch: ~Copyable {
    enum Wakeup: Equatable {
        case timedOut, interrupted
        /// So many workers ended since the last time.
        case workersDone(Int)
    }

    private let doneDescriptor: Int32
    private let signalDescriptor: Int32

    /// - Parameter takesSignals: blocks SIGINT and SIGTERM in this thread and those it starts;
    ///   they arrive as `.interrupted`.
    init(takesSignals: Bool) throws(BenchError) {
        let done = eventfd(0, Int32(EFD_CLOEXEC))
        guard done >= 0 else { throw .system("eventfd", errno) }
        var signal: Int32 = -1
        if takesSignals {
            var signals = Self.stopSignals()
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            signal = signalfd(-1, &signals, Int32(SFD_CLOEXEC))
            guard signal >= 0 else {
                let code = errno
                close(done)
                throw .system("signalfd", code)
            }
        }
        doneDescriptor = done
        signalDescriptor = signal
    }

    deinit {
        close(doneDescriptor)
        guard signalDescriptor >= 0 else { return }
        close(signalDescriptor)
        var signals = Self.stopSignals()
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    /// What a worker calls at its end, with `doneToken`.
    static func workerDone(_ token: Int32) {
        var one: UInt64 = 1
        _ = write(token, &one, MemoryLayout<UInt64>.size)
    }

    var doneToken: Int32 { doneDescriptor }

    func wait(milliseconds: Int32) -> Wakeup {
        var descriptors = [
            pollfd(fd: doneDescriptor, events: Int16(POLLIN), revents: 0),
            // poll skips a negative descriptor.
            pollfd(fd: signalDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&descriptors, 2, milliseconds) > 0 else { return .timedOut }
        if descriptors[1].revents != 0 {
            var info = signalfd_siginfo()
            _ = read(signalDescriptor, &info, MemoryLayout<signalfd_siginfo>.size)
            return .interrupted
        }
        var count: UInt64 = 0
        _ = read(doneDescriptor, &count, MemoryLayout<UInt64>.size)
        return .workersDone(Int(count))
    }

    private static func stopSignals() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        return signals
    }
}
