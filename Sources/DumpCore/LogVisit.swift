import Storage
import StorageIO

/// Reads a log record by record, and tells how far it is.
enum LogVisit {
    /// `totalBytes`: of all its segments; 0: not known, or not all of them are wanted.
    static func run(
        _ directory: String, storage: some FileStorage, from index: UInt64? = nil,
        _ progress: Progress, totalBytes: Int = 0, _ visit: (LogRecord) -> Bool
    ) throws(DumpError) -> LogScanSummary {
        progress.begin("reading \(directory)", totalBytes: totalBytes)
        do throws(WALError) {
            return try LogScan.run(directory, storage: storage, from: index) { record in
                progress.add(record.frameBytes)
                return visit(record)
            }
        } catch {
            throw DumpError("\(error)")
        }
    }
}
