package import Logging

/// The log lines of the server, in the shape that etcd 2.x writes and its users' tools read.
///
///     2026-11-23 09:54:22.498023 I | etcdserver: published {Name:m1 …} to cluster 7e2765… key=value
///     local time, microseconds  level  package: message                                   metadata
///
/// Data flow: any target holds a swift-log `Logger` whose label is the package of the line. The
/// logger's `LineLogHandler` reads its threshold (one relaxed atomic load; nothing else happens
/// for a line that is not wanted), formats the line into bytes (`LogLine`) and hands them to the
/// `LogSink`, one `write(2)` a line, so lines of several threads never mix. Thresholds live in
/// `LogLevels`: one for each package, changeable while the server runs (`--debug`,
/// `--log-package-levels`, and `PUT /config/local/log`). A `RepetitionLimit` between the two keeps
/// a line that repeats from filling the disk.
///
/// No Foundation in here: a log line costs a time zone conversion, one array and a system call.
package enum Logs {
    /// Makes every `Logger` created afterwards write such lines to `sink`. Once in a process.
    package static func bootstrap(levels: LogLevels = .shared, sink: LogSink = .standardError) {
        LoggingSystem.bootstrap { label in
            LineLogHandler(package: label, levels: levels, sink: sink, limit: repetitions)
        }
    }

    /// Writes how often lines were left out since they were last written: before the process ends.
    package static func flush(sink: LogSink = .standardError) {
        sink.write(repetitions.removeAll())
    }

    /// The process's limit: of all loggers that `bootstrap` makes.
    private static let repetitions = RepetitionLimit()

    /// A logger that needs no `bootstrap`: for tests, and for parts that are handed one.
    package static func logger(
        _ package: String, levels: LogLevels = .shared, sink: LogSink = .standardError,
        limit: RepetitionLimit? = nil
    ) -> Logger {
        Logger(label: package) { label in
            LineLogHandler(package: label, levels: levels, sink: sink, limit: limit)
        }
    }
}
