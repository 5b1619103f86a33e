import FixtureSupport
import Simulation
import Testing

/// Bugs put in on purpose are found, each within a few seeds. `Scripts/mutations` does the same with
/// bugs inside the real code.
@Suite struct MutationTests {
    /// Each must be found in so many.
    private static let seedsMax: UInt64 = 30

    struct Case: CustomTestStringConvertible, Sendable {
        var mutation: Mutation
        var profile: String
        /// Which rules it may break first.
        var rules: [String]

        var testDescription: String { mutation.rawValue }

        init(_ mutation: Mutation, _ profile: String, _ rules: [String]) {
            (self.mutation, self.profile, self.rules) = (mutation, profile, rules)
        }
    }

    /// The seed that found it last: 1, but for those said.
    static let cases = [
        Case(
            .skipLogSync, "crashes",
            ["a crash leaves what can be started", "what was durable is remembered"]),
        Case(
            .skipDirectorySync, "crashes",
            [
                "leader completeness", "what was durable is remembered",
                "a crash leaves what can be started", "no log lacks what is committed",
            ]),
        // 2.
        Case(
            .answerBeforeSync, "crashes",
            ["what was durable is remembered", "what was promised is remembered"]),
        Case(
            .forgetVoteOnRestart, "crashes",
            ["what was promised is remembered", "one vote a term"]),
        Case(.cutTailTooFar, "crashes", ["what was durable is remembered"]),
        Case(
            .readWithoutRound, "network",
            ["linearizability", "reads see what was acknowledged"]),
        // 6.
        Case(.ignoreLogInVotes, "network", ["leader completeness"]),
        // 4.
        Case(
            .countRejectedVotes, "network",
            ["log matching", "election safety", "leader completeness"]),
        Case(.acknowledgeTooMuch, "network", ["durable on a majority before committed"]),
        // 3.
        Case(
            .skipEntryAfterSnapshot, "snapshots",
            ["commit before apply", "equal stores", "a crash leaves what can be started"]),
        // 3.
        Case(
            .applyTwiceAfterSnapshot, "snapshots",
            ["equal stores", "a crash leaves what can be started"]),
        Case(.changeEntryOnTheWay, "network", ["log matching"]),
        Case(
            .loseNotification, "calm",
            ["comes to rest when nothing fails", "watches without gap or repeat"]),
        Case(.repeatNotification, "calm", ["watches without gap or repeat"]),
        // 3.
        Case(.readTooEarly, "crashes", ["reads of a member never go back"]),
        Case(
            .answerBeforeCommit, "network",
            ["linearizability", "reads see what was acknowledged"]),
    ]

    @Test(arguments: cases) func isFound(_ bug: Case) throws {
        let profile = try #require(Profile.named(bug.profile))
        for seed in 1...Self.seedsMax {
            let run = Run(
                Scenario(seed: seed, profile: profile, steps: 15_000, mutation: bug.mutation))
            guard let violation = run.violation else { continue }
            #expect(bug.rules.contains(violation.rule), "seed \(seed): \(violation)")
            return
        }
        Issue.record("\(bug.mutation) was not found in \(Self.seedsMax) seeds of \(bug.profile)")
    }

    @Test func allAreTried() {
        #expect(Set(Self.cases.map(\.mutation)) == Set(Mutation.allCases))
    }

    /// Each line that `Scripts/mutations` puts a bug in place of is there, once.
    @Test func theListFitsTheSources() throws {
        let list = try Fixture.text("simulation/mutations.txt")
        var (file, lines): (String, [String]) = ("", [])
        var replacedCount = 0
        for line in list.split(separator: "\n") {
            if line.hasPrefix("file ") {
                file = String(line.dropFirst("file ".count))
                lines = try Fixture.text("../\(file)").split(separator: "\n").map(Self.bare)
            } else if line.hasPrefix("- ") {
                let replaced = Self.bare(line.dropFirst())
                #expect(lines.count { $0 == replaced } == 1, "\(file): \(replaced)")
                replacedCount += 1
            }
        }
        #expect(replacedCount >= 12)
    }

    private static func bare(_ line: Substring) -> String {
        String(line.trimmingPrefix { $0 == " " || $0 == "\t" })
    }

    /// The shortest run fails as the long one did, with fewer faults.
    @Test func runsAreShortened() throws {
        let profile = try #require(Profile.named("crashes"))
        let failed = try #require(
            (1...20).lazy.map { seed in
                Run(
                    Scenario(
                        seed: seed, profile: profile, steps: 8000, mutation: .skipLogSync))
            }.first { $0.violation != nil })
        let short = Shrinker.shrink(failed, runsMax: 40)
        #expect(short.violation?.rule == failed.violation?.rule)
        #expect(short.scenario.faults.count < failed.scenario.faults.count)
        #expect(!short.trace.isEmpty)
    }
}
