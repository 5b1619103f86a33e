package import Logging
internal import Synchronization

/// A logger for lines that may repeat a thousand times a second: each distinct line is written
/// at most once in an interval, and the next one says how many were left out.
///
///     … W | rafthttp: lost connection to peer 78b604e6cbc539bd [merged 412 repeated lines in 10s]
///
/// Thread-safe. Remembers a bounded number of lines; past it, the one written longest ago is
/// forgotten (and would be written at once if it came again).
package final class RateLimitedLog: Sendable {
    private struct Line {
        var writtenAt: ContinuousClock.Instant
        var leftOutCount = 0
    }

    /// A line's identity: its level and its text, without metadata.
    private struct Key: Hashable {
        let level: Logger.Level
        let message: String
    }

    private static let rememberedLinesMax = 256

    private let logger: Logger
    private let interval: Duration
    private let lines = Mutex<[Key: Line]>([:])

    package init(_ logger: Logger, interval: Duration = .seconds(10)) {
        precondition(interval > .zero, "an interval of zero would limit nothing")
        self.logger = logger
        self.interval = interval
    }

    /// Writes the line, or counts it. `now` is the caller's clock, so that tests need not wait.
    package func log(
        _ level: Logger.Level, _ message: @autoclosure () -> String,
        metadata: @autoclosure () -> Logger.Metadata? = nil,
        now: ContinuousClock.Instant = .now
    ) {
        guard logger.logLevel <= level else { return }
        let key = Key(level: level, message: message())
        guard let merged = admit(key, now: now) else { return }
        write(key, leftOut: merged.count, over: merged.duration, metadata: metadata())
    }

    /// Writes a closing line for every line that was left out since it was last written: at a
    /// clean stop, or by a timer once things are quiet.
    package func flush(now: ContinuousClock.Instant = .now) {
        let pending = lines.withLock { lines in
            defer { lines.removeAll() }
            return lines.filter { $0.value.leftOutCount > 0 }
        }
        let oldestFirst = pending.sorted { a, b in
            (a.value.writtenAt, a.key.message) < (b.value.writtenAt, b.key.message)
        }
        for (key, line) in oldestFirst {
            let duration = line.writtenAt.duration(to: now)
            write(key, leftOut: line.leftOutCount, over: duration, metadata: nil)
        }
    }

    /// What was left out before this line, or nil if the line itself is to be left out.
    private func admit(
        _ key: Key, now: ContinuousClock.Instant
    ) -> (count: Int, duration: Duration)? {
        lines.withLock { lines in
            guard let line = lines[key] else {
                if lines.count >= Self.rememberedLinesMax {
                    let oldest = lines.min { $0.value.writtenAt < $1.value.writtenAt }
                    if let oldest { lines[oldest.key] = nil }
                }
                lines[key] = Line(writtenAt: now)
                return (0, .zero)
            }
            let elapsed = line.writtenAt.duration(to: now)
            guard elapsed >= interval else {
                lines[key]?.leftOutCount += 1
                return nil
            }
            lines[key] = Line(writtenAt: now)
            return (line.leftOutCount, elapsed)
        }
    }

    private func write(
        _ key: Key, leftOut count: Int, over duration: Duration, metadata: Logger.Metadata?
    ) {
        guard count > 0 else {
            return logger.log(level: key.level, "\(key.message)", metadata: metadata)
        }
        let seconds = max(1, duration.components.seconds)
        let lines = count == 1 ? "line" : "lines"
        logger.log(
            level: key.level,
            "\(key.message) [merged \(count) repeated \(lines) in \(seconds)s]",
            metadata: metadata)
    }
}
