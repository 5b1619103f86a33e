import ClientAPI
import KVServer
import Metrics
import RaftModel
import Storage
import StorageIO
import Transport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What is wrong with disk, snapshots and peers, for `/v2/status`. Asked about once a second.
struct LiveProblems {
    /// The syncs of the log up to some time.
    private struct Mark {
        let at: Int64
        let syncs: DurationHistogram
    }

    private let dataDirectory: String
    private let heartbeat: Duration
    /// The last minute's, one for every ten seconds.
    private var marks: [Mark] = []
    private static let markNanoseconds: Int64 = 10_000_000_000
    private static let marksMax = 6

    init(dataDirectory: String, heartbeat: Duration) {
        (self.dataDirectory, self.heartbeat) = (dataDirectory, heartbeat)
    }

    // MARK: - Disk

    mutating func disk(
        _ log: LogWriterMetrics, _ snapshots: SnapshotKeeper.Statistics,
        _ scrub: Scrubber.Statistics?
    ) -> [Problem] {
        var found: [Problem] = []
        if let problem = slowSyncs(log.syncDurations) { found.append(problem) }
        if let problem = littleSpace() { found.append(problem) }
        if snapshots.isLastFailed {
            found.append(
                Problem(
                    "snapshot", "the last snapshot could not be saved: the log grows",
                    help: "the log of this member says why; mostly the disk is full or read-only"))
        }
        if let scrub, scrub.lastRoundDamageCount > 0 {
            found.append(
                Problem(
                    "damage",
                    "the last scrub found \(scrub.lastRoundDamageCount) damaged files",
                    help: "kvd-dump verify \(dataDirectory) says which; a snapshot is replaced by "
                        + "itself, a log by a restart with --rejoin. The disk may be failing"))
        }
        return found
    }

    /// Of the last minute.
    private mutating func slowSyncs(_ syncs: DurationHistogram) -> Problem? {
        let now = MachineClock.monotonicNanoseconds
        if marks.last.map({ now - $0.at >= Self.markNanoseconds }) ?? true {
            marks.append(Mark(at: now, syncs: syncs))
            if marks.count > Self.marksMax { marks.removeFirst() }
        }
        guard let first = marks.first else { return nil }
        let recent = syncs.since(first.syncs)
        let limit = heartbeat / .seconds(1) / 2
        // A few syncs say nothing about one in a hundred.
        guard recent.count >= 20, let slow = recent.lowerBoundSeconds(ofQuantile: 0.99),
            slow >= limit
        else { return nil }
        return Problem(
            "slow-disk",
            "disk sync p99 of the last minute is \(Int(slow * 1000)) ms or more: above half the "
                + "heartbeat interval (\(Int(limit * 2000)) ms)",
            help: "move --data-dir or --wal-dir to a faster disk, see what else writes to this "
                + "one, or raise --heartbeat-interval and --election-timeout on all members")
    }

    private func littleSpace() -> Problem? {
        var facts = statvfs()
        guard statvfs(dataDirectory, &facts) == 0, facts.f_blocks > 0 else { return nil }
        let free = UInt64(facts.f_bavail) * UInt64(facts.f_frsize)
        let all = UInt64(facts.f_blocks) * UInt64(facts.f_frsize)
        let limit = max(all / 50, 4 * UInt64(StorageDefaults.segmentBytes))
        guard free < limit else { return nil }
        return Problem(
            "little-space",
            "\(free >> 20) MB of \(all >> 20) MB are free on the disk of the data dir",
            help: "free some space: without any this member refuses writes")
    }

    // MARK: - Peers

    func peers(_ others: [(id: MemberID, name: String, statistics: PeerStatistics)]) -> [Problem] {
        var found: [Problem] = []
        for (id, name, statistics) in others {
            if statistics.isMissing(for: .seconds(1)) {
                found.append(
                    Problem(
                        "unreachable \(id)", "there is no connection to member \(name)",
                        help: "see that it runs and that its peer URLs can be reached from here"))
            }
            let difference = statistics.health.clockDifference ?? .zero
            let seconds = abs(difference / .seconds(1))
            if seconds > 1 {
                found.append(
                    Problem(
                        "clock \(id)",
                        "the clock of member \(name) differs from this one's by "
                            + "\(Int(seconds.rounded())) s",
                        help: "run NTP on both; keys expire by the leader's clock"))
            }
        }
        return found
    }
}
