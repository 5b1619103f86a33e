import Cluster
import NIOCore
import NIOPosix
import RaftModel
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@testable import Transport

/// Snapshots that are streamed from one real transport to another, on loopback.
@Suite(.serialized, .timeLimit(.minutes(3))) struct SnapshotTransferTests {
    private func send(_ source: MadeUpSource, from: TestNode, to: MemberID) async throws {
        let message = Message.snapshot(from: from.id, to: to)
        try await from.run { $0.sendSnapshot(message, source: source) }
    }

    private func accept(_ sink: CheckingSink, at node: TestNode) {
        node.recorder.change { $0.sinks = { _, _ in .accept(sink) } }
    }

    @Test(arguments: [0, 1, SnapshotTransfer.pieceBytes, 20 << 20 | 12345])
    func arrivesAsItIs(sizeBytes: Int) async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let sink = CheckingSink()
            nodes[1].recorder.change {
                $0.sinks = { _, bytes in
                    bytes == sizeBytes ? .accept(sink) : .refuse(reason: "\(bytes) bytes")
                }
            }
            try await send(MadeUpSource(sizeBytes), from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
            try await eventually("the message") { nodes[1].seen.messages.count == 1 }
            #expect(nodes[1].seen.messages == [.snapshot(from: nodes[0].id, to: nodes[1].id)])
            #expect(nodes[1].seen.senders == [nodes[0].id])
            #expect(sink.seen.receivedBytes == sizeBytes && sink.seen.firstWrong == nil)
            #expect(sink.seen.finishedCount == 1 && sink.seen.abandonedCount == 0)
            #expect(try await nodes[1].run { $0.receivingFrom.isEmpty })
        }
    }

    /// Others may block all threads of NIO's own pool for as long as they like.
    @Test func needsNoThreadOfOthers() async throws {
        let gate = Gate()
        defer { gate.open() }
        for _ in 0..<NIOSingletons.blockingPoolThreadCountSuggestion {
            NIOThreadPool.singleton.submit { _ in gate.wait() }
        }
        try await eventually("they are blocked") { gate.isWaitedFor }
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let sink = CheckingSink()
            accept(sink, at: nodes[1])
            try await send(MadeUpSource(1000), from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
        }
    }

    /// A member with an empty log knows nobody; a snapshot is how it gets to know the others.
    @Test func aMemberThatJoinsTakesOne() async throws {
        try await withNodes(2) { nodes in
            try await nodes[0].update([nodes[1].peer])
            nodes[1].recorder.change { [id = nodes[0].id] in $0.standings[id] = .unknown }
            let sink = CheckingSink()
            accept(sink, at: nodes[1])
            try await send(MadeUpSource(1000), from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
            try await eventually("the message") { nodes[1].seen.messages.count == 1 }
        }
    }

    /// Neither side holds more than a few pieces, and raft's messages go past.
    @Test func aSlowDiskHoldsTheSenderBack() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let source = MadeUpSource(48 << 20)
            let gate = Gate()
            let sink = CheckingSink { gate.wait() }
            accept(sink, at: nodes[1])
            try await send(source, from: nodes[0], to: nodes[1].id)
            // It has stopped when nothing has been read while many heartbeats went past.
            var last = -1
            var round = 0 as UInt64
            while source.readBytes != last || last <= 0 {
                last = source.readBytes
                for _ in 0..<100 {
                    round += 1
                    try await nodes[0].send([
                        Message(
                            .heartbeat, to: nodes[1].id, from: nodes[0].id, term: 2, commit: round)
                    ])
                    try await eventually("a heartbeat") {
                        nodes[1].seen.messages.last?.commit == round
                    }
                }
            }
            // Beside what is ours, two kernel buffers are full, of some MB each.
            #expect(source.readBytes < source.sizeBytes / 2)
            #expect(sink.seen.receivedBytes == 0)
            gate.open()
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
            #expect(sink.seen.receivedBytes == source.sizeBytes && sink.seen.firstWrong == nil)
        }
    }

    @Test(arguments: [
        (CheckingSink(failsAt: 3 << 20), "append"), (CheckingSink(finishFails: true), "finish"),
    ])
    func aSinkThatFailsIsReportedOnce(sink: CheckingSink, what: String) async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            accept(sink, at: nodes[1])
            try await send(MadeUpSource(30 << 20), from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [false] }
            try await eventually("abandoned") { sink.seen.abandonedCount == 1 }
            // Another one may come after it.
            let second = CheckingSink()
            accept(second, at: nodes[1])
            try await eventually("room") { try await nodes[1].run { $0.receivingFrom.isEmpty } }
            try await send(MadeUpSource(1 << 20), from: nodes[0], to: nodes[1].id)
            try await eventually("the second") { nodes[0].seen.snapshots == [false, true] }
            #expect(sink.seen.finishedCount == 0 && sink.seen.lateCount == 0)
            #expect(sink.seen.abandonedCount == 1 && second.seen.finishedCount == 1)
            // The receiver's owner may hear of it a moment after the sender's.
            try await eventually("its message") { nodes[1].seen.messages.count == 1 }
        }
    }

    /// The sender is told at once, and spares itself the file.
    @Test func aRefusalStopsTheFile() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let source = MadeUpSource(1 << 30)
            try await send(source, from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [false] }
            #expect(source.readBytes < source.sizeBytes)
            #expect(nodes[1].seen.messages.isEmpty)
        }
    }

    @Test(arguments: [
        MadeUpSource(8 << 20, failsAt: 2 << 20), MadeUpSource(8 << 20, endsAt: 2 << 20),
    ])
    func aFileThatCannotBeReadIsReported(source: MadeUpSource) async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let sink = CheckingSink()
            accept(sink, at: nodes[1])
            try await send(source, from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [false] }
            try await eventually("suspended") { sink.seen.suspendedCount == 1 }
            #expect(sink.seen.finishedCount == 0 && nodes[1].seen.messages.isEmpty)
        }
    }

    /// While the disk is at work, too: what it was given comes to its end first.
    @Test(arguments: [false, true]) func stoppingSuspends(stopsSender: Bool) async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let gate = Gate()
            let sink = CheckingSink { gate.wait() }
            accept(sink, at: nodes[1])
            try await send(MadeUpSource(64 << 20), from: nodes[0], to: nodes[1].id)
            try await eventually("the first piece") { gate.isWaitedFor }
            try await nodes[stopsSender ? 0 : 1].stop()
            // Only the one that goes on reports.
            if !stopsSender {
                try await eventually("the report") { nodes[0].seen.snapshots == [false] }
            } else {
                try await eventually("the connection's end") {
                    try await !nodes[1].serves(nodes[0].id)
                }
            }
            gate.open()
            try await eventually("suspended") { sink.seen.suspendedCount == 1 }
            #expect(sink.seen.finishedCount == 0 && sink.seen.lateCount == 0)
            #expect(nodes[1].seen.messages.isEmpty)
            #expect(nodes[0].seen.snapshots == (stopsSender ? [] : [false]))
        }
    }

    @Test func nobodyThereIsReported() async throws {
        try await withNodes(1) { nodes in
            let dead = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)
            try await nodes[0].update([Peer(id: MemberID(2), urls: [dead])])
            try await send(MadeUpSource(10), from: nodes[0], to: MemberID(2))
            try await send(MadeUpSource(10), from: nodes[0], to: MemberID(3))
            try await eventually("both reports") { nodes[0].seen.snapshots == [false, false] }
        }
    }

    /// What answers as an etcd would, hangs up, or says nothing.
    @Test(arguments: ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", nil, ""])
    func othersAnswersAreFailures(answer: String?) async throws {
        let server = try await RawServer.start { _ in answer.map { [Array($0.utf8)] } }
        try await withNodes(
            1,
            change: {
                $0.timing.snapshotAnswerMax = .milliseconds(300)
                $0.timing.snapshotSilenceMax = .milliseconds(300)
            }
        ) { nodes in
            // A remote: its streams are not dialled.
            try await nodes[0].run { [url = server.url] in
                $0.addRemotes([Peer(id: MemberID(2), urls: [url])])
            }
            try await send(MadeUpSource(2 << 20), from: nodes[0], to: MemberID(2))
            try await eventually("the report") { nodes[0].seen.snapshots == [false] }
            let heads = server.requestHeads
            #expect(heads.first?.hasPrefix("GET /raft/snapshot/kvd?made-up-2097152 ") == true)
            let head = try #require(heads.last)
            #expect(head.hasPrefix("POST /raft/snapshot/kvd HTTP/1.1\r\n"))
            #expect(head.lowercased().contains("x-etcd-cluster-id: c1"))
            #expect(head.contains("Content-Length: "))
        }
        try await server.stop()
    }

    /// Goes through `proxy`, which cuts it off after so many bytes, time and again.
    private func resume(
        cutAfter cuts: [Int], _ sources: [MadeUpSource]
    ) async throws -> (sinks: ResumingSinks.State, passedBytes: Int) {
        let sinks = ResumingSinks()
        var passedBytes = 0
        try await withNodes(2, change: { $0.bounds.snapshotBytesPerSecond = 1 << 40 }) { nodes in
            try await nodes[1].update([nodes[0].peer])
            nodes[1].recorder.change { $0.resuming = sinks }
            let proxy = try await CuttingProxy.start(to: nodes[1].url, cuts: cuts)
            try await nodes[0].run { [id = nodes[1].id, url = proxy.url] in
                $0.addRemotes([Peer(id: id, urls: [url])])
            }
            for attempt in 0...cuts.count {
                let source = sources[min(attempt, sources.count - 1)]
                try await send(source, from: nodes[0], to: nodes[1].id)
                try await eventually("report \(attempt)") {
                    nodes[0].seen.snapshots.count == attempt + 1
                }
                try await eventually("room") {
                    try await nodes[1].run { $0.receivingFrom.isEmpty }
                }
            }
            let reports = Array(repeating: false, count: cuts.count) + [true]
            #expect(nodes[0].seen.snapshots == reports)
            passedBytes = proxy.passedBytes
            try await proxy.stop()
        }
        return (sinks.seen, passedBytes)
    }

    @Test(arguments: [[300], [1 << 20, 700], [3 << 20, 1 << 20, 6 << 20], [11 << 20]])
    func goesOnWhereItWasCutOff(cuts: [Int]) async throws {
        let size = 12 << 20
        let (seen, passedBytes) = try await resume(cutAfter: cuts, [MadeUpSource(size)])
        #expect(seen.sink.seen.receivedBytes == size && seen.sink.seen.firstWrong == nil)
        #expect(seen.sink.seen.finishedCount == 1 && seen.sink.seen.lateCount == 0)
        #expect(seen.offsets.count <= cuts.count + 1 && seen.offsets == seen.offsets.sorted())
        #expect(cuts[0] < 1 << 20 || seen.offsets.last ?? 0 > cuts[0] / 2)
        #expect(passedBytes < size + size / 5)
    }

    /// Another snapshot, whatever its index, is never joined to what is there of the first.
    @Test func anotherFileBeginsAnew() async throws {
        let size = 4 << 20
        let (seen, _) = try await resume(
            cutAfter: [2 << 20], [MadeUpSource(size), MadeUpSource(size, name: "another")])
        #expect(seen.offsets == [0, 0])
        #expect(seen.sink.seen.receivedBytes == size && seen.sink.seen.firstWrong == nil)
    }

    /// As long as the receiver does not know what it has, nothing is sent: it would be all of it.
    @Test func nothingIsSentToOneThatIsBusyWithWhatCameBefore() async throws {
        try await withNodes(2) { nodes in
            try await connect(nodes)
            let sink = CheckingSink()
            accept(sink, at: nodes[1])
            nodes[1].recorder.change { $0.isBusy = true }
            try await send(MadeUpSource(1 << 20), from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [false] }
            #expect(sink.seen.receivedBytes == 0)
            nodes[1].recorder.change { $0.isBusy = false }
            try await send(MadeUpSource(1 << 20), from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [false, true] }
            #expect(sink.seen.receivedBytes == 1 << 20)
        }
    }

    /// What is left of the machine and the network is for raft.
    @Test func isPaced() async throws {
        try await withNodes(2, change: { $0.bounds.snapshotBytesPerSecond = 8 << 20 }) { nodes in
            try await connect(nodes)
            let sink = CheckingSink()
            accept(sink, at: nodes[1])
            let started = ContinuousClock.now
            try await send(MadeUpSource(4 << 20), from: nodes[0], to: nodes[1].id)
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
            // Half a second, but for the first piece; it may take any time longer.
            #expect(ContinuousClock.now - started >= .milliseconds(450))
        }
    }

    /// As etcd's leader sends them, and as it takes them: all in one body.
    @Test func bigSnapshotsOfEtcdGoWithinTheBound() async throws {
        let bytesMax = 66 << 20
        try await withNodes(2, change: { $0.bounds.postBytesMax = bytesMax }) { nodes in
            try await connect(nodes)
            var message = Message.snapshot(from: nodes[0].id, to: nodes[1].id)
            message.snapshot?.data = Array(repeating: 7, count: 65 << 20)
            try await nodes[0].send([message])
            try await eventually("the report") { nodes[0].seen.snapshots == [true] }
            #expect(nodes[1].seen.messages == [message])
            message.snapshot?.data = Array(repeating: 7, count: bytesMax)
            try await nodes[0].send([message])
            try await eventually("the second report") {
                nodes[0].seen.snapshots == [true, false]
            }
            #expect(nodes[1].seen.messages.count == 1)
        }
    }
}

/// Holds a sink's thread until the test has seen enough.
final class Gate: Sendable {
    private let state = Mutex((isOpen: false, isWaitedFor: false))

    var isWaitedFor: Bool { state.withLock { $0.isWaitedFor } }

    func open() { state.withLock { $0.isOpen = true } }

    func wait() {
        while true {
            let isOpen = state.withLock { state in
                state.isWaitedFor = true
                return state.isOpen
            }
            if isOpen { return }
            pause()
        }
    }

    private func pause() {
        _ = poll(nil, 0, 1)
    }
}
