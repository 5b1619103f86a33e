import StorageIO

/// How far the beginning of a snapshot file is intact: after a crash, what was written last may be
/// missing, or be zeros.
///
/// Each block of the frame has a checksum, so that a beginning can be told from damage without the rest.
/// It is no more than that: only the end of the file says that all of it is what was written.
struct SnapshotPrefix {
    var header: SnapshotHeader
    /// Header, head of the frame, and whole blocks.
    var bytes: Int

    private static let frameHeadBytes = 7
    /// In front of a block, and behind it.
    private static let wordBytes = 4
    /// In a block's first word: it is not compressed.
    private static let isPlainFlag: UInt32 = 1 << 31

    /// Nil: not even a block is.
    static func find<File: StorageFile>(
        in file: File, sizeBytes: Int
    ) throws(StorageError) -> SnapshotPrefix? {
        let head = try file.read(count: min(sizeBytes, SnapshotFormat.headerBytesMax), at: 0)
        guard let header = header(in: head) else { return nil }
        var end = header.encoded.count
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: LZ4Frame.blockBytes + 2 * wordBytes, alignment: 4096)
        defer { memory.deallocate() }
        let decompressor = LZ4Decompressor()
        var count = frameHeadBytes
        var blockCount = 0
        while count <= memory.count, end + count <= sizeBytes {
            let bytes = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
            guard try file.read(into: bytes, at: end) == count,
                isIntact(UnsafeRawBufferPointer(bytes), decompressor), !decompressor.isAtEnd
            else { break }
            end += count
            blockCount += 1
            guard let next = try blockBytes(file, at: end, sizeBytes) else { break }
            count = next
        }
        // The first piece is the frame's head.
        return blockCount > 1 ? SnapshotPrefix(header: header, bytes: end) : nil
    }

    private static func header(in bytes: [UInt8]) -> SnapshotHeader? {
        bytes.withUnsafeBytes { bytes in
            guard
                let size = SnapshotHeader.size(
                    UnsafeRawBufferPointer(rebasing: bytes.prefix(SnapshotFormat.headerBytesMin))),
                size <= bytes.count
            else { return nil }
            return try? SnapshotHeader.decode(
                UnsafeRawBufferPointer(rebasing: bytes.prefix(size)))
        }
    }

    /// Of the block that begins at `offset`, with the words around it. Nil: there is none, or the frame
    /// ends there.
    private static func blockBytes<File: StorageFile>(
        _ file: File, at offset: Int, _ sizeBytes: Int
    ) throws(StorageError) -> Int? {
        guard offset + wordBytes <= sizeBytes else { return nil }
        let word = try file.read(count: wordBytes, at: offset).withUnsafeBytes { $0.u32(0) }
        let count = Int(word & ~isPlainFlag)
        return count > 0 ? count + 2 * wordBytes : nil
    }

    private static func isIntact(
        _ bytes: UnsafeRawBufferPointer, _ decompressor: LZ4Decompressor
    ) -> Bool {
        var rest = bytes
        while !rest.isEmpty, !decompressor.isAtEnd {
            guard let (output, used) = try? decompressor.decompress(rest),
                used > 0 || !output.isEmpty
            else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[used...])
        }
        return rest.isEmpty
    }
}
