import CKvd
import StorageIO

/// A segment's bytes, read through one buffer that moves along it.
///
/// The buffer is as large as the largest piece that was asked for at once, a record or a batch, and
/// never below `chunkBytes` if the segment has so many. What `bytes` gave is void after the next call.
final class SegmentWindow {
    private static let chunkBytes = 1 << 20

    let file: any StorageFile
    let sizeBytes: Int
    /// Told how many bytes were read from the file anew.
    private let progress: ((Int) -> Void)?
    private var memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var count = 0

    init(
        _ file: any StorageFile, progress: ((Int) -> Void)? = nil
    ) throws(StorageError) {
        self.file = file
        self.progress = progress
        sizeBytes = try file.sizeBytes()
        memory = .allocate(
            byteCount: min(Self.chunkBytes, max(sizeBytes, WALFormat.pageBytes)),
            alignment: 4096)
    }

    deinit { memory.deallocate() }

    /// The bytes from `offset` on that are at hand: at least `wanted`, fewer only at the end.
    func bytes(at offset: Int, wanted: Int) throws(StorageError) -> UnsafeRawBufferPointer {
        precondition(offset >= 0 && offset <= sizeBytes && wanted >= 0)
        let needed = min(wanted, sizeBytes - offset)
        if offset < start || offset + needed > start + count {
            try move(to: offset, needed: needed)
        }
        return UnsafeRawBufferPointer(rebasing: memory[(offset - start)..<count])
    }

    private func move(to offset: Int, needed: Int) throws(StorageError) {
        // What is left over of the last piece stays.
        let kept = offset >= start && offset < start + count ? start + count - offset : 0
        let source = kept > 0 ? memory[(offset - start)..<count] : memory[0..<0]
        if needed > memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(needed, memory.count * 2), alignment: 4096)
            larger.copyBytes(from: source)
            memory.deallocate()
            memory = larger
        } else if kept > 0 {
            UnsafeMutableRawBufferPointer(rebasing: memory[..<kept])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source))
        }
        let space = UnsafeMutableRawBufferPointer(
            rebasing: memory[kept..<min(memory.count, sizeBytes - offset)])
        start = offset
        count = kept
        let read = try file.read(into: space, at: offset + kept)
        count += read
        progress?(read)
        // The file is ours alone; only a disk that does not give what it has can do this.
        guard count >= needed else { throw StorageError(.read, file.path, code: 5) }
    }

    // MARK: Behind the end of the log

    /// What lies at and after `offset`, where reading stopped.
    func examineTail(at offset: Int, sequence: UInt64) throws(StorageError) -> SegmentTail {
        var tail = SegmentTail(dataEnd: offset)
        var from = offset
        while from < sizeBytes {
            // A marker may lie across two pieces, so each begins with the end of the one before.
            let piece = try bytes(at: from, wanted: min(Self.chunkBytes, sizeBytes - from))
            let used = kvd_count_without_trailing_zeros(piece.baseAddress, piece.count)
            if used > 0 { tail.dataEnd = max(tail.dataEnd, from + used) }
            markers(in: piece, at: from, sequence: sequence) { marker in
                if Int(clamping: marker.offset) == offset {
                    tail.isBegun = true
                } else if Int(clamping: marker.offset) > offset {
                    if !tail.hasMarker { tail.nextMarker = Int(clamping: marker.offset) }
                    tail.hasMarker = true
                    tail.durable = max(tail.durable, Int(clamping: marker.durable))
                }
            }
            guard from + piece.count < sizeBytes else { break }
            from += piece.count - WALMarker.sizeBytes
        }
        return tail
    }

    private func markers(
        in piece: UnsafeRawBufferPointer, at start: Int, sequence: UInt64,
        _ body: (WALMarker) -> Void
    ) {
        var from = 0
        while true {
            let hit = WALMarker.magic.withUnsafeBytes {
                kvd_find(piece.baseAddress, piece.count, from, $0.baseAddress, $0.count)
            }
            guard hit + WALMarker.sizeBytes <= piece.count else { return }
            let data = UnsafeRawBufferPointer(
                rebasing: piece[hit..<(hit + WALMarker.sizeBytes)])
            if let marker = WALMarker.decode(data), marker.sequence == sequence {
                // The frame's start lies before its data by the length word and the header.
                let header = start + hit - Int(clamping: marker.offset)
                if (14...18).contains(header) { body(marker) }
            }
            from = hit + 1
        }
    }
}

/// What lies behind the place in a segment at which reading stopped.
struct SegmentTail: Equatable {
    /// Behind the last byte that is not zero; the stop itself if there is none.
    var dataEnd: Int
    /// Whether an intact marker of this place and segment lies at the stop itself.
    var isBegun = false
    /// Whether there is an intact marker of its place and of this segment behind it.
    var hasMarker = false
    /// The first of those; void if there is none.
    var nextMarker = 0
    /// The largest `durable` of those.
    var durable = 0
}
