public import StorageIO

/// Closed segments of a log, compressed and kept for good: `--wal-archive DIR`.
///
///     DIR/<sequence>-<firstIndex>.wal.lz4         one LZ4 frame; `lz4 -d` gives the segment
///     DIR/<sequence>-<firstIndex>.wal.lz4.tmp     being written
///
/// With a snapshot and the segments since, the store can be brought back as of any moment. Reading
/// them is `ArchivedLog`'s. A dir is for one member's one log: a segment that is there already
/// with the same bytes is left alone, and one with others is not overwritten.
public struct LogArchive<IO: FileStorage>: Sendable {
    public let directory: String
    private let storage: IO

    public init(_ directory: String, storage: IO) {
        self.directory = directory
        self.storage = storage
    }

    static var suffix: String { ".lz4" }

    public func path(of segment: WALSegmentName) -> String {
        "\(directory)/\(segment)\(Self.suffix)"
    }

    /// What is there, in its order.
    public func segments() throws(ArchiveError) -> [WALSegmentName] {
        try ArchiveError.catching(directory) { () throws(StorageError) in
            guard try storage.kind(of: directory) != nil else { return [] }
            return try storage.list(directory).compactMap { name in
                guard name.utf8.suffix(4).elementsEqual(Self.suffix.utf8) else { return nil }
                return WALSegmentName(String(name.dropLast(4)))
            }
        }
    }

    /// Puts a segment of the log in `logDirectory` into the archive, durably; its compressed size.
    /// The segment must be closed. Synchronous, and slow: for a thread that has time.
    public func store(
        _ segment: WALSegmentName, from logDirectory: String
    ) throws(ArchiveError) -> Int {
        let target = path(of: segment)
        let source = try ArchiveError.catching(target) { () throws(StorageError) in
            try storage.createDirectories(directory)
            return try storage.open("\(logDirectory)/\(segment)", for: .reading)
        }
        if let size = try sizeIfThere(target, of: source) { return size }
        let temporary = "\(target).tmp"
        do throws(ArchiveError) {
            let size = try compress(source, to: temporary)
            try ArchiveError.catching(target) { () throws(StorageError) in
                try storage.rename(temporary, to: target)
                try storage.syncDirectory(directory)
            }
            return size
        } catch {
            // It takes space that somebody may be short of; the next try replaces it.
            try? storage.remove(temporary)
            throw error
        }
    }

    /// The size of an archived segment that is whole and has these bytes; nil: none, or half of
    /// one, that may be replaced.
    private func sizeIfThere(_ path: String, of source: IO.File) throws(ArchiveError) -> Int? {
        let kind = try ArchiveError.catching(path) { () throws(StorageError) in
            try storage.kind(of: path)
        }
        guard kind != nil else { return nil }
        var offset = 0
        var isSame = true
        do throws(ArchiveError) {
            try decompress(path) { bytes throws(StorageError) in
                let expected = try source.read(count: bytes.count, at: offset)
                isSame = isSame && expected.elementsEqual(bytes)
                offset += bytes.count
            }
        } catch  where error.isDamage {
            return nil
        }
        let (size, length) = try ArchiveError.catching(path) { () throws(StorageError) in
            (try storage.open(path, for: .reading).sizeBytes(), try source.sizeBytes())
        }
        guard isSame, offset == length else { throw ArchiveError(.anotherLogs, file: path) }
        return size
    }

    /// Compresses `source` into a file of its own, durable when this returns.
    private func compress(_ source: IO.File, to path: String) throws(ArchiveError) -> Int {
        let compressor = LZ4Compressor()
        let file = try ArchiveError.catching(path) { () throws(StorageError) in
            try storage.open(path, for: .replacing)
        }
        var buffer: [UInt8] = []
        var written = 0
        func flush() throws(ArchiveError) {
            try ArchiveError.catching(path) { () throws(StorageError) in
                try file.write(buffer, at: written)
                // Each piece by itself: one big flush would make the log's syncs wait for it.
                try file.sync()
            }
            written += buffer.count
            buffer.removeAll(keepingCapacity: true)
        }
        do throws(LZ4Error) { buffer += try compressor.begin() } catch {
            throw ArchiveError(.compression(error.text), file: path)
        }
        var offset = 0
        while true {
            let piece = try ArchiveError.catching(source.path) { () throws(StorageError) in
                try source.read(count: LZ4Frame.blockBytes, at: offset)
            }
            offset += piece.count
            do throws(LZ4Error) {
                buffer += try piece.withBytes { bytes throws(LZ4Error) in
                    Array(try piece.isEmpty ? compressor.end() : compressor.compress(bytes))
                }
            } catch {
                throw ArchiveError(.compression(error.text), file: path)
            }
            if buffer.count >= 1 << 20 || piece.isEmpty { try flush() }
            if piece.isEmpty { return written }
        }
    }

    /// Opens the archived segment at `path`, piece by piece, and checks all of it.
    func decompress(
        _ path: String, _ take: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(ArchiveError) {
        let file = try ArchiveError.catching(path) { () throws(StorageError) in
            try storage.open(path, for: .reading)
        }
        let decompressor = LZ4Decompressor()
        var offset = 0
        while true {
            let piece = try ArchiveError.catching(path) { () throws(StorageError) in
                try file.read(count: LZ4Frame.blockBytes, at: offset)
            }
            guard !piece.isEmpty else { break }
            guard !decompressor.isAtEnd else {
                throw ArchiveError(.damaged("bytes behind the frame"), file: path)
            }
            try piece.withBytes { bytes throws(ArchiveError) in
                try decompress(bytes, with: decompressor, of: path, take)
            }
            offset += piece.count
        }
        guard decompressor.isAtEnd else {
            throw ArchiveError(.damaged("it ends too early"), file: path)
        }
    }

    private func decompress(
        _ bytes: UnsafeRawBufferPointer, with decompressor: LZ4Decompressor, of path: String,
        _ take: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(ArchiveError) {
        var rest = bytes
        var hasMore = true
        // A full output buffer may hide more that the input has given already.
        while !rest.isEmpty || hasMore {
            guard !decompressor.isAtEnd else {
                guard rest.isEmpty else {
                    throw ArchiveError(.damaged("bytes behind the frame"), file: path)
                }
                return
            }
            let (output, used): (UnsafeRawBufferPointer, Int)
            do throws(LZ4Error) { (output, used) = try decompressor.decompress(rest) } catch {
                throw ArchiveError(.damaged(error.text), file: path)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[used...])
            hasMore = !output.isEmpty
            try ArchiveError.catching(path) { () throws(StorageError) in try take(output) }
        }
    }
}

/// Why a segment could not be archived, or not be read from an archive.
public struct ArchiveError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Equatable, Sendable {
        case storage(StorageError)
        case compression(String)
        /// What is there is no whole LZ4 frame.
        case damaged(String)
        /// There is a segment of this name with other bytes.
        case anotherLogs
    }

    public var code: Code
    public var file: String

    init(_ code: Code, file: String) {
        self.code = code
        self.file = file
    }

    public var isDamage: Bool {
        if case .damaged = code { true } else { false }
    }

    public var description: String {
        if case .storage(let error) = code { return error.description }
        return "\(file): \(problem). \(advice)"
    }

    private var problem: String {
        switch code {
        case .storage(let error): error.problem
        case .compression(let text): "cannot be compressed: \(text)"
        case .damaged(let text): "the archived segment is damaged: \(text)"
        case .anotherLogs: "another log's segment of this name is there"
        }
    }

    public var advice: String {
        switch code {
        case .storage(let error): error.advice
        case .compression: "Restart kvd."
        case .damaged: "Check it with `lz4 -t`, and take a copy if there is one."
        case .anotherLogs: "Give each member, and each new life of one, a --wal-archive of its own."
        }
    }

    static func catching<Result>(
        _ path: String, _ body: () throws(StorageError) -> Result
    ) throws(ArchiveError) -> Result {
        do throws(StorageError) { return try body() } catch {
            throw ArchiveError(.storage(error), file: path)
        }
    }
}
