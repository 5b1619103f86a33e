package import Logging
internal import Synchronization

/// The level from which on lines are written, for every package; shared by all handlers.
///
/// Thread-safe. A handler keeps its package's `Threshold` and reads it with one relaxed atomic
/// load, so a change takes effect at each logger's next line, whatever thread it is on.
package final class LogLevels: Sendable {
    /// The process's levels: what `Logs.bootstrap` uses unless told otherwise.
    package static let shared = LogLevels()

    private struct State {
        var all: Logger.Level
        var thresholds: [String: Threshold] = [:]
    }

    private let state: Mutex<State>

    package init(_ all: Logger.Level = .info) {
        state = Mutex(State(all: all))
    }

    /// Sets every package, those that log later included: `PUT /config/local/log`, `--debug`.
    package func setAll(_ level: Logger.Level) {
        state.withLock { state in
            state.all = level
            for threshold in state.thresholds.values { threshold.level = level }
        }
    }

    /// Sets one package's level; `*` is all of them.
    package func set(_ package: String, to level: Logger.Level) {
        guard package != "*" else { return setAll(level) }
        threshold(of: package).level = level
    }

    /// Carries out `--debug` and `--log-package-levels`. Returns a warning to log (package
    /// etcdmain) if the latter, possibly empty, could not be read and was left aside.
    package func configure(isDebug: Bool, packageLevels: String) -> String? {
        setAll(isDebug ? .debug : .info)
        guard !packageLevels.isEmpty else { return nil }
        do throws(LogLevelError) {
            try apply(packageLevels)
            return nil
        } catch {
            return "couldn't parse log level string: \(error), continuing with default levels"
        }
    }

    /// Carries out a `--log-package-levels` value, all of it or, at a fault, nothing.
    package func apply(_ specification: String) throws(LogLevelError) {
        for (package, level) in try Self.parse(specification) { set(package, to: level) }
    }

    /// Reads `etcdserver=DEBUG,raft=WARNING,*=INFO`: packages and levels, in their order.
    package static func parse(
        _ specification: String
    ) throws(LogLevelError) -> [(package: String, level: Logger.Level)] {
        var result: [(package: String, level: Logger.Level)] = []
        for setting in specification.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = setting.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw LogLevelError(code: .notAssignment, text: String(setting))
            }
            guard let level = level(named: parts[1]) else {
                throw LogLevelError(code: .unknownLevel, text: String(parts[1]))
            }
            result.append((String(parts[0]), level))
        }
        return result
    }

    /// The level that a name or letter of etcd 2.x means, in any case; nil if there is none.
    ///
    /// Source: `reference/client-api.md` §10, `/config/local/log`.
    package static func level(named name: some StringProtocol) -> Logger.Level? {
        switch name.uppercased() {
        case "CRITICAL", "C": .critical
        case "ERROR", "E", "0": .error
        case "WARNING", "W", "1": .warning
        case "NOTICE", "N", "2": .notice
        case "INFO", "I", "3": .info
        case "DEBUG", "D", "4": .debug
        case "TRACE", "T", "5": .trace
        default: nil
        }
    }

    func threshold(of package: String) -> Threshold {
        state.withLock { state in
            if let known = state.thresholds[package] { return known }
            let new = Threshold(state.all)
            state.thresholds[package] = new
            return new
        }
    }

    /// One package's level, in one atomic byte.
    final class Threshold: Sendable {
        private let severity: Atomic<UInt8>

        init(_ level: Logger.Level) { severity = Atomic(Self.byte(level)) }

        var level: Logger.Level {
            get { Self.level(severity.load(ordering: .relaxed)) }
            set { severity.store(Self.byte(newValue), ordering: .relaxed) }
        }

        private static func byte(_ level: Logger.Level) -> UInt8 {
            switch level {
            case .trace: 0
            case .debug: 1
            case .info: 2
            case .notice: 3
            case .warning: 4
            case .error: 5
            case .critical: 6
            }
        }

        private static func level(_ byte: UInt8) -> Logger.Level {
            switch byte {
            case 0: .trace
            case 1: .debug
            case 2: .info
            case 3: .notice
            case 4: .warning
            case 5: .error
            default: .critical
            }
        }
    }
}

/// Why a `--log-package-levels` value was refused.
package struct LogLevelError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        case notAssignment
        case unknownLevel
    }

    package let code: Code
    /// The part that is wrong, as it was written.
    package let text: String

    package var description: String {
        switch code {
        case .notAssignment:
            "\"\(text)\" is not of the form PACKAGE=LEVEL. Write for example "
                + "\"etcdserver=DEBUG,raft=WARNING\""
        case .unknownLevel:
            "\"\(text)\" is not a log level. Use CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG "
                + "or TRACE"
        }
    }
}
