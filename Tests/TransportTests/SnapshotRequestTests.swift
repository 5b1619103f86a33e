import Cluster
import NIOCore
import RaftModel
import Testing

@testable import Transport

/// Requests to send a snapshot, as nobody but a test makes them.
@Suite(.timeLimit(.minutes(3))) struct SnapshotRequestTests {
    private static let headers =
        "X-Etcd-Cluster-ID: c1\r\nX-Server-Version: 2.3.8\r\nX-Min-Cluster-Version: 2.2.0\r\n"

    private static func head(
        _ length: Int, _ headers: String = headers, method: String = "POST"
    ) -> [UInt8] {
        Array(
            ("\(method) /raft/snapshot/kvd HTTP/1.1\r\nHost: x\r\n\(headers)"
                + "Content-Length: \(length)\r\n\r\n").utf8)
    }

    /// The message with its length, as it stands before the file.
    private static func front(_ message: Message) -> [UInt8] {
        let bytes = message.encoded()
        return withUnsafeBytes(of: UInt64(bytes.count).bigEndian, Array.init) + bytes
    }

    private static func front(from: UInt64 = 2, to: UInt64 = 1) -> [UInt8] {
        front(.snapshot(from: MemberID(from), to: MemberID(to)))
    }

    private static func whole(_ body: [UInt8], _ headers: String = headers) -> [UInt8] {
        head(body.count, headers) + body
    }

    struct Refused: CustomTestStringConvertible, Sendable {
        var name: String
        var request: [UInt8]
        var status: String
        var text: String
        var testDescription: String { name }
    }

    static let refused: [Refused] = [
        Refused(
            name: "another cluster",
            request: whole(
                front() + [1],
                "X-Etcd-Cluster-ID: c2\r\nX-Server-Version: 2.3.8\r\n"
                    + "X-Min-Cluster-Version: 2.2.0\r\n"),
            status: "412 Precondition Failed", text: "cluster ID mismatch"),
        Refused(
            name: "no versions", request: whole(front() + [1], "X-Etcd-Cluster-ID: c1\r\n"),
            status: "412 Precondition Failed", text: "incompatible version"),
        Refused(
            name: "PUT", request: head(0, method: "PUT"), status: "405 Method Not Allowed",
            text: "Method Not Allowed"),
        Refused(
            name: "no length",
            request: Array(
                ("POST /raft/snapshot/kvd HTTP/1.1\r\nHost: x\r\n\(headers)"
                    + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").utf8),
            status: "400 Bad Request", text: "Content-Length is missing"),
        Refused(
            name: "too short for a length", request: whole([0, 0, 0, 0, 0, 0, 0, 1]),
            status: "400 Bad Request", text: "Content-Length is missing"),
        Refused(
            name: "ends within the message", request: whole(Array(front().dropLast())),
            status: "400 Bad Request", text: "the snapshot ends before its message does"),
        Refused(
            name: "a message of 2^64 - 1 bytes",
            request: head(1 << 40) + Array(repeating: 0xff, count: 100),
            status: "400 Bad Request", text: "the message in front of the snapshot is too long"),
        Refused(
            name: "nonsense for a message", request: whole([0, 0, 0, 0, 0, 0, 0, 1, 8, 1, 1, 1]),
            status: "400 Bad Request", text: "the snapshot does not begin with a message of one"),
        Refused(
            name: "a message of another kind",
            request: whole(
                front(Message(.heartbeat, to: MemberID(1), from: MemberID(2), term: 1)) + [1]),
            status: "400 Bad Request", text: "the snapshot does not begin with a message of one"),
        Refused(
            name: "no offset",
            request: whole(front() + [1], headers + "X-Kvd-Offset: -1\r\n"),
            status: "400 Bad Request", text: "X-Kvd-Offset is no offset"),
        Refused(
            name: "an offset past all numbers",
            request: whole(front() + [1], headers + "X-Kvd-Offset: \(Int.max)\r\n"),
            status: "400 Bad Request", text: "X-Kvd-Offset is no offset"),
        Refused(
            name: "for another member", request: whole(front(to: 5) + [1]),
            status: "412 Precondition Failed",
            text: "the message is not from a member to this one"),
        Refused(
            name: "from a removed member", request: whole(front(from: 3) + [1]),
            status: "412 Precondition Failed",
            text: "the message is not from a member to this one"),
        Refused(
            name: "not wanted", request: whole(front() + [1]),
            status: "500 Internal Server Error", text: "none is wanted"),
        Refused(
            name: "not wanted, and not waited for", request: head(1 << 40) + front() + [1],
            status: "500 Internal Server Error", text: "none is wanted"),
    ]

    private func withServer(
        change: @Sendable @escaping (inout TransportConfiguration) -> Void = { _ in },
        _ body: (TestNode) async throws -> Void
    ) async throws {
        try await withNodes(1, change: change) { nodes in
            nodes[0].recorder.change { $0.standings = [MemberID(3): .removed] }
            try await body(nodes[0])
            #expect(nodes[0].seen.messages.isEmpty)
        }
    }

    @Test func areRefusedWithAReason() async throws {
        try await withServer { node in
            for refused in Self.refused {
                let connection = try await RawConnection.open(node.url)
                try await connection.write(refused.request)
                try await eventually("the answer to: \(refused.name)") {
                    connection.text.contains("\r\n\r\n" + refused.text + "\n")
                }
                #expect(
                    connection.text.hasPrefix("HTTP/1.1 \(refused.status)\r\n"),
                    "\(refused.name)")
                await connection.close()
                #expect(try await node.run { $0.receivingFrom.isEmpty })
            }
        }
    }

    @Test func needTheFeature() async throws {
        try await withServer(change: { $0.features = [] }) { node in
            node.recorder.change { $0.sinks = { _, _ in .accept(CheckingSink()) } }
            let connection = try await RawConnection.open(node.url)
            try await connection.write(Self.whole(Self.front() + [1]))
            try await eventually("the answer") { connection.text.hasSuffix("\n") }
            #expect(connection.text.hasPrefix("HTTP/1.1 400 "))
            await connection.close()
        }
    }

    /// A connection that was cut.
    @Test func thatEndAreSuspended() async throws {
        try await withServer { node in
            let sink = CheckingSink()
            node.recorder.change { $0.sinks = { _, _ in .accept(sink) } }
            let connection = try await RawConnection.open(node.url)
            let file = (0..<1000).map(MadeUpSource.byte(at:))
            try await connection.write(Self.head(1 << 20) + Self.front() + file)
            try await eventually("some of it") { sink.seen.receivedBytes == 1000 }
            await connection.close()
            try await eventually("suspended") { sink.seen.suspendedCount == 1 }
            try await eventually("room") { try await node.run { $0.receivingFrom.isEmpty } }
            #expect(sink.seen.finishedCount + sink.seen.abandonedCount == 0)
            #expect(sink.seen.firstWrong == nil)
        }
    }

    /// A sender that says nothing more is not waited for.
    @Test func thatStallAreSuspended() async throws {
        try await withServer(change: { $0.timing.silenceMax = .milliseconds(200) }) { node in
            let sink = CheckingSink()
            node.recorder.change { $0.sinks = { _, _ in .accept(sink) } }
            // On a busy machine a connection may be given up before anything is written to it.
            try await eventually("suspended") {
                let connection = try await RawConnection.open(node.url)
                try? await connection.write(Self.head(1 << 20) + Self.front())
                try await eventually("closed") { connection.isClosed }
                return sink.seen.suspendedCount > 0
            }
            #expect(sink.seen.finishedCount == 0)
        }
    }

    @Test func areTakenTwoAtATime() async throws {
        try await withServer { node in
            node.recorder.change { $0.sinks = { _, _ in .accept(CheckingSink()) } }
            func open(_ from: UInt64) async throws -> RawConnection {
                let connection = try await RawConnection.open(node.url)
                try await connection.write(Self.head(1 << 20) + Self.front(from: from))
                return connection
            }
            func expectBusy(_ from: UInt64) async throws {
                let connection = try await open(from)
                try await eventually("a refusal") {
                    connection.text.hasSuffix("\r\n\r\nbusy with other snapshots\n")
                }
                #expect(connection.text.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
                await connection.close()
            }
            let first = try await open(2)
            try await eventually("the first") {
                try await node.run { $0.receivingFrom == [MemberID(2)] }
            }
            try await expectBusy(2)
            let second = try await open(4)
            try await eventually("the second") {
                try await node.run { $0.receivingFrom == [MemberID(2), MemberID(4)] }
            }
            try await expectBusy(5)
            await first.close()
            try await eventually("room") {
                try await node.run { $0.receivingFrom == [MemberID(4)] }
            }
            let third = try await open(5)
            try await eventually("the third") {
                try await node.run { $0.receivingFrom == [MemberID(4), MemberID(5)] }
            }
            await second.close()
            await third.close()
        }
    }
}
