import Storage
import StorageIO

extension FuzzTarget {
    /// An archived segment, and what `ArchivedLog` makes of a log that has it.
    static let archive = {
        var target = FuzzTarget("archive", "a segment of an archive: an LZ4 frame") { input in
            let storage = SimulatedStorage(seed: 1)
            let name = WALSegmentName(sequence: 0, firstIndex: 0)
            let archive = LogArchive("/archive", storage: storage)
            do {
                try storage.createDirectory("/archive")
                storage.replaceContents(of: archive.path(of: name), with: Array(input))
            } catch {
                throw FuzzFinding("no archive: \(error)")
            }
            let log = ArchivedLog(logDirectory, archive: "/archive", storage: storage)
            _ = try? LogScan.run(logDirectory, storage: log) { _ in true }
            _ = try? LogReader.read(logDirectory, storage: log)
            guard
                let bytes = try? log.open("\(logDirectory)/\(name)", for: .reading).readAll()
            else {
                try requireReplaced(name, in: archive, storage)
                return false
            }
            try requireStored(name, bytes, in: archive, storage, as: input.count)
            return true
        }
        // A byte of LZ4 may stand for 255, and a segment is in memory while it is read.
        (target.memoryPerByte, target.memoryBytesBeside) = (2048, 64 << 20)
        target.mend = { LZ4Mending.mend(&$0) }
        return target
    }()

    /// The segment that the archive gives is the one that it takes to be there.
    private static func requireStored(
        _ name: WALSegmentName, _ bytes: [UInt8], in archive: LogArchive<SimulatedStorage>,
        _ storage: SimulatedStorage, as size: Int
    ) throws(FuzzFinding) {
        do {
            try storage.createDirectory(logDirectory)
            storage.replaceContents(of: "\(logDirectory)/\(name)", with: bytes)
            let found = try archive.store(name, from: logDirectory)
            try require(found == size, "\(size) bytes that were there are \(found)")
            // One with other bytes stays as it is.
            storage.replaceContents(of: "\(logDirectory)/\(name)", with: bytes + [0])
            let other = try? archive.store(name, from: logDirectory)
            try require(other == nil, "a segment was put in place of another")
        } catch {
            throw FuzzFinding("read, but not found again: \(error)")
        }
    }

    /// What cannot be read makes place for the segment.
    private static func requireReplaced(
        _ name: WALSegmentName, in archive: LogArchive<SimulatedStorage>,
        _ storage: SimulatedStorage
    ) throws(FuzzFinding) {
        do {
            try storage.createDirectory(logDirectory)
            storage.replaceContents(of: "\(logDirectory)/\(name)", with: [1, 2, 3])
            _ = try archive.store(name, from: logDirectory)
            try storage.remove("\(logDirectory)/\(name)")
            let log = ArchivedLog(logDirectory, archive: archive.directory, storage: storage)
            let read = try log.open("\(logDirectory)/\(name)", for: .reading).readAll()
            try require(read == [1, 2, 3], "\(read) was archived")
        } catch {
            throw FuzzFinding("not archived in place of a damaged one: \(error)")
        }
    }
}
