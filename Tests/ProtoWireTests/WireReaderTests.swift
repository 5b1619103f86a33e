import ProtoWire
import Testing

@Suite struct WireReaderTests {
    @Test func emptyBytesHaveNoField() {
        #expect(fieldNumbers([]) == .success([]))
        var reader = WireReader(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(reader.isAtEnd)
        #expect(throws: Never.self) { try reader.nextField() == nil }
    }

    @Test func everyWireTypeIsSkipped() {
        let bytes: [UInt8] =
            [0x08, 0x96, 0x01]  // 1 varint
            + [0x11, 1, 2, 3, 4, 5, 6, 7, 8]  // 2 eight bytes
            + [0x1a, 0x02, 0xff, 0xff]  // 3 two bytes
            + [0x25, 1, 2, 3, 4]  // 4 four bytes
            + [0x2a, 0x00]  // 5 no bytes
        #expect(fieldNumbers(bytes) == .success([1, 2, 3, 4, 5]))
    }

    /// Bytes that are no message at all read as fields that nobody knows.
    @Test func aMessageOfUnknownFieldsIsNone() {
        let some = [UInt8](repeating: 0x78, count: 2 * WireReader.skippedMax)
        #expect(fieldNumbers(some).error == nil)
        #expect(
            fieldNumbers(some + some).error == WireError(.tooManyUnknownFields, at: some.count + 1))
    }

    @Test(arguments: [1, 15, 16, 2047, 2048, ProtoWire.fieldNumberMax])
    func fieldNumbersReadBack(_ number: Int) {
        let bytes = written(10) { $0.varintField(number, 7) }
        #expect(bytes.count == WireSize.varintField(number, 7))
        #expect(fieldNumbers(bytes) == .success([number]))
    }

    @Test func impossibleFieldNumbersAreRefused() {
        #expect(fieldNumbers([0x00, 0x00]).error == WireError(.badFieldNumber, at: 0))
        #expect(fieldNumbers([0x08, 0x01, 0x02]).error == WireError(.badFieldNumber, at: 2))
        let over = written(10) { $0.varint(UInt64(ProtoWire.fieldNumberMax + 1) << 3) }
        #expect(fieldNumbers(over).error == WireError(.badFieldNumber, at: 0))
        let huge = written(10) { $0.varint(.max) }
        #expect(fieldNumbers(huge).error == WireError(.badFieldNumber, at: 0))
    }

    @Test(arguments: [3, 4, 6, 7] as [UInt8])
    func groupsAndUnknownWireTypesAreRefused(_ wireType: UInt8) {
        let error = fieldNumbers([0x08, 0x00, 0x10 | wireType, 0x00]).error
        #expect(error == WireError(.badWireType(wireType, field: 2), at: 3))
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7] as [UInt8])
    func varintOfAnotherWireTypeIsRefused(_ wireType: UInt8) {
        let read = reading([0x08 | wireType, 0, 0, 0, 0, 0, 0, 0, 0]) { (r) throws(WireError) in
            guard let field = try r.nextField() else { return UInt64(0) }
            return try r.varint(of: field)
        }
        #expect(read.error == WireError(.badWireType(wireType, field: 1), at: 1))
    }

    @Test(arguments: [0, 1, 3, 4, 5, 6, 7] as [UInt8])
    func bytesOfAnotherWireTypeAreRefused(_ wireType: UInt8) {
        let error = firstBytes([0x08 | wireType, 0, 0, 0, 0, 0, 0, 0, 0]).error
        #expect(error == WireError(.badWireType(wireType, field: 1), at: 1))
    }

    @Test func lengthsAreHeldAgainstWhatIsLeft() {
        #expect(firstBytes([0x0a, 0x03, 1, 2, 3]) == .success([1, 2, 3]))
        #expect(firstBytes([0x0a, 0x00]) == .success([]))
        #expect(
            firstBytes([0x0a, 0x04, 1, 2, 3]).error == WireError(.lengthPastEnd(length: 4), at: 1))
    }

    @Test(arguments: [
        1 << 31, 1 << 32, UInt64(Int64.max), UInt64(Int64.max) + 1, .max - 1, .max,
    ])
    func hugeLengthsAreRefused(_ length: UInt64) {
        let bytes = written(11) { writer in
            writer.varint(1 << 3 | 2)
            writer.varint(length)
        }
        #expect(firstBytes(bytes).error == WireError(.lengthPastEnd(length: length), at: 1))
        #expect(fieldNumbers(bytes).error == WireError(.lengthPastEnd(length: length), at: 1))
    }

    @Test(
        arguments: [
            ([0x08], 1), ([0x08, 0x80], 1), ([0x0a], 1), ([0x0a, 0x80], 1), ([0x80], 0),
            ([0x09, 1, 2, 3, 4, 5, 6, 7], 1), ([0x0d, 1, 2, 3], 1), ([0x08, 0x01, 0x08], 3),
        ] as [([UInt8], Int)])
    func endInsideAFieldIsTruncated(_ bytes: [UInt8], _ offset: Int) {
        #expect(fieldNumbers(bytes).error == WireError(.truncated, at: offset))
    }

    @Test func boolsAreFalseOnlyForZero() {
        for (byte, expected) in [(0, false), (1, true), (2, true)] as [(UInt8, Bool)] {
            let read = reading([0x08, byte]) { (reader) throws(WireError) in
                guard let field = try reader.nextField() else { return !expected }
                return try reader.bool(of: field)
            }
            #expect(read == .success(expected))
        }
    }

    @Test func errorsSayWhatAndWhere() {
        let descriptions: [(WireError.Kind, String)] = [
            (.truncated, "protobuf: the bytes end inside a value at byte 9"),
            (.varintTooLong, "protobuf: a varint of more than 64 bits at byte 9"),
            (
                .lengthPastEnd(length: .max),
                "protobuf: a length of 18446744073709551615 reaches past the end at byte 9"
            ),
            (.badFieldNumber, "protobuf: an impossible field number at byte 9"),
            (.badWireType(3, field: 2), "protobuf: wire type 3 in field 2 at byte 9"),
            (.unknownValue(99, field: 1), "protobuf: unknown value 99 in field 1 at byte 9"),
        ]
        for (kind, text) in descriptions {
            #expect(WireError(kind, at: 9).description == text)
        }
    }
}
