internal import NIOCore
internal import ProtoWire
internal import RaftModel

/// The general stream, `GET /raft/stream/message/ID`: messages of any kind, one after the other.
///
///     0         8          8+L
///     +---------+----------+---------+--
///     | L       | Message  | L       | …      L: u64, big-endian
///     | 8 bytes | L bytes  |         |
///     +---------+----------+---------+--
///
/// A heartbeat from member 0 to member 0 says that the connection lives, and nothing else.
///
/// Source: `reference/peer-protocol.md` §5.1; `Fixtures/peer/message-*.bin`.
enum MessageStream {
    static let linkHeartbeat = Message(.heartbeat)

    static func isLinkHeartbeat(_ message: Message) -> Bool {
        message.kind == .heartbeat && message.from == .none && message.to == .none
    }

    static func encode(_ message: Message, into buffer: inout ByteBuffer) {
        let size = message.encodedSize
        buffer.write(bytesMax: 8 + size) { writer in
            writer.bigEndian(UInt64(size))
            message.encode(into: &writer)
        }
    }
}

struct MessageStreamDecoder: FrameDecoder {
    private enum Unit {
        case size
        case message
    }

    private var unit = Unit.size
    private(set) var wantedBytes = 8
    private let messageBytesMax: Int
    private(set) var linkHeartbeatCount = 0

    init(messageBytesMax: Int) {
        precondition(messageBytesMax > 0, "a bound of zero takes nothing")
        self.messageBytesMax = messageBytesMax
    }

    mutating func take(
        _ bytes: UnsafeRawBufferPointer, into messages: inout [Message]
    ) throws(StreamFault) {
        switch unit {
        case .size:
            wantedBytes = try bytes.sizeUnit(max: messageBytesMax)
            unit = .message
        case .message:
            let message = try Message.decodeUnit(bytes)
            if MessageStream.isLinkHeartbeat(message) {
                linkHeartbeatCount += 1
            } else {
                messages.append(message)
            }
            unit = .size
            wantedBytes = 8
        }
    }
}

extension ByteBuffer {
    /// Lets `body` write at most `bytesMax` bytes at the end, in place.
    mutating func write(bytesMax: Int, _ body: (inout WireWriter) -> Void) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: bytesMax) { memory in
            var writer = WireWriter(memory)
            body(&writer)
            assert(writer.count <= bytesMax, "the bound was too small")
            return writer.count
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The length in a unit of 8 bytes, checked against its bound.
    func sizeUnit(max limit: Int) throws(StreamFault) -> Int {
        let size = bigEndianUnit
        guard size <= UInt64(limit) else {
            throw StreamFault(.tooLong(bytes: size, limit: limit))
        }
        return Int(size)
    }
}

extension Message {
    static func decodeUnit(_ bytes: UnsafeRawBufferPointer) throws(StreamFault) -> Message {
        do throws(WireError) { return try decode(bytes) } catch {
            throw StreamFault(.malformed(error))
        }
    }
}
