import BenchCore
import ProcessSupport

/// One scenario, done to a kvd of its own.
package struct Trial {
    private let scenario: Scenario
    private let scale: Scenario.Scale
    private let bars: Bars
    /// Of each of the two measurements.
    private let duration: Duration

    package init(
        _ scenario: Scenario, scale: Scenario.Scale = .full, bars: Bars = Bars(),
        measuring duration: Duration
    ) {
        (self.scenario, self.scale, self.bars, self.duration) = (scenario, scale, bars, duration)
    }

    /// Throws if it could not be done; what kvd did wrong is in the outcome.
    package func run() throws -> Outcome {
        Socket.raiseOpenFileLimit()
        var outcome = Outcome(name: scenario.name)
        let victim = try Victim(adding: scenario.flags)
        let light = LightClient(victim.clientPort)
        try light.prepare(requests: 20_000 / scale.divisor)
        try scenario.prepare(victim)
        outcome.quiet = try light.measure(duration)
        outcome.before = try victim.restingFootprint()
        let logBefore = lineCount(victim.log)
        try abuse(victim, light, &outcome)
        guard victim.end == nil else { return outcome }
        try awaitReturn(victim, &outcome)
        if let slowdownMax = bars.slowdownMax, outcome.isSlow(outcome.during, beyond: slowdownMax) {
            outcome.control = try control(victim, light)
        }
        outcome.logLines = lineCount(victim.log) - logBefore
        try judge(victim, light, &outcome)
        return outcome
    }

    private func abuse(
        _ victim: Victim, _ light: LightClient, _ outcome: inout Outcome
    ) throws {
        var assailants: [Assailant] = []
        defer { for assailant in assailants { assailant.stop() } }
        try attack(victim.clientPort, victim.peerPort, of: victim, &assailants)
        var peak = outcome.before
        var (newcomers, turnedAway) = (0, 0)
        func look() {
            newcomers += 1
            if !victim.answersNewcomer() { turnedAway += 1 }
            guard let now = try? victim.footprint() else { return }
            peak.residentBytes = max(peak.residentBytes, now.residentBytes)
            peak.descriptorCount = max(peak.descriptorCount, now.descriptorCount)
        }
        outcome.during = try light.measure(duration, eachSecond: look)
        // The measurement may be shorter than the attack.
        let whole = scenario.endsWithin
        do {
            try waitUntil("the attack is over", within: whole ?? .seconds(60)) {
                let tallies = assailants.map(\.tally)
                if victim.end != nil { return true }
                return tallies.allSatisfy { $0.isComplete && (whole == nil || $0.open == 0) }
            }
        } catch is DeadlineExceeded {
            let open = assailants.reduce(0) { $0 + $1.tally.open }
            outcome.misses.append("\(open) connections are open after \(whole ?? .seconds(60))")
        }
        outcome.tally = assailants.map(\.tally).reduce(Tally(), +)
        outcome.peak = peak
        if turnedAway > 0 {
            outcome.misses.append("\(turnedAway) of \(newcomers) newcomers were not answered")
        }
        if let end = victim.end { outcome.misses.append(end) }
        try countThoseThatDoNotRead(victim, &outcome)
    }

    /// Begins what the scenario has in store for `victim`, on these ports.
    private func attack(
        _ clientPort: Endpoint, _ peerPort: Endpoint, of victim: Victim,
        _ assailants: inout [Assailant]
    ) throws {
        for onslaught in try scenario.onslaughts(victim, scale) {
            assailants.append(
                try Assailant(onslaught, clientPort: clientPort, peerPort: peerPort))
        }
    }

    /// The same on a sink: what the light client notices of an attack that kvd has no part in.
    private func control(_ victim: Victim, _ light: LightClient) throws -> LightClient.Reading {
        let sink = try Sink()
        var assailants: [Assailant] = []
        defer {
            for assailant in assailants { assailant.stop() }
            sink.stop()
        }
        try attack(sink.port, sink.port, of: victim, &assailants)
        return try light.measure(duration)
    }

    /// Who reads nothing does not see that its connection has been ended: kvd's descriptors tell.
    private func countThoseThatDoNotRead(_ victim: Victim, _ outcome: inout Outcome) throws {
        guard victim.end == nil else { return }
        let borne = try victim.footprint().descriptorCount - outcome.before.descriptorCount
        outcome.tally.cut += max(0, outcome.tally.open - max(0, borne))
    }

    /// Waits until kvd has given back what it took.
    private func awaitReturn(_ victim: Victim, _ outcome: inout Outcome) throws {
        let limit = limits(of: outcome.before)
        let deadline = ContinuousClock.now + bars.patience
        repeat {
            outcome.after = try victim.restingFootprint()
        } while !(outcome.after.residentBytes <= limit.residentBytes
            && outcome.after.descriptorCount <= limit.descriptorCount)
            && ContinuousClock.now < deadline
    }

    private func limits(of before: Footprint) -> Footprint {
        var limit = before
        limit.residentBytes += max(
            bars.growthBytesMin, Int(Double(before.residentBytes) * bars.growthMax))
        limit.descriptorCount += Int(Double(before.descriptorCount) * bars.growthMax)
        return limit
    }

    private func judge(_ victim: Victim, _ light: LightClient, _ outcome: inout Outcome) throws {
        let limit = limits(of: outcome.before)
        if outcome.after.residentBytes > limit.residentBytes {
            outcome.misses.append(
                "memory: \(outcome.after.residentBytes) bytes, \(outcome.before.residentBytes) before"
            )
        }
        if outcome.after.descriptorCount > limit.descriptorCount {
            outcome.misses.append(
                "descriptors: \(outcome.after.descriptorCount), \(outcome.before.descriptorCount) before"
            )
        }
        if let slowdownMax = bars.slowdownMax, let control = outcome.control,
            !outcome.isSlow(control, beyond: slowdownMax)
        {
            outcome.misses.append(
                """
                p99: \(outcome.during.p99) µs, \(outcome.quiet.p99) µs when it was quiet, \
                \(control.p99) µs when somebody else was attacked
                """)
        }
        if bars.slowdownMax != nil, outcome.during.unsentCount > 0 {
            outcome.misses.append("\(outcome.during.unsentCount) requests were late beyond the end")
        }
        if !outcome.during.failures.isEmpty {
            outcome.misses.append("the light client's requests failed: \(outcome.during.failures)")
        }
        if outcome.logLines > bars.logLinesMax {
            outcome.misses.append("\(outcome.logLines) lines in the log")
        }
        if outcome.tally.begun == 0 || outcome.tally.refused == outcome.tally.begun {
            outcome.misses.append("no abuse has been done")
        }
        let answered = try victim.request("PUT", "/v2/keys/after", form: "value=1").status
        if answered != 201 { outcome.misses.append("a write afterwards is answered \(answered)") }
        if let trouble = try scenario.check(victim) { outcome.misses.append(trouble) }
        for word in ["Fatal error", "Precondition failed", "Assertion failed", "panic"]
        where victim.log.contains(word) {
            outcome.misses.append("\(word) in the log")
        }
    }

    private func lineCount(_ text: String) -> Int { text.utf8.count { $0 == 10 } }
}
