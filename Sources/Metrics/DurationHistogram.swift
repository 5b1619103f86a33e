/// Counts durations in buckets whose upper bounds double from the first.
///
///     bound  first | 2 first | 4 first | … | first << (n-1) | all above
///     count    c0  |   c1    |   c2    | … |     c(n-1)     |    cn
///
/// Not thread-safe: a part feeds its own. A `record` is a division and an addition.
public struct DurationHistogram: Equatable, Sendable {
    public let firstNanoseconds: UInt64
    /// One more than there are bounds. Not cumulative.
    public private(set) var counts: [UInt64]
    public private(set) var sumNanoseconds: UInt64 = 0

    public init(firstNanoseconds: UInt64, boundsCount: Int) {
        precondition(firstNanoseconds > 0 && (1..<40).contains(boundsCount))
        self.firstNanoseconds = firstNanoseconds
        counts = [UInt64](repeating: 0, count: boundsCount + 1)
    }

    public mutating func record(nanoseconds: Int64) {
        // Zero and less count as the shortest there is.
        let value = UInt64(max(nanoseconds, 1))
        let quotient = (value - 1) / firstNanoseconds
        let bucket = min(UInt64.bitWidth - quotient.leadingZeroBitCount, counts.count - 1)
        counts[bucket] += 1
        sumNanoseconds &+= value
    }

    public var count: UInt64 { counts.reduce(0, +) }

    /// What was recorded since `earlier`, a copy of this one as it was.
    public func since(_ earlier: DurationHistogram) -> DurationHistogram {
        precondition(
            earlier.firstNanoseconds == firstNanoseconds && earlier.counts.count == counts.count)
        var difference = self
        for bucket in counts.indices { difference.counts[bucket] -= earlier.counts[bucket] }
        difference.sumNanoseconds &-= earlier.sumNanoseconds
        return difference
    }

    /// What the quantile surely is not below: the lower bound of its bucket. Nil: nothing recorded.
    ///
    /// - Parameter quantile: 0.99: of a hundred records at most one is above.
    public func lowerBoundSeconds(ofQuantile quantile: Double) -> Double? {
        precondition((0...1).contains(quantile))
        guard count > 0 else { return nil }
        var left = Double(count) * quantile
        for (bucket, number) in counts.enumerated() {
            left -= Double(number)
            if left <= 0 { return bucket == 0 ? 0 : boundSeconds(bucket - 1) }
        }
        return boundSeconds(counts.count - 2)
    }

    /// Upper bound of the bucket in seconds.
    public func boundSeconds(_ bucket: Int) -> Double {
        Double(firstNanoseconds << UInt64(bucket)) / 1e9
    }
}
