public import StorageIO

/// Segments that no snapshot needs any more, to be taken out of the log.
///
/// May be carried out on any thread; its outcome goes back to the log's. The oldest goes first,
/// and each one's name is durably gone before the next one's is touched: whenever power fails,
/// what is left is a log without a hole. And no file is overwritten while a crash could still
/// bring its old name back.
public struct SegmentRelease<IO: FileStorage>: Sendable {
    public struct Outcome: Sendable {
        /// The segments whose names are gone, oldest first.
        var gone: [(segment: WALSegmentName, recycledPath: String?)] = []
        /// What kept it from taking out the rest.
        var error: StorageError?
    }

    let storage: IO
    let directory: String
    /// Oldest first.
    let segments: [WALSegmentName]
    /// How many of them may be kept to be overwritten.
    let recycledMax: Int
    let segmentBytes: Int

    public func run() -> Outcome {
        var outcome = Outcome()
        var recycledCount = 0
        do throws(StorageError) {
            for segment in segments {
                let path = "\(directory)/\(segment)"
                let isRecycled = recycledCount < recycledMax ? try isWorthIt(path) : false
                let target =
                    "\(directory)/\(WALSegmentName.hexDigits(segment.sequence))"
                    + Self.recycledSuffix
                if isRecycled {
                    try storage.rename(path, to: target)
                } else {
                    try storage.remove(path)
                }
                outcome.gone.append((segment, nil))
                try storage.syncDirectory(directory)
                guard isRecycled else { continue }
                outcome.gone[outcome.gone.count - 1].recycledPath = target
                recycledCount += 1
            }
        } catch {
            outcome.error = error
        }
        return outcome
    }

    static var recycledSuffix: String { ".recycled.tmp" }

    /// A file that is mostly missing has few blocks to offer.
    private func isWorthIt(_ path: String) throws(StorageError) -> Bool {
        try storage.open(path, for: .reading).sizeBytes() >= segmentBytes / 2
    }
}
