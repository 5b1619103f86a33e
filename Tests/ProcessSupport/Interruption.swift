import Glibc
import Synchronization

/// Who is interrupted takes the processes that it started with it: they are in groups of their own, so
/// Ctrl-C does not reach them.
package enum Interruption {
    /// Ids of processes, 0 where there is none: a signal handler reads them, so no lock and no array.
    // Allocated once and never freed.
    nonisolated(unsafe) private static let places: UnsafeMutablePointer<pid_t> = {
        let places = UnsafeMutablePointer<pid_t>.allocate(capacity: placeCount)
        places.initialize(repeating: 0, count: placeCount)
        return places
    }()
    private static let placeCount = 64
    private static let lock = Mutex(())

    /// From here on SIGINT and SIGTERM kill all that is running, and then this process.
    package static func install() {
        _ = places
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                for n in 0..<Interruption.placeCount where Interruption.places[n] > 0 {
                    kill(Interruption.places[n], SIGKILL)
                }
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    static func started(_ process: pid_t) { replace(0, by: process) }
    static func ended(_ process: pid_t) { replace(process, by: 0) }

    private static func replace(_ old: pid_t, by new: pid_t) {
        lock.withLock { _ in
            guard let n = (0..<placeCount).first(where: { places[$0] == old }) else { return }
            places[n] = new
        }
    }
}
