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

    /// Upper bound of the bucket in seconds.
    public func boundSeconds(_ bucket: Int) -> Double {
        Double(firstNanoseconds << UInt64(bucket)) / 1e9
    }
}
