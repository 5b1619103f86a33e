import ProtoWire
import Testing

@Suite struct WireWriterTests {
    @Test func everyKindOfFieldIsWrittenInPlace() {
        let bytes = written(64) { writer in
            writer.varintField(1, 150)
            writer.boolField(2, true)
            writer.boolField(16, false)
            writer.bytesField(3, [0xde, 0xad])
            writer.bytesField(4, [])
            writer.bytesFieldHeader(5, count: 1)
            [UInt8(0x7f)].withUnsafeBytes { writer.raw($0) }
            writer.bigEndian(0x0102_0304_0506_0708)
            writer.littleEndian(0x0102_0304_0506_0708)
        }
        #expect(
            bytes == [0x08, 0x96, 0x01, 0x10, 0x01, 0x80, 0x01, 0x00, 0x1a, 0x02, 0xde, 0xad]
                + [0x22, 0x00, 0x2a, 0x01, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1])
    }

    @Test func nothingFitsIntoNoMemory() {
        var writer = WireWriter(UnsafeMutableRawBufferPointer(start: nil, count: 0))
        writer.raw(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(writer.count == 0)
    }

    @Test(arguments: edges)
    func sizesAreWhatIsWritten(_ value: UInt64) {
        for field in [1, 15, 16, 2047, 2048, ProtoWire.fieldNumberMax] {
            let bytes = written(20) { $0.varintField(field, value) }
            #expect(bytes.count == WireSize.varintField(field, value))
            let header = written(20) { $0.varint(UInt64(field) << 3) }
            #expect(header.count == WireSize.tag(field))
        }
    }

    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384])
    func sizesOfBytesAreWhatIsWritten(_ count: Int) {
        for field in [1, 15, 16, 2048] {
            let payload = [UInt8](repeating: 0xa5, count: count)
            let bytes = written(count + 12) { $0.bytesField(field, payload) }
            #expect(bytes.count == WireSize.bytesField(field, count: count))
            #expect(firstBytes(bytes) == .success(payload))
        }
    }

    @Test(arguments: edges)
    func exactRoomIsEnough(_ value: UInt64) {
        let bytes = written(WireSize.varint(value)) { $0.varint(value) }
        #expect(varint(bytes) == .success(value))
    }

    /// Long varints are stored eight bytes at a time where there is room, and only there.
    @Test(arguments: edges)
    func nothingIsWrittenBehindTheEnd(_ value: UInt64) {
        for room in WireSize.varint(value)...12 {
            var memory = [UInt8](repeating: 0xee, count: 32)
            memory.withUnsafeMutableBytes { raw in
                var writer = WireWriter(UnsafeMutableRawBufferPointer(rebasing: raw[..<room]))
                writer.varint(value)
            }
            #expect(memory[room...].allSatisfy { $0 == 0xee })
            #expect(varint(memory) == .success(value))
        }
    }

    @Test func varintPastTheEndTraps() async {
        await #expect(processExitsWith: .failure) {
            _ = written(1) { $0.varint(128) }
        }
        await #expect(processExitsWith: .failure) {
            _ = written(0) { $0.varint(0) }
        }
    }

    @Test func bytesPastTheEndTrap() async {
        await #expect(processExitsWith: .failure) {
            _ = written(4) { $0.bytesField(1, [1, 2, 3]) }
        }
        await #expect(processExitsWith: .failure) {
            _ = written(7) { $0.bigEndian(1) }
        }
    }
}
