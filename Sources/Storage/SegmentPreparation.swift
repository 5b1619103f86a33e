public import StorageIO

/// The next segment, made while the present one is being filled.
///
/// A preparation may be carried out on any thread; only its result goes back to the log's.
public struct SegmentPreparation<IO: FileStorage>: Sendable {
    enum Source: Sendable {
        /// A new file, its blocks reserved; with zeros in them, if so wished.
        case fresh(writesZeros: Bool)
        /// A released segment: its blocks were written before, and stay as they are.
        case recycled
    }

    let storage: IO
    /// `<number>.tmp` or `<number>.recycled.tmp` in the log's dir: no segment, so a restart
    /// removes it.
    let path: String
    let sizeBytes: Int
    let source: Source

    /// Gives a file of the segment's size, durable and not in the log yet.
    public func run() throws(StorageError) -> PreparedSegment<IO> {
        do throws(StorageError) {
            switch source {
            case .recycled: return try reuse()
            case .fresh(let writesZeros): return try make(writesZeros: writesZeros)
            }
        } catch {
            // Half of one, or one that does not do, takes space that somebody may be short of.
            try? storage.remove(path)
            throw error
        }
    }

    private func make(writesZeros: Bool) throws(StorageError) -> PreparedSegment<IO> {
        let file = try storage.open(path, for: .replacing)
        try file.preallocate(sizeBytes: sizeBytes)
        if writesZeros {
            // In pieces, each synced: one big flush would make the log's own syncs wait for it.
            let zeros = [UInt8](repeating: 0, count: min(sizeBytes, 1 << 19))
            var offset = 0
            while offset + zeros.count <= sizeBytes {
                try file.write(zeros, at: offset)
                try file.sync()
                offset += zeros.count
            }
        }
        try file.sync()
        return PreparedSegment(file: file, path: path, leftOverEnd: 0)
    }

    private func reuse() throws(StorageError) -> PreparedSegment<IO> {
        let file = try storage.open(path, for: .updating)
        let size = try file.sizeBytes()
        if size > sizeBytes { try file.truncate(sizeBytes: sizeBytes) }
        if size < sizeBytes { try file.preallocate(sizeBytes: sizeBytes) }
        try file.sync()
        return PreparedSegment(file: file, path: path, leftOverEnd: min(size, sizeBytes))
    }
}

/// A file that can become the next segment.
public struct PreparedSegment<IO: FileStorage>: Sendable {
    let file: IO.File
    let path: String
    /// Where that ends which an earlier life left in the file; zeros follow.
    let leftOverEnd: Int
}

enum PreparationState<IO: FileStorage> {
    case none
    case underWay
    case done(PreparedSegment<IO>)
}
