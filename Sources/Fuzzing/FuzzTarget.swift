/// A reader, what it promises, and what its inputs are made of.
package struct FuzzTarget: Sendable {
    /// As its folder in `Fixtures/fuzz` is called.
    package let name: String
    /// What stands in for a line in a list.
    package let purpose: String
    /// What random bytes would take long to come upon.
    package var tokens: [[UInt8]] = []
    /// The longest input; longer ones are cut.
    package var inputBytesMax = 4096
    /// Of how many beginnings of an input it must be told; all of them, if the input has fewer.
    package var beginningsMax = 512
    /// How much of the time it is worth.
    package var weight = 1
    /// Memory that a reader may have at once, for each byte of its input, and beside that.
    package var memoryPerByte = 64
    package var memoryBytesBeside = 1 << 20
    /// Puts right what guards the bytes: checksums, and lengths that they cover.
    package var mend: (@Sendable (inout [UInt8]) -> Void)?
    /// Gives the input to the reader; false: the reader refused it.
    package var check: @Sendable (UnsafeRawBufferPointer) throws -> Bool

    init(
        _ name: String, _ purpose: String, tokens: [String] = [], weight: Int = 1,
        check: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Bool
    ) {
        (self.name, self.purpose, self.check) = (name, purpose, check)
        self.weight = weight
        self.tokens = tokens.map { Array($0.utf8) }
    }

    package static let all: [FuzzTarget] = [
        .wire, .appendStream, .messageStream, .httpRequest, .peerRequest, .keysForm, .requestTarget,
        .memberJSON, .authJSON, .registryJSON, .dns, .texts, .commandLine, .log, .segments,
        .archive,
        .marks, .snapshotFile, .state, .apply, .raft, .etcdSnapshot, .etcdStore,
    ]

    package static func named(_ name: String) -> FuzzTarget? {
        (all + planted).first { $0.name == name }
    }
}

/// Throws `finding` unless `holds`.
func require(_ holds: Bool, _ finding: @autoclosure () -> String) throws(FuzzFinding) {
    guard holds else { throw FuzzFinding(finding()) }
}

/// Where an input is cut into pieces: as its own bytes will have it, so that it is cut so each time.
struct FuzzCuts {
    private var state: UInt64

    init(of input: UnsafeRawBufferPointer) {
        state = input.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// Calls `body` with the pieces, in their order: single bytes mostly, or larger ones.
    mutating func forEach<Failure: Error>(
        of input: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let largest = 1 << Int(next() % 9)
        var start = 0
        while start < input.count {
            let end = min(input.count, start + 1 + Int(next() % UInt64(largest)))
            try body(UnsafeRawBufferPointer(rebasing: input[start..<end]))
            start = end
        }
    }

    private mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
