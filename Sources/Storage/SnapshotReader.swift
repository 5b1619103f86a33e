internal import RaftModel
public import StorageIO

/// Reads one snapshot file, in a constant amount of memory. Synchronous; one thread.
///
/// The trailer is read first, so that a file that was cut off is known for one before anything in it
/// is opened. What `next` gives has passed the checksum of its block; only `nil` says that all of
/// the file, every byte of it, is what was written.
public final class SnapshotReader<IO: FileStorage> {
    public let header: SnapshotHeader
    public let path: String
    public let fileBytes: Int
    /// What the trailer says that `next` will give in all.
    public var stateBytes: Int { Int(clamping: trailer.stateBytes) }
    /// Two files that have the same are the same to the last byte: checksums, and who wrote it when.
    public var identity: String {
        let numbers = [
            UInt64(fileBytes), UInt64(trailer.crc), header.member.rawValue,
            UInt64(bitPattern: header.createdAt),
        ]
        return numbers.map { String($0, radix: 16) }.joined(separator: "-")
    }
    /// Stays open as long as somebody refers to it.
    public let file: IO.File
    private let trailer: SnapshotTrailer
    /// Made when they are needed: whoever only sends the file reads nothing of the state.
    private lazy var decompressor = LZ4Decompressor()
    private var memory: UnsafeMutableRawBufferPointer?
    /// Bytes of the file in `memory` that were not opened yet.
    private var waiting = 0..<0
    /// Where the next read of the file begins.
    private var offset: Int
    private var crc = CRC32C()
    private var openedBytes: UInt64 = 0
    private var isDone = false

    public init(_ path: String, storage: IO) throws(SnapshotError) {
        self.path = path
        let (file, size) = try SnapshotError.catching(path) { () throws(StorageError) in
            let file = try storage.open(path, for: .reading)
            return (file, try file.sizeBytes())
        }
        (self.file, fileBytes) = (file, size)
        let smallest =
            SnapshotFormat.headerBytesMin + SnapshotFormat.frameBytesMin
            + SnapshotFormat.trailerBytes
        guard size >= smallest else { throw Self.damaged(.notASnapshot, path, size) }
        let head = try Self.read(file, min(size, SnapshotFormat.headerBytesMax), at: 0)
        let headerBytes = head.withUnsafeBytes { bytes in
            SnapshotHeader.size(
                UnsafeRawBufferPointer(rebasing: bytes.prefix(SnapshotFormat.headerBytesMin)))
        }
        guard let headerBytes, headerBytes <= head.count else {
            throw Self.damaged(.notASnapshot, path, 0)
        }
        do throws(SnapshotDamage) {
            header = try head.withBytes { bytes throws(SnapshotDamage) in
                try SnapshotHeader.decode(
                    UnsafeRawBufferPointer(rebasing: bytes.prefix(headerBytes)))
            }
        } catch {
            throw Self.damaged(error, path, 0)
        }
        trailer = try Self.trailer(of: file, size)
        crc.update(Array(head.prefix(headerBytes)))
        offset = headerBytes
    }

    deinit { memory?.deallocate() }

    /// The next bytes of the state, void after the next call; nil: that was all, and all is well.
    public func next() throws(SnapshotError) -> UnsafeRawBufferPointer? {
        while !isDone {
            let memory = takeMemory()
            if waiting.isEmpty { try fill(memory) }
            let place = offset - waiting.count
            let input = UnsafeRawBufferPointer(rebasing: memory[waiting])
            let output: UnsafeRawBufferPointer
            do throws(LZ4Error) {
                let opened = try decompressor.decompress(input)
                output = opened.output
                waiting = (waiting.lowerBound + opened.used)..<waiting.upperBound
            } catch {
                throw Self.damaged(.frame(error.text), path, place)
            }
            openedBytes += UInt64(output.count)
            if decompressor.isAtEnd { try finish() }
            if !output.isEmpty { return output }
        }
        return nil
    }

    private var frameEnd: Int { fileBytes - SnapshotFormat.trailerBytes }

    private func takeMemory() -> UnsafeMutableRawBufferPointer {
        if let memory { return memory }
        let new = UnsafeMutableRawBufferPointer.allocate(
            byteCount: LZ4Frame.blockBytes, alignment: 4096)
        memory = new
        return new
    }

    private func fill(_ memory: UnsafeMutableRawBufferPointer) throws(SnapshotError) {
        let count = min(memory.count, frameEnd - offset)
        guard count > 0 else { throw Self.damaged(.frame("it has no end"), path, offset) }
        let space = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
        let got = try SnapshotError.catching(path) { () throws(StorageError) in
            try file.read(into: space, at: offset)
        }
        guard got == count else { throw Self.damaged(.noTrailer, path, offset + got) }
        crc.update(UnsafeRawBufferPointer(space))
        waiting = 0..<count
        offset += count
    }

    private func finish() throws(SnapshotError) {
        guard waiting.isEmpty, offset == frameEnd else {
            throw Self.damaged(.frame("something lies behind its end"), path, offset)
        }
        guard crc.value == trailer.crc else {
            throw Self.damaged(
                .checksum(expected: trailer.crc, found: crc.value), path, frameEnd)
        }
        guard openedBytes == trailer.stateBytes else {
            throw Self.damaged(
                .stateLength(expected: trailer.stateBytes, found: openedBytes), path, frameEnd)
        }
        isDone = true
    }

    private static func trailer(
        of file: IO.File, _ size: Int
    ) throws(SnapshotError) -> SnapshotTrailer {
        let start = size - SnapshotFormat.trailerBytes
        let bytes = try read(file, SnapshotFormat.trailerBytes, at: start)
        do throws(SnapshotDamage) {
            let trailer = try bytes.withBytes { bytes throws(SnapshotDamage) in
                try SnapshotTrailer.decode(bytes)
            }
            guard trailer.fileBytes == UInt64(start) else {
                throw .length(expected: trailer.fileBytes, found: UInt64(start))
            }
            return trailer
        } catch {
            throw damaged(error, file.path, start)
        }
    }

    private static func read(
        _ file: IO.File, _ count: Int, at offset: Int
    ) throws(SnapshotError) -> [UInt8] {
        try SnapshotError.catching(file.path) { () throws(StorageError) in
            try file.read(count: count, at: offset)
        }
    }

    private static func damaged(
        _ damage: SnapshotDamage, _ path: String, _ offset: Int
    ) -> SnapshotError {
        SnapshotError(.damaged(damage), file: path, offsetBytes: offset)
    }
}

extension SnapshotReader {
    /// Reads all of it, and keeps nothing: throws if any byte is not what was written.
    public func verify() throws(SnapshotError) {
        while try next() != nil {}
    }
}
