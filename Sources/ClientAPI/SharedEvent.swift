internal import KeyStore
internal import NIOCore

/// An event as watchers get it, encoded once for all of them.
///
///     +-----------+--------------+------+-----------+
///     | size CRLF | JSON newline | CRLF | 0 CRLF CRLF |
///     +-----------+--------------+------+-----------+
///     |<------ a stream's chunk ------->|
///     |<--------- a long poll's whole rest -------->|
///                 |<- HTTP/1.0 ->|
///
/// All watchers' channels write slices of the same memory.
struct SharedEvent {
    private var bytes = ByteBuffer()
    private var json = 0..<0
    private var chunkEnd = 0
    private var id: ObjectIdentifier?
    /// Keeps `id` from being given to another event meanwhile.
    private var event: Event?
    private let scratch = Scratch()

    /// A class, because a `SharedEvent` is copied to those who write it.
    private final class Scratch {
        var writer = ByteWriter()
    }

    /// Does nothing if `event` is the one encoded last.
    mutating func encode(_ event: Event) {
        if id == event.id { return }
        self.event = event
        id = event.id
        scratch.writer.removeAll()
        scratch.writer.append(event: event)
        frame()
    }

    /// What ends a watch that cannot go on.
    mutating func encode(error code: ErrorCode, cause: String, index: UInt64) {
        forget()
        scratch.writer.removeAll()
        var cause = cause
        cause.withUTF8 {
            scratch.writer.append(error: code, cause: UnsafeRawBufferPointer($0), index: index)
        }
        frame()
    }

    private mutating func frame() {
        let text = scratch.writer.bytes
        bytes = ByteBuffer()
        bytes.reserveCapacity(text.count + 32)
        bytes.writeString(String(text.count, radix: 16))
        bytes.writeString("\r\n")
        json = bytes.writerIndex..<bytes.writerIndex + text.count
        bytes.writeBytes(text)
        bytes.writeString("\r\n")
        chunkEnd = bytes.writerIndex
        bytes.writeString(ChunkEnd.text)
    }

    /// See `ByteWriter`. What was encoded stays.
    func giveBackScratch() { scratch.writer.giveBack() }

    mutating func forget() {
        (id, event) = (nil, nil)
        bytes = ByteBuffer()
    }

    /// The bytes for a watcher of this kind.
    func slice(isStream: Bool, isHTTP10: Bool) -> ByteBuffer {
        let range = isHTTP10 ? json : 0..<(isStream ? chunkEnd : bytes.writerIndex)
        guard let slice = bytes.getSlice(at: range.lowerBound, length: range.count) else {
            preconditionFailure("an event was encoded")
        }
        return slice
    }
}

/// What ends a chunked body.
enum ChunkEnd {
    static let text = "0\r\n\r\n"
}
