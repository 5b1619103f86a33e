/// The server's flags and environment: etcd 2.3's command line, and what kvd adds to it.
///
///     arguments ──▶ CommandLineScanner ──▶ FlagValues ◀── EnvironmentReader ◀── environment
///                   Go's rules for words    one text a flag,   ETCD_*, KVD_*
///                                           and who gave it
///                        │
///                        ▼
///     ConflictChecks (etcd's, in its order) ──▶ ServerArguments ──▶ ServerConfiguration
///                                               swift-argument-parser    typed, complete
///                                                                        │
///     Machine: addresses, /etc/environment,                              ▼
///     whether a member lives in the data dir ────────────────────▶ Findings: faults, warnings
///
/// `FlagTable` is the one place that knows a flag: name, kind, default, meaning; parsing, help and
/// environment follow from it. A new flag is a line there, a property of `ServerArguments` and
/// one of `ServerConfiguration`; a test fails if the three disagree.
///
/// Faults are collected, not thrown one by one: an operator sees all of them in one run. The
/// first one is the one etcd would have stopped at; it decides the exit code, in etcd's words.
/// Source: `reference/cli.md` §1 to §4.
package enum Configuration {
    /// Reads the command line (without the program's own name) and the environment.
    package static func read(
        arguments: [String], environment: [String: String], machine: Machine
    ) -> CommandLineResult {
        let role = ServerRole(arguments)
        let words = Array(arguments.dropFirst(role.words.count))
        let addresses = AddressPlaceholders(
            environment: environment, machine: machine,
            interface: interface(words, environment, machine))
        var values = FlagValues(role: role)
        var faults: [ConfigurationFault] = []
        switch CommandLineScanner.scan(words, addresses, into: &values, faults: &faults) {
        case .help:
            return .exit(ExitReport(code: 0, standardOutput: UsageText.help))
        case .complete:
            break
        }
        if faults.isEmpty, values.text("version") == "true" {
            return .exit(ExitReport(code: 0, standardOutput: ProductVersion.report))
        }
        EnvironmentReader.read(environment, addresses, into: &values, faults: &faults)
        DiscoveryFlags.addDefaults(to: &values)
        faults += ConflictChecks.faults(in: &values)
        let configuration = ServerConfiguration.make(from: values, addresses, faults: &faults)
        if let configuration, faults.isEmpty { return .run(configuration) }
        // What else is wrong, as far as the rest can be judged.
        let doubtful = Set(faults.compactMap(\.flag))
        faults += configuration?.findings(machine, doubtful: doubtful).faults ?? []
        return .exit(ExitReport(faults, notes: values.notes))
    }

    /// What `--interface` says, which has to be known before the values of other flags are.
    private static func interface(
        _ arguments: [String], _ environment: [String: String], _ machine: Machine
    ) -> String {
        let none = AddressPlaceholders(environment: [:], machine: machine, interface: "")
        var values = FlagValues()
        var faults: [ConfigurationFault] = []
        _ = CommandLineScanner.scan(arguments, none, into: &values, faults: &faults)
        EnvironmentReader.read(environment, none, into: &values, faults: &faults)
        return values.text("interface")
    }
}

/// What reading the command line led to.
package enum CommandLineResult: Sendable {
    /// Start a server so.
    case run(ServerConfiguration)
    /// Print, log, exit: help, version, or faults.
    case exit(ExitReport)
}
