import Synchronization

/// The server that a signal stops. Until there is one, which with discovery takes as long as the
/// other members need, the signal ends the process at once: nothing has been promised yet.
final class StartedServer: Sendable {
    private let stopServer = Mutex<(@Sendable (Int32) -> Void)?>(nil)

    /// - Parameter stop: stops what has started, because of a signal.
    func set(_ stop: @escaping @Sendable (Int32) -> Void) {
        stopServer.withLock { $0 = stop }
    }

    func stop(by signal: Int32) {
        guard let stop = stopServer.withLock({ $0 }) else { StopSignals.die(by: signal) }
        stop(signal)
    }
}
