import Cluster
import KeyStore
import Raft
import RaftModel
import State
import Testing

@testable import KVServer

/// A cluster of etcds is replaced by kvds, one by one, and by etcds again, while it is written to.
@Suite struct RollingReplacementTests {
    /// - Parameter snapshots: whoever joins gets a snapshot first.
    @Test(arguments: [false, true])
    func thereAndBack(snapshots: Bool) throws {
        var ledByEtcd = 0
        var ledByKvd = 0
        for seed in 1...6 as ClosedRange<UInt64> {
            var run = Replacement(seed: seed, snapshots: snapshots)
            try run.start()
            for _ in 0..<3 { try run.replace(byEtcd: false) }
            #expect(run.areAllKvd && run.useAllFeatures)
            for _ in 0..<3 { try run.replace(byEtcd: true) }
            #expect(!run.areAllKvd && !run.useAllFeatures)
            try run.finish()
            #expect(run.etcds.snapshotCount > 0 || !snapshots)
            ledByEtcd += run.mixedTicks.etcd
            ledByKvd += run.mixedTicks.kvd
        }
        // Both kinds lead the other for a while.
        #expect(ledByEtcd > 100 && ledByKvd > 100, "\(ledByEtcd), \(ledByKvd)")
    }

    private struct Replacement {
        let cluster: EngineCluster
        let etcds: Etcd23Models
        private var random: UInt64
        private var written: [(key: String, on: Int, ticket: Ticket)] = []
        /// For how long which kind led while there were both.
        private(set) var mixedTicks = (etcd: 0, kvd: 0)

        init(seed: UInt64, snapshots: Bool) {
            random = seed
            cluster = EngineCluster(size: 3) {
                $0.seed = $0.member.rawValue &* 31 &+ seed
                guard snapshots else { return }
                $0.snapshotEntryCount = 40
                $0.catchUpEntries = 10
            }
            etcds = Etcd23Models(cluster.ids)
            cluster.etcds = etcds
        }

        private mutating func draw(_ bound: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % bound
        }

        private var running: [Int] {
            cluster.members.indices.filter { cluster.members[$0].isRunning }
        }

        var areAllKvd: Bool { running.allSatisfy { !etcds.ids.contains(cluster.ids[$0]) } }

        var useAllFeatures: Bool {
            running.allSatisfy { cluster[$0].raft.features == .kvd }
        }

        // MARK: Time, with load

        private mutating func tick() {
            let i = running[draw(running.count)]
            if cluster[i].isMember {
                let key = "/k\(written.count)"
                written.append((key, i, cluster.put(key, "v", on: i)))
            }
            cluster.tick()
            let etcdCount = running.count { etcds.ids.contains(cluster.ids[$0]) }
            if let leader = cluster.leader, (1..<running.count).contains(etcdCount) {
                let isEtcd = etcds.ids.contains(cluster.ids[leader])
                mixedTicks.etcd += isEtcd ? 1 : 0
                mixedTicks.kvd += isEtcd ? 0 : 1
            }
            for i in running where cluster.members[i].stop == .removedFromCluster {
                cluster.crash(i)
            }
        }

        private mutating func tick(_ what: String, until condition: () -> Bool) throws {
            for _ in 0..<400 {
                if condition() { return }
                tick()
            }
            try #require(condition(), "\(what): \(standing)")
        }

        private var standing: String {
            running.map { i in
                let status = cluster[i].raftStatus
                return "\(status.id) \(status.role) term \(status.term) leader \(status.leader) "
                    + "applied \(cluster[i].appliedIndex)/\(cluster[i].lastLogIndex) "
                    + "members \(cluster[i].membership.listed.map(\.id))"
            }.joined(separator: "; ")
        }

        mutating func start() throws {
            let cluster = cluster
            try tick("published") {
                cluster.members.indices.allSatisfy { cluster[$0].isPublished }
            }
            for _ in 0..<30 { tick() }
        }

        // MARK: One replacement

        mutating func replace(byEtcd: Bool) throws {
            let (cluster, etcds) = (cluster, etcds)
            let id = cluster.nextID
            let member = Member(id: id, peerURLs: ["http://new:\(id.rawValue)"])
            try change(
                ConfChange(kind: .add, member: id, context: MemberJSON.context(member))
            ) { cluster[$0].membership.listed.contains { $0.id == id } }
            if byEtcd {
                etcds.insert(id)
                // As soon as it has heard a leader.
                let leader = cluster.leader ?? running[0]
                var request = Request(
                    method: .put, path: Array(StorePath.attributes(id).utf8),
                    value: Array("{\"name\":\"early\"}".utf8))
                request.id = id.rawValue << 48 | 1
                cluster[leader].receive([
                    Message(
                        .propose, to: cluster.ids[leader], from: id,
                        entries: [Entry(data: request.encoded())])
                ])
            }
            _ = cluster.join()
            let new = cluster.members.count - 1
            try tick("\(id) is a member") { cluster[new].isPublished }
            moveLeadership()
            let old = running.first {
                $0 != new && etcds.ids.contains(cluster.ids[$0]) != byEtcd
            }
            let victim = try #require(old)
            let gone = cluster.ids[victim]
            try change(ConfChange(kind: .remove, member: gone)) { i in
                cluster.ids[i] == gone || cluster[i].membership.removed.contains(gone)
            }
            if cluster.members[victim].isRunning { cluster.crash(victim) }
            etcds.remove(gone)
            moveLeadership()
            try tick("a leader") { cluster.leader != nil }
        }

        /// Asks until it is so on every member that runs: leaders come and go.
        private mutating func change(
            _ change: ConfChange, isDone: @escaping (Int) -> Bool
        ) throws {
            let cluster = cluster
            for attempt in 0..<20 {
                if running.allSatisfy(isDone) { return }
                let asked = cluster.leader ?? running[attempt % running.count]
                cluster[asked].propose(change, ticket: cluster.nextTicket())
                for _ in 0..<40 where !running.allSatisfy(isDone) { tick() }
            }
            try #require(running.allSatisfy(isDone), "\(change.kind): \(standing)")
        }

        /// The leader is cut off until another one leads; every kind leads now and then.
        private mutating func moveLeadership() {
            guard draw(2) == 0, let leader = cluster.leader else { return }
            cluster.cutOff = [leader]
            for _ in 0..<60 { tick() }
            cluster.cutOff = []
            for _ in 0..<20 { tick() }
        }

        // MARK: The end

        mutating func finish() throws {
            let cluster = cluster
            for _ in 0..<30 { tick() }
            try tick("level") {
                let last = cluster.members.indices.filter { cluster.members[$0].isRunning }
                    .map { cluster[$0].appliedIndex }
                return Set(last).count == 1
            }
            let acknowledged = written.filter {
                cluster.answer($0.ticket, on: $0.on)?.isApplied == true
            }
            try #require(acknowledged.count > written.count / 2)
            for i in running {
                #expect(cluster[i].store.contentHash == cluster[running[0]].store.contentHash)
                #expect(cluster[i].membership == cluster[running[0]].membership)
            }
            for one in acknowledged {
                #expect(cluster.value(of: one.key, on: running[0]) == "v", "\(one.key) is lost")
            }
        }
    }
}
