import Synchronization

/// The server that a signal stops. Until there is one, which with discovery takes as long as the
/// other members need, the signal ends the process at once: nothing has been promised yet.
final class StartedServer: Sendable {
    private let server = Mutex<Server?>(nil)

    func set(_ started: Server) { server.withLock { $0 = started } }

    func stop(by signal: Int32) {
        guard let server = server.withLock({ $0 }) else { StopSignals.die(by: signal) }
        server.stop(.signal(signal))
    }
}
