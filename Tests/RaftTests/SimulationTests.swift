import Foundation
import Testing

@Suite struct SimulationTests {
    static let one = ProcessInfo.processInfo.environment["KVD_SEED"].flatMap { UInt64($0) }
    static let count =
        ProcessInfo.processInfo.environment["KVD_SEEDS"].flatMap { UInt64($0) } ?? 64
    static let seeds: [UInt64] = one.map { [$0] } ?? Array(1...count)

    @Test(arguments: seeds)
    func survives(_ seed: UInt64) {
        var simulation = Simulation(seed: seed)
        do throws(Judge.Violation) {
            for _ in 0..<2000 { try simulation.step() }
            try simulation.settle()
        } catch {
            Issue.record(
                """
                \(error), step \(simulation.now); \
                again: KVD_SEED=\(seed) swift test --filter survives
                """)
        }
    }

    /// The same seed gives the same run; and the runs are about something.
    @Test func isDeterministic() throws {
        var committed: UInt64 = 0
        var reads = 0
        for seed in 1...8 as ClosedRange<UInt64> {
            var runs: [Simulation] = []
            for _ in 0..<2 {
                var simulation = Simulation(seed: seed)
                for _ in 0..<500 { try simulation.step() }
                runs.append(simulation)
            }
            #expect(runs[0].trace == runs[1].trace)
            committed += runs[0].judge.committedCount
            reads += runs[0].readsAnswered
        }
        #expect(committed > 200)
        #expect(reads > 20)
    }
}
