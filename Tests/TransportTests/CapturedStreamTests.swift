import NIOCore
import RaftModel
import Testing

@testable import Transport

/// The streams of real etcd 2.3.8 members, read and written as they were.
@Suite struct CapturedStreamTests {
    @Test(arguments: CapturedStream.all)
    func decodesAsListed(_ stream: CapturedStream) throws {
        let frames = try Frame.all(in: stream)
        let bytes = try PeerFixture.bytes(stream.name + ".bin")
        var lines: [String] = []
        for (range, frame) in frames {
            lines += describe(frame, range, firstByte: bytes[range.lowerBound], stream.kind)
        }
        #expect(lines == (try listing(stream.name)))
        let end = try #require(frames.last?.bytes.upperBound)
        // Captures end in the middle of a frame, if at all.
        #expect(bytes.count - end < 100)
    }

    @Test(arguments: CapturedStream.all)
    func encodesTheSameBytes(_ stream: CapturedStream) throws {
        let frames = try Frame.all(in: stream)
        var encoder = AppendStreamEncoder()
        var buffer = ByteBuffer()
        for (_, frame) in frames {
            switch (stream.kind, frame) {
            case (.append, .linkHeartbeat):
                AppendStreamEncoder.encodeLinkHeartbeat(into: &buffer)
            case (.append, .message(let message)): encoder.encode(message, into: &buffer)
            case (.message, .linkHeartbeat):
                MessageStream.encode(MessageStream.linkHeartbeat, into: &buffer)
            case (.message, .message(let message)): MessageStream.encode(message, into: &buffer)
            }
        }
        let end = try #require(frames.last?.bytes.upperBound)
        let captured = try PeerFixture.bytes(stream.name + ".bin").prefix(end)
        #expect(Array(buffer.readableBytesView) == Array(captured))
    }

    /// A read may end anywhere: all pairs of reads, and reads of every small size.
    @Test(arguments: CapturedStream.all)
    func decodesWhereverReadsEnd(_ stream: CapturedStream) throws {
        let bytes = try PeerFixture.bytes(stream.name + ".bin").prefix(700)
        var whole: [Message] = []
        var decoder = stream.makeDecoder()
        try decoder.read(bytes, into: &whole)
        for split in bytes.indices {
            var messages: [Message] = []
            var decoder = stream.makeDecoder()
            try decoder.read(bytes[..<split], into: &messages)
            try decoder.read(bytes[split...], into: &messages)
            #expect(messages == whole, "split at \(split)")
        }
        for size in 1...70 {
            var messages: [Message] = []
            var decoder = stream.makeDecoder()
            for start in stride(from: 0, to: bytes.count, by: size) {
                try decoder.read(bytes[start..<min(start + size, bytes.count)], into: &messages)
            }
            #expect(messages == whole, "reads of \(size)")
        }
    }

    @Test(arguments: [
        "post-appresp-reject", "post-heartbeatresp", "post-msgprop", "post-msgsnap",
    ])
    func encodesPostsTheSame(_ name: String) throws {
        let bytes = try PeerFixture.bytes(name + ".bin")
        #expect(try Message.decode(bytes).encoded() == bytes)
    }

    @Test(arguments: 1...5)
    func encodesPostsOf20TheSame(_ number: Int) throws {
        let bytes = try PeerFixture.bytes("v2.0.13-post-\(number).bin")
        #expect(try Message.decode(bytes).encoded(.etcd20) == bytes)
    }

    // MARK: Listings

    /// The listing without what an entry's command is: that is for others to read.
    private func listing(_ name: String) throws -> [String] {
        try PeerFixture.text(name + ".listing.txt").split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            let length = words.firstIndex { $0.hasPrefix("len=") }
            return words[..<(length.map { $0 + 1 } ?? words.count)].joined(separator: " ")
        }
    }

    private func describe(
        _ frame: Frame, _ bytes: Range<Int>, firstByte: UInt8, _ kind: StreamKind
    ) -> [String] {
        let place = "\(bytes.lowerBound) +\(bytes.count)"
        guard case .message(let message) = frame else {
            return [
                kind == .append
                    ? "\(place) linkHeartbeat"
                    : "\(place) [28 bytes] " + describe(MessageStream.linkHeartbeat)
                        + " (link heartbeat)"
            ]
        }
        if kind == .append, firstByte == 1 {
            let head =
                "\(place) AppEntries n=\(message.entries.count) "
                + "(implied term=logTerm=\(message.term) index=\(message.index))"
            return [head]
                + message.entries.map { "[\($0.encodedSize) bytes] " + describe($0) }
                + ["commit=\(message.commit)"]
        }
        let name = kind == .append ? "App " : ""
        return ["\(place) \(name)[\(message.encodedSize) bytes] " + describe(message)]
            + message.entries.map { "entry " + describe($0) }
    }

    private func describe(_ entry: Entry) -> String {
        let kind = entry.kind == .normal ? "normal" : "confchange"
        return "index=\(entry.index) term=\(entry.term) \(kind) len=\(entry.data.count)"
    }

    private func describe(_ message: Message) -> String {
        let names: [Message.Kind: String] = [
            .propose: "MsgProp", .append: "MsgApp", .appendResponse: "MsgAppResp",
            .vote: "MsgVote", .voteResponse: "MsgVoteResp", .heartbeat: "MsgHeartbeat",
            .heartbeatResponse: "MsgHeartbeatResp",
        ]
        return "\(names[message.kind] ?? "?") from=\(message.from) to=\(message.to) "
            + "term=\(message.term) logTerm=\(message.logTerm) index=\(message.index) "
            + "commit=\(message.commit)"
    }
}
