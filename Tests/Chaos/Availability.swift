import Synchronization

/// Whether writes are served: from a fault to the next one that was asked for once it had happened,
/// and the longest time in which nobody had one acknowledged.
package final class Availability: Sendable {
    private struct State {
        var faultAt: UInt64?
        /// When what was done was done: what is asked for from then on counts.
        var countsFrom: UInt64 = 0
        var servedAt: UInt64?
        var lastAt: UInt64 = 0
        var longest: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Does something that may keep members from serving.
    package func during<Result>(_ fault: () throws -> Result) rethrows -> Result {
        let faultAt = ClientLoad.now
        state.withLock { $0.faultAt = nil }
        let result = try fault()
        state.withLock {
            $0 = State(
                faultAt: faultAt, countsFrom: ClientLoad.now, lastAt: faultAt, longest: $0.longest)
        }
        return result
    }

    func acknowledged(askedAt: UInt64, answeredAt: UInt64) {
        state.withLock {
            guard let faultAt = $0.faultAt, answeredAt >= faultAt else { return }
            if answeredAt > $0.lastAt {
                $0.longest = max($0.longest, answeredAt - $0.lastAt)
                $0.lastAt = answeredAt
            }
            guard $0.servedAt == nil, askedAt >= $0.countsFrom else { return }
            $0.servedAt = answeredAt
        }
    }

    /// From the fault to the next write that was asked for after it; nil: none yet.
    package var gap: Duration? {
        state.withLock {
            guard let faultAt = $0.faultAt, let servedAt = $0.servedAt else { return nil }
            return .nanoseconds(Int64(servedAt - faultAt))
        }
    }

    /// The longest time without a write, from the fault on.
    package var longestSilence: Duration {
        state.withLock { .nanoseconds(Int64($0.longest)) }
    }
}

/// Durations, and what to say of them.
package struct Distribution: Sendable {
    package private(set) var all: [Duration] = []

    package init() {}

    package mutating func add(_ duration: Duration) { all.append(duration) }

    package var count: Int { all.count }
    package var max: Duration { all.max() ?? .zero }

    /// The smallest duration that `share` of all do not exceed.
    package func quantile(_ share: Double) -> Duration {
        let sorted = all.sorted()
        guard !sorted.isEmpty else { return .zero }
        let place = Int((Double(sorted.count) * share).rounded(.up)) - 1
        return sorted[Swift.min(Swift.max(place, 0), sorted.count - 1)]
    }

    package func share(within bar: Duration) -> Double {
        all.isEmpty ? 1 : Double(all.count { $0 <= bar }) / Double(all.count)
    }
}

extension Duration {
    package var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
