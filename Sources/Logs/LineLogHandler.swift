package import Logging

/// Writes a logger's events as lines; one for each `Logger`, created by `Logs`.
///
/// The logger's label is the line's package. Its level is its package's in `LogLevels`, until
/// somebody sets `logLevel` on that one logger: then, as swift-log asks, it has a level of its own.
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let package: String
    private let sink: LogSink
    private let threshold: LogLevels.Threshold
    private let limit: RepetitionLimit?
    private var ownLevel: Logger.Level?

    /// - Parameter limit: nil: a line is written however often it comes.
    package init(package: String, levels: LogLevels, sink: LogSink, limit: RepetitionLimit?) {
        self.package = package
        self.sink = sink
        self.limit = limit
        threshold = levels.threshold(of: package)
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? threshold.level }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var shown = metadata
        if let provided = metadataProvider?.get() { shown.merge(provided) { _, new in new } }
        if let own = event.metadata { shown.merge(own) { _, new in new } }
        if let error = event.error { shown["error"] = "\(error)" }
        let line = RepetitionLimit.Line(
            level: event.level, package: package, message: event.message.description)
        guard let limit else { return sink.write(line, metadata: shown) }
        let verdict = limit.take(line)
        sink.write(verdict.overdue)
        if let omission = verdict.omission { sink.write(line, omission, metadata: shown) }
    }
}

extension LogSink {
    fileprivate func write(
        _ line: RepetitionLimit.Line, _ omission: RepetitionLimit.Omission = .init(),
        metadata: Logger.Metadata
    ) {
        let line = LogLine(
            time: LogLine.now(), level: line.level, package: line.package,
            message: line.message + omission.note, metadata: metadata)
        write(line.bytes)
    }

    func write(_ overdue: [(line: RepetitionLimit.Line, omission: RepetitionLimit.Omission)]) {
        for (line, omission) in overdue { write(line, omission, metadata: [:]) }
    }
}
