import RaftModel
import Storage
import StorageIO

/// `kvd-dump wal`: the records of a log.
package struct LogDump {
    package struct Options: Sendable {
        package var fromIndex: UInt64?
        package var toIndex: UInt64?
        /// Empty: all.
        package var kinds: Set<LogKind> = []
        package var grep: [UInt8]?
        package var isJSON = false
        package var isHex = false
        package var isSummaryOnly = false
        /// Of a value, how much is shown.
        package var valueBytes = 40
        /// Where segments are that left the log.
        package var archive: String?

        package init() {}
    }

    /// Returns whether the log is whole.
    package static func run(
        _ path: String, _ options: Options, _ output: Output
    ) throws(DumpError) -> Bool {
        let dirs = try DataDirFinder.dirs(path)
        guard let archive = options.archive else {
            return try run(dirs.wal, PosixStorage(), options, output)
        }
        return try run(
            dirs.wal, ArchivedLog(dirs.wal, archive: archive, storage: PosixStorage()), options,
            output)
    }

    private static func run(
        _ wal: String, _ storage: some FileStorage, _ options: Options, _ output: Output
    ) throws(DumpError) -> Bool {
        var figures = LogFigures()
        var progress = Progress("reading the log")
        let summary: LogScanSummary
        do throws(WALError) {
            summary = try LogScan.run(wal, storage: storage) { record in
                let line = LogLine(record)
                figures.add(line)
                progress.show("\(figures.recordCount) records")
                if !options.isSummaryOnly, options.wants(line) {
                    output.line(
                        options.isJSON
                            ? line.json(isHex: options.isHex)
                            : line.text(valueBytes: options.valueBytes, isHex: options.isHex))
                }
                return true
            }
        } catch {
            throw DumpError("\(error)")
        }
        progress.end()
        if !options.isJSON || options.isSummaryOnly { figures.write(summary, output) }
        for damage in summary.damage where options.isJSON { output.line(jsonError(damage)) }
        return summary.damage.isEmpty
    }

    private static func jsonError(_ error: WALError) -> String {
        "{\"damage\":\"\(Escape.text(Array("\(error)".utf8), limit: .max))\"}"
    }
}

/// A kind of record, as `--type` names it.
package enum LogKind: String, CaseIterable, Sendable {
    case metadata, entry, confchange, state, crc, snapshot
}

extension LogDump.Options {
    func wants(_ line: LogLine) -> Bool {
        if !kinds.isEmpty, !kinds.contains(line.kind) { return false }
        if let fromIndex, line.index.map({ $0 < fromIndex }) ?? true { return false }
        if let toIndex, line.index.map({ $0 > toIndex }) ?? true { return false }
        if let grep, !line.contains(grep) { return false }
        return true
    }
}
