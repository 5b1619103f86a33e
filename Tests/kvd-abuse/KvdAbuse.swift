import Abuse
import ArgumentParser
import Glibc
import ProcessSupport

/// Everything that clients and peers may do to a member out of malice or by mistake.
@main
struct KvdAbuse: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvd-abuse",
        abstract: "Abuses a real kvd, and measures what a light client notices of it.",
        discussion: """
            For each scenario a kvd of its own: p99 of a light client when it is quiet and during the \
            abuse (ms), resident memory (MiB), open descriptors and lines of the log. Exit code 1: a bar \
            was missed. p99 means something on a machine that does nothing else. Where it misses its bar, \
            the same is done to a process that only reads ("of a sink"): if that slows the light client \
            as much, the processors are short, and kvd is not judged by it.

            Scenarios:
            \(Scenario.all.map { "  \($0.name): \($0.purpose)" }.joined(separator: "\n"))
            """)

    @Option(help: "This one only; may be given several times.")
    var scenario: [String] = []

    @Option(help: "Seconds of each of the two measurements.")
    var seconds = 10

    @Option(help: "A part of the connections only: one in so many.")
    var divisor = 1

    @Flag(help: "Do not judge times: something else runs on this machine.")
    var untimed = false

    func validate() throws {
        guard seconds > 0, divisor > 0 else {
            throw ValidationError("--seconds and --divisor take numbers above 0")
        }
        _ = try chosen()
    }

    func run() throws {
        Interruption.install()
        var bars = Bars()
        if untimed { bars.slowdownMax = nil }
        var outcomes: [Outcome] = []
        for scenario in try chosen() {
            note("\(scenario.name): \(scenario.purpose)")
            let trial = Trial(
                scenario, scale: Scenario.Scale(divisor: divisor), bars: bars,
                measuring: .seconds(seconds))
            let outcome = try trial.run()
            outcomes.append(outcome)
            for miss in outcome.misses { note("\(scenario.name) MISSED: \(miss)") }
        }
        print(Outcome.table(outcomes))
        if outcomes.contains(where: { !$0.misses.isEmpty }) { throw ExitCode(1) }
    }

    private func chosen() throws -> [Scenario] {
        if scenario.isEmpty { return Scenario.all }
        return try scenario.map { name in
            guard let found = Scenario.named(name) else {
                let names = Scenario.all.map(\.name).joined(separator: ", ")
                throw ValidationError("there is no scenario \(name); there are: \(names)")
            }
            return found
        }
    }

    private func note(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
