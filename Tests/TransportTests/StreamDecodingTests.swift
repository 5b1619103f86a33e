import NIOCore
import ProtoWire
import RaftModel
import Testing

@testable import Transport

/// What no honest peer sends.
@Suite struct StreamDecodingTests {
    private static let local = MemberID(1)
    private static let peer = MemberID(2)

    private func appendReader(_ bytesMax: Int = 4096) -> FrameReader<AppendStreamDecoder> {
        FrameReader(
            AppendStreamDecoder(local: Self.local, peer: Self.peer, frameBytesMax: bytesMax))
    }

    private func messageReader(_ bytesMax: Int = 4096) -> FrameReader<MessageStreamDecoder> {
        FrameReader(MessageStreamDecoder(messageBytesMax: bytesMax))
    }

    private func bigEndian(_ value: UInt64) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    @Test func refusesUnknownFrames() throws {
        var reader = appendReader()
        var messages: [Message] = []
        var bytes = ByteBuffer(bytes: [0, 0, 3])
        var expected = StreamFault(.unknownFrame(3))
        expected.offset = 2
        #expect(throws: expected) { try reader.read(&bytes, into: &messages) }
    }

    @Test func refusesLongMessages() throws {
        var messages: [Message] = []
        var reader = messageReader(100)
        var bytes = ByteBuffer(bytes: bigEndian(101))
        #expect(throws: StreamFault(.tooLong(bytes: 101, limit: 100))) {
            try reader.read(&bytes, into: &messages)
        }
        var appends = appendReader(100)
        bytes = ByteBuffer(bytes: [2] + bigEndian(.max))
        var expected = StreamFault(.tooLong(bytes: .max, limit: 100))
        expected.offset = 1
        #expect(throws: expected) { try appends.read(&bytes, into: &messages) }
    }

    /// 2^64 empty entries would fill the memory eight bytes at a time.
    @Test func boundsEmptyEntries() throws {
        var reader = appendReader(1000)
        var messages: [Message] = []
        var bytes = ByteBuffer(bytes: [1] + bigEndian(.max))
        for _ in 0..<1000 { bytes.writeBytes(bigEndian(0)) }
        #expect(throws: StreamFault.self) { try reader.read(&bytes, into: &messages) }
        #expect(messages.isEmpty)
    }

    @Test func boundsEntriesTogether() throws {
        let entry = Entry(term: 1, index: 1, data: Array(repeating: 7, count: 400)).encoded()
        var reader = appendReader(1000)
        var messages: [Message] = []
        var bytes = ByteBuffer(bytes: [1] + bigEndian(3))
        for _ in 0..<3 { bytes.writeBytes(bigEndian(UInt64(entry.count)) + entry) }
        #expect(throws: StreamFault.self) { try reader.read(&bytes, into: &messages) }
    }

    @Test func namesTheFaultyByte() throws {
        var reader = messageReader()
        var messages: [Message] = []
        let good = Message(.vote, to: Self.local, from: Self.peer, term: 1).encoded()
        var bytes = ByteBuffer(bytes: bigEndian(UInt64(good.count)) + good)
        bytes.writeBytes(bigEndian(1) + [0xff])
        do {
            try reader.read(&bytes, into: &messages)
            Issue.record("a varint without an end was taken")
        } catch {
            #expect(error.offset == UInt64(8 + good.count + 8))
            #expect(error.code == .malformed(WireError(.truncated, at: 0)))
        }
        #expect(messages.count == 1, "what came before the fault is good")
    }

    /// An empty message is the zero message, as protobuf has it; it is complete without a byte.
    @Test func takesEmptyUnits() throws {
        var reader = messageReader()
        var messages: [Message] = []
        var bytes = ByteBuffer(bytes: bigEndian(0) + bigEndian(0))
        try reader.read(&bytes, into: &messages)
        #expect(messages == [Message(.hup), Message(.hup)])
        var appends = appendReader()
        bytes = ByteBuffer(bytes: [1] + bigEndian(1) + bigEndian(0) + bigEndian(9) + [0])
        messages = []
        try appends.read(&bytes, into: &messages)
        #expect(
            messages == [
                Message(.append, to: Self.local, from: Self.peer, entries: [Entry()], commit: 9)
            ])
        #expect(appends.decoder.linkHeartbeatCount == 1)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func survivesGarbage(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for _ in 0..<50 {
            let length = Int.random(in: 1...600, using: &random)
            var garbage = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            // Small sizes get further than random ones, which are nearly always too long.
            for at in garbage.indices where Int.random(in: 0..<3, using: &random) > 0 {
                garbage[at] = garbage[at] % 4
            }
            feed(garbage, appendReader(), &random)
            feed(garbage, messageReader(), &random)
        }
    }

    /// Captured bytes with some of them changed: most of each stream is still understood.
    @Test(arguments: CapturedStream.all)
    func survivesMutations(_ stream: CapturedStream) throws {
        let original = try PeerFixture.bytes(stream.name + ".bin").prefix(3000)
        var random = SplitMix(state: UInt64(original.count))
        for _ in 0..<150 {
            var bytes = Array(original)
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            switch stream.makeDecoder() {
            case .append(let reader): feed(bytes, reader, &random)
            case .message(let reader): feed(bytes, reader, &random)
            }
        }
    }

    /// Reads of random sizes, until the end or the first fault; judges what came out.
    private func feed<Decoder: FrameDecoder>(
        _ bytes: [UInt8], _ reader: FrameReader<Decoder>, _ random: inout SplitMix
    ) {
        var reader = reader
        var messages: [Message] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let size = Int.random(in: 1...rest.count, using: &random)
            var buffer = ByteBuffer(bytes: rest.prefix(size))
            rest = rest.dropFirst(size)
            do throws(StreamFault) { try reader.read(&buffer, into: &messages) } catch {
                #expect(error.offset <= UInt64(bytes.count))
                break
            }
            #expect(buffer.readableBytes == 0)
        }
        for message in messages {
            _ = MessageVerdict.judge(message, local: Self.local, peer: Self.peer)
        }
    }
}

/// A small generator with a seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
