import ProtoWire
import Testing

@Suite struct VarintTests {
    @Test(arguments: edges)
    func edgeValuesReadBackAndAreMeasured(_ value: UInt64) {
        let bytes = written(10) { $0.varint(value) }
        #expect(bytes.count == WireSize.varint(value))
        #expect(varint(bytes) == .success(value))
    }

    @Test(
        arguments: [
            (0, [0]), (1, [1]), (127, [0x7f]), (128, [0x80, 0x01]), (300, [0xac, 0x02]),
            (UInt64.max, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            (1 << 63, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        ] as [(UInt64, [UInt8])])
    func bytesAreAsTheFormatSays(_ value: UInt64, _ bytes: [UInt8]) {
        #expect(written(10) { $0.varint(value) } == bytes)
        #expect(varint(bytes) == .success(value))
    }

    @Test func moreBytesThanNeededAreRead() {
        #expect(varint([0x80, 0x00]) == .success(0))
        #expect(varint([0x81, 0x80, 0x80, 0x00]) == .success(1))
        // Ten bytes, of which the last says nothing.
        #expect(varint([UInt8](repeating: 0x80, count: 9) + [0x00]) == .success(0))
    }

    @Test func moreThanSixtyFourBitsAreRefused() {
        let nine = [UInt8](repeating: 0xff, count: 9)
        #expect(varint(nine + [0x02]).error == WireError(.varintTooLong, at: 0))
        #expect(varint(nine + [0x81, 0x00]).error == WireError(.varintTooLong, at: 0))
        #expect(varint(nine + [0xff, 0xff, 0xff]).error == WireError(.varintTooLong, at: 0))
    }

    @Test(arguments: 0...9)
    func endInsideIsTruncated(_ count: Int) {
        let bytes = [UInt8](repeating: 0x80, count: count)
        #expect(varint(bytes).error == WireError(.truncated, at: 0))
    }

    @Test(arguments: edges)
    func everyPlaceReadsTheSame(_ value: UInt64) {
        // Varints are read one way near the end of the bytes and may be read another way far from
        // it, so each is put at every distance.
        let encoded = written(10) { $0.varint(value) }
        for after in 0...12 {
            let bytes = [0x00] + encoded + [UInt8](repeating: 0xff, count: after)
            let read = reading(bytes) { (reader) throws(WireError) in
                _ = try reader.varint()
                let value = try reader.varint()
                return [value, UInt64(reader.offset)]
            }
            #expect(read == .success([value, UInt64(1 + encoded.count)]))
        }
    }

    @Test func signedValuesKeepTheirBits() {
        for value in [Int64.min, -1, 0, 1, .max] {
            let bytes = written(11) { $0.varintField(9, UInt64(bitPattern: value)) }
            let read = reading(bytes) { (reader) throws(WireError) in
                guard let field = try reader.nextField() else { return Int64(42) }
                return Int64(bitPattern: try reader.varint(of: field))
            }
            #expect(read == .success(value))
        }
    }
}
