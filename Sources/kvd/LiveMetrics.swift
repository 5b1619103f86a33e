import ClientAPI
import Cluster
import KVServer
import Metrics
import RaftModel
import Storage
import StorageIO
import Transport

/// The figures of disk, snapshots and peers, for `/metrics` and `/v2/stats/leader`. Asked on the
/// event loop; each figure costs a lock that is held for moments.
final class LiveMetrics: MemberReporter {
    private let engine: Engine
    private let writer: LogWriter<PosixStorage>
    private let keeper: SnapshotKeeper
    private let peers: PeerTransport
    /// Set when scrubbing begins.
    var scrubber: Scrubber?
    private var live: LiveProblems

    init(
        _ engine: Engine, _ writer: LogWriter<PosixStorage>, _ keeper: SnapshotKeeper,
        _ peers: PeerTransport, _ problems: LiveProblems
    ) {
        live = problems
        (self.engine, self.writer, self.keeper, self.peers) = (engine, writer, keeper, peers)
    }

    private var others: [(id: MemberID, statistics: PeerStatistics)] {
        engine.membership.ids.filter { $0 != engine.configuration.member }.compactMap { id in
            peers.statistics(of: id).map { (id, $0) }
        }
    }

    func peerLatencies() -> [PeerLatency] {
        others.map { id, statistics in
            let health = statistics.health
            var latency = PeerLatency(member: id)
            latency.current = (health.lastRoundTrip ?? .zero) / .milliseconds(1)
            latency.sum = health.sum
            latency.sumOfSquares = health.sumOfSquares
            latency.minimum = health.shortest
            latency.maximum = health.longest
            latency.successCount = health.probeCount - health.lossCount
            latency.failCount = health.lossCount + statistics.failedPostCount
            return latency
        }
    }

    func problems() -> [Problem] {
        let named = others.map { id, statistics in
            let name = engine.membership[id]?.name ?? ""
            return (id: id, name: name.isEmpty ? "\(id)" : name, statistics: statistics)
        }
        return live.disk(writer.metrics, keeper.statistics, scrubber?.statistics)
            + live.peers(named)
    }

    func write(into page: inout MetricsPage) {
        writeLog(&page)
        writeSnapshots(&page)
        if let scrubber { write(scrubber.statistics, &page) }
        writePeers(&page)
    }

    private func writeLog(_ page: inout MetricsPage) {
        let log = writer.metrics
        page.histogram(
            "etcd_wal_fsync_durations_seconds",
            "Time of a write and fdatasync of the log, in seconds.", log.syncDurations)
        page.gauge(
            "etcd_wal_last_index_saved", "Last entry handed to the log.", engine.lastLogIndex)
        page.counter(
            "kvd_wal_slow_syncs_total", "Syncs that took more than 100 ms.", log.slowSyncCount)
        page.gauge(
            "kvd_wal_slowest_sync_seconds", "The longest sync since the start.",
            log.slowestSync / .seconds(1))
        page.counter("kvd_wal_entries_total", "Entries saved.", log.entryCount)
        page.counter("kvd_wal_batches_total", "Batches submitted.", log.batchCount)
        page.counter(
            "kvd_wal_groups_total", "Group commits: batches written and synced as one.",
            log.groupCount)
        page.gauge(
            "kvd_wal_group_batches_max", "The most batches that one group had.",
            UInt64(log.groupBatchesMax))
        page.gauge(
            "kvd_wal_queued_bytes", "Submitted and not durable yet.", UInt64(writer.queuedBytes))
        page.counter("kvd_wal_segments_total", "Segments begun.", log.segmentCount)
        page.counter(
            "kvd_wal_segments_recycled_total", "Segments released to be used again.",
            log.recycledCount)
        page.counter("kvd_wal_segments_removed_total", "Segments removed.", log.removedCount)
        page.counter("kvd_wal_segments_archived_total", "Segments archived.", log.archivedCount)
        page.counter(
            "kvd_wal_archive_failures_total", "Failed tries at archiving.",
            log.archiveFailureCount)
    }

    private func writeSnapshots(_ page: inout MetricsPage) {
        let snapshots = keeper.statistics
        page.histogram(
            "etcd_snapshot_save_total_durations_seconds", "Time of saving a snapshot, in seconds.",
            snapshots.saves)
        page.histogram(
            "etcd_snapshot_save_marshalling_durations_seconds",
            "The part of it that turns the state into bytes, in seconds.", snapshots.marshallings)
        page.counter(
            "kvd_snapshot_failures_total", "Snapshots that could not be saved.",
            snapshots.failureCount)
        page.counter(
            "kvd_snapshot_written_bytes_total", "Bytes of all snapshots saved.",
            snapshots.writtenBytes)
        page.gauge(
            "kvd_snapshot_file_bytes", "Size of the last snapshot saved.", snapshots.lastFileBytes)
        page.gauge(
            "kvd_snapshot_state_bytes", "Its size before compression.", snapshots.lastStateBytes)
        page.counter("kvd_snapshot_purged_total", "Old snapshots removed.", snapshots.purgedCount)
    }

    private func write(_ scrub: Scrubber.Statistics, _ page: inout MetricsPage) {
        page.counter("kvd_scrub_rounds_total", "Whole rounds of scrubbing.", scrub.roundCount)
        page.counter("kvd_scrub_read_bytes_total", "Bytes read again.", scrub.readBytes)
        page.counter("kvd_scrub_damage_total", "Damaged files found.", scrub.damageCount)
        page.gauge(
            "kvd_scrub_last_damage", "Damaged files found in the last round.",
            scrub.lastRoundDamageCount)
        page.gauge(
            "kvd_scrub_last_round_seconds", "End of the last round, in Unix seconds; 0: none.",
            Double(scrub.lastRoundAt) / 1e9)
    }

    private func writePeers(_ page: inout MetricsPage) {
        let others = others
        guard !others.isEmpty else { return }
        func each(
            _ name: StaticString, _ kind: MetricsPage.Kind, _ help: StaticString,
            _ value: (PeerStatistics) -> Double
        ) {
            page.family(name, kind, help)
            for (id, statistics) in others {
                page.sample([("peer", "\(id)")], value(statistics))
            }
        }
        page.family(
            "etcd_rafthttp_message_sent_failed_total", .counter,
            "Messages that could not be sent to a peer.")
        for (id, statistics) in others {
            page.sample(
                [("remoteID", "\(id)")], statistics.failedPostCount + statistics.droppedMessageCount
            )
        }
        each("kvd_peer_active", .gauge, "1 while there is a stream to the peer.") {
            $0.isActive ? 1 : 0
        }
        each("kvd_peer_sent_messages_total", .counter, "Messages sent.") {
            Double($0.sentMessageCount)
        }
        each("kvd_peer_sent_bytes_total", .counter, "Bytes of them.") { Double($0.sentBytes) }
        each("kvd_peer_received_messages_total", .counter, "Messages received.") {
            Double($0.receivedMessageCount)
        }
        each("kvd_peer_received_bytes_total", .counter, "Bytes of them.") {
            Double($0.receivedBytes)
        }
        each("kvd_peer_round_trip_seconds", .gauge, "Smoothed round trip of probes; 0: none yet.") {
            ($0.health.smoothedRoundTrip ?? .zero) / .seconds(1)
        }
        each("kvd_peer_probes_lost_total", .counter, "Probes without an answer.") {
            Double($0.health.lossCount)
        }
        each("kvd_peer_clock_difference_seconds", .gauge, "The peer's clock minus this one's.") {
            ($0.health.clockDifference ?? .zero) / .seconds(1)
        }
    }
}
