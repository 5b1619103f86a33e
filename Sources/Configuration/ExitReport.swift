/// What to print and log before the process ends, and the status it ends with.
package struct ExitReport: Equatable, Sendable {
    package let code: Int32
    /// For stdout as it is; empty or ending in a newline.
    package let standardOutput: String
    /// Plain lines for stderr, before the log lines.
    package let standardErrorLines: [String]
    /// For the log.
    package let notes: [ConfigurationNote]
    /// What was wrong; empty for help and version.
    package let faults: [ConfigurationFault]

    init(code: Int32, standardOutput: String) {
        self.code = code
        self.standardOutput = standardOutput
        standardErrorLines = []
        notes = []
        faults = []
    }

    /// The first fault decides the status, and whether the usage is printed.
    init(_ faults: [ConfigurationFault], notes: [ConfigurationNote]) {
        guard let first = faults.first else {
            preconditionFailure("a report of faults has a fault")
        }
        self.faults = faults
        code = first.exitCode
        standardOutput = first.stage == .commandLine ? UsageText.usage : ""
        standardErrorLines = faults.filter { $0.stage == .commandLine }.flatMap { fault in
            [fault.text] + (fault.advice.map { ["  " + $0] } ?? [])
        }
        self.notes = notes + faults.flatMap(\.notes)
    }
}
