import Cluster
import NIOCore
import NIOEmbedded
import RaftModel
import Transport

extension FuzzTarget {
    private static let peerTokens = [
        "GET ", "POST ", " HTTP/1.1\r\n", "\r\n", "\r\n\r\n", "/raft", "/raft/snapshot/kvd",
        "/raft/stream/msgapp/", "/raft/stream/message/", "/raft/probing", "/members", "/version",
        "Content-Length: ", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n",
        "X-Etcd-Cluster-Id: d1e696e5d3cb959e\r\n", "X-Min-Cluster-Version: 2.2.0\r\n",
        "X-Server-Version: 2.3.8\r\n", "X-Raft-To: 90cad651021cb5bf\r\n",
        "X-Server-From: 5bc90d109e469951\r\n", "X-Peerurls: http://127.0.0.1:22422\r\n",
        "X-Kvd-Features: prevote,snapshots\r\n", "X-Kvd-Snapshot: a\r\n", "X-Kvd-Offset: 8\r\n",
        "5bc90d109e469951", "90cad651021cb5bf", "755a16e0e5a933e5", "0\r\n\r\n", "5;x=y\r\n",
    ]

    /// Whose captures the seeds are.
    private static let local = MemberID(0x90ca_d651_021c_b5bf)
    private static let peer = MemberID(0x5bc9_0d10_9e46_9951)
    private static let removed = MemberID(0x755a_16e0_e5a9_33e5)
    private static let cluster = ClusterID(0xd1e6_96e5_d3cb_959e)

    /// What anybody who reaches the peer port may send: heads, messages, what goes before a snapshot.
    static let peerRequest = {
        var target = FuzzTarget("peer-request", "a peer's connection", tokens: peerTokens) {
            input in
            let whole = try serve { channel in write(input, to: channel) }
            // What begins as TLS does is told apart by a read's first bytes, for a line in the log.
            if !holdsTLS(input) {
                let cut = try serve { channel in
                    var cuts = FuzzCuts(of: input)
                    cuts.forEach(of: input) { write($0, to: channel) }
                }
                try require(whole == cut, "in one piece: \(whole); cut: \(cut)")
            }
            for message in whole.messages {
                try require(
                    PeerStreamBytes.judge(message, local: local, peer: peer) == .delivered,
                    "handed on: \(message)")
            }
            return whole.lines.contains { $0.hasPrefix("HTTP/1.1 20") }
        }
        target.beginningsMax = 128
        // Answers, and a transport for each of two readings.
        (target.memoryPerByte, target.memoryBytesBeside) = (512, 4 << 20)
        target.mend = { mendContentLength(&$0) }
        return target
    }()

    /// What came of a connection.
    private struct Served: Equatable {
        var messages: [Message]
        /// Of the answers, but for those that tell the time.
        var lines: [Substring]
    }

    private static func serve(
        _ write: (EmbeddedChannel) -> Void
    ) throws(FuzzFinding) -> Served {
        let channel = EmbeddedChannel()
        let port: PeerRequestBytes
        do {
            port = try PeerRequestBytes(
                on: channel.eventLoop, local: local, cluster: cluster, peer: peer,
                removed: removed)
            try channel.pipeline.syncOperations.addHandler(HalfClose())
            try port.accept(channel)
        } catch {
            throw FuzzFinding("no connection: \(error)")
        }
        write(channel)
        var answers = ""
        while let answer = try? channel.readOutbound(as: ByteBuffer.self) {
            answers += String(buffer: answer)
        }
        port.stop()
        _ = try? channel.finish(acceptAlreadyClosed: true)
        let lines = answers.split(separator: "\r\n").filter { line in
            !["Date:", "Content-Length:", "{\"OK\""].contains { line.hasPrefix($0) }
        }
        return Served(messages: port.messages, lines: lines)
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to channel: EmbeddedChannel) {
        // An error is the reader's refusal, which its answers have too.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    private static func holdsTLS(_ input: UnsafeRawBufferPointer) -> Bool {
        zip(input, input.dropFirst()).contains { $0 == 0x16 && $1 == 0x03 }
    }

    /// What comes behind the last head is its body.
    private static func mendContentLength(_ bytes: inout [UInt8]) {
        let (name, end) = (Array("Content-Length: ".utf8), Array("\r\n\r\n".utf8))
        guard let start = bytes.lastIndex(of: name), let head = bytes.index(of: end, from: start)
        else { return }
        let digits = bytes[(start + name.count)...].prefix { $0 >= 0x30 && $0 <= 0x39 }
        let body = bytes.count - head - end.count
        bytes.replaceSubrange(digits.indices, with: Array("\(body)".utf8))
    }
}

/// A socket whose sending side was closed goes on receiving; an embedded channel would be gone.
private final class HalfClose: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private var isClosed = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isClosed else { return context.write(data, promise: promise) }
        promise?.fail(ChannelError.outputClosed)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        isClosed = true
        promise?.succeed()
    }
}

extension [UInt8] {
    fileprivate func index(of part: [UInt8], from start: Int) -> Int? {
        guard count - start >= part.count else { return nil }
        return (start...(count - part.count)).first { self[$0...].starts(with: part) }
    }

    fileprivate func lastIndex(of part: [UInt8]) -> Int? {
        guard count >= part.count else { return nil }
        return (0...(count - part.count)).last { self[$0...].starts(with: part) }
    }
}
