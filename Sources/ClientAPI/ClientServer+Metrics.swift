internal import KVServer
internal import KeyStore
internal import Metrics
internal import Raft
internal import RaftModel

/// `/metrics`: what etcd 2.3 has under its names, everything else as `kvd_…`.
/// Source: `reference/client-api.md` §10.
extension ClientServer {
    func metrics() -> Answer {
        var page = MetricsPage()
        writeRequests(&page)
        writeStore(&page)
        writeWatches(&page)
        writeEngine(&page)
        reporter?.write(into: &page)
        ProcessFigures.read().write(
            into: &page, startedAtUnixSeconds: Double(startedAt) / 1e9)
        body.append(page.bytes)
        return Answer(.ok, .metrics)
    }

    private func writeRequests(_ page: inout MetricsPage) {
        page.family("etcd_http_received_total", .counter, "Valid requests of /v2/keys.")
        for (kind, method) in RequestKind.ofKeys {
            let count = meter.received(kind) + (kind == .get ? meter.received(.watch) : 0)
            page.sample([("method", method)], count)
        }
        page.family(
            "etcd_http_failed_total", .counter, "Requests of /v2/keys answered with an error.")
        for (kind, method) in RequestKind.ofKeys {
            for (status, count) in meter.failures(of: kind) {
                page.sample([("method", method), ("code", status.code)], count)
            }
        }
        page.family(
            "etcd_http_successful_duration_second", .histogram,
            "Time of successful requests of /v2/keys, in seconds.")
        for (kind, method) in RequestKind.ofKeys {
            page.sample([("method", method)], of: meter.durations(of: kind))
        }
        page.family(
            "kvd_http_duration_seconds", .histogram,
            "Time of successful requests by route, in seconds.")
        for kind in RequestKind.ofRoutes {
            page.sample([("route", "\(kind)")], of: meter.durations(of: kind))
        }
        page.family("kvd_http_failed_total", .counter, "Requests answered with an error, by route.")
        for kind in RequestKind.ofRoutes {
            for (status, count) in meter.failures(of: kind) {
                page.sample([("route", "\(kind)"), ("code", status.code)], count)
            }
        }
        page.gauge("kvd_client_connections", "Open client connections.", UInt64(connectionsCount))
    }

    private func writeStore(_ page: inout MetricsPage) {
        let store = engine.store
        let counts = store.statistics
        page.family("etcd_store_reads_total", .counter, "Reads that found their key.")
        let recursive = min(meter.recursiveReads, counts.getsSuccess)
        page.sample([("action", "get")], counts.getsSuccess - recursive)
        page.sample([("action", "getRecursive")], recursive)
        page.family("etcd_store_reads_failed_total", .counter, "Reads that did not.")
        page.sample([("action", "get")], counts.getsFail)
        page.family("etcd_store_writes_total", .counter, "Writes that changed the store.")
        for (action, count, _) in counts.writes { page.sample([("action", action)], count) }
        page.family("etcd_store_writes_failed_total", .counter, "Writes that the store refused.")
        for (action, _, count) in counts.writes { page.sample([("action", action)], count) }
        page.counter("etcd_store_expires_total", "Keys that expired.", counts.expireCount)
        page.gauge(
            "kvd_store_index", "Index of the last change (X-Etcd-Index).", store.currentIndex)
        page.gauge(
            "kvd_store_history_events", "Events kept for watches that begin in the past.",
            UInt64(store.history.count))
        page.gauge(
            "kvd_store_history_bytes", "Memory of those events.", UInt64(store.history.bytesCount))
        page.gauge(
            "kvd_store_history_oldest_index", "The earliest waitIndex that can be served.",
            store.history.oldestIndex)
    }

    private func writeWatches(_ page: inout MetricsPage) {
        page.counter(
            "etcd_store_watch_requests_total", "Watches begun.",
            meter.received(.watch))
        page.gauge(
            "etcd_store_watchers", "Watches that wait now.", engine.store.statistics.watchers)
        page.counter(
            "kvd_watch_cut_total", "Streams cut because their client did not read.",
            meter.cutStreams)
        page.counter(
            "kvd_client_connections_refused_total",
            "Connections refused because as many as may be were open.", meter.refusedConnections)
        page.counter(
            "kvd_client_connections_evicted_total",
            "Idle connections ended to make room for others.", meter.evictedConnections)
        page.counter(
            "kvd_client_answers_cut_total",
            "Answers cut because their client took nothing of them.",
            meter.cutReaders)
        page.counter(
            "kvd_watch_cleared_total",
            "Watches refused (401) because the history has dropped what they missed.",
            meter.clearedWatches)
        page.counter(
            "kvd_watch_ended_total", "Watches ended because a snapshot replaced the state.",
            meter.endedWatches)
    }

    private func writeEngine(_ page: inout MetricsPage) {
        page.histogram(
            "etcd_server_proposal_durations_seconds",
            "Time from a write's proposal to its being applied, in seconds.", meter.proposals)
        page.gauge(
            "etcd_server_pending_proposal_total", "Writes that wait to be applied.",
            UInt64(engine.pendingCount))
        page.counter(
            "etcd_server_proposal_failed_total", "Writes given up without an answer of the store.",
            meter.refusedProposals)
        page.gauge(
            "kvd_engine_queue", "Writes that no leader has taken yet.",
            UInt64(engine.queuedCount))
        page.gauge("kvd_raft_term", "Term.", engine.term)
        page.gauge("kvd_raft_commit_index", "Last committed entry known here.", engine.commitIndex)
        page.gauge("kvd_raft_applied_index", "Last entry applied here.", engine.appliedIndex)
        page.gauge("kvd_raft_last_index", "Last entry of the log here.", engine.lastLogIndex)
        page.gauge(
            "kvd_raft_first_index", "First entry that is still in memory.", engine.firstLogIndex)
        page.gauge(
            "kvd_raft_is_leader", "1 on the leader.",
            UInt64(engine.leadership.role == .leader ? 1 : 0))
        page.gauge(
            "kvd_raft_has_leader", "1 if this member knows a leader.",
            UInt64(engine.leadership.leader == .none ? 0 : 1))
        page.gauge(
            "kvd_raft_all_members_are_kvd",
            "1 while pre-votes, quorum checks and read rounds are in use.",
            UInt64(engine.allMembersAreKvd ? 1 : 0))
        page.gauge(
            "kvd_snapshot_index", "Index of the newest durable snapshot.", engine.snapshotIndex)
        page.gauge(
            "kvd_disk_full", "1 while this member's disk is full.",
            UInt64(engine.isDiskFull ? 1 : 0))
        page.family(
            "kvd_follower_lag", .gauge, "Entries that a follower lacks; on the leader only.")
        let id = engine.configuration.member
        for follower in engine.raftStatus.progress where follower.id != id {
            let lag = engine.lastLogIndex - min(follower.match, engine.lastLogIndex)
            page.sample([("peer", "\(follower.id)")], lag)
        }
    }
}

extension Status {
    fileprivate var code: String { String("\(text)".prefix(3)) }
}

extension StoreStatistics {
    /// etcd's names of the actions, what succeeded and what failed.
    fileprivate var writes: [(action: String, succeeded: UInt64, failed: UInt64)] {
        [
            ("set", setsSuccess, setsFail), ("create", createSuccess, createFail),
            ("update", updateSuccess, updateFail),
            ("compareAndSwap", compareAndSwapSuccess, compareAndSwapFail),
            ("compareAndDelete", compareAndDeleteSuccess, compareAndDeleteFail),
            ("delete", deleteSuccess, deleteFail),
        ]
    }
}
