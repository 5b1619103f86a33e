import ArgumentParser
import Glibc
import ProcessSupport
import Soak

/// Mixed load with restarts, for as long as one likes: nothing may grow.
@main
struct KvdSoak: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-soak",
        abstract: "Loads real members for long, restarts them, and looks for what grows.",
        discussion: """
            Judged is the second half, on the member that is left alone in it: memory (median of the last \
            quarter of that half at most 5 % above that of its first), descriptors, threads, and the \
            disk (at most 9 segments of the log and 6 snapshots); and on those that are restarted, memory \
            (at most 50 % above) and disk. A snapshot that its own member finds damaged ends the run. Exit \
            code 1: something grew, or broke.
            """)

    @Option(help: "How long.")
    var minutes = 60.0

    @Option(help: "1 or 3.")
    var members = 3

    @Option(help: "Seconds from one restart to the next.")
    var restartEvery = 45

    func validate() throws {
        guard minutes > 0, restartEvery > 0, [1, 3].contains(members) else {
            throw ValidationError("--minutes and --restart-every are above 0, --members is 1 or 3")
        }
    }

    func run() throws {
        Interruption.install()
        var options = SoakRun.Options()
        options.members = members
        options.duration = .seconds(minutes * 60)
        options.restartEvery = .seconds(restartEvery)
        options.seed = UInt64.random(in: 0...(.max))
        do {
            let verdict = try SoakRun(options, say: Self.say).run()
            print(verdict.text)
            if verdict.isMissed || verdict.rows.isEmpty { throw ExitCode(1) }
        } catch let failure as Soak.Failed {
            Self.say("BROKEN: \(failure)")
            throw ExitCode(1)
        }
    }

    private static func say(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
