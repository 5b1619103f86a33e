import Foundation
import ProtoWire
import RaftModel
import Testing

/// Whatever the bytes are, a decoder answers with a value or a `WireError`: no trap, no read past
/// its slice, no hang. What it takes for a value is one: it encodes and decodes to itself.
@Suite struct HostileInputTests {
    private static let shards: [UInt64] = [1, 2, 3, 4]
    private static let inputsPerShard = 250_000

    /// A million inputs, each through every decoder, each against a page without access.
    @Test(.timeLimit(.minutes(5)), arguments: shards)
    func aMillionInputsThroughEveryDecoder(_ seed: UInt64) throws {
        let memory = GuardedMemory(pages: 1)
        var mutator = Mutator(corpus: try Self.corpus(), seed: seed)
        var tally = Tally()
        for _ in 0..<Self.inputsPerShard {
            let input = memory.place(mutator.next())
            try decodeEverything(input, &tally)
        }
        // Wounds that kill nothing, or everything, would test nothing.
        #expect(tally.values > Self.inputsPerShard / 10)
        #expect(tally.errors > Self.inputsPerShard)
        #expect(tally.errorKindCount == 6)
    }

    /// Every prefix of every sample, at the edge too: the ends that truncation reaches.
    @Test func everyPrefixIsReadWithinItsEnd() throws {
        let memory = GuardedMemory(pages: 1)
        var tally = Tally()
        for sample in try Self.corpus().prefix(40) {
            for count in 0...min(sample.count, 400) {
                try sample.withUnsafeBytes { raw in
                    let prefix = UnsafeRawBufferPointer(rebasing: raw[..<count])
                    try decodeEverything(memory.place(prefix), &tally)
                }
            }
        }
        #expect(tally.errors > 0 && tally.values > 0)
    }

    @Test func theGuardWorks() async {
        await #expect(processExitsWith: .failure) {
            let memory = GuardedMemory(pages: 1)
            let input = [UInt8(1), 2, 3].withUnsafeBytes { memory.place($0) }
            guard let base = input.baseAddress else { return }
            let past = base.load(fromByteOffset: input.count, as: UInt8.self)
            print(past)
        }
    }

    /// The smallest elements there are: memory stays in proportion to the input.
    @Test func aMegabyteOfEmptyElementsIsRead() throws {
        let entries = [UInt8]((0..<500_000).flatMap { _ in [0x3a, 0x00] as [UInt8] })
        #expect(try Message.decode(entries).entries.count == 500_000)
        let members = [0x0a, 0xc0, 0x84, 0x3d] + [UInt8](repeating: 1, count: 1_000_000)
        #expect(try ConfState.decode(members).members.count == 1_000_000)
    }

    /// What came out of a shard.
    private struct Tally {
        var values = 0
        var errors = 0
        /// A bit for each kind of error met.
        private var kindsSeen = 0
        var errorKindCount: Int { kindsSeen.nonzeroBitCount }

        mutating func add(_ error: WireError, inputCount: Int) {
            errors += 1
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
    }

    private func decodeEverything(_ input: UnsafeRawBufferPointer, _ tally: inout Tally) throws {
        try decode(Entry.self, input, &tally)
        try decode(HardState.self, input, &tally)
        try decode(ConfState.self, input, &tally)
        try decode(SnapshotMetadata.self, input, &tally)
        try decode(Snapshot.self, input, &tally)
        try decode(Message.self, input, &tally)
        try decode(ConfChange.self, input, &tally)
        // Reads through `RequestView.decode`.
        try decode(Request.self, input, &tally)
        do throws(WireError) {
            var reader = WireReader(input)
            while let field = try reader.nextField() { try reader.skip(field) }
            if !reader.isAtEnd { Issue.record("the walk ended before the end") }
        } catch {
            tally.add(error, inputCount: input.count)
        }
    }

    private func decode<T: WireCodable & Equatable>(
        _ type: T.Type, _ input: UnsafeRawBufferPointer, _ tally: inout Tally
    ) throws {
        let value: T
        do throws(WireError) { value = try T.decode(input) } catch {
            tally.add(error, inputCount: input.count)
            return
        }
        tally.values += 1
        let again = try T.decode(value.encoded())
        if again != value { Issue.record("\(value) became \(again) from \(Array(input))") }
    }

    /// Messages, entries, commands and conf changes from the captures, and what they lack.
    private static func corpus() throws -> [[UInt8]] {
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
