package import RaftModel

/// Makes ids by which a committed entry finds the client that waits for it.
///
///     bits 63…48           47 … 8                        7 … 0
///     lowest 16 of the     lowest 40 of unix             counter, from 1;
///     member's id          milliseconds at the start     carries into the time
///
/// Different members never make the same id while their low bits differ, and a member that
/// restarts begins beyond its earlier ids unless it made more than 256 a millisecond on average.
/// Source: `reference/disk-format.md` §4.4.
package struct RequestIDGenerator: Sendable {
    private static let countMask: UInt64 = 1 << 48 - 1

    private let prefix: UInt64
    private var count: UInt64

    package init(member: MemberID, unixMilliseconds: UInt64) {
        prefix = member.rawValue << 48
        count = (unixMilliseconds << 8) & Self.countMask
    }

    /// The next id; never 0, which stands for "nobody waits".
    package mutating func next() -> UInt64 {
        count = (count + 1) & Self.countMask
        if prefix == 0, count == 0 { count = 1 }
        return prefix | count
    }
}
