import Cluster

/// Up to where a log is followed.
package enum Moment: Equatable, Sendable {
    /// All that is known to be committed.
    case end
    /// Up to and with this entry.
    case index(UInt64)
    /// All up to the first SYNC of a later time, in Unix nanoseconds.
    case time(Int64)

    /// As flags give it: at most one of the two. `time`: RFC 3339, or Unix seconds.
    package init(index: UInt64?, time: String?) throws(DumpError) {
        switch (index, time) {
        case (nil, nil): self = .end
        case (0?, nil): throw .usage("--at-index counts entries from 1.")
        case (let index?, nil): self = .index(index)
        case (nil, let text?): self = .time(try Self.nanoseconds(text))
        case (_?, _?): throw .usage("Give --at-index or --at-time, not both.")
        }
    }

    private static func nanoseconds(_ text: String) throws(DumpError) -> Int64 {
        if let time = CivilTime.unixNanoseconds(rfc3339: text) { return time }
        if let seconds = Int64(text), (0..<9_000_000_000).contains(seconds) {
            return seconds * 1_000_000_000
        }
        throw .usage(
            "--at-time \(text) is no moment. Give it as 2026-11-27T10:00:00Z or as Unix seconds.")
    }

    static func text(_ unixNanoseconds: Int64) -> String {
        CivilTime(unixNanoseconds: unixNanoseconds).rfc3339
    }
}
