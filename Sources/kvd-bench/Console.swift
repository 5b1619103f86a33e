internal import BenchCore
internal import Glibc

/// Standard error: notes and the progress line. Standard output is for results.
enum Console {
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    static func note(_ text: String) {
        let line = "kvd-bench: \(text)\n"
        _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }

    static func show(_ progress: Progress) {
        let phase = progress.isPreload ? "  preload" : progress.isWarmup ? "  warm-up" : ""
        let events = progress.eventCount > 0 ? "  \(progress.eventCount) events" : ""
        note(
            "\(progress.elapsed.components.seconds) s  \(Int(progress.ratePerSecond)) req/s  "
                + "\(progress.successCount) done  \(progress.failureCount) errors\(events)\(phase)")
    }
}
