/// When a snapshot is worth what it costs.
///
/// etcd takes one every 10,000 entries, whatever its store weighs: with a million keys it writes
/// them all for every megabyte of log. Here a snapshot is due only when the log behind the last one
/// has grown to at least the size of the state that one had, before compression. So all snapshots
/// together never go through, nor write, more than about what the log itself wrote, however large
/// the store and however fast the writes; and a start never has to replay more log than it loads
/// snapshot, or `logBytesMax`.
///
///     due:  log bytes ≥ the last snapshot's state   and   entries ≥ entriesMin or log bytes ≥ logBytesMax
package struct SnapshotPolicy: Equatable, Sendable {
    /// `--snapshot-count`.
    package var entriesMin: UInt64 = 10_000
    /// `--snapshot-bytes`.
    package var logBytesMax = 64 << 20

    /// Since the last snapshot, or since the one that this start began from.
    package private(set) var entries: UInt64 = 0
    package private(set) var logBytes = 0
    /// Of the last snapshot, not compressed; 0: there is none.
    package private(set) var lastStateBytes = 0

    package init() {}

    package mutating func applied(entryBytes: Int) {
        entries += 1
        logBytes += entryBytes
    }

    package var isDue: Bool {
        logBytes >= lastStateBytes && (entries >= entriesMin || logBytes >= logBytesMax)
    }

    /// One has been begun: what follows counts for the next. Returns what it stands for, to be
    /// given back if it comes to nothing.
    mutating func begin() -> (entries: UInt64, logBytes: Int) {
        defer { (entries, logBytes) = (0, 0) }
        return (entries, logBytes)
    }

    mutating func failed(_ begun: (entries: UInt64, logBytes: Int)) {
        entries += begun.entries
        logBytes += begun.logBytes
    }

    /// The state now starts from, or is saved in, a snapshot of this many bytes, not compressed.
    package mutating func saved(stateBytes: Int) { lastStateBytes = stateBytes }

    /// The state was replaced by a snapshot from elsewhere.
    mutating func restarted(stateBytes: Int) {
        (entries, logBytes, lastStateBytes) = (0, 0, stateBytes)
    }
}
