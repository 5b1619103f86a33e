/// One run of a scenario, and what came of it.
package struct Run: Sendable {
    package var scenario: Scenario
    package var violation: Violation?
    package var steps: UInt64
    package var virtualNanoseconds: Int64
    package var fingerprint: UInt64
    package var coverage: Coverage
    /// The last lines of the trace; empty where none was wished.
    package var trace: [String]

    /// - Parameters notes, messages: how many of the last ones the trace keeps.
    package init(_ scenario: Scenario, notes: Int = 0, messages: Int = 0) {
        let world = World(scenario, trace: Trace(notes: notes, messages: messages))
        var violation: Violation?
        do throws(Violation) { try world.run() } catch { violation = error }
        self.init(world, violation)
    }

    private init(_ world: World, _ violation: Violation?) {
        scenario = world.scenario
        self.violation = violation
        (steps, virtualNanoseconds) = (world.step, world.now)
        (fingerprint, coverage) = (world.fingerprint, world.coverage)
        trace = world.trace.lines
    }
}
