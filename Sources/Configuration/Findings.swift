internal import Cluster

/// What a configuration as a whole is found to be, once each of its values is known to be one.
package struct Findings: Equatable, Sendable {
    /// A server must not start with these.
    package var faults: [ConfigurationFault] = []
    /// It starts, but probably not as was meant.
    package var warnings: [ConfigurationNote] = []

    /// All lines of it.
    package var notes: [ConfigurationNote] { faults.flatMap(\.notes) + warnings }
}

extension ServerConfiguration {
    /// Finds all that is wrong at once.
    ///
    /// What the flags say about the first members counts only where no member lives yet; where one
    /// does, that they say anything is a warning.
    package func findings(_ machine: Machine, doubtful: Set<String> = []) -> Findings {
        let isFirstStart = !machine.holdsMember(dataDirectory, walDirectory)
        var findings = Findings()
        guard proxy.mode == .off else {
            findings.add(proxyTLSFindings)
            return findings
        }
        let forming: Set = [
            "name", "initial-cluster", "initial-advertise-peer-urls", "initial-cluster-state",
            "discovery", "discovery-srv", "data-dir",
        ]
        if isFirstStart, doubtful.isDisjoint(with: forming) {
            for fault in bootstrapCheck.faults(resolve: machine.resolve) {
                findings.faults.append(ConfigurationFault(fault, notes: notes(for: [fault])))
            }
        }
        findings.add(addressFindings(isFirstStart: isFirstStart, doubtful: doubtful))
        findings.add(tlsFindings)
        if !isFirstStart { findings.warnings += ignoredFlagsNotes }
        return findings
    }

    private var ignoredFlagsNotes: [ConfigurationNote] {
        let ignored = setFlags.filter { $0.hasPrefix("initial-") }.map(spelling).sorted()
        guard !ignored.isEmpty else { return [] }
        let text =
            "\(ignored.joined(separator: ", ")) ignored: a member lives in \(dataDirectory), and the "
            + "members are those that its log says. To begin a new member, give an empty --data-dir"
        return [ConfigurationNote(.info, text)]
    }

    /// A flag as whoever set it wrote it.
    func spelling(_ flag: String) -> String { settingVariables[flag] ?? "--\(flag)" }

    /// A line that sets a flag, to be copied.
    func line(_ flag: String, _ value: String) -> String {
        settingVariables[flag].map { "\($0)=\(value)" } ?? "--\(flag) \(value)"
    }
}

extension Findings {
    mutating func add(_ other: Findings) {
        faults += other.faults
        warnings += other.warnings
    }
}
