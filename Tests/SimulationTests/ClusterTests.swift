import ProcessSupport
import Simulation
import Testing

/// Short runs of every profile; `Scripts/simulate` has the long ones.
@Suite struct ClusterTests {
    @Test(arguments: Profile.all.map(\.name)) func nothingBreaks(_ name: String) throws {
        let profile = try #require(Profile.named(name))
        for seed in 1...4 as ClosedRange<UInt64> {
            let run = Run(Scenario(seed: seed, profile: profile, steps: 15_000))
            #expect(
                run.violation == nil,
                """
                \(run.violation.map { "\($0)" } ?? "")
                again: kvd-sim --seed \(seed) --profile \(name) --steps 15000
                """)
            #expect(run.coverage[.endedInAgreement] == 1)
        }
    }

    @Test func aSeedGivesTheSameRun() {
        for seed in [7, 8] as [UInt64] {
            let scenario = Scenario(seed: seed, profile: Profile.all[0], steps: 10_000)
            let runs = (Run(scenario), Run(scenario))
            #expect(runs.0.fingerprint == runs.1.fingerprint && runs.0.steps == runs.1.steps)
        }
        let other = Run(Scenario(seed: 9, profile: Profile.all[0], steps: 10_000))
        let one = Run(Scenario(seed: 7, profile: Profile.all[0], steps: 10_000))
        #expect(other.fingerprint != one.fingerprint)
    }

    /// In another process too, where Swift's own hashes are other ones.
    @Test func aSeedGivesTheSameRunInAnotherProcess() throws {
        let arguments = ["--seed", "7", "--steps", "10000", "--trace", "--coverage"]
        let first = try Program.run("kvd-sim", arguments)
        let second = try Program.run("kvd-sim", arguments)
        #expect(first.status == 0 && first.output == second.output)
        #expect(first.output.contains("fingerprint"))
    }

    @Test func whatIsAskedWrongIsSaid() throws {
        for arguments in [
            [], ["--seeds", "9..1"], ["--seed", "1", "--profile", "nope"],
            ["--seed", "1", "--mutation", "nope"],
        ] {
            #expect(try Program.run("kvd-sim", arguments).status == 64)
        }
    }

    /// A quiet run does not pass for a good one.
    @Test func whatWasPromisedAndDidNotHappenIsSaid() {
        var coverage = Coverage()
        coverage.count(.leader)
        #expect(coverage.missing(of: [.leader, .candidate]) == [.candidate])
        #expect(Profile.all.allSatisfy { !$0.promises.isEmpty })
    }
}
