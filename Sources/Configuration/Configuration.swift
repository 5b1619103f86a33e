/// The server's flags and environment: etcd 2.3's command line, and what kvd adds to it.
///
///     arguments ──▶ CommandLineScanner ──▶ FlagValues ◀── EnvironmentReader ◀── environment
///                   Go's rules for words    one text a flag,   ETCD_*, KVD_*
///                                           and who gave it
///                        │
///                        ▼
///     ConflictChecks (etcd's, in its order) ──▶ ServerArguments ──▶ ServerConfiguration
///                                               swift-argument-parser    typed, complete
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
        arguments: [String], environment: [String: String]
    ) -> CommandLineResult {
        let role = ServerRole(arguments)
        var values = FlagValues(role: role)
        var faults: [ConfigurationFault] = []
        let words = Array(arguments.dropFirst(role.words.count))
        switch CommandLineScanner.scan(words, into: &values, faults: &faults) {
        case .help:
            return .exit(ExitReport(code: 0, standardOutput: UsageText.help))
        case .complete:
            break
        }
        if faults.isEmpty, values.text("version") == "true" {
            return .exit(ExitReport(code: 0, standardOutput: ProductVersion.report))
        }
        EnvironmentReader.read(environment, into: &values, faults: &faults)
        DiscoveryFlags.addDefaults(to: &values)
        faults += ConflictChecks.faults(in: &values)
        switch ServerConfiguration.make(from: values, earlierFaults: faults) {
        case .success(let configuration): return .run(configuration)
        case .failure(let list): return .exit(ExitReport(list.faults, notes: values.notes))
        }
    }
}

/// What reading the command line led to.
package enum CommandLineResult: Sendable {
    /// Start a server so.
    case run(ServerConfiguration)
    /// Print, log, exit: help, version, or faults.
    case exit(ExitReport)
}
