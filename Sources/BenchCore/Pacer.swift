/// When requests are meant to be sent.
///
/// Closed loop (no rate): a request is due whenever somebody can send it. Open loop: request `k` of
/// all workers together is due at `start + k / rate`, worker `w` of `n` having every n-th from
/// `w` on, whether earlier answers came or not. A request sent late keeps its due time, and its
/// latency is counted from there: a server that stalls cannot hide the requests it delayed.
package struct Pacer: Sendable {
    private let start: Nanoseconds
    private let end: Nanoseconds
    private let ratePerSecond: UInt64?
    private let step: UInt64
    private var next: UInt64

    /// - Parameter end: nothing is due from then on.
    package init(
        start: Nanoseconds, end: Nanoseconds, ratePerSecond: Int?, worker: Int = 0,
        workerCount: Int = 1
    ) {
        precondition(start <= end && worker >= 0 && worker < workerCount)
        precondition((ratePerSecond ?? 1) > 0)
        self.start = start
        self.end = end
        self.ratePerSecond = ratePerSecond.map(UInt64.init)
        step = UInt64(workerCount)
        next = UInt64(worker)
    }

    package var isOpenLoop: Bool { ratePerSecond != nil }

    /// When the next request is due: in the closed loop the beginning of time. Nil: no more.
    package var nextDue: Nanoseconds? {
        guard let ratePerSecond else { return end > start ? start : nil }
        let due = start + offset(of: next, ratePerSecond)
        return due < end ? due : nil
    }

    /// Takes the next request if it is due; its intended send time.
    package mutating func take(now: Nanoseconds) -> Nanoseconds? {
        guard ratePerSecond != nil else { return now >= start && now < end ? now : nil }
        guard let due = nextDue, due <= now else { return nil }
        next += step
        return due
    }

    /// How many requests are due at `now` and were not taken.
    package func overdueCount(now: Nanoseconds) -> Int {
        guard let ratePerSecond, end > start, now >= start else { return 0 }
        // The first request due later than `last`: the inverse of `offset(of:)`.
        let last = min(now, end - 1) - start
        let (seconds, rest) = last.quotientAndRemainder(dividingBy: 1_000_000_000)
        let bound =
            seconds * ratePerSecond + ((rest + 1) * ratePerSecond + 999_999_999) / 1_000_000_000
        return bound > next ? Int((bound - next + step - 1) / step) : 0
    }

    private func offset(of request: UInt64, _ ratePerSecond: UInt64) -> Nanoseconds {
        // Split so that it neither overflows nor drifts.
        let (seconds, rest) = request.quotientAndRemainder(dividingBy: ratePerSecond)
        return seconds * 1_000_000_000 + rest * 1_000_000_000 / ratePerSecond
    }
}
