import ArgumentParser
import Glibc
import Simulation
import StorageIO

/// Whole clusters, simulated from a seed, until one breaks a promise.
@main
struct KvdSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-sim",
        abstract: "Simulates whole kvd clusters, and judges after each step whether all is well.",
        discussion: """
            The same seed, profile and steps give the same run, to the last bit. Exit code 1: a promise \
            was broken; 2: the runs were too quiet for what their profile promises.

            Profiles:
            \(Profile.all.map { "  \($0.name): \($0.purpose)" }.joined(separator: "\n"))
            """)

    @Option(help: "Run this seed, and say what its run was.")
    var seed: UInt64?

    @Option(help: "Run these seeds: FIRST..LAST.")
    var seeds: String?

    @Flag(help: "Run one fresh seed after the other until one fails.")
    var forever = false

    @Option(help: "Run fresh seeds for so many seconds.")
    var seconds: Int?

    @Option(help: "Events of a run, until all is mended and it must come to rest.")
    var steps = 50_000

    @Option(help: "What goes wrong; \"all\": each profile in turn.")
    var profile = "everything"

    @Option(help: "Put in a bug of the simulator's, to see it found.")
    var mutation: String?

    @Flag(help: "With --seed: print what happened in the run.")
    var trace = false

    @Option(help: "Of a trace: how many of the last messages to print.")
    var messages = 60

    @Flag(help: "Do not look for a shorter run that fails.")
    var noShrink = false

    @Flag(help: "Print how often each thing happened.")
    var coverage = false

    func run() throws {
        let profiles = try chosenProfiles()
        let mutation = try chosenMutation()
        if let seed { return try replay(seed, profiles[0], mutation) }
        var campaigns = profiles.map { Campaign($0, stepsPerRun: steps) }
        let started = MachineClock.monotonicNanoseconds
        for (number, seed) in try chosenSeeds().enumerated() {
            let i = number % campaigns.count
            if let failed = campaigns[i].run(seed: seed, mutation: mutation) {
                report(failed)
                throw ExitCode(1)
            }
            if isTimeUp(since: started) { break }
            if forever, number % 100 == 99 { say(summary(campaigns, since: started)) }
        }
        say(summary(campaigns, since: started))
        try judge(campaigns)
    }

    // MARK: What is wished

    private func chosenProfiles() throws -> [Profile] {
        if profile == "all" { return Profile.all }
        guard let chosen = Profile.named(profile) else {
            let names = Profile.all.map(\.name).joined(separator: ", ")
            throw ValidationError("there is no profile \(profile); there are: all, \(names)")
        }
        return [chosen]
    }

    private func chosenMutation() throws -> Mutation? {
        guard let mutation else { return nil }
        guard let chosen = Mutation(rawValue: mutation) else {
            let names = Mutation.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no mutation \(mutation); there are: \(names)")
        }
        return chosen
    }

    private func chosenSeeds() throws -> AnySequence<UInt64> {
        if let seeds {
            let ends = seeds.split(separator: ".").compactMap { UInt64($0) }
            guard ends.count == 2, ends[0] <= ends[1] else {
                throw ValidationError("--seeds takes FIRST..LAST, such as 1..100")
            }
            return AnySequence(ends[0]...ends[1])
        }
        guard forever || seconds != nil else {
            throw ValidationError("say which seeds: --seed, --seeds, --seconds or --forever")
        }
        let first = UInt64.random(in: 1...(UInt64.max / 2))
        say("fresh seeds, from \(first) on")
        return AnySequence(first...UInt64.max)
    }

    private func isTimeUp(since started: Int64) -> Bool {
        guard let seconds, !forever, seeds == nil else { return false }
        return MachineClock.monotonicNanoseconds - started >= Int64(seconds) * 1_000_000_000
    }

    // MARK: What came of it

    private func replay(_ seed: UInt64, _ profile: Profile, _ mutation: Mutation?) throws {
        let started = MachineClock.monotonicNanoseconds
        let run = Run(
            Scenario(seed: seed, profile: profile, steps: steps, mutation: mutation),
            notes: trace ? 2000 : 0, messages: trace ? messages : 0)
        let nanoseconds = max(1, MachineClock.monotonicNanoseconds - started)
        if trace { for line in run.trace { say(line) } }
        if coverage { say(run.coverage.table) }
        say("fingerprint \(String(run.fingerprint, radix: 16)) after \(run.steps) events")
        warn("\(Int64(run.steps) * 1_000_000_000 / nanoseconds) events a second")
        guard run.violation != nil else { return }
        report(run)
        throw ExitCode(1)
    }

    private func report(_ failed: Run) {
        guard let violation = failed.violation else { return }
        let (seed, name) = (failed.scenario.seed, failed.scenario.profile.name)
        say(
            """
            seed \(seed), profile \(name): after \(failed.steps) events
              \(violation)
            again: kvd-sim --seed \(seed) --profile \(name) --steps \(steps)
            """)
        guard !noShrink else { return }
        let shortest = Shrinker.shrink(failed, messages: messages)
        let faults = shortest.scenario.faults.map { "  \($0)" }.joined(separator: "\n")
        say(
            """

            the shortest run that fails so has \(shortest.steps) events and \
            \(shortest.scenario.faults.count) faults:
            \(faults)
            weather: \(shortest.scenario.weather)

            its last events:
            \(shortest.trace.joined(separator: "\n"))

            \(shortest.violation.map { "\($0)" } ?? "")
            """)
    }

    private func summary(_ campaigns: [Campaign], since started: Int64) -> String {
        let steps = campaigns.reduce(0) { $0 + $1.steps }
        let nanoseconds = max(1, MachineClock.monotonicNanoseconds - started)
        var lines = campaigns.filter { $0.runCount > 0 }.map {
            "\($0.profile.name): \($0.runCount) runs, \($0.steps) events, nothing broken"
        }
        lines.append(
            "\(steps) events in \(nanoseconds / 1_000_000_000) s: "
                + "\(Int64(steps) * 1_000_000_000 / nanoseconds) a second")
        return lines.joined(separator: "\n")
    }

    private func judge(_ campaigns: [Campaign]) throws {
        var all = Coverage()
        var isQuiet = false
        for campaign in campaigns {
            all.add(campaign.coverage)
            let missing = campaign.missing(isFixed: seeds != nil)
            guard !missing.isEmpty else { continue }
            isQuiet = true
            let names = missing.map { "\($0)" }.joined(separator: ", ")
            say("\(campaign.profile.name): these never happened: \(names)")
        }
        if coverage { say(all.table) }
        if isQuiet { throw ExitCode(2) }
    }

    private func say(_ text: String) { print(text) }

    /// Beside the answer: what differs from run to run.
    private func warn(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
