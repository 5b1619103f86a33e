import DumpCore
import RaftModel
import Storage
import StorageIO

extension FuzzTarget {
    /// A log of several segments, some of them in an archive, to all that read logs: a start, a scan,
    /// and what `kvd-dump` does.
    static let segments = {
        var target = FuzzTarget(
            "segments", "a write-ahead log of several segments, and its archive",
            tokens: ["kvd mark"]
        ) { input in
            let parts = SegmentList(input)
            let storage = SimulatedStorage(seed: 1)
            guard !parts.all.isEmpty, try lay(parts, on: storage) else { return false }
            let read = read(storage)
            try requireSameFromArchive(parts, read)
            let (scanned, damage) = try scan(storage)
            let isWell = try dump(storage)
            guard case .success(let read) = read else { return false }
            // A start begins at the last segment that may have the first entry.
            guard read.report.segmentCount == parts.all.count else { return true }
            try require(damage == 0 && isWell, "read, but a scan found \(damage) damages")
            try require(
                read.entries.allSatisfy { scanned.contains($0.index) },
                "entries that a scan did not see: \(read.entries)")
            try requireStable(read, storage)
            return true
        }
        (target.inputBytesMax, target.beginningsMax, target.weight) = (1 << 15, 128, 3)
        // Disks in memory, and windows on their files.
        (target.memoryPerByte, target.memoryBytesBeside) = (1024, 64 << 20)
        target.mend = { bytes in
            var parts = bytes.withUnsafeBytes { SegmentList($0) }
            var mending = LogMending()
            for place in parts.all.indices {
                let sequence = parts.all[place].name.sequence
                mending.mend(&parts.all[place].bytes, sequence: sequence)
            }
            bytes = parts.encoded
        }
        return target
    }()

    private static let archiveDirectory = "/archive"

    private static func lay(
        _ parts: SegmentList, on storage: SimulatedStorage
    ) throws(FuzzFinding) -> Bool {
        guard (try? storage.createDirectory(logDirectory)) != nil else { return false }
        for part in parts.all {
            storage.replaceContents(of: "\(logDirectory)/\(part.name)", with: part.bytes)
        }
        return true
    }

    private static func read(_ storage: some FileStorage) -> Result<RecoveredLog, WALError> {
        do throws(WALError) {
            return .success(try LogReader.read(logDirectory, storage: storage))
        } catch {
            return .failure(error)
        }
    }

    /// A log reads the same when some of its segments are in the archive only.
    private static func requireSameFromArchive(
        _ parts: SegmentList, _ plain: Result<RecoveredLog, WALError>
    ) throws(FuzzFinding) {
        let storage = SimulatedStorage(seed: 2)
        guard try lay(parts, on: storage) else { return }
        let archive = LogArchive(archiveDirectory, storage: storage)
        for part in parts.all where part.isArchived {
            do {
                let size = try archive.store(part.name, from: logDirectory)
                try require(
                    try archive.store(part.name, from: logDirectory) == size,
                    "\(part.name) is stored twice")
                try storage.remove("\(logDirectory)/\(part.name)")
            } catch {
                throw FuzzFinding("not archived: \(error)")
            }
        }
        let archived = ArchivedLog(logDirectory, archive: archiveDirectory, storage: storage)
        switch (plain, read(archived)) {
        case (.success(let plain), .success(let other)):
            do throws(WALError) { try requireEqual(plain, other) } catch {
                throw FuzzFinding("\(error), from the archive")
            }
        case (.failure(let plain), .failure(let other)):
            try require(plain == other, "\(plain), from the archive \(other)")
        case (let plain, let other):
            throw FuzzFinding("\(plain), from the archive \(other)")
        }
        var backup = Backup()
        (backup.directory, backup.archive) = (logDirectory, archiveDirectory)
        backup.file = "/backup.ksnap"
        _ = try? backup.run(storage, Output { _ in .written }, Progress(nil))
    }

    /// Whether `kvd-dump verify` finds the log well; the others must end.
    private static func dump(_ storage: SimulatedStorage) throws(FuzzFinding) -> Bool {
        let (output, progress) = (Output { _ in .written }, Progress(nil))
        var log = LogDump()
        (log.directory, log.showsHex, log.values) = (logDirectory, true, .full)
        for isJSON in [false, true] {
            log.isJSON = isJSON
            _ = try? log.run(storage, output, progress)
            _ = try? MemberReport.run(logDirectory, isJSON: isJSON, storage, output, progress)
        }
        do throws(DumpError) {
            return try Verification.run(logDirectory, storage, output, progress)
        } catch {
            throw FuzzFinding("a log in memory cannot be verified: \(error)")
        }
    }
}

/// Segments one behind the other, each behind its head:
///
///     0       1              3         5
///     +-------+--------------+---------+-------+
///     | flags | first index  | count   | bytes |
///     | u8    | u16 BE       | u16 BE  |       |
///     +-------+--------------+---------+-------+
///
/// flags: 1, a sequence number is passed over before it; 2, it is in the archive. The last segment is
/// as long as what is left.
struct SegmentList {
    struct Segment {
        var flags: UInt8
        var name: WALSegmentName
        var bytes: [UInt8]

        var isArchived: Bool { flags & 2 != 0 }
    }

    var all: [Segment] = []

    private static let headBytes = 5
    /// Each costs a file of its own.
    private static let countMax = 8

    init(_ input: UnsafeRawBufferPointer) {
        var rest = input
        var sequence: UInt64 = 0
        while rest.count >= Self.headBytes, all.count < Self.countMax {
            let flags = rest[0]
            if flags & 1 != 0 { sequence += 1 }
            let firstIndex = UInt64(rest[1]) << 8 | UInt64(rest[2])
            let count = Int(rest[3]) << 8 | Int(rest[4])
            let end = min(rest.count, Self.headBytes + count)
            all.append(
                Segment(
                    flags: flags, name: WALSegmentName(sequence: sequence, firstIndex: firstIndex),
                    bytes: Array(rest[Self.headBytes..<end])))
            sequence += 1
            rest = UnsafeRawBufferPointer(rebasing: rest[end...])
        }
    }

    var encoded: [UInt8] {
        all.flatMap { segment -> [UInt8] in
            let (first, count) = (segment.name.firstIndex, min(segment.bytes.count, 0xffff))
            let head = [
                segment.flags, UInt8(truncatingIfNeeded: first >> 8),
                UInt8(truncatingIfNeeded: first), UInt8(count >> 8), UInt8(count & 0xff),
            ]
            return head + segment.bytes[..<count]
        }
    }
}
