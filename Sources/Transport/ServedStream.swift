internal import NIOCore
internal import RaftModel

/// A stream that a peer dialled: the open end of an HTTP answer, on which messages go to it.
///
/// All messages between two `flush`es are encoded behind each other into one buffer and leave as
/// one chunk of the answer, in one write:
///
///     +----------------+-------+-------+-- --+------+
///     | LLLLLLLL \r\n  | frame | frame | …   | \r\n |     L: the frames' bytes, 8 hex digits
///     +----------------+-------+-------+-- --+------+
final class ServedStream {
    let kind: StreamKind
    let peer: MemberID
    /// Whether who dialled it said that it is a kvd.
    let isKvds: Bool
    private let channel: any Channel
    private let messagesMax: Int
    private let bytesMax: Int

    private var encoder = AppendStreamEncoder()
    private var chunk = ByteBuffer()
    private var isChunkOpen = false
    private var chunkMessageCount = 0
    /// Written, and not yet taken by the kernel.
    private var queuedMessageCount = 0
    private var lastFlushAt = NIODeadline.now()

    /// Bytes written so far, those of them that had left at the last look, and when that was
    /// last more than before.
    private var writtenBytes: UInt64 = 0
    private var departedBytes: UInt64 = 0
    private var departedAt = NIODeadline.now()

    private static let chunkHeadBytes = 10
    /// A buffer that grew beyond this is not kept for the next chunk.
    private static let keptBytesMax = 1 << 20

    init(
        _ kind: StreamKind, peer: MemberID, isKvds: Bool, channel: any Channel,
        bounds: TransportConfiguration.Bounds
    ) {
        self.kind = kind
        self.peer = peer
        self.isKvds = isKvds
        self.channel = channel
        messagesMax = bounds.streamQueueMessagesMax
        bytesMax = bounds.streamQueueBytesMax
    }

    /// False while too much is on its way already: the caller drops what it has.
    var hasRoom: Bool {
        queuedMessageCount + chunkMessageCount < messagesMax && channel.isWritable
            && (!isChunkOpen || chunk.readableBytes < bytesMax)
    }

    /// Encodes `message`; it leaves with the next `flush`.
    func add(_ message: Message) {
        beginChunkIfNeeded()
        chunkMessageCount += 1
        switch kind {
        case .append: encoder.encode(message, into: &chunk)
        case .message: MessageStream.encode(message, into: &chunk)
        }
    }

    /// Sends what was added; returns its bytes.
    @discardableResult
    func flush() -> Int {
        guard isChunkOpen else { return 0 }
        let count = chunkMessageCount
        endChunk()
        lastFlushAt = .now()
        let bytes = chunk.readableBytes
        writtenBytes += UInt64(bytes)
        guard count > 0 else {
            channel.writeAndFlush(chunk, promise: nil)
            return bytes
        }
        queuedMessageCount += count
        let departure = channel.eventLoop.makePromise(of: Void.self)
        departure.futureResult.assumeIsolated().whenComplete { [self] _ in
            queuedMessageCount -= count
        }
        channel.writeAndFlush(chunk, promise: departure)
        return bytes
    }

    /// Shows the peer that the connection lives, and finds out whether it does: false when
    /// nothing has left for `silenceMax` although something waits.
    func tick(
        now: NIODeadline, linkHeartbeat: TimeAmount, silenceMax: TimeAmount
    ) -> Bool {
        if now - lastFlushAt >= linkHeartbeat, channel.isWritable {
            beginChunkIfNeeded()
            switch kind {
            case .append: AppendStreamEncoder.encodeLinkHeartbeat(into: &chunk)
            case .message: MessageStream.encode(MessageStream.linkHeartbeat, into: &chunk)
            }
            flush()
        }
        let waiting = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let departed = writtenBytes - min(writtenBytes, UInt64(waiting))
        if departed > departedBytes || waiting == 0 {
            departedBytes = departed
            departedAt = now
        }
        return now - departedAt <= silenceMax
    }

    /// Ends the answer, and with it the connection.
    func end() {
        channel.writeAndFlush(ByteBuffer(string: "0\r\n\r\n"), promise: nil)
        channel.close(promise: nil)
    }

    /// Drops the connection: its peer is not there any more.
    func abort() { channel.close(promise: nil) }

    private func beginChunkIfNeeded() {
        guard !isChunkOpen else { return }
        isChunkOpen = true
        // Reuses the memory if the kernel has taken what was in it, else takes new.
        if chunk.capacity > Self.keptBytesMax {
            chunk = channel.allocator.buffer(capacity: 4096)
        } else {
            chunk.clear(minimumCapacity: 4096)
        }
        chunk.writeRepeatingByte(UInt8(ascii: "0"), count: Self.chunkHeadBytes)
    }

    private func endChunk() {
        isChunkOpen = false
        chunkMessageCount = 0
        var size = chunk.readableBytes - Self.chunkHeadBytes
        precondition(size > 0 && size <= Int(UInt32.max), "a chunk's length has 8 digits")
        let start = chunk.readerIndex
        for place in (start..<start + 8).reversed() {
            let digit = UInt8(size & 15)
            chunk.setInteger(digit < 10 ? 0x30 + digit : 0x57 + digit, at: place)
            size >>= 4
        }
        chunk.setInteger(UInt16(0x0D0A), at: start + 8)
        chunk.writeInteger(UInt16(0x0D0A))
    }
}
