import Chaos
import Foundation
import ProcessSupport
import StorageIO
import Testing

/// The proxy does to bytes what its rules say.
@Suite struct PeerLinkTests {
    private let proxy: PeerProxy
    private let target: EchoServer
    private let port: Int

    init() throws {
        proxy = try PeerProxy()
        target = try EchoServer()
        port = try proxy.listen(for: 2, at: target.port)
        proxy.know("aa", as: 1)
    }

    private func dial(as id: String = "aa") throws -> LoopbackHTTP {
        let client = try LoopbackHTTP(port: port)
        try client.send(
            Array("POST /raft HTTP/1.1\r\nHost: h\r\nX-Server-From: \(id)\r\n\r\n".utf8))
        return client
    }

    @Test func whatIsOpenPasses() throws {
        defer { proxy.stop() }
        #expect(try dial().readResponse().status == 200)
        #expect(try dial(as: "stranger").readResponse().status == 200)
    }

    @Test(arguments: [Link(from: 1, to: 2), Link(from: 2, to: 1)])
    func whatIsHeldComesWhenTheLinkIsOpened(_ link: Link) throws {
        defer { proxy.stop() }
        proxy.set([link: LinkRule(.held)])
        let client = try dial()
        client.setTimeout(milliseconds: 200)
        #expect(throws: LoopbackHTTP.Failed.self) { try client.readResponse() }
        // The request itself passes if only the answers' way is cut.
        if link.from == 2 {
            try waitUntil("the request arrives") { target.requestCount == 1 }
        } else {
            #expect(target.requestCount == 0)
        }
        client.setTimeout(milliseconds: 20_000)
        proxy.set([:])
        #expect(try client.readResponse().status == 200)
    }

    @Test func whatIsClosedEnds() throws {
        defer { proxy.stop() }
        proxy.set([Link(from: 1, to: 2): LinkRule(.closed)])
        let client = try dial()
        #expect(throws: LoopbackHTTP.Failed.self) { try client.readResponse() }
        #expect(target.requestCount == 0)
        // Others are not meant.
        proxy.set([Link(from: 3, to: 2): LinkRule(.closed)])
        #expect(try dial().readResponse().status == 200)
    }

    /// The members are known once the cluster runs; their first connections are older.
    @Test func whoIsKnownLaterIsMeantToo() throws {
        defer { proxy.stop() }
        target.isSilent = true
        let client = try dial(as: "bb")
        try waitUntil("the request arrives") { target.requestCount == 1 }
        proxy.set([Link(from: 2, to: 3): LinkRule(.closed)])
        proxy.know("bb", as: 3)
        #expect(throws: LoopbackHTTP.Failed.self) { try client.readResponse() }
    }

    @Test func whatIsSlowArrives() throws {
        defer { proxy.stop() }
        proxy.set([
            Link(from: 1, to: 2): LinkRule(delay: 50 * Chaos.millisecond),
            Link(from: 2, to: 1): LinkRule(bytesPerSecond: 1000),
        ])
        let started = MachineClock.monotonicNanoseconds
        #expect(try dial().readResponse().status == 200)
        #expect(MachineClock.monotonicNanoseconds - started >= 50 * Chaos.millisecond)
    }
}

/// Answers each request with a short 200.
private final class EchoServer: @unchecked Sendable {
    let port: Int
    private let socket: Int32
    private let lock = NSLock()
    private var requests = 0
    private var silent = false

    /// Reads requests, and leaves it at that.
    var isSilent: Bool {
        get { lock.withLock { silent } }
        set { lock.withLock { silent = newValue } }
    }
    var requestCount: Int { lock.withLock { requests } }

    init() throws {
        port = try FreePorts.take(1)[0]
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let result = LoopbackAddress.with(port: port) { [socket] in bind(socket, $0, $1) }
        try #require(result == 0 && listen(socket, 16) == 0)
        Thread.detachNewThread { [self, socket] in
            while case let peer = accept(socket, nil, nil), peer >= 0 { serve(peer) }
        }
    }

    deinit { close(socket) }

    private func serve(_ peer: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        if recv(peer, &buffer, buffer.count, 0) > 0 {
            lock.withLock { requests += 1 }
            while isSilent, recv(peer, &buffer, buffer.count, 0) > 0 {}
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)
            send(peer, answer, answer.count, Int32(MSG_NOSIGNAL))
        }
        close(peer)
    }
}
