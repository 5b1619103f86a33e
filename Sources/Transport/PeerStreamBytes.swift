internal import NIOCore
package import RaftModel

/// The bytes of a peer's stream read outside of a connection: for those who hold the readers to what
/// they promise (`Fuzzing`).
package struct PeerStreamBytes {
    /// Whether a message may go on to raft.
    package enum Judgement: Equatable, Sendable {
        case delivered, ignored, refused
    }

    private enum Reader {
        case append(FrameReader<AppendStreamDecoder>)
        case message(FrameReader<MessageStreamDecoder>)
    }

    private var reader: Reader
    /// All that came so far.
    package private(set) var messages: [Message] = []
    /// What was wrong with the stream; nothing is read after it.
    package private(set) var fault: String?

    /// A stream of appends from `peer`.
    package init(appendsOf peer: MemberID, to local: MemberID, frameBytesMax: Int) {
        reader = .append(
            FrameReader(
                AppendStreamDecoder(local: local, peer: peer, frameBytesMax: frameBytesMax)))
    }

    /// A stream of messages of any kind.
    package init(messageBytesMax: Int) {
        reader = .message(FrameReader(MessageStreamDecoder(messageBytesMax: messageBytesMax)))
    }

    /// One read of the socket.
    package mutating func read(_ bytes: UnsafeRawBufferPointer) {
        guard fault == nil else { return }
        var buffer = ByteBuffer(bytes: bytes)
        do throws(StreamFault) {
            switch reader {
            case .append(var frames):
                defer { reader = .append(frames) }
                try frames.read(&buffer, into: &messages)
            case .message(var frames):
                defer { reader = .message(frames) }
                try frames.read(&buffer, into: &messages)
            }
        } catch {
            fault = "\(error)"
        }
    }

    package static func judge(
        _ message: Message, local: MemberID, peer: MemberID
    ) -> Judgement {
        switch MessageVerdict.judge(message, local: local, peer: peer) {
        case .deliver: .delivered
        case .ignore: .ignored
        case .refuse: .refused
        }
    }

    /// As a stream of messages carries it.
    package static func encoded(_ messages: [Message]) -> [UInt8] {
        var buffer = ByteBuffer()
        for message in messages { MessageStream.encode(message, into: &buffer) }
        return Array(buffer.readableBytesView)
    }

    /// As a stream of appends carries them; all must be appends.
    package static func encoded(appends: [Message]) -> [UInt8] {
        var buffer = ByteBuffer()
        var encoder = AppendStreamEncoder()
        for message in appends { encoder.encode(message, into: &buffer) }
        return Array(buffer.readableBytesView)
    }
}
