import ProtoWire
import RaftModel
import Testing

/// Puts inputs through every decoder and counts what comes out; records an issue where an answer
/// is neither a value that survives its own encoding nor an error within the input.
struct HostileDecoding {
    private(set) var valueCount = 0
    private(set) var errorCount = 0
    /// A bit for each kind of error met.
    private var kindsSeen = 0
    var errorKindCount: Int { kindsSeen.nonzeroBitCount }

    mutating func decodeEverything(_ input: UnsafeRawBufferPointer) throws {
        try decode(Entry.self, input)
        try decode(HardState.self, input)
        try decode(ConfState.self, input)
        try decode(SnapshotMetadata.self, input)
        try decode(Snapshot.self, input)
        try decode(Message.self, input)
        try decode(ConfChange.self, input)
        // Reads through `RequestView.decode`.
        try decode(Request.self, input)
        do throws(WireError) {
            var reader = WireReader(input)
            while let field = try reader.nextField() { try reader.skip(field) }
            if !reader.isAtEnd { Issue.record("the walk ended before the end") }
        } catch {
            add(error, inputCount: input.count)
        }
    }

    private mutating func decode<T: WireCodable & Equatable>(
        _ type: T.Type, _ input: UnsafeRawBufferPointer
    ) throws {
        let value: T
        do throws(WireError) { value = try T.decode(input) } catch {
            add(error, inputCount: input.count)
            return
        }
        valueCount += 1
        let again = try T.decode(value.encoded())
        if again != value { Issue.record("\(value) became \(again) from \(Array(input))") }
    }

    private mutating func add(_ error: WireError, inputCount: Int) {
        errorCount += 1
        // An offset within the message, or the one just past its end.
        if error.offset < 0 || error.offset > inputCount {
            Issue.record("\(error) in \(inputCount) bytes")
        }
        kindsSeen |= 1 << Self.number(of: error.kind)
    }

    private static func number(of kind: WireError.Kind) -> Int {
        switch kind {
        case .truncated: 0
        case .varintTooLong: 1
        case .lengthPastEnd: 2
        case .badFieldNumber: 3
        case .badWireType: 4
        case .unknownValue: 5
        }
    }

    /// Messages, entries, commands and conf changes from the captures, and what they lack.
    static func corpus() throws -> [[UInt8]] {
        var samples: Set<[UInt8]> = []
        for capture in Capture.all where capture.name != "post-msgsnap" {
            for frame in try capture.frames() {
                samples.formUnion(frame.messages)
                samples.formUnion(frame.entries)
                let entries = try frame.entries.map { try Entry.decode($0) }
                let inside = try frame.messages.flatMap { try Message.decode($0).entries }
                samples.formUnion((entries + inside).map(\.data))
            }
        }
        let metadata = SnapshotMetadata(
            confState: ConfState(members: [MemberID(1), MemberID(.max)]), index: 300, term: 2)
        samples.insert(metadata.encoded())
        samples.insert(metadata.confState.encoded())
        samples.insert(Snapshot(data: [1, 2, 3], metadata: metadata).encoded())
        samples.insert(HardState(term: 7, vote: MemberID(.max), commit: 1 << 40).encoded())
        samples.insert(ConfChange(id: 9, kind: .remove, member: MemberID(.max)).encoded())
        // In an order that does not change from run to run.
        return samples.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
