public import StorageIO

/// A closed segment, to be put into the archive. May be carried out on any thread; its outcome
/// goes back to the log's.
public struct SegmentArchiving<IO: FileStorage>: Sendable {
    let segment: WALSegmentName
    let directory: String
    let archive: LogArchive<IO>

    /// The archived segment's size.
    public func run() -> Result<Int, ArchiveError> {
        do throws(ArchiveError) {
            return .success(try archive.store(segment, from: directory))
        } catch {
            return .failure(error)
        }
    }
}

extension WAL {
    /// So many released segments wait for an archive that does not take them; then the oldest go
    /// without, lest they fill the disk.
    static var unarchivedMax: Int { 16 }

    /// What to archive now, or nil. Run it, on any thread, and hand over the outcome to
    /// `archived(_:by:)`; until then this gives nil.
    public func nextArchiving() -> SegmentArchiving<IO>? {
        guard let archive = options.archiveDirectory, !isArchiving, failure == nil,
            let segment = closed.first(where: { $0.sequence >= archivedEnd })
        else { return nil }
        isArchiving = true
        return SegmentArchiving(
            segment: segment, directory: directory,
            archive: LogArchive(archive, storage: storage))
    }

    public func archived(
        _ result: Result<Int, ArchiveError>, by done: SegmentArchiving<IO>
    ) {
        isArchiving = false
        mayRelease = true
        if case .success = result { archivedEnd = done.segment.sequence + 1 }
    }

    /// How many of the `count` oldest segments may go as far as the archive is concerned.
    func archivedCount(ofOldest count: Int) -> Int {
        guard options.archiveDirectory != nil else { return count }
        let done = closed.prefix(count).prefix { $0.sequence < archivedEnd }.count
        return max(done, count - Self.unarchivedMax)
    }
}
