import Foundation
import RaftModel
import Testing

/// Whatever the bytes are, a decoder answers with a value or a `WireError`: no trap, no read past
/// its slice, no hang. What it takes for a value is one: it encodes and decodes to itself.
@Suite struct HostileInputTests {
    private static let shards: [UInt64] = [1, 2, 3, 4]
    private static let inputsPerShard = 250_000

    /// A million inputs, each through every decoder, each against a page without access.
    ///
    /// In processes of their own, so that a trap is a failure that names its seed, and so that
    /// nothing else misses what `forgetWhereErrorsAreThrown` turns off.
    @Test(.timeLimit(.minutes(5)), arguments: shards)
    func aMillionInputsThroughEveryDecoder(_ seed: UInt64) async {
        await #expect(processExitsWith: .success) { [seed] in
            HostileInputTests.forgetWhereErrorsAreThrown()
            let memory = GuardedMemory(pages: 1)
            var mutator = Mutator(corpus: try HostileDecoding.corpus(), seed: seed)
            var decoding = HostileDecoding()
            for _ in 0..<HostileInputTests.inputsPerShard {
                try decoding.decodeEverything(memory.place(mutator.next()))
            }
            // Wounds that kill nothing, or everything, would test nothing.
            #expect(decoding.valueCount > HostileInputTests.inputsPerShard / 10)
            #expect(decoding.errorCount > HostileInputTests.inputsPerShard)
            #expect(decoding.errorKindCount == 6)
        }
    }

    /// Swift Testing takes a backtrace of every `throw`, by hooks of Swift's runtime; with eight
    /// million of them that is three quarters of the time. If a later runtime has other names
    /// for the hooks, the test takes longer and nothing else changes.
    private static func forgetWhereErrorsAreThrown() {
        for name in ["_swift_willThrow", "_swift_willThrowTypedImpl"] {
            dlsym(UnsafeMutableRawPointer(bitPattern: 0), name)?.storeBytes(of: 0, as: UInt.self)
        }
    }

    /// Every prefix of every sample, at the edge too: the ends that truncation reaches.
    @Test func everyPrefixIsReadWithinItsEnd() throws {
        let memory = GuardedMemory(pages: 1)
        var decoding = HostileDecoding()
        for sample in try HostileDecoding.corpus().prefix(40) {
            for count in 0...min(sample.count, 400) {
                try sample.withUnsafeBytes { raw in
                    let prefix = UnsafeRawBufferPointer(rebasing: raw[..<count])
                    try decoding.decodeEverything(memory.place(prefix))
                }
            }
        }
        #expect(decoding.errorCount > 0 && decoding.valueCount > 0)
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
}
