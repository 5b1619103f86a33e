import Glibc
import Logging

/// SIGTERM and SIGINT: the first asks for a clean stop, a second ends the process at once. SIGHUP,
/// where something is to be done at it, does that; elsewhere it ends the process, as it does etcd.
///
/// The signals are blocked in every thread and taken by one thread of their own, so no handler
/// runs in the middle of anything. After the clean stop the process dies by the signal it got, as
/// etcd does, so that its parent sees why. Source: `reference/cli.md` §1.
enum StopSignals {
    private static let signals = [SIGTERM, SIGINT]

    /// Call before any other thread is started: threads inherit what is blocked.
    static func block() {
        signal(SIGPIPE, SIG_IGN)
        var set = makeSet()
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// As `block()`, for one signal more.
    static func block(_ signal: Int32) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `stop` on the signals' own thread, once, with the signal that came first.
    ///
    /// - Parameter hangup: what to do at SIGHUP, on that thread; SIGHUP must be blocked then.
    static func watch(
        log: Logger, hangup: (@Sendable () -> Void)? = nil,
        _ stop: @escaping @Sendable (Int32) -> Void
    ) {
        let watcher = Watcher(log: log, hangup: hangup, stop: stop)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(watcher).toOpaque()
        let status = pthread_create(
            &thread, nil,
            { context in
                // passRetained above made the context, and this is its only use.
                Unmanaged<Watcher>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
        precondition(status == 0, "no thread for signals: errno \(status)")
        pthread_detach(thread)
    }

    /// Ends the process by `signal`; process 1 of a container cannot die so, and exits with 0.
    static func die(by signal: Int32) -> Never {
        if getpid() == 1 { exit(0) }
        Glibc.signal(signal, SIG_DFL)
        var set = makeSet()
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(signal)
        exit(128 + signal)
    }

    private static func makeSet() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }

    private final class Watcher: Sendable {
        private let log: Logger
        private let hangup: (@Sendable () -> Void)?
        private let stop: @Sendable (Int32) -> Void

        init(
            log: Logger, hangup: (@Sendable () -> Void)?,
            stop: @escaping @Sendable (Int32) -> Void
        ) {
            (self.log, self.hangup, self.stop) = (log, hangup, stop)
        }

        func run() {
            var set = makeSet()
            if hangup != nil { sigaddset(&set, SIGHUP) }
            var received: Int32 = 0
            sigwait(&set, &received)
            while received == SIGHUP {
                log.notice("received hangup signal, reading the certificate files again...")
                hangup?()
                sigwait(&set, &received)
            }
            let name = received == SIGINT ? "interrupt" : "terminated"
            log.notice("received \(name) signal, shutting down...")
            stop(received)
            sigdelset(&set, SIGHUP)
            var again: Int32 = 0
            sigwait(&set, &again)
            die(by: again)
        }
    }
}
