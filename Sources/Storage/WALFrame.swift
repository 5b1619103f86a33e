/// One frame of a log, taken apart where it lies. Valid as long as the bytes it was read from.
package struct WALFrame {
    package var type: WALRecordType
    package var crc: UInt32
    package var data: UnsafeRawBufferPointer
    /// Bytes of the whole frame: length word, record and padding.
    package var sizeBytes: Int
    /// Whether its length word is of the padded kind, which only etcd 3.x writes.
    package var isPadded: Bool

    package enum Outcome {
        case frame(WALFrame)
        /// A length of zero: what a preallocated rest reads as.
        case zero
        /// The frame goes on past the bytes given; its size, or nil if even that is cut off.
        case short(sizeBytes: Int?)
        case bad(BadRecord)
    }

    /// Reads the frame at the start of `bytes`.
    package static func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard bytes.count >= WALFormat.lengthBytes else { return .short(sizeBytes: nil) }
        let word = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard word != 0 else { return .zero }
        let isPadded = word >> 63 == 1
        let padding = isPadded ? Int(word >> 56 & 7) : 0
        let length = isPadded ? word & (1 << 56 - 1) : word
        guard !isPadded || word >> 56 & 0x78 == 0, length <= WALFormat.recordBytesMax else {
            return .bad(.length(word))
        }
        let size = WALFormat.lengthBytes + Int(length) + padding
        guard size <= bytes.count else { return .short(sizeBytes: size) }
        let record = UnsafeRawBufferPointer(
            rebasing: bytes[WALFormat.lengthBytes..<(WALFormat.lengthBytes + Int(length))])
        return readRecord(record, frameBytes: size, isPadded: isPadded)
    }

    /// Only the one form that encoders write is taken: every other one is damage.
    private static func readRecord(
        _ record: UnsafeRawBufferPointer, frameBytes: Int, isPadded: Bool
    ) -> Outcome {
        guard record.count >= 4, record[0] == 0x08, record[2] == 0x10 else { return .bad(.shape) }
        guard let type = WALRecordType(rawValue: record[1]) else { return .bad(.type(record[1])) }
        guard let (crc, afterCRC) = varint(record, at: 3), crc <= UInt64(UInt32.max) else {
            return .bad(.shape)
        }
        var data = UnsafeRawBufferPointer(rebasing: record[record.count...])
        if afterCRC < record.count {
            guard record[afterCRC] == 0x1a, let (size, start) = varint(record, at: afterCRC + 1),
                size == UInt64(record.count - start)
            else { return .bad(.shape) }
            data = UnsafeRawBufferPointer(rebasing: record[start...])
        }
        return .frame(
            WALFrame(
                type: type, crc: UInt32(crc), data: data, sizeBytes: frameBytes,
                isPadded: isPadded))
    }

    private static func varint(
        _ bytes: UnsafeRawBufferPointer, at start: Int
    ) -> (value: UInt64, end: Int)? {
        var value: UInt64 = 0
        for i in 0..<5 {
            guard start + i < bytes.count else { return nil }
            let byte = bytes[start + i]
            value |= UInt64(byte & 0x7f) << (7 * UInt64(i))
            if byte < 0x80 { return (value, start + i + 1) }
        }
        return nil
    }
}

/// What is wrong with a record.
public enum BadRecord: Error, Equatable, Sendable, CustomStringConvertible {
    /// A length word that no record has.
    case length(UInt64)
    /// The file ends inside the record, or inside the batch.
    case cutShort(missingBytes: Int)
    /// Bytes that are not the protobuf form of a record.
    case shape
    case type(UInt8)
    case crc(expected: UInt32, found: UInt32)
    /// The marker of a batch is not intact, or is not of this place.
    case marker
    /// A batch whose bytes are not those that its marker was made for.
    case batch(expectedCRC: UInt32, foundCRC: UInt32)
    /// A record that no marker covers, in a segment in which one covers everything.
    case outsideBatch
    /// Zeros, with something else behind them.
    case zeros
    /// The record's data is not the message that its type says it is.
    case message
    /// A segment that does not begin with a crc record.
    case head

    public var description: String {
        switch self {
        case .length(let word): "impossible length word 0x\(String(word, radix: 16))"
        case .cutShort(let missing): "the file ends \(missing) bytes too early"
        case .shape: "bytes that are not a record"
        case .type(let type): "unknown record type \(type)"
        case .crc(let expected, let found):
            "crc mismatch: the record says \(Self.hex(found)), its data gives "
                + Self.hex(expected)
        case .marker: "damaged sync marker"
        case .batch(let expected, let found):
            "batch crc mismatch: the marker says \(Self.hex(expected)), the bytes give "
                + Self.hex(found)
        case .outsideBatch: "a record outside of any batch"
        case .zeros: "zeros in the middle of the log"
        case .message: "a record whose data does not decode"
        case .head: "the segment does not begin with a crc record"
        }
    }

    private static func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }
}
