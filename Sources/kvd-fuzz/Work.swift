import ArgumentParser
import CAllocations
import Fuzzing
import StorageIO

/// One target's inputs, in this process.
struct Work {
    private let command: KvdFuzz
    private let trial: FuzzTrial
    private let seed: UInt64
    private var target: FuzzTarget { trial.target }

    init(_ command: KvdFuzz, _ target: FuzzTarget, seed: UInt64) throws {
        (self.command, self.seed) = (command, seed)
        trial = try FuzzTrial(
            target, allocations: Self.allocations, record: command.recordPath(target))
    }

    func run() throws {
        do {
            if let replay = command.replay {
                try trial.run(try FuzzCorpus.readFile(replay))
                command.say("\(target.name): keeps what it promises")
                return
            }
            let corpus = try FuzzCorpus.read("\(command.corpus)/\(target.name)")
            for input in corpus { try trial.runBeginnings(of: input.bytes) }
            command.say("\(target.name): \(corpus.count) files and their beginnings, \(figures)")
            if command.runs == nil, command.seconds == nil { return }
            if !command.blind, LibFuzzer.isBuiltIn { try guided(corpus) } else { try blind(corpus) }
        } catch let finding as FuzzFinding {
            command.say("\(target.name): \(finding) (seed \(seed), input \(trial.runs))")
            throw ExitCode(1)
        }
    }

    private func blind(_ corpus: [FuzzCorpus.Input]) throws {
        let started = MachineClock.monotonicNanoseconds
        let end = command.seconds.map { started + Int64($0) * 1_000_000_000 }
        let (runs, accepted) = (trial.runs, trial.accepted)
        var mutator = FuzzMutator(target, samples: corpus.map(\.bytes), seed: seed)
        while trial.runs - runs < command.runs ?? .max {
            if trial.runs % 256 == 0, let end, MachineClock.monotonicNanoseconds > end { break }
            try trial.run(mutator.next())
        }
        let seconds = Double(MachineClock.monotonicNanoseconds - started) / 1e9
        let count = trial.runs - runs
        command.say(
            "\(target.name): \(count) inputs of seed \(seed), \(trial.accepted - accepted) accepted, "
                + "\(Int(Double(count) / max(seconds, 0.001))) a second")
    }

    private func guided(_ corpus: [FuzzCorpus.Input]) throws {
        var words = [
            "-seed=\(UInt32(truncatingIfNeeded: seed) | 1)", "-max_len=\(target.inputBytesMax)",
            "-rss_limit_mb=2048", "-timeout=60", "-artifact_prefix=\(command.keep)/",
            "-verbosity=0", "-print_final_stats=0", "-print_funcs=0",
        ]
        // Swift tells more of a trap.
        words += ["segv", "ill", "abrt", "bus", "fpe"].map { "-handle_\($0)=0" }
        if let seconds = command.seconds { words.append("-max_total_time=\(seconds)") }
        if let runs = command.runs { words.append("-runs=\(runs)") }
        words += ["\(command.keep)/corpus/\(target.name)", "\(command.corpus)/\(target.name)"]
        let (runs, accepted) = (trial.runs, trial.accepted)
        let mutator = FuzzMutator(target, samples: corpus.map(\.bytes), seed: seed)
        LibFuzzer.run(
            words, mutator,
            atEnd: { [command, trial, seed] in
                command.say(
                    "\(trial.target.name): \(trial.runs - runs) inputs led by libFuzzer, seed \(seed), "
                        + "\(trial.accepted - accepted) accepted")
            },
            { [trial] input in try trial.run(input) })
        command.say("\(target.name): libFuzzer does not start; try --blind")
        throw ExitCode(1)
    }

    private var figures: String { "\(trial.runs) inputs, \(trial.accepted) accepted" }

    private static let allocations = FuzzTrial.Allocations(
        restartPeak: { kvd_allocated_peak_restart() }, allocated: { kvd_allocated_bytes() },
        peak: { kvd_allocated_peak() })
}
