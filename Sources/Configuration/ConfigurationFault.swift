internal import Cluster

/// One thing wrong with the command line or the environment.
package struct ConfigurationFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where etcd would have noticed it, which decides how it is reported.
    package enum Stage: Sendable {
        /// While reading the command line: a plain line, then the usage; exit 2.
        case commandLine
        /// While reading the environment: a critical log line; exit 1.
        case environment
        /// In the checks afterwards: `error verifying flags, …`; exit 1.
        case check
        /// While setting up the member: a critical log line; exit 1.
        case start
    }

    package let stage: Stage
    /// In etcd's words.
    package let text: String
    /// A second line of etcd's, if it writes one.
    package let secondText: String?
    /// What to do, in ours.
    package let advice: String?
    /// The flag that has no value because of it, or not the one that was meant.
    let flag: String?
    /// Lines in the place of those that `notes` makes of the texts.
    private let ownNotes: [ConfigurationNote]?

    package init(
        _ stage: Stage, _ text: String, second: String? = nil, advice: String? = nil,
        flag: String? = nil
    ) {
        self.stage = stage
        self.text = text
        secondText = second
        self.advice = advice
        self.flag = flag
        ownNotes = nil
    }

    /// A fault of a first start, with its lines.
    init(_ fault: BootstrapFault, notes: [ConfigurationNote]) {
        (stage, text, advice) = (.start, fault.description, fault.advice)
        (secondText, flag) = (nil, nil)
        ownNotes = notes
    }

    package var description: String { advice.map { "\(text). \($0)" } ?? text }

    package var exitCode: Int32 { stage == .commandLine ? 2 : 1 }

    /// The log lines that report it; none at the first stage, which has no log yet.
    package var notes: [ConfigurationNote] {
        if let ownNotes { return ownNotes }
        var notes: [ConfigurationNote]
        switch stage {
        case .commandLine: return []
        case .environment, .start: notes = [ConfigurationNote(.critical, text)]
        case .check:
            let line = "error verifying flags, \(text). See 'kvd --help'."
            notes = [ConfigurationNote(.error, line)]
        }
        if let secondText { notes.append(ConfigurationNote(.error, secondText)) }
        if let advice { notes.append(ConfigurationNote(.info, advice)) }
        return notes
    }
}

extension ConfigurationFault {
    static func unknownFlag(_ name: String, nearest: String?) -> ConfigurationFault {
        ConfigurationFault(
            .commandLine, "flag provided but not defined: -\(name)",
            advice: nearest.map { "Did you mean -\($0)?" }, flag: nearest)
    }

    static func badFlagSyntax(_ word: String) -> ConfigurationFault {
        ConfigurationFault(.commandLine, "bad flag syntax: \(word)")
    }

    static func missingArgument(_ flag: String) -> ConfigurationFault {
        ConfigurationFault(.commandLine, "flag needs an argument: -\(flag)", flag: flag)
    }

    static func badValue(_ value: String, flag: String, _ error: ValueError) -> ConfigurationFault {
        let isBoolean = FlagTable.flag(flag)?.kind == .boolean
        let what =
            isBoolean
            ? "invalid boolean value \(value.quotedAsGo) for -\(flag)"
            : "invalid value \(value.quotedAsGo) for flag -\(flag)"
        return ConfigurationFault(
            .commandLine, "\(what): \(error.reason)", advice: error.advice, flag: flag)
    }

    static func badVariable(
        _ key: String, value: String, flag: String, _ error: ValueError
    ) -> ConfigurationFault {
        ConfigurationFault(
            .environment, "invalid value \(value.quotedAsGo) for \(key): \(error.reason)",
            advice: error.advice, flag: flag)
    }
}
