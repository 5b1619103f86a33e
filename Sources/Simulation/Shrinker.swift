/// Makes a run that failed shorter, as long as it fails in the same way: with fewer faults, simpler
/// weather, and an earlier end.
package struct Shrinker {
    private(set) var best: Run
    private var runsLeft: Int

    /// Tries at most `runsMax` shorter runs; gives the shortest that fails, with its trace.
    package static func shrink(
        _ failed: Run, runsMax: Int = 200, notes: Int = 200, messages: Int = 60
    ) -> Run {
        var shrinker = Shrinker(best: failed, runsLeft: runsMax)
        shrinker.run()
        return Run(shrinker.best.scenario, notes: notes, messages: messages)
    }

    private mutating func run() {
        cutEnd()
        takeOutFaults()
        simplifyWeather()
        takeOutFaults()
        cutEnd()
    }

    /// Whether `scenario` fails too; if so, it is the best from here on.
    private mutating func tries(_ scenario: Scenario) -> Bool {
        guard runsLeft > 0, let rule = best.violation?.rule else { return false }
        runsLeft -= 1
        let run = Run(scenario)
        guard run.violation?.rule == rule else { return false }
        best = run
        cutEnd()
        return true
    }

    /// What comes after the failure does not matter.
    private mutating func cutEnd() {
        best.scenario.steps = min(best.scenario.steps, Int(best.steps))
        let end = best.virtualNanoseconds
        best.scenario.faults.removeAll { $0.at > end }
    }

    /// Halves, quarters, and so on, down to single ones ("delta debugging", Zeller 1999).
    private mutating func takeOutFaults() {
        var size = max(1, best.scenario.faults.count / 2)
        while runsLeft > 0, !best.scenario.faults.isEmpty {
            var start = 0
            while start < best.scenario.faults.count, runsLeft > 0 {
                var shorter = best.scenario
                let end = min(start + size, shorter.faults.count)
                shorter.faults.removeSubrange(start..<end)
                if !tries(shorter) { start += size }
            }
            if size == 1 { return }
            size = max(1, size / 2)
        }
    }

    private mutating func simplifyWeather() {
        for _ in 0..<2 {
            for weather in best.scenario.weather.simplifications {
                var simpler = best.scenario
                simpler.weather = weather
                _ = tries(simpler)
            }
        }
    }
}
