import RaftModel
import StorageIO

extension WAL {
    /// Reads the log in `directory` (see `LogReader`) and opens it for appending.
    ///
    /// A torn tail is cleared away and the segment made durable as it was read, before this
    /// returns: what a killed process wrote unsynced counts from here on, and is written again, because
    /// a sync of it may have failed before. Left-over preparations
    /// are removed, recycled files too; a whole reserve stays. Throws without having written anything if the log is damaged.
    public static func recover(
        in directory: String, storage: IO, from snapshot: WALSnapshotRecord = .none,
        expecting expected: WALMetadata? = nil, options: WALOptions = .init(),
        progress: ((_ bytesRead: Int, _ bytesTotal: Int) -> Void)? = nil
    ) throws(WALError) -> (wal: WAL, log: RecoveredLog) {
        let (log, tail) = try LogReader<IO>.readWithTail(
            directory, storage: storage, from: snapshot, expecting: expected,
            progress: progress)
        let path = "\(directory)/\(tail.position.segment)"
        let (file, hasReserve) = try rethrowing(path) { () throws(StorageError) in
            let file = try storage.open(path, for: .updating)
            try file.lockExclusively()
            try rewrite(tail.vouchedBytes..<tail.position.endBytes, of: file)
            try clear(tail.position.endBytes..<tail.junkEndBytes, of: file)
            try extend(file, to: options.segmentBytes)
            try file.sync()
            let hasReserve = try tidy(directory, storage, log.report.ignoredNames, options)
            // The segment's own name may be younger than the directory on the disk.
            try storage.syncDirectory(directory)
            return (file, hasReserve)
        }
        let wal = WAL(
            storage: storage, directory: directory, options: options, metadata: log.metadata,
            file: file, position: tail.position, closed: tail.closed,
            lastIndex: max(log.lastIndex, log.snapshots.map(\.index).max() ?? 0),
            hardState: log.hardState)
        if hasReserve { wal.reserve = .there }
        return (wal, log)
    }

    /// Writes what is there once more. After a sync that failed the cache still has what the disk has
    /// not, and takes it for synced: another sync would do nothing, and power failing later would tear
    /// a hole into what had been read, taken for durable and built upon.
    private static func rewrite(_ range: Range<Int>, of file: IO.File) throws(StorageError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let piece = try file.read(count: min(1 << 20, range.upperBound - offset), at: offset)
            try file.write(piece, at: offset)
            offset += piece.count
        }
    }

    /// Makes sure that nothing in `range` can be read as a part of the log when it grows again.
    private static func clear(_ range: Range<Int>, of file: IO.File) throws(StorageError) {
        // Zeros leave the blocks where they are, and written; of a recycled file's whole rest
        // that would take too long.
        guard range.count <= 1 << 20 else {
            return try file.truncate(sizeBytes: range.lowerBound)
        }
        guard !range.isEmpty else { return }
        try file.write([UInt8](repeating: 0, count: range.count), at: range.lowerBound)
    }

    private static func extend(_ file: IO.File, to size: Int) throws(StorageError) {
        guard try file.sizeBytes() < size else { return }
        do throws(StorageError) {
            try file.preallocate(sizeBytes: size)
        } catch  where error.isOutOfSpace {
            // Writing meets it again, and knows how to wait.
        }
    }

    /// Removes what an earlier run had prepared; says whether a whole reserve is there.
    private static func tidy(
        _ directory: String, _ storage: IO, _ names: [String], _ options: WALOptions
    ) throws(StorageError) -> Bool {
        var hasReserve = false
        for name in names where name.hasTemporarySuffix {
            let path = "\(directory)/\(name)"
            if name == reserveName, options.keepsReserve {
                let size = try storage.open(path, for: .reading).sizeBytes()
                hasReserve = size == options.segmentBytes
                if hasReserve { continue }
            }
            try storage.remove(path)
        }
        return hasReserve
    }
}

extension String {
    var hasTemporarySuffix: Bool { utf8.suffix(4).elementsEqual(".tmp".utf8) }
}
