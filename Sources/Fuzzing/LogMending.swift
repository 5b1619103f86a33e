import ProtoWire
import Storage
import StorageIO

/// Makes the frames of a log, as far as they can be told apart, ones whose checksums hold: layouts in
/// `Storage.WALFormat` and `WALMarker`.
struct LogMending {
    /// Of the frames so far, in this segment and those before it.
    private var rolling = CRC32C()

    /// Mends one segment; those of a log one after the other.
    mutating func mend(_ bytes: inout [UInt8], sequence: UInt64) {
        var frames: [[UInt8]] = []
        var markers: [Int] = []
        var offset = 0
        bytes.withUnsafeBytes { raw in
            while offset < raw.count,
                case .frame(let frame) = WALFrame.read(
                    UnsafeRawBufferPointer(rebasing: raw[offset...]))
            {
                if frame.type != .crc { rolling.update(frame.data) }
                if frame.type == .crc, frame.data.count == WALMarker.sizeBytes {
                    markers.append(frames.count)
                }
                frames.append(Self.encoded(frame, crc: rolling.value))
                offset += frame.sizeBytes
            }
        }
        Self.mendMarkers(&frames, markers, sequence)
        bytes = frames.flatMap { $0 } + bytes[offset...]
    }

    private static func encoded(_ frame: WALFrame, crc: UInt32) -> [UInt8] {
        var record: [UInt8] = [0x08, frame.type.rawValue, 0x10] + varint(UInt64(crc))
        if !frame.data.isEmpty { record += [0x1a] + varint(UInt64(frame.data.count)) + frame.data }
        var bytes = [UInt8](repeating: 0, count: 8)
        var word = UInt64(record.count)
        let padding = frame.isPadded ? (8 - record.count % 8) % 8 : 0
        if frame.isPadded { word |= 1 << 63 | UInt64(padding) << 56 }
        bytes.put(word, at: 0)
        return bytes + record + [UInt8](repeating: 0, count: padding)
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (rest, bytes) = (value, [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// Each marker covers the frames up to the next one.
    private static func mendMarkers(
        _ frames: inout [[UInt8]], _ markers: [Int], _ sequence: UInt64
    ) {
        var offset = 0
        var starts: [Int] = []
        for frame in frames {
            starts.append(offset)
            offset += frame.count
        }
        for (place, frame) in markers.enumerated() {
            let end = place + 1 < markers.count ? markers[place + 1] : frames.count
            let data = frames[frame].count - WALMarker.sizeBytes
            let rest = frames[(frame + 1)..<end].flatMap { $0 }
            frames[frame].replaceSubrange(data..<(data + 8), with: Array("kvd mark".utf8))
            frames[frame].put(sequence, at: data + 8)
            frames[frame].put(UInt64(starts[frame]), at: data + 16)
            frames[frame].put(UInt64(rest.count), at: data + 32)
            frames[frame].put(CRC32C.of(Array(frames[frame][..<data]) + rest), at: data + 40)
            let marker = Array(frames[frame][data..<(data + 44)])
            frames[frame].put(CRC32C.of(marker), at: data + 44)
        }
    }
}
