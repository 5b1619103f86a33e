import Synchronization

/// From a fault to the next acknowledged write that was asked for after it.
package final class Availability: Sendable {
    private struct State {
        var faultAt: UInt64?
        var servedAt: UInt64?
    }

    private let state = Mutex(State())

    package init() {}

    package func faulted(at time: UInt64) {
        state.withLock { $0 = State(faultAt: time, servedAt: nil) }
    }

    func acknowledged(askedAt: UInt64, answeredAt: UInt64) {
        state.withLock {
            guard let faultAt = $0.faultAt, $0.servedAt == nil, askedAt >= faultAt else { return }
            $0.servedAt = answeredAt
        }
    }

    /// Nil: none yet.
    package var gap: Duration? {
        state.withLock {
            guard let faultAt = $0.faultAt, let servedAt = $0.servedAt else { return nil }
            return .nanoseconds(Int64(servedAt - faultAt))
        }
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
