import ArgumentParser
import Fuzzing
import Glibc
import StorageIO

/// Gives readers bytes that nobody meant, and says which of them broke a promise.
@main
struct KvdFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-fuzz",
        abstract: "Holds every reader of bytes that others wrote to what it promises.",
        discussion: """
            Without --runs or --seconds the corpus is replayed, with the beginnings of its inputs. Each \
            target has a process of its own. Exit code 1: a promise was broken; the input that did it \
            is kept.

            Targets:
            \(FuzzTarget.all.map { "  \($0.name): \($0.purpose)" }.joined(separator: "\n"))
            """)

    @Option(help: "Only this one; may be given several times.")
    var target: [String] = []

    @Option(help: "Inputs for each target.")
    var runs: Int?

    @Option(help: "Seconds for all targets together.")
    var seconds: Int?

    @Option(help: "Where the inputs come from; a fresh one otherwise.")
    var seed: UInt64?

    @Option(help: "The folder with a folder of inputs for each target.")
    var corpus = "Fixtures/fuzz"

    @Option(help: "Where inputs are kept that broke a promise, and those that led to new places.")
    var keep = ".build/fuzz"

    @Option(help: "Give this file to the target, and nothing else.")
    var replay: String?

    @Flag(help: "Do not let libFuzzer lead the way, where it is built in.")
    var blind = false

    @Flag(help: .hidden)
    var inProcess = false

    func validate() throws {
        for name in target where FuzzTarget.named(name) == nil {
            let names = FuzzTarget.all.map(\.name).joined(separator: ", ")
            throw ValidationError("there is no target \(name); there are: \(names)")
        }
        if replay != nil, target.count != 1 {
            throw ValidationError("--replay needs the one --target that the file is for")
        }
        if let seconds, seconds < 1 { throw ValidationError("--seconds must be at least 1") }
    }

    func run() throws {
        let targets = target.isEmpty ? FuzzTarget.all : target.compactMap(FuzzTarget.named)
        let seed = seed ?? UInt64.random(in: 0...UInt64(UInt32.max))
        if inProcess {
            for target in targets { try Work(self, target, seed: seed).run() }
            return
        }
        var hasFailed = false
        let shares = targets.reduce(0) { $0 + $1.weight }
        for target in targets {
            let share = seconds.map { max(1, $0 * target.weight / shares) }
            let watch = Watch(self, target, seed: seed, seconds: share)
            if try !watch.run() { hasFailed = true }
        }
        if hasFailed { throw ExitCode(1) }
    }

    func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// The input under way in a target's process.
    func recordPath(_ target: FuzzTarget) -> String { "\(keep)/\(target.name).input" }
}
