import KVServer
import Raft
import RaftModel
import Testing

/// Elections on bad days: what one member suffers costs the others no term.
@Suite struct BadDaysTests {
    enum Trouble: String, CaseIterable, Sendable {
        /// It hears nobody, and is heard: its calls for an election get to all.
        case deaf
        /// It hears all, and is not heard.
        case mute
        case cutOff
        /// As by SIGSTOP.
        case paused
        /// A sync that does not end.
        case slowDisk
        /// One moment this, one moment well.
        case flapping
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var trouble: Trouble
        var hitsLeader: Bool
        /// Terms that may come of it, until it is over and some time later.
        var termsMax: UInt64

        var testDescription: String {
            "\(trouble.rawValue) \(hitsLeader ? "leader" : "follower")"
        }
    }

    static let cases =
        Trouble.allCases.map { Case(trouble: $0, hitsLeader: false, termsMax: 0) } + [
            // It keeps its lease: nothing that it promised waits for its disk.
            Case(trouble: .slowDisk, hitsLeader: true, termsMax: 0),
            // One new leader, and a second try if two stood at once.
            Case(trouble: .deaf, hitsLeader: true, termsMax: 2),
            Case(trouble: .mute, hitsLeader: true, termsMax: 2),
            Case(trouble: .cutOff, hitsLeader: true, termsMax: 2),
            Case(trouble: .paused, hitsLeader: true, termsMax: 2),
        ]

    /// For thirty election timeouts.
    @Test(arguments: cases, [3, 5]) func noStorm(_ one: Case, size: Int) throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            let cluster = EngineCluster(size: size) { $0.seed = $0.member.rawValue &* 7 &+ seed }
            try #require(cluster.tick(until: { cluster.leader != nil }))
            for _ in 0..<20 { cluster.tick() }
            let leader = try #require(cluster.leader)
            let term = cluster[leader].term
            let victim = one.hitsLeader ? leader : (leader + 1) % size
            let well = cluster.members.indices.filter { $0 != victim }
            for tick in 0..<300 {
                set(one.trouble, of: victim, tick, cluster)
                if tick % 10 == 0 { _ = cluster.put("/\(tick)", "v", on: well[0]) }
                cluster.tick()
            }
            set(nil, of: victim, 0, cluster)
            for _ in 0..<100 { cluster.tick() }
            let terms = cluster.members.indices.map { cluster[$0].term }
            #expect(terms.allSatisfy { $0 <= term + one.termsMax }, "\(terms) after \(term)")
            #expect(Set(terms).count == 1, "\(terms)")
            if !one.hitsLeader || one.termsMax == 0 { #expect(cluster.leader == leader) }
            // All was written, and all have it.
            for i in cluster.members.indices {
                #expect(cluster.value(of: "/290", on: i) == "v", "on \(i)")
            }
        }
    }

    private func set(_ trouble: Trouble?, of i: Int, _ tick: Int, _ cluster: EngineCluster) {
        cluster.deaf = trouble == .deaf ? [i] : []
        cluster.mute = trouble == .mute ? [i] : []
        cluster.paused = trouble == .paused ? [i] : []
        cluster.cutOff =
            trouble == .cutOff || trouble == .flapping && tick / 17 % 2 == 0 ? [i] : []
        // A sync of less than an election timeout for a leader; of any time for others.
        let isStalled = cluster.leader != i || tick % 20 < 8
        cluster.stalledDisks = trouble == .slowDisk && isStalled ? [i] : []
    }

    @Test func kvdsAskBeforeTheyStandAndStepDownAlone() {
        #expect(Raft.Features.kvd.preVote && Raft.Features.kvd.checkQuorum)
        let configuration = Raft.Configuration(id: MemberID(1), electionTicks: 10, seed: 1)
        #expect(configuration.features == .kvd)
    }
}
