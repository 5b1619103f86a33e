/// Makes an LZ4 frame one whose checksums hold. That of the content is left out, as nobody knows it
/// without reading the frame.
///
/// Layout: the LZ4 frame format, 1.6.
enum LZ4Mending {
    private static let magic: [UInt8] = [0x04, 0x22, 0x4d, 0x18]
    /// Bits of the descriptor's first byte.
    private static let (blockChecksum, contentChecksum): (UInt8, UInt8) = (0x10, 0x04)

    static func mend(_ bytes: inout [UInt8]) {
        guard bytes.count >= 7 else { return }
        bytes.replaceSubrange(..<4, with: magic)
        let hadContentChecksum = bytes[4] & contentChecksum != 0
        bytes[4] = 0x40 | bytes[4] & (0x20 | blockChecksum)
        let headEnd = 6
        bytes[headEnd] = UInt8(truncatingIfNeeded: XXHash32.of(bytes[4..<headEnd]) >> 8)
        var offset = headEnd + 1
        while offset + 4 <= bytes.count {
            let word = bytes.withUnsafeBytes { $0.half(offset) }
            offset += 4
            if word == 0 {
                if hadContentChecksum { bytes.removeLast(min(4, bytes.count - offset)) }
                return
            }
            let end = offset + Int(word & 0x7fff_ffff)
            guard end + 4 <= bytes.count else { return }
            if bytes[4] & blockChecksum != 0 {
                bytes.put(XXHash32.of(bytes[offset..<end]), at: end)
                offset = end + 4
            } else {
                offset = end
            }
        }
    }
}

/// The checksum of LZ4's frames.
enum XXHash32 {
    private static let primes: [UInt32] = [
        2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393,
    ]

    static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var rest = bytes[...]
        var hash = primes[4]
        if rest.count >= 16 {
            var lanes = [primes[0] &+ primes[1], primes[1], 0, 0 &- primes[0]]
            while rest.count >= 16 {
                for lane in lanes.indices {
                    lanes[lane] = turned(lanes[lane] &+ word(&rest) &* primes[1], 13) &* primes[0]
                }
            }
            hash = zip(lanes, [1, 7, 12, 18]).reduce(0) { $0 &+ turned($1.0, $1.1) }
        }
        hash &+= UInt32(truncatingIfNeeded: bytes.count)
        while rest.count >= 4 {
            hash = turned(hash &+ word(&rest) &* primes[2], 17) &* primes[3]
        }
        for byte in rest { hash = turned(hash &+ UInt32(byte) &* primes[4], 11) &* primes[0] }
        hash = (hash ^ hash >> 15) &* primes[1]
        hash = (hash ^ hash >> 13) &* primes[2]
        return hash ^ hash >> 16
    }

    private static func word(_ bytes: inout ArraySlice<UInt8>) -> UInt32 {
        let word = bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
        bytes.removeFirst(4)
        return word
    }

    private static func turned(_ value: UInt32, _ bits: Int) -> UInt32 {
        value << UInt32(bits) | value >> UInt32(32 - bits)
    }
}
