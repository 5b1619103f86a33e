internal import Logging
internal import Synchronization

/// Keeps a line that repeats from filling the disk: each distinct line is written at most once in
/// an interval, and then says how often it was left out.
///
///     … W | rafthttp: lost connection to peer 78b604e6cbc539bd [merged 412 repeated lines in 10s]
///
/// One for a process, between its loggers and its sink, so that no caller has to think of it. A
/// line that does not come again after it was left out is written for its count: by whatever line
/// comes after its interval, or by `flush`.
///
/// Thread-safe. Remembers a bounded number of lines; past it, the one written longest ago is
/// forgotten (its count is written, and it would be written at once if it came again).
package final class RepetitionLimit: Sendable {
    /// A line's identity: its metadata, such as a port that differs each time, is no part of it.
    struct Line: Hashable {
        let level: Logger.Level
        let package: String
        let message: String
    }

    /// How often a line was left out, and over which time.
    struct Omission: Equatable {
        var count = 0
        var duration = Duration.zero

        /// What is written behind the line's text.
        var note: String {
            guard count > 0 else { return "" }
            let lines = count == 1 ? "line" : "lines"
            return " [merged \(count) repeated \(lines) in \(max(1, duration.components.seconds))s]"
        }
    }

    /// What is to be written now that a line has come.
    struct Verdict {
        /// Of the line itself; nil if it is left out.
        var omission: Omission?
        /// Lines that were left out and have not come again.
        var overdue: [(line: Line, omission: Omission)] = []
    }

    private struct Memory {
        var writtenAt: ContinuousClock.Instant
        var leftOutCount = 0

        func omission(at now: ContinuousClock.Instant) -> Omission {
            Omission(count: leftOutCount, duration: writtenAt.duration(to: now))
        }
    }

    private struct State {
        var lines: [Line: Memory] = [:]
        /// When some line's interval will be over; nil if no line is remembered.
        var sweepDue: ContinuousClock.Instant?
    }

    static let rememberedLinesMax = 256

    private let interval: Duration
    private let state = Mutex(State())

    package init(interval: Duration = .seconds(10)) {
        precondition(interval > .zero, "an interval of zero would limit nothing")
        self.interval = interval
    }

    /// Takes a line's message. `now` is the caller's clock, so that tests need not wait.
    func take(_ line: Line, now: ContinuousClock.Instant = .now) -> Verdict {
        state.withLock { state in
            var verdict = Verdict()
            if var known = state.lines[line], now < known.writtenAt + interval {
                known.leftOutCount += 1
                state.lines[line] = known
            } else {
                verdict.omission = state.lines[line]?.omission(at: now) ?? Omission()
                state.lines[line] = Memory(writtenAt: now)
                state.sweepDue = state.sweepDue ?? now + interval
            }
            verdict.overdue = sweep(&state, now)
            return verdict
        }
    }

    /// Forgets all lines, and returns those that were left out since they were last written.
    func removeAll(now: ContinuousClock.Instant = .now) -> [(line: Line, omission: Omission)] {
        state.withLock { state in
            let all = state.lines
            state = State()
            return Self.leftOut(all, now)
        }
    }

    /// Forgets what has not come for an interval, and what is too much.
    private func sweep(
        _ state: inout State, _ now: ContinuousClock.Instant
    ) -> [(line: Line, omission: Omission)] {
        var forgotten: [Line: Memory] = [:]
        if let due = state.sweepDue, due <= now {
            forgotten = state.lines.filter { $0.value.writtenAt + interval <= now }
            for line in forgotten.keys { state.lines[line] = nil }
            state.sweepDue = state.lines.values.map { $0.writtenAt + interval }.min()
        }
        if state.lines.count > Self.rememberedLinesMax,
            let oldest = state.lines.min(by: { $0.value.writtenAt < $1.value.writtenAt })
        {
            state.lines[oldest.key] = nil
            forgotten[oldest.key] = oldest.value
        }
        return Self.leftOut(forgotten, now)
    }

    /// In the order in which they were last written.
    private static func leftOut(
        _ lines: [Line: Memory], _ now: ContinuousClock.Instant
    ) -> [(line: Line, omission: Omission)] {
        lines.filter { $0.value.leftOutCount > 0 }
            .sorted { ($0.value.writtenAt, $0.key.message) < ($1.value.writtenAt, $1.key.message) }
            .map { ($0.key, $0.value.omission(at: now)) }
    }
}
