internal import NIOCore
internal import ProtoWire
internal import RaftModel

/// The stream of a leader's appends, `GET /raft/stream/msgapp/ID` ("msgapp v2"): what both ends
/// know already is not said again. Integers are u64, big-endian.
///
///     link heartbeat   | 0 |
///
///     entries          | 1 | count | size | Entry | size | Entry | … | commit |
///                                  └───── count times ─────┘
///
///     append           | 2 | size | Message |
///
/// Both ends keep a term and an index, zero at first: the log position after the last frame. An
/// append that begins there, in that very term, goes as "entries"; its sender, receiver, term and
/// preceding entry follow from the state. Any other one goes whole and sets the state.
///
/// Source: `reference/peer-protocol.md` §5.2; `Fixtures/peer/msgapp-*.bin`.
struct AppendStreamState: Equatable {
    var term: UInt64 = 0
    var index: UInt64 = 0

    /// Whether the "entries" frame can say all of `message`.
    func isContinued(by message: Message) -> Bool {
        message.index == index && message.logTerm == term && message.term == term
    }

    /// After a whole message.
    mutating func reset(after message: Message) {
        term = message.term
        index = message.entries.last?.index ?? message.index
    }

    /// After an "entries" frame. Wraps around only on a peer's nonsense, which must not trap.
    mutating func advance(by count: Int) { index &+= UInt64(count) }
}

/// A frame's first byte. All are below 0x80, where a varint is its own byte.
enum AppendFrame: UInt8 {
    case linkHeartbeat = 0
    case entries = 1
    case message = 2
}

struct AppendStreamEncoder {
    private var state = AppendStreamState()

    static func encodeLinkHeartbeat(into buffer: inout ByteBuffer) {
        buffer.writeInteger(AppendFrame.linkHeartbeat.rawValue)
    }

    mutating func encode(_ message: Message, into buffer: inout ByteBuffer) {
        precondition(message.kind == .append, "this stream carries appends only")
        guard state.isContinued(by: message) else {
            let size = message.encodedSize
            buffer.write(bytesMax: 9 + size) { writer in
                writer.varint(UInt64(AppendFrame.message.rawValue))
                writer.bigEndian(UInt64(size))
                message.encode(into: &writer)
            }
            return state.reset(after: message)
        }
        buffer.write(bytesMax: Self.entriesFrameBytesMax(message.entries)) { writer in
            writer.varint(UInt64(AppendFrame.entries.rawValue))
            writer.bigEndian(UInt64(message.entries.count))
            for entry in message.entries {
                writer.bigEndian(UInt64(entry.encodedSize))
                entry.encode(into: &writer)
            }
            writer.bigEndian(message.commit)
        }
        state.advance(by: message.entries.count)
    }

    /// A bound that costs less than the exact size: an entry is its data and at most 44 bytes.
    private static func entriesFrameBytesMax(_ entries: [Entry]) -> Int {
        entries.reduce(17) { $0 + 8 + 36 + $1.data.count }
    }
}

struct AppendStreamDecoder: FrameDecoder {
    private enum Unit {
        case frameType
        case entryCount
        case entrySize
        case entry
        case commit
        case messageSize
        case message
    }

    private var unit = Unit.frameType
    private(set) var wantedBytes = 1
    private var state = AppendStreamState()
    /// Of the frame being read.
    private var entries: [Entry] = []
    private var missingEntryCount: UInt64 = 0
    private var frameBytes = 0

    private let local: MemberID
    private let peer: MemberID
    private let frameBytesMax: Int
    private(set) var linkHeartbeatCount = 0

    /// Entries for which memory is reserved on a peer's word.
    private static let reservedEntryCountMax: UInt64 = 1024

    /// - Parameters:
    ///   - local: this member, to whom the stream's appends are addressed.
    ///   - peer: the member that was dialled, from whom they are.
    init(local: MemberID, peer: MemberID, frameBytesMax: Int) {
        precondition(frameBytesMax > 0, "a bound of zero takes nothing")
        (self.local, self.peer, self.frameBytesMax) = (local, peer, frameBytesMax)
    }

    mutating func take(
        _ bytes: UnsafeRawBufferPointer, into messages: inout [Message]
    ) throws(StreamFault) {
        switch unit {
        case .frameType: try beginFrame(bytes[0])
        case .entryCount:
            missingEntryCount = bytes.bigEndianUnit
            entries.reserveCapacity(Int(min(missingEntryCount, Self.reservedEntryCountMax)))
            expectEntryOrCommit()
        case .entrySize:
            // What an entry costs beside its bytes counts too, else empty ones were unbounded.
            frameBytes += MemoryLayout<Entry>.stride
            guard frameBytes <= frameBytesMax else {
                throw StreamFault(.tooLong(bytes: UInt64(frameBytes), limit: frameBytesMax))
            }
            expect(.entry, try bytes.sizeUnit(max: frameBytesMax - frameBytes))
            frameBytes += wantedBytes
        case .entry:
            entries.append(try Self.decodeEntry(bytes))
            missingEntryCount -= 1
            expectEntryOrCommit()
        case .commit: finishEntries(commit: bytes.bigEndianUnit, into: &messages)
        case .messageSize: expect(.message, try bytes.sizeUnit(max: frameBytesMax))
        case .message:
            let message = try Message.decodeUnit(bytes)
            state.reset(after: message)
            messages.append(message)
            expect(.frameType, 1)
        }
    }

    private mutating func beginFrame(_ type: UInt8) throws(StreamFault) {
        switch AppendFrame(rawValue: type) {
        case .linkHeartbeat: linkHeartbeatCount += 1
        case .entries:
            frameBytes = 0
            expect(.entryCount, 8)
        case .message: expect(.messageSize, 8)
        case nil: throw StreamFault(.unknownFrame(type))
        }
    }

    private mutating func expect(_ unit: Unit, _ bytes: Int) {
        self.unit = unit
        wantedBytes = bytes
    }

    private mutating func expectEntryOrCommit() {
        expect(missingEntryCount > 0 ? .entrySize : .commit, 8)
    }

    private mutating func finishEntries(commit: UInt64, into messages: inout [Message]) {
        let count = entries.count
        messages.append(
            Message(
                .append, to: local, from: peer, term: state.term, logTerm: state.term,
                index: state.index, entries: entries, commit: commit))
        entries = []
        state.advance(by: count)
        expect(.frameType, 1)
    }

    private static func decodeEntry(_ bytes: UnsafeRawBufferPointer) throws(StreamFault) -> Entry {
        do throws(WireError) { return try Entry.decode(bytes) } catch {
            throw StreamFault(.malformed(error))
        }
    }
}
