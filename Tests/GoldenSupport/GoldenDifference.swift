package import Foundation

/// One step that kvd answers otherwise than etcd 2.3.8 did, on purpose: a line of
/// `Fixtures/golden/differences.txt`.
///
///     stats-store 19   a comparison that does not hold is no success
package struct GoldenDifference: Equatable, Sendable {
    package let scenario: String
    package let step: Int
    package let reason: String

    package static func load(_ file: URL) throws -> [GoldenDifference] {
        let text = try String(contentsOf: file, encoding: .utf8)
        return try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
            guard parts.count == 3, let step = Int(parts[1]) else {
                throw GoldenFailure("\(file.path): no scenario, step and reason: \(line)")
            }
            return GoldenDifference(
                scenario: String(parts[0]), step: step,
                reason: parts[2].trimmingCharacters(in: .whitespaces))
        }
    }

    /// Runs a scenario; what was not wanted of it.
    package static func unexpected(
        in scenario: GoldenScenario, _ wanted: [GoldenDifference],
        start: ([String]) throws -> GoldenServer
    ) throws -> [String] {
        // Etcd was recorded before such a key was gone; a slow machine is not there so soon.
        for _ in 0..<(scenario.hasKeyThatGoesAtOnce ? 40 : 0) {
            let found = try GoldenReplay.run([scenario], start: start)
            if unexpected(found, of: scenario, wanted).isEmpty { return [] }
        }
        return unexpected(
            try GoldenReplay.run([scenario], start: start), of: scenario, wanted)
    }

    /// The differences of a scenario's run that were not wanted, and the wanted ones that did not
    /// show: the list is to stay true.
    package static func unexpected(
        _ found: [GoldenReplay.Difference], of scenario: GoldenScenario,
        _ wanted: [GoldenDifference]
    ) -> [String] {
        let wanted = wanted.filter { $0.scenario == scenario.name }
        let unwanted = found.filter { difference in
            !wanted.contains { $0.step == difference.step }
        }
        let missing = wanted.filter { wanted in !found.contains { $0.step == wanted.step } }
        return unwanted.map(\.description)
            + missing.map { "\($0.scenario) #\($0.step) is answered as etcd did, but it is listed" }
    }
}
