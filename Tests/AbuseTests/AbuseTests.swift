import Abuse
import ProcessSupport
import Testing

/// A tenth of what `kvd-abuse` does, and no judgement of times.
@Suite(.serialized, .timeLimit(.minutes(5))) struct AbuseTests {
    @Test(arguments: Scenario.all.map(\.name))
    func isBorne(_ name: String) throws {
        let scenario = try #require(Scenario.named(name))
        var bars = Bars()
        bars.slowdownMax = nil
        // A debug build, and the malloc of a process that has just begun; a sanitizer has more beside
        // each allocation, and keeps what was freed for a while.
        bars.growthBytesMin = (48 << 20) * Patience.factor
        bars.patience = .seconds(60)
        let trial = Trial(
            scenario, scale: Scenario.Scale(divisor: 20), bars: bars, measuring: .seconds(1))
        let outcome = try trial.run()
        #expect(outcome.misses.isEmpty, "\(outcome.misses.joined(separator: "\n"))")
    }
}
