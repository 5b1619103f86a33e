import Cluster
import NIOCore
import NIOHTTP1
import RaftModel
import Testing

@testable import Transport

/// The machine without a socket: what `PeerServerTests` cannot see from outside.
@Suite struct PeerServerConnectionTests {
    private let rules = PeerServerConnection.Rules(
        local: MemberID(1), cluster: ClusterID(0xc1), compatibility: PeerCompatibility(),
        features: [], bodyBytesMax: 100, promptBodyBytesMax: 50)

    private func head(
        _ method: HTTPMethod, _ path: String, _ more: HTTPHeaders = [:]
    ) -> HTTPServerRequestPart {
        var headers: HTTPHeaders = [
            "x-etcd-cluster-id": "c1", "x-server-version": "2.3.8",
            "x-min-cluster-version": "2.2.0", "x-raft-to": "1", "x-server-from": "2",
            "x-peerurls": "http://a:1,bad,http://b:2", "x-kvd-features": "readindex",
        ]
        headers.add(contentsOf: more)
        return .head(
            HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers))
    }

    private func body(_ bytes: [UInt8]) -> HTTPServerRequestPart { .body(ByteBuffer(bytes: bytes)) }

    private var caller: PeerCaller {
        get throws {
            PeerCaller(
                member: MemberID(2), features: .readIndex,
                urls: [try EndpointURL("http://a:1"), try EndpointURL("http://b:2")])
        }
    }

    @Test func joinsTheParts() throws {
        var connection = PeerServerConnection.idle
        let message = Message(.vote, to: MemberID(1), from: MemberID(2), term: 4)
        // Twice, as on a kept connection.
        for _ in 0..<2 {
            func receive(_ part: HTTPServerRequestPart) -> PeerServerConnection.Action {
                connection.received(part, rules) { _ in .member }
            }
            #expect(receive(head(.POST, "/raft")) == .wait)
            for byte in message.encoded() { #expect(receive(body([byte])) == .wait) }
            var response = PeerResponse(.noContent)
            response.headers = [("X-Etcd-Cluster-Id", "c1")]
            #expect(
                receive(.end(nil))
                    == .deliver(message, try caller, .init(response: response)))
        }
    }

    @Test func refusesAtTheBound() {
        var connection = PeerServerConnection.idle
        func receive(_ part: HTTPServerRequestPart) -> PeerServerConnection.Action {
            connection.received(part, rules) { _ in .member }
        }
        _ = receive(head(.POST, "/raft"))
        #expect(receive(body(Array(repeating: 0, count: 100))) == .wait)
        guard case .refuseBody(let answer) = receive(body([0])) else {
            Issue.record("one byte over the bound was taken")
            return
        }
        #expect(answer.response.status == .payloadTooLarge && answer.closes)
        #expect(connection.answeredLast()?.readableBytes == 100)
        #expect(receive(body([0])) == .wait)
        #expect(receive(.end(nil)) == .wait)
        #expect(receive(head(.POST, "/raft")) == .wait, "nothing is answered after that")
    }

    /// Nothing of what it says it will send has to come.
    @Test func refusesByTheLengthAlone() {
        var connection = PeerServerConnection.idle
        let action = connection.received(
            head(.POST, "/raft", ["content-length": "101"]), rules
        ) { _ in .member }
        guard case .answer(let answer) = action else {
            Issue.record("a body over the bound is waited for: \(action)")
            return
        }
        #expect(answer.response.status == .payloadTooLarge && answer.closes)
        #expect(connection.received(body([0]), rules) { _ in .member } == .wait)
    }

    /// Nothing of them has to come either.
    @Test(arguments: [
        ("/raft", HTTPResponseStatus.lengthRequired), ("/raft/snapshot", .notFound),
        ("/raft/stream/message/2", .methodNotAllowed),
    ])
    func refusesChunks(path: String, status: HTTPResponseStatus) {
        var connection = PeerServerConnection.idle
        let action = connection.received(
            head(.POST, path, ["transfer-encoding": "chunked"]), rules
        ) { _ in .member }
        guard case .answer(let answer) = action else {
            Issue.record("chunks are waited for: \(action)")
            return
        }
        #expect(answer.response.status == status && answer.closes)
    }

    @Test func longMessagesAreDecodedElsewhere() throws {
        let entry = Entry(data: Array(repeating: 7, count: 60))
        let message = Message(.propose, to: MemberID(1), from: MemberID(2), entries: [entry])
        for asksOn in [false, true] {
            var connection = PeerServerConnection.idle
            func receive(_ part: HTTPServerRequestPart) -> PeerServerConnection.Action {
                connection.received(part, rules) { _ in .member }
            }
            _ = receive(head(.POST, "/raft"))
            let bytes = ByteBuffer(bytes: message.encoded())
            #expect(receive(.body(bytes)) == .wait)
            #expect(receive(.end(nil)) == .decode(bytes))
            let mayTimeOut = connection.mayTimeOut
            #expect(!mayTimeOut, "it is we who are late")
            if asksOn { #expect(receive(head(.GET, "/version")) == .wait) }
            var answer = PeerServerConnection.Answer(response: PeerResponse(.noContent))
            answer.response.headers = [("X-Etcd-Cluster-Id", "c1")]
            answer.closes = asksOn
            let action = connection.decoded(
                PeerServerConnection.decode(bytes), rules, standing: { _ in .member })
            #expect(action == .deliver(message, try caller, answer))
            #expect(receive(asksOn ? .end(nil) : head(.GET, "/version")) == .wait)
            if !asksOn {
                #expect(receive(.end(nil)) != .wait, "a kept connection goes on")
            }
        }
    }

    /// It was closed while the message was decoded.
    @Test func whatWasDecodedTooLateIsDropped() {
        var connection = PeerServerConnection.idle
        _ = connection.received(head(.POST, "/raft"), rules) { _ in .member }
        _ = connection.received(body(Array(repeating: 0, count: 60)), rules) { _ in .member }
        _ = connection.received(.end(nil), rules) { _ in .member }
        #expect(connection.answeredLast() == nil)
        #expect(connection.decoded(nil, rules) { _ in .member } == .wait)
    }

    @Test func streamsEndTheTalk() throws {
        var connection = PeerServerConnection.idle
        func receive(
            _ part: HTTPServerRequestPart, _ standing: PeerStanding = .member
        ) -> PeerServerConnection.Action {
            connection.received(part, rules) { _ in standing }
        }
        _ = receive(head(.GET, "/raft/stream/message/2"))
        guard case .open(let request) = receive(.end(nil)) else {
            Issue.record("a member was refused its stream")
            return
        }
        #expect(request.kind == .message && request.peer == MemberID(2))
        #expect(request.caller == (try caller))
        #expect(receive(head(.GET, "/version")) == .wait)
        #expect(receive(.end(nil)) == .wait)
        let mayTimeOut = connection.mayTimeOut
        #expect(!mayTimeOut, "nothing comes on a stream that we serve")
    }

    @Test func strangersAreMet() throws {
        var connection = PeerServerConnection.idle
        _ = connection.received(head(.GET, "/raft/stream/msgapp/2"), rules) { _ in .unknown }
        let action = connection.received(.end(nil), rules) { _ in .unknown }
        guard case .meet(let met, let answer) = action else {
            Issue.record("a stranger's address was not kept")
            return
        }
        #expect(met == (try caller) && answer.response.status == .notFound && !answer.closes)
    }
}
