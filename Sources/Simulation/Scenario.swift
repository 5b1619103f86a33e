import StorageIO

/// All that decides a run.
package struct Scenario: Sendable {
    package var seed: UInt64
    package var profile: Profile
    /// Events until everything is mended and the cluster must come to rest.
    package var steps: Int
    package var weather: Weather
    package var faults: [Fault]
    /// A bug of the host's that is put in on purpose; nil: none.
    package var mutation: Mutation?

    package init(
        seed: UInt64, profile: Profile, steps: Int, mutation: Mutation? = nil
    ) {
        (self.seed, self.profile, self.steps, self.mutation) = (seed, profile, steps, mutation)
        var random = SplitMix64(seed: seed, purpose: 1)
        weather = Weather(profile, &random)
        faults = Self.plan(profile, seed: seed)
    }

    /// Virtual time for which faults are planned; runs end long before.
    private static let horizon: Int64 = 600 * Simulation.second
    /// Until members have found each other.
    private static let quietStart: Int64 = 500 * Simulation.millisecond

    private static func plan(_ profile: Profile, seed: UInt64) -> [Fault] {
        var faults: [Fault] = []
        for (number, entry) in profile.faults.enumerated() {
            var random = SplitMix64(seed: seed, purpose: 100 + UInt64(number))
            // Each run has some of the faults often, and some not at all.
            let factor = random.pick([1, 1, 2, 4, 0])
            guard factor > 0 else { continue }
            let mean = Int64(entry.everyMilliseconds * factor) * Simulation.millisecond
            var time = quietStart + random.between(0, mean)
            while time < horizon {
                let duration = random.around(700 * Simulation.millisecond)
                faults.append(
                    Fault(entry.kind, at: time, duration: duration, draw: random.next()))
                time += random.between(mean / 5, mean * 2)
            }
        }
        return faults.sorted { ($0.at, $0.draw) < ($1.at, $1.draw) }
    }
}
