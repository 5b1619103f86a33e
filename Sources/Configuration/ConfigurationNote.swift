/// A line for the log, found before there is a log to write it to; the caller writes it.
package struct ConfigurationNote: Equatable, Sendable, CustomStringConvertible {
    package enum Level: String, Sendable {
        case critical = "C"
        case error = "E"
        case warning = "W"
        case notice = "N"
        case info = "I"
    }

    package let level: Level
    /// The line's package: the logger's label.
    package let package: String
    package let text: String

    package init(_ level: Level, _ package: String, _ text: String) {
        (self.level, self.package, self.text) = (level, package, text)
    }

    /// A line of the part that reads flags and starts the server.
    init(_ level: Level, _ text: String) {
        self.init(level, "etcdmain", text)
    }

    /// As in the log, without its time.
    package var description: String { "\(level.rawValue) | \(package): \(text)" }
}
