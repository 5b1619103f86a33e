import ArgumentParser
import Chaos
import Glibc
import ProcessSupport

/// Real members, and everything done to them that an operator fears.
@main
struct KvdChaos: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-chaos",
        abstract: "Starts real kvd processes, breaks them and their links, and judges them.",
        discussion: """
            Without a mode: rounds of faults on clusters of three and five under load, for --minutes or \
            --rounds. Exit code 1: a promise was broken; the data dirs and logs are kept.
            """)

    @Option(help: "Rounds of faults for so many minutes.")
    var minutes: Int?

    @Option(help: "So many rounds of faults.")
    var rounds: Int?

    @Option(help: "Where the draws begin; without it a fresh one, which is printed.")
    var seed: UInt64?

    @Option(help: "Clusters of this size only.")
    var members: Int?

    @Option(help: "Kill the leader of three so often, and measure until the next write.")
    var leaderKills: Int?

    @Option(help: "Kill a single member under load so often: nothing acknowledged is lost.")
    var singleKills: Int?

    @Option(help: "Damage copies of a data dir so often: recovered in full, or refused.")
    var damages: Int?

    func validate() throws {
        let modes = [leaderKills, singleKills, damages, minutes ?? rounds].compactMap { $0 }
        guard modes.count == 1 else {
            throw ValidationError(
                "say one of --minutes, --rounds, --leader-kills, --single-kills and --damages")
        }
        guard members.map({ [3, 5, 7].contains($0) }) ?? true else {
            throw ValidationError("--members takes 3, 5 or 7")
        }
    }

    func run() throws {
        Interruption.install(undo: ChaosRun.unmountAll)
        let seed = seed ?? UInt64.random(in: 1...(UInt64.max / 2))
        Self.say("seed \(seed)")
        do {
            if let leaderKills {
                Self.say(try LeaderKills.run(count: leaderKills, seed: seed, say: Self.say))
            } else if let singleKills {
                Self.say(try SingleKills.run(count: singleKills, seed: seed).summary)
            } else if let damages {
                Self.say(try DamageTrials.run(count: damages, seed: seed, say: Self.say).summary)
            } else {
                try runRounds(seed)
            }
        } catch let failure as ChaosFailure {
            Self.say("BROKEN: \(failure)")
            throw ExitCode(1)
        }
    }

    private func runRounds(_ seed: UInt64) throws {
        var options = ChaosRun.Options(seed: seed)
        if let members { options.sizes = [members] }
        if let rounds { options.rounds = rounds }
        if let minutes { options.seconds = minutes * 60 }
        let run = ChaosRun(options, say: Self.say)
        try run.run()
        Self.say(run.summary)
    }

    private static func say(_ text: String) {
        print(text)
        // Seen at once, also in a pipe.
        fflush(nil)
    }
}
