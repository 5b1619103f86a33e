/// Many runs of one profile, until one fails or all are done.
package struct Campaign {
    package private(set) var coverage = Coverage()
    package private(set) var steps: UInt64 = 0
    package private(set) var runCount = 0
    package let profile: Profile
    package let stepsPerRun: Int

    package init(_ profile: Profile, stepsPerRun: Int) {
        (self.profile, self.stepsPerRun) = (profile, stepsPerRun)
    }

    /// Runs one seed; the run, if it failed.
    package mutating func run(seed: UInt64, mutation: Mutation? = nil) -> Run? {
        let run = Run(
            Scenario(seed: seed, profile: profile, steps: stepsPerRun, mutation: mutation))
        coverage.add(run.coverage)
        steps += run.steps
        runCount += 1
        return run.violation == nil ? nil : run
    }

    /// What the profile promises and these runs have not had, if they were enough to say so.
    ///
    /// - Parameter isFixed: the seeds are always the same ones. Fresh ones may be unlucky, and only
    ///   many of them prove anything.
    package func missing(isFixed: Bool) -> [Coverage.Counter] {
        let enough: UInt64 = isFixed ? 500_000 : 4_000_000
        return steps >= enough ? coverage.missing(of: profile.promises) : []
    }
}
