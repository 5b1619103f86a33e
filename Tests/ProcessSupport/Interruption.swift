import Dispatch
import Glibc

/// Who is interrupted takes the servers that it started with it: they are in groups of their own, so
/// Ctrl-C does not reach them.
package enum Interruption {
    /// From here on SIGINT and SIGTERM kill all servers that are running, call `undo`, and then have
    /// their way with this process.
    package static func install(undo: @escaping @Sendable () -> Void = {}) {
        for number in [SIGINT, SIGTERM] {
            // A handler, as children inherit that a signal is ignored.
            signal(number) { _ in }
            // Keeps itself: it is never cancelled.
            nonisolated(unsafe) let source = DispatchSource.makeSignalSource(
                signal: number, queue: .global())
            source.setEventHandler {
                withExtendedLifetime(source) {}
                KvdProcess.killAll()
                undo()
                signal(number, SIG_DFL)
                raise(number)
            }
            source.resume()
        }
    }
}
