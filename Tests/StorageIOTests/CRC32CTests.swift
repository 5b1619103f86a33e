import CKvd
import StorageIO
import Testing

@Suite struct CRC32CTests {
    /// One bit at a time, straight from the polynomial.
    static func reference(_ crc: UInt32, _ bytes: some Sequence<UInt8>) -> UInt32 {
        var state = ~crc
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 1 ? 0x82f6_3b78 : 0) }
        }
        return ~state
    }

    @Test func knownValues() {
        #expect(CRC32C.of(Array("123456789".utf8)) == 0xe306_9283)
        // RFC 3720, B.4.
        #expect(CRC32C.of([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.of([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(CRC32C.of(Array(0..<32)) == 0x46dd_794e)
        #expect(CRC32C.of([UInt8]()) == 0)
    }

    /// Every length over the borders of the fast paths, at every alignment.
    @Test func everyLengthAndAlignment() {
        var random = SplitMix64(seed: 1)
        let bytes = (0..<(3 * 4096 + 3 * 256 + 100)).map { _ in
            UInt8(truncatingIfNeeded: random.next())
        }
        var lengths = Array(0...(3 * 256 + 40))
        lengths += (3 * 4096 - 9)...(3 * 4096 + 9)
        lengths.append(3 * 4096 + 3 * 256 + 17)
        bytes.withUnsafeBytes { raw in
            for length in lengths {
                let start = length % 16
                let seed = UInt32(truncatingIfNeeded: length &* 0x9e37_79b9)
                let slice = UnsafeRawBufferPointer(rebasing: raw[start..<(start + length)])
                let fast = kvd_crc32c(seed, slice.baseAddress, length)
                let tables = kvd_crc32c_portable(seed, slice.baseAddress, length)
                let expected = Self.reference(seed, slice)
                #expect(fast == expected && tables == expected, "length \(length)")
            }
        }
    }

    /// Two words, and bytes elsewhere: of every length that is joined, and beyond.
    @Test func headAndBytesAreOneInput() {
        var random = SplitMix64(seed: 2)
        let bytes = (0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        bytes.withUnsafeBytes { raw in
            for length in Array(0...1100) + [2000, 4000] {
                let head = 8 + length % 9
                let source = UnsafeRawBufferPointer(rebasing: raw[16..<(16 + length)])
                let low = raw.loadUnaligned(as: UInt64.self)
                let all = raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                let high = head == 16 ? all : all & ((1 << UInt64(8 * (head - 8))) - 1)
                let seed = UInt32(truncatingIfNeeded: length &* 0x9e37_79b9)
                let expected = kvd_crc32c_portable(
                    kvd_crc32c_portable(seed, raw.baseAddress, head), source.baseAddress, length)
                let found = kvd_crc32c_headed(
                    seed, low, high, head, source.baseAddress, length)
                #expect(found == expected, "\(head) and \(length) bytes")
            }
        }
    }

    @Test func everyCutRollsToTheSame() {
        let bytes = (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let whole = CRC32C.of(bytes)
        for cut in 0...bytes.count {
            var crc = CRC32C()
            crc.update(Array(bytes[..<cut]))
            crc.update(Array(bytes[cut...]))
            #expect(crc.value == whole)
        }
    }
}
