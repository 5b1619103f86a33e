package import Histogram

/// Why a request did not count as done.
package enum Failure: Hashable, Sendable {
    /// Answered, but neither 200 nor 201.
    case status(Int)
    case connectionLost, timedOut, malformedAnswer
    /// A watch ended although nobody ended it.
    case watchEnded

    /// Key in reports: the status, or a word.
    package var name: String {
        switch self {
        case .status(let status): String(status)
        case .connectionLost: "connection-lost"
        case .timedOut: "timed-out"
        case .malformedAnswer: "malformed-answer"
        case .watchEnded: "watch-ended"
        }
    }
}

/// What one worker counted; merged with the others' at the end.
///
/// Only requests meant to be sent at or after `measureFrom` count, so warm-up leaves no trace, and
/// one sent before the end counts when its answer comes after it. Latencies are those of
/// requests that succeeded.
package struct Recorder: Sendable {
    package typealias Latencies = Histogram<UInt64>

    package var measureFrom: Nanoseconds
    /// By `Operation.rawValue`.
    package private(set) var latencies: [Latencies]
    package private(set) var eventLatencies: Latencies
    package private(set) var failures: [Failure: Int] = [:]
    package private(set) var lastAnswer: Nanoseconds = 0
    /// On all connections, warm-up included.
    package var bytesSent = 0
    package var bytesReceived = 0
    package var reconnectCount = 0
    /// Due before the end, never sent: the server did not keep up with the rate.
    package var unsentCount = 0
    package var cpu: Nanoseconds = 0

    /// Longer ones are counted as this; ten minutes.
    package static let latencyMax: Nanoseconds = 600_000_000_000

    package init(measureFrom: Nanoseconds) {
        self.measureFrom = measureFrom
        latencies = Operation.allCases.map { _ in Self.emptyLatencies() }
        eventLatencies = Self.emptyLatencies()
    }

    /// 64 ns to ten minutes, three significant digits.
    package static func emptyLatencies() -> Latencies {
        Latencies(
            lowestDiscernibleValue: 64, highestTrackableValue: latencyMax,
            numberOfSignificantValueDigits: .three)
    }

    package var successCount: Int { latencies.reduce(0) { $0 + Int($1.totalCount) } }
    package var failureCount: Int { failures.values.reduce(0, +) }
    package var eventCount: Int { Int(eventLatencies.totalCount) }

    /// Accounts for an answer. Returns true if it was a success, measured or not.
    package mutating func answered(
        _ request: InFlightQueue.Request, status: Int, now: Nanoseconds
    ) -> Bool {
        guard status == 200 || status == 201 else {
            failed(.status(status), request)
            return false
        }
        guard request.intended >= measureFrom else { return true }
        lastAnswer = max(lastAnswer, now)
        let latency = now > request.intended ? now - request.intended : 0
        latencies[request.operation.rawValue].record(min(latency, Self.latencyMax))
        return true
    }

    package mutating func failed(_ failure: Failure, _ request: InFlightQueue.Request) {
        if request.intended >= measureFrom { failures[failure, default: 0] += 1 }
    }

    /// A failure that belongs to no request (a watch), at `now`.
    package mutating func failed(_ failure: Failure, now: Nanoseconds) {
        if now >= measureFrom { failures[failure, default: 0] += 1 }
    }

    /// An event reached a watcher. `written` is when its write was meant to be sent.
    package mutating func event(written: Nanoseconds, now: Nanoseconds) -> Bool {
        guard written >= measureFrom else { return false }
        let latency = now > written ? now - written : 0
        eventLatencies.record(min(latency, Self.latencyMax))
        return true
    }

    package mutating func merge(_ other: Recorder) {
        for index in latencies.indices { latencies[index].add(other.latencies[index]) }
        eventLatencies.add(other.eventLatencies)
        failures.merge(other.failures, uniquingKeysWith: +)
        measureFrom = min(measureFrom, other.measureFrom)
        lastAnswer = max(lastAnswer, other.lastAnswer)
        bytesSent += other.bytesSent
        bytesReceived += other.bytesReceived
        reconnectCount += other.reconnectCount
        unsentCount += other.unsentCount
        cpu += other.cpu
    }

    /// All operations in one.
    package var allLatencies: Latencies {
        var all = Self.emptyLatencies()
        for part in latencies { all.add(part) }
        return all
    }
}
