import Cluster
import NIOCore
import RaftModel
import Testing

@testable import Transport

/// Real transports on loopback: which way messages go, and what happens when a way is lost.
@Suite(.timeLimit(.minutes(3))) struct PeerTransportTests {
    private func append(
        _ from: TestNode, _ to: TestNode, after index: UInt64, count: Int = 1, bytes: Int = 100
    ) -> Message {
        let entries = (0..<count).map { offset in
            Entry(
                term: 2, index: index + 1 + UInt64(offset),
                data: Array(repeating: UInt8(truncatingIfNeeded: offset), count: bytes))
        }
        return Message(
            .append, to: to.id, from: from.id, term: 2, logTerm: index == 0 ? 0 : 2, index: index,
            entries: entries, commit: index)
    }

    private func heartbeat(_ from: TestNode, _ to: TestNode, _ commit: UInt64) -> Message {
        Message(.heartbeat, to: to.id, from: from.id, term: 2, commit: commit)
    }

    @Test func streamsCarryMessagesInOrder() async throws {
        try await withNodes(3) { nodes in
            try await connect(nodes)
            let rounds = 200 as UInt64
            for round in 0..<rounds {
                for node in nodes {
                    let others = nodes.filter { $0.id != node.id }
                    try await node.send(
                        others.flatMap { other in
                            [
                                append(node, other, after: round * 3, count: 3),
                                heartbeat(node, other, round),
                            ]
                        })
                }
            }
            for node in nodes {
                let others = nodes.filter { $0.id != node.id }
                try await eventually("all messages at \(node.id)") {
                    node.seen.messages.count == Int(rounds) * 4
                }
                for other in others {
                    let sent = node.seen.messages.filter { $0.from == other.id }
                    #expect(
                        sent.filter { $0.kind == .append }
                            == (0..<rounds).map { append(other, node, after: $0 * 3, count: 3) })
                    #expect(
                        sent.filter { $0.kind == .heartbeat }
                            == (0..<rounds).map { heartbeat(other, node, $0) })
                }
                #expect(node.seen.unreachable.isEmpty)
                #expect(zip(node.seen.messages, node.seen.senders).allSatisfy { $0.from == $1 })
            }
        }
    }

    /// One `send` is one chunk, and what one read of the socket brings is one call.
    @Test func batchesStayTogether() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let batch = (0..<50 as Range<UInt64>).map { append(nodes[0], nodes[1], after: $0) }
            try await nodes[0].send(batch)
            try await eventually("the batch") { nodes[1].seen.messages == batch }
            #expect(nodes[1].seen.callSizes.count < 5)
        }
    }

    @Test func localKindsStayHere() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let local = Message.Kind.allCases.filter(\.isLocal).map {
                Message($0, to: nodes[1].id, from: nodes[0].id)
            }
            #expect(local.count == 5)
            try await nodes[0].send(local + [heartbeat(nodes[0], nodes[1], 1)])
            try await eventually("the heartbeat") { !nodes[1].seen.messages.isEmpty }
            #expect(nodes[1].seen.messages.map(\.kind) == [.heartbeat])
        }
    }

    /// A member that nobody has dialled yet reaches the others all the same.
    @Test func postsWhereNoStreamIs() async throws {
        try await withNodes(2) { nodes in
            let peer = nodes[1].peer
            try await nodes[0].run { $0.addRemotes([peer]) }
            let messages = (0..<60 as Range<UInt64>).map { append(nodes[0], nodes[1], after: $0) }
            for message in messages { try await nodes[0].send([message]) }
            try await eventually("all posts") { nodes[1].seen.messages.count == messages.count }
            // Four are under way at once, so their order is not kept.
            #expect(nodes[1].seen.messages.sorted { $0.index < $1.index } == messages)
        }
    }

    private static func streams(of link: PeerLink?) -> [ServedStream?] {
        [link?.appendStream, link?.messageStream]
    }

    @Test func lostStreamsAreDialledAgain() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            for round in 1...5 as ClosedRange<UInt64> {
                let id = nodes[1].id
                // Kept, so that no new one can lie where an old one lay.
                let old = try await nodes[0].run { transport in
                    let streams = Self.streams(of: transport[member: id])
                    for stream in streams { stream?.abort() }
                    return NIOLoopBound(streams, eventLoop: transport.eventLoop)
                }
                try await eventually("new streams") {
                    try await nodes[0].run { transport in
                        zip(Self.streams(of: transport[member: id]), old.value)
                            .allSatisfy { new, old in new != nil && new !== old }
                    }
                }
                try await nodes[0].send([append(nodes[0], nodes[1], after: round)])
                try await eventually("a message on the new stream") {
                    nodes[1].seen.messages.contains { $0.index == round }
                }
            }
            #expect((nodes[0].seen.unreachable[nodes[1].id] ?? 0) >= 5)
        }
    }

    @Test func urlsAreTriedInTurn() async throws {
        try await withNodes(2) { nodes in
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            try await nodes[0].update([Peer(id: nodes[1].id, urls: [dead, nodes[1].url])])
            try await nodes[1].update([nodes[0].peer])
            try await eventually("streams from the second URL") {
                try await nodes[1].serves(nodes[0].id)
            }
            // And to where the member moves.
            try await nodes[0].update([Peer(id: nodes[1].id, urls: [dead])])
            try await eventually("the old URL is left") {
                try await !nodes[1].serves(nodes[0].id)
            }
            try await nodes[0].update([Peer(id: nodes[1].id, urls: [nodes[1].url])])
            try await eventually("streams again") { try await nodes[1].serves(nodes[0].id) }
        }
    }

    @Test func theRemovedAreTold() async throws {
        try await withNodes(2) { nodes in
            let removed = nodes[1].id
            nodes[0].recorder.change { $0.standings[removed] = .removed }
            try await nodes[1].update([nodes[0].peer])
            try await eventually("the removal") { nodes[1].seen.removalCount == 1 }
            // Its posts are refused too.
            try await nodes[1].send([heartbeat(nodes[1], nodes[0], 1)])
            try await eventually("a refused post") {
                nodes[1].seen.unreachable[nodes[0].id] != nil
            }
            #expect(nodes[0].seen.messages.isEmpty)
            #expect(nodes[1].seen.removalCount == 1)
        }
    }

    /// Nothing that a stranger says counts, until a member says that it is one of them.
    @Test func strangersAreVouchedFor() async throws {
        try await withNodes(3) { nodes in
            let (old, leader, behind) = (nodes[0], nodes[1], nodes[2])
            func members(_ nodes: [TestNode]) -> [Member] {
                nodes.map { Member(id: $0.id, peerURLs: [$0.url.description]) }
            }
            behind.recorder.change { $0.members = members([old, behind]) }
            old.recorder.change { $0.members = members([old, behind]) }
            try await behind.update([old.peer])
            try await leader.update([behind.peer])
            for _ in 0..<3 {
                leader.recorder.change { $0.unreachable = [:] }
                try await leader.send([
                    Message(.heartbeat, to: behind.id, from: leader.id, term: 1 << 40)
                ])
                try await eventually("a refused post") {
                    leader.seen.unreachable[behind.id] != nil
                }
            }
            #expect(behind.seen.messages.isEmpty)
            // The old one has learnt of it meanwhile.
            old.recorder.change { $0.members = members([old, leader, behind]) }
            try await eventually("it is taken") {
                try await leader.send([heartbeat(leader, behind, 2)])
                return !behind.seen.messages.isEmpty
            }
            #expect(behind.seen.messages.allSatisfy { $0.term == 2 })
        }
    }

    /// A member that joins may have come only as far as members who are gone when its leader calls.
    @Test func hostsAreTakenAtTheirWord() async throws {
        try await withNodes(2) { nodes in
            let (leader, joiner) = (nodes[0], nodes[1])
            let host = leader.peer
            joiner.recorder.change { $0.standings[host.id] = .unknown }
            try await joiner.run { $0.join([host]) }
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            try await joiner.update([Peer(id: MemberID(9), urls: [dead])])
            try await leader.run { [peer = joiner.peer] in $0.addRemotes([peer]) }
            try await leader.send([heartbeat(leader, joiner, 7)])
            try await eventually("it is taken") { joiner.seen.messages.map(\.commit) == [7] }
        }
    }

    /// So may one that was down while all others were replaced: those it was configured with know more
    /// than those in its log.
    @Test func refereesAreAskedToo() async throws {
        let referee = try await TestNode.start(MemberID(5))
        let url = referee.url
        try await withNodes(2, change: { $0.referees = [url] }) { nodes in
            let (leader, behind) = (nodes[0], nodes[1])
            let listed = [leader, behind].map {
                Member(id: $0.id, peerURLs: [$0.url.description])
            }
            behind.recorder.change { $0.members = [Member(id: MemberID(9), peerURLs: [])] }
            referee.recorder.change { $0.members = listed }
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            try await behind.update([Peer(id: MemberID(9), urls: [dead])])
            try await leader.run { [peer = behind.peer] in $0.addRemotes([peer]) }
            try await eventually("it is taken") {
                try await leader.send([heartbeat(leader, behind, 7)])
                return !behind.seen.messages.isEmpty
            }
        }
        try await referee.stop()
    }

    /// What came after the messages that only a kvd understands, once they must have been passed over.
    private func kinds(
        _ messages: [Message], from node: TestNode, to other: TestNode
    ) async throws -> [Message.Kind] {
        let before = other.seen.messages.count
        try await node.send(messages + [heartbeat(node, other, UInt64(before) + 100)])
        try await eventually("the heartbeat") {
            other.seen.messages.last?.commit == UInt64(before) + 100
        }
        return other.seen.messages.dropFirst(before).map(\.kind)
    }

    @Test func whatOnlyKvdsUnderstandGoesOnlyToThem() async throws {
        try await withNodes(2) { nodes in
            let url = nodes[0].url
            let etcd = try await TestNode.start(MemberID(7)) { $0.features = [] }
            try await etcd.update([Peer(id: nodes[0].id, urls: [url])])
            nodes[1].recorder.change { $0.standings[MemberID(7)] = .unknown }
            try await nodes[0].update([nodes[1].peer, etcd.peer])
            try await nodes[1].update([nodes[0].peer])
            for other in [nodes[1], etcd] {
                try await eventually("streams") { try await nodes[0].serves(other.id) }
                let kvds = Message.Kind.allCases.filter(\.isKvds)
                #expect(kvds.count == 6)
                let messages = kvds.map {
                    Message($0, to: other.id, from: nodes[0].id, term: 3, context: [1])
                }
                let came = try await kinds(messages, from: nodes[0], to: other)
                #expect(came == (other.id == etcd.id ? [] : kvds) + [.heartbeat])
                let beat = Message(
                    .heartbeat, to: other.id, from: nodes[0].id, term: 3, context: [7])
                try await nodes[0].send([beat])
                try await eventually("a heartbeat of a read round") {
                    other.seen.messages.last?.kind == .heartbeat
                        && other.seen.messages.last?.commit == 0
                }
                #expect(other.seen.messages.last?.context == (other.id == etcd.id ? [] : [7]))
            }
            try await etcd.stop()
        }
    }

    /// A member that cannot be dialled, but dials.
    @Test func aStreamSaysItselfWhoseItIs() async throws {
        try await withNodes(2) { nodes in
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            let id = nodes[1].id
            try await nodes[0].update([Peer(id: id, urls: [dead])])
            try await nodes[1].update([nodes[0].peer])
            try await eventually("streams") { try await nodes[0].serves(id) }
            try await eventually("dials that failed") {
                try await nodes[0].run { transport in
                    guard let link = transport[member: id] else { return false }
                    return !link.isIdentified && link.messageDialer.lastFault != nil
                }
            }
            let answer = Message(.readIndexResponse, to: id, from: nodes[0].id, term: 3)
            #expect(
                try await kinds([answer], from: nodes[0], to: nodes[1])
                    == [.readIndexResponse, .heartbeat])
        }
    }

    /// A kvd that went away may come back as an etcd: nothing of the kind is posted to the unknown.
    @Test func whoComesBackIsUnknownAtFirst() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            try await eventually("features") { nodes[0].seen.features[nodes[1].id] == .supported }
            let id = nodes[1].id
            try await nodes[1].stop()
            try await eventually("all connections with it are gone") {
                try await nodes[0].run { transport in
                    guard let link = transport[member: id] else { return false }
                    return link.appendStream == nil && link.messageStream == nil
                        && !link.appendDialer.isOpen && !link.messageDialer.isOpen
                }
            }
            try await nodes[0].run { transport in
                let before = transport[member: id]?.statistics.sentMessageCount
                #expect(before != nil)
                transport.send([Message(.preVote, to: id, from: MemberID(1), term: 3)])
                #expect(transport[member: id]?.statistics.sentMessageCount == before)
            }
        }
    }

    @Test func aRemovedPeerIsLetGo() async throws {
        try await withNodes(3) { nodes in
            try await connect(nodes)
            try await nodes[0].update([nodes[1].peer])
            try await eventually("its streams end") {
                try await nodes[2].run { [id = nodes[0].id] in
                    $0[member: id]?.appendDialer.isOpen == false
                        && $0[member: id]?.messageDialer.isOpen == false
                }
            }
            try await nodes[0].send([
                heartbeat(nodes[0], nodes[2], 1), heartbeat(nodes[0], nodes[1], 1),
            ])
            try await eventually("the other one's message") { nodes[1].seen.messages.count == 1 }
            #expect(nodes[2].seen.messages.isEmpty)
        }
    }

    @Test func otherClustersAreRefused() async throws {
        let stranger = try await TestNode.start(MemberID(9), cluster: ClusterID(0xbad))
        try await withNodes(1) { nodes in
            try await nodes[0].update([stranger.peer])
            try await stranger.update([nodes[0].peer])
            try await stranger.send([heartbeat(stranger, nodes[0], 1)])
            try await eventually("a refused post") {
                stranger.seen.unreachable[nodes[0].id] != nil
            }
            try await eventually("both give the right reason") {
                try await stranger.run { [id = nodes[0].id] in
                    let link = $0[member: id]
                    return link?.appendDialer.lastFault == .mismatch("cluster ID mismatch")
                        && link?.messageDialer.lastFault == .mismatch("cluster ID mismatch")
                }
            }
            #expect(nodes[0].seen.messages.isEmpty)
            #expect(try await stranger.statistics(of: nodes[0].id)?.isActive == false)
        }
        try await stranger.stop()
    }

    /// A member that this one has not heard of yet can be answered: by POST, where it says it is.
    @Test func unknownCallersBecomeRemotes() async throws {
        try await withNodes(1) { nodes in
            let joiner = try await TestNode.start(MemberID(7))
            let url = joiner.url
            let caller = try await TestNode.start(MemberID(8)) { $0.peerURLs = [url] }
            nodes[0].recorder.change { $0.standings[MemberID(8)] = .unknown }
            try await caller.update([nodes[0].peer])
            try await eventually("not known") {
                try await caller.run { [id = nodes[0].id] in
                    $0[member: id]?.appendDialer.lastFault
                        == .notRecognised("error sender not found")
                }
            }
            // The caller said that it listens where `joiner` does, who takes what is for itself.
            try await nodes[0].send([
                Message(.heartbeat, to: MemberID(8), from: nodes[0].id, term: 1)
            ])
            try await eventually("the answer was posted, and refused by the wrong member") {
                nodes[0].seen.unreachable[MemberID(8)] != nil
            }
            try await caller.stop()
            try await joiner.stop()
        }
    }

    @Test func snapshotsArePosted() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let data = [UInt8](unsafeUninitializedCapacity: 20 << 20) { memory, count in
                for index in memory.indices {
                    memory[index] = UInt8(truncatingIfNeeded: index &* 31)
                }
                count = memory.count
            }
            let message = Message(
                .snapshot, to: nodes[1].id, from: nodes[0].id, term: 3,
                snapshot: Snapshot(
                    data: data,
                    metadata: SnapshotMetadata(
                        confState: ConfState(members: nodes.map(\.id)), index: 77, term: 2)))
            try await nodes[0].send([message, heartbeat(nodes[0], nodes[1], 1)])
            try await eventually("the snapshot's report") { nodes[0].seen.snapshots == [true] }
            try await eventually("the snapshot") { nodes[1].seen.messages.count == 2 }
            #expect(nodes[1].seen.messages.contains(message))
        }
    }

    @Test func failedSnapshotsAreReported() async throws {
        try await withNodes(1) { nodes in
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            try await nodes[0].update([Peer(id: MemberID(2), urls: [dead])])
            let snapshot = Snapshot(metadata: SnapshotMetadata(index: 5, term: 1))
            for to in [MemberID(2), MemberID(3)] {
                try await nodes[0].send([
                    Message(.snapshot, to: to, from: nodes[0].id, term: 3, snapshot: snapshot)
                ])
            }
            try await eventually("both reports") { nodes[0].seen.snapshots == [false, false] }
        }
    }

    @Test func kvdMembersKnowEachOther() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            for (node, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
                try await eventually("features") {
                    node.seen.features[other.id] == .supported
                }
            }
        }
    }

    /// A member that was replaced by an etcd with the same data.
    @Test func featuresAreTakenBack() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            try await eventually("features") { nodes[0].seen.features[nodes[1].id] == .supported }
            let (url, id) = (nodes[0].url, nodes[1].id)
            try await nodes[1].stop()
            let old = try await TestNode.start(id) { $0.features = [] }
            try await old.update([Peer(id: nodes[0].id, urls: [url])])
            try await eventually("no features") { nodes[0].seen.features[id] == [] }
            try await old.stop()
        }
    }

    /// The delegate knows what a peer is before it hears anything that comes with it.
    @Test func whatAPeerIsComesBeforeWhatItSays() async throws {
        try await withNodes(2) { nodes in
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            let etcd = try await TestNode.start(MemberID(7)) { $0.features = [] }
            // Only it can call, and it has no streams: a post is the first thing that comes.
            try await nodes[0].update([Peer(id: etcd.id, urls: [dead])])
            let peer = nodes[0].peer
            try await etcd.run { $0.addRemotes([peer]) }
            try await etcd.send([heartbeat(etcd, nodes[0], 1)])
            try await eventually("the heartbeat") { nodes[0].seen.messages.count == 1 }
            #expect(nodes[0].seen.firsts == ["learnt", "received"])
            try await etcd.stop()
        }
    }

    @Test func healthIsProbed() async throws {
        try await withNodes(2, change: { $0.timing.probeInterval = .milliseconds(40) }) { nodes in
            try await connect(nodes)
            try await eventually("probes") {
                let health = try await nodes[0].statistics(of: nodes[1].id)?.health
                return (health?.probeCount ?? 0) >= 3 && health?.smoothedRoundTrip != nil
            }
            let health = try #require(try await nodes[0].statistics(of: nodes[1].id)?.health)
            #expect(health.isHealthy && health.lossCount == 0)
            // Nobody knows at which moment of its round trip a probe was answered.
            let difference = health.clockDifference.map { $0 / .milliseconds(1) } ?? .infinity
            #expect(abs(difference) < 1000 + health.longest)
            try await nodes[1].stop()
            try await eventually("losses") {
                try await nodes[0].statistics(of: nodes[1].id)?.health.isHealthy == false
            }
        }
    }

    @Test func nothingComesAfterStop() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            try await nodes[1].stop()
            try await eventually("the other one sees it") {
                try await nodes[0].statistics(of: nodes[1].id)?.isActive == false
            }
            let before = nodes[1].seen
            try await nodes[0].send([heartbeat(nodes[0], nodes[1], 1)])
            try await eventually("the loss is reported") {
                (nodes[0].seen.unreachable[nodes[1].id] ?? 0) >= 1
            }
            #expect(nodes[1].seen.messages.count == before.messages.count)
            #expect(nodes[1].seen.unreachable == before.unreachable)
        }
    }
}
