import FixtureSupport
import Foundation
import Fuzzing
import ProcessSupport
import StorageIO
import Testing

/// Every reader keeps its promises for all of the corpus, its beginnings, and some inputs made from
/// them: of a seed that never changes, and of one that always does. `Scripts/fuzz` does more.
@Suite struct FuzzingTests {
    private static let targets = FuzzTarget.all.map(\.name)

    @Test(arguments: targets)
    func theCorpusIsSurvived(_ target: String) throws {
        let corpus = try FuzzCorpus.read("\(FuzzProgram.corpus)/\(target)")
        #expect(!corpus.isEmpty, "a target without seeds finds little")
        let outcome = try FuzzProgram.run(["--target", target])
        #expect(outcome.status == 0, "\(outcome.text)")
    }

    @Test(arguments: targets, [UInt64(1), UInt64.random(in: 2...UInt64(UInt32.max))])
    func newInputsAreSurvived(_ target: String, _ seed: UInt64) throws {
        let outcome = try FuzzProgram.run(
            ["--target", target, "--seed", "\(seed)", "--runs", "\(runs(target))", "--blind"])
        #expect(outcome.status == 0, "\(outcome.text)")
    }

    /// In a debug build, where a command line takes 50 ms.
    private func runs(_ target: String) -> Int { target == "command-line" ? 50 : 1000 }

    @Test func everyFolderOfTheCorpusHasATarget() throws {
        let folders = try PosixStorage().list(FuzzProgram.corpus).filter { $0 != "README.md" }
        #expect(folders == Self.targets.sorted())
    }

    /// What breaks a promise is found, told, and kept so that it can be seen again.
    @Test(arguments: [
        ("planted-trap", "ended by signal"), ("planted-overrun", "ended by signal"),
        ("planted-greed", "bytes of memory"), ("planted-lie", "planted"),
    ])
    func brokenPromisesAreFound(_ target: String, _ word: String) throws {
        let folder = try TemporaryDirectory()
        let words = ["--target", target, "--keep", folder.path]
        let found = try FuzzProgram.run(words + ["--runs", "20000", "--seed", "3", "--blind"])
        #expect(found.status == 1)
        #expect(found.text.contains(word), "\(found.text)")
        let kept = try PosixStorage().list(folder.path).filter { $0.hasSuffix(".crash") }
        let crash = try #require(kept.first, "\(found.text)")
        let again = try FuzzProgram.run(words + ["--replay", "\(folder.path)/\(crash)"])
        #expect(again.status == 1 && again.text.contains(word), "\(again.text)")
    }

    @Test func theSameSeedGivesTheSameInputs() throws {
        let target = try #require(FuzzTarget.named("log"))
        let samples = try FuzzCorpus.read("\(FuzzProgram.corpus)/log").map(\.bytes)
        func inputs(_ seed: UInt64) -> [[UInt8]] {
            var mutator = FuzzMutator(target, samples: samples, seed: seed)
            return (0..<200).map { _ in mutator.next() }
        }
        #expect(inputs(7) == inputs(7))
        #expect(inputs(7) != inputs(8))
        #expect(inputs(7).allSatisfy { $0.count <= target.inputBytesMax })
    }

    /// Behind checksums nothing would be reached without them.
    @Test(arguments: ["log", "segments", "archive", "marks", "snapshot-file", "etcd-snapshot"])
    func checksumsArePutRight(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let mend = try #require(target.mend)
        for input in try FuzzCorpus.read("\(FuzzProgram.corpus)/\(name)") {
            func isAccepted(_ bytes: [UInt8]) throws -> Bool {
                try bytes.withUnsafeBytes { try target.check($0) }
            }
            var mended = input.bytes
            mend(&mended)
            #expect(try isAccepted(input.bytes) == isAccepted(mended), "\(input.name)")
        }
    }
}

/// kvd-fuzz of this build, as a process.
private enum FuzzProgram {
    static let corpus = Fixture.root.appending(path: "fuzz").path(percentEncoded: false)

    static func run(_ words: [String]) throws -> (status: Int32, text: String) {
        let folder = try TemporaryDirectory()
        let process = Process()
        process.executableURL = ProcessSupport.executable("kvd-fuzz")
        process.arguments =
            ["--corpus", corpus] + (words.contains("--keep") ? [] : ["--keep", folder.path]) + words
        // The input that is kept tells more than a long trace.
        var environment = ProcessInfo.processInfo.environment
        environment["SWIFT_BACKTRACE"] = "enable=no"
        if words.contains(where: { $0.hasPrefix("planted") }) {
            // A sanitizer would report what is meant to happen.
            for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
                environment[name, default: ""] += ":handle_segv=0"
            }
        }
        process.environment = environment
        return try process.runToEnd()
    }
}
