import RaftModel
import StorageIO

extension WAL {
    /// Reads the log in `directory` (see `LogReader`) and opens it for appending.
    ///
    /// A torn tail is overwritten with zeros and the segment made durable as it was read, before
    /// this returns: what a killed process wrote unsynced counts from here on. Left-over
    /// preparations are removed. Throws without having written anything if the log is damaged.
    public static func recover(
        in directory: String, storage: IO, from snapshot: WALSnapshotRecord = .none,
        expecting expected: WALMetadata? = nil, options: WALOptions = .init()
    ) throws(WALError) -> (wal: WAL, log: RecoveredLog) {
        let (log, tail) = try LogReader<IO>.readWithTail(
            directory, storage: storage, from: snapshot, expecting: expected)
        let path = "\(directory)/\(tail.position.segment)"
        let file = try rethrowing(path) { () throws(StorageError) in
            let file = try storage.open(path, for: .updating)
            try file.lockExclusively()
            try clear(tail.position.endBytes..<tail.junkEndBytes, of: file)
            if tail.sizeBytes < options.segmentBytes {
                try file.preallocate(sizeBytes: options.segmentBytes)
            }
            try file.sync()
            for name in log.report.ignoredNames where name.hasTemporarySuffix {
                try storage.remove("\(directory)/\(name)")
            }
            // The segment's own name may be younger than the directory on the disk.
            try storage.syncDirectory(directory)
            return file
        }
        let wal = WAL(
            storage: storage, directory: directory, options: options, metadata: log.metadata,
            file: file, position: tail.position,
            lastIndex: max(log.lastIndex, log.snapshots.map(\.index).max() ?? 0),
            hardState: log.hardState)
        return (wal, log)
    }

    /// Zeros rather than a shorter file: the blocks stay where they are, and written.
    private static func clear(_ range: Range<Int>, of file: IO.File) throws(StorageError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(range.upperBound - offset, 1 << 20)
            try file.write([UInt8](repeating: 0, count: count), at: offset)
            offset += count
        }
    }
}

extension String {
    var hasTemporarySuffix: Bool { utf8.suffix(4).elementsEqual(".tmp".utf8) }
}
