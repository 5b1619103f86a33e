internal import NIOCore
internal import RaftModel

/// Understands a stream as a sequence of units, each of a size known before it comes: a type
/// byte, a length, an entry, a message.
protocol FrameDecoder {
    /// Size of the next unit. Zero is an empty message or entry, complete before any byte of it;
    /// the unit after one of zero is never of zero.
    var wantedBytes: Int { get }

    /// Takes the next unit, of exactly `wantedBytes` bytes, which need only live during the call.
    /// After a throw the decoder must not be used again.
    mutating func take(
        _ unit: UnsafeRawBufferPointer, into messages: inout [Message]
    ) throws(StreamFault)
}

/// Cuts the socket's reads, which end anywhere, into the units of a `FrameDecoder`.
///
/// Units that lie whole in a read are decoded where they are. Only a unit that a read ends in
/// is put together in `partial`, and only that one:
///
///     read 1   | unit | unit | un|        un ──▶ partial
///     read 2   |it| unit | unit  |        it ──▶ partial, decode, empty it; the rest in place
struct FrameReader<Decoder: FrameDecoder> {
    private(set) var decoder: Decoder
    private var partial = ByteBuffer()
    /// Bytes of all units taken so far.
    private var takenBytes: UInt64 = 0
    private var isFaulty = false

    /// A unit may be announced as very long and never come: memory for it grows with what comes.
    private static var reservedBytesMax: Int { 1 << 20 }

    init(_ decoder: Decoder) { self.decoder = decoder }

    /// Takes all of `bytes`; messages that became complete are appended.
    mutating func read(
        _ bytes: inout ByteBuffer, into messages: inout [Message]
    ) throws(StreamFault) {
        precondition(!isFaulty, "a faulty stream is not read on")
        if partial.readableBytes > 0 {
            try completePartial(&bytes, into: &messages)
            if partial.readableBytes > 0 { return }
        }
        try bytes.readWithUnsafeReadableBytes { (memory) throws(StreamFault) -> Int in
            try takeUnits(memory, into: &messages)
        }
        guard bytes.readableBytes > 0 else { return }
        partial.reserveCapacity(min(decoder.wantedBytes, Self.reservedBytesMax))
        partial.writeBuffer(&bytes)
    }

    /// Moves as much into `partial` as its unit still wants; takes it if that is all of it.
    private mutating func completePartial(
        _ bytes: inout ByteBuffer, into messages: inout [Message]
    ) throws(StreamFault) {
        let missing = decoder.wantedBytes - partial.readableBytes
        assert(missing > 0, "a complete unit is never left in partial")
        guard var part = bytes.readSlice(length: min(missing, bytes.readableBytes)) else { return }
        partial.writeBuffer(&part)
        guard partial.readableBytes == decoder.wantedBytes else { return }
        // Moved out, so that the decoder may be changed while the bytes are looked at.
        var whole = partial
        partial = ByteBuffer()
        try whole.withUnsafeReadableBytes { (memory) throws(StreamFault) in
            _ = try takeUnits(memory, into: &messages)
        }
        // A snapshot's worth of memory is not kept for the next few bytes.
        if whole.capacity <= Self.reservedBytesMax {
            whole.clear()
            partial = whole
        }
    }

    /// Takes every whole unit at the start of `memory`; returns their bytes.
    private mutating func takeUnits(
        _ memory: UnsafeRawBufferPointer, into messages: inout [Message]
    ) throws(StreamFault) -> Int {
        var taken = 0
        // Ends: a unit of no bytes is always followed by one of some.
        while memory.count - taken >= decoder.wantedBytes {
            let end = taken + decoder.wantedBytes
            let unit = UnsafeRawBufferPointer(rebasing: memory[taken..<end])
            do throws(StreamFault) { try decoder.take(unit, into: &messages) } catch {
                isFaulty = true
                var located = error
                located.offset = takenBytes
                throw located
            }
            takenBytes += UInt64(end - taken)
            taken = end
        }
        return taken
    }
}

extension UnsafeRawBufferPointer {
    /// The big-endian integer in a unit of 8 bytes.
    var bigEndianUnit: UInt64 {
        precondition(count == 8, "an integer unit has 8 bytes")
        return UInt64(bigEndian: loadUnaligned(as: UInt64.self))
    }
}
