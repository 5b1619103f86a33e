import RaftModel
import Storage
import StorageIO

extension FuzzTarget {
    static let logDirectory = "/wal"
    private static let segment = WALSegmentName(sequence: 0, firstIndex: 0)

    /// The only segment of a log.
    static let log = {
        var target = FuzzTarget("log", "a segment of a write-ahead log", tokens: ["kvd mark"]) {
            input in
            let storage = SimulatedStorage(seed: 1)
            guard (try? storage.createDirectory(logDirectory)) != nil else { return false }
            let path = "\(logDirectory)/\(segment)"
            storage.replaceContents(of: path, with: Array(input))
            let (scanned, damage) = try scan(storage)
            guard let read = try? LogReader.read(logDirectory, storage: storage) else {
                return false
            }
            // A log that can be read is one in which a scan finds nothing wrong.
            try require(damage == 0, "read, but a scan found \(damage) damages")
            try require(
                read.entries.allSatisfy { scanned.contains($0.index) },
                "entries that a scan did not see: \(read.entries)")
            try requireStable(read, storage)
            return true
        }
        (target.inputBytesMax, target.weight) = (1 << 14, 4)
        // A disk in memory, and windows on its files.
        (target.memoryPerByte, target.memoryBytesBeside) = (256, 64 << 20)
        target.mend = { bytes in
            var mending = LogMending()
            mending.mend(&bytes, sequence: 0)
        }
        return target
    }()

    /// The indices of the entries that a scan finds intact, and how much damage it finds.
    static func scan(
        _ storage: some FileStorage
    ) throws(FuzzFinding) -> (indices: Set<UInt64>, damage: Int) {
        var indices: Set<UInt64> = []
        do throws(WALError) {
            let summary = try LogScan.run(logDirectory, storage: storage) { record in
                guard record.isIntact, record.type == .entry else { return true }
                if let entry = try? Entry.decode(record.data) { indices.insert(entry.index) }
                return true
            }
            return (indices, summary.damage.count)
        } catch {
            throw FuzzFinding("a scan of bytes in memory failed: \(error)")
        }
    }

    /// A recovered log is what was read, and says the same when it is read once more, and when
    /// something was added.
    static func requireStable(
        _ read: RecoveredLog, _ storage: SimulatedStorage
    ) throws(FuzzFinding) {
        let options: WALOptions = {
            var options = WALOptions()
            options.segmentBytes = 1 << 14
            options.keepsReserve = false
            return options
        }()
        do throws(WALError) {
            let (wal, log) = try WAL.recover(
                in: logDirectory, storage: storage, options: options)
            try requireEqual(log, read)
            try requireEqual(try LogReader.read(logDirectory, storage: storage), read)
            guard log.lastIndex < .max - 1, log.lastTerm < .max else { return }
            let entry = Entry(term: log.lastTerm + 1, index: log.lastIndex + 1, data: [1, 2, 3])
            try wal.append(hardState: nil, entries: [entry])
            try wal.write()
            try wal.sync()
            try wal.close()
            let longer = try LogReader.read(logDirectory, storage: storage)
            guard longer.entries == log.entries + [entry] else {
                throw WALError(.corrupt(.message), file: "an entry that was appended is not there")
            }
        } catch {
            throw FuzzFinding("read, but not recovered: \(error)")
        }
    }

    static func requireEqual(
        _ a: RecoveredLog, _ b: RecoveredLog
    ) throws(WALError) {
        guard a.entries == b.entries, a.hardState == b.hardState, a.snapshots == b.snapshots,
            a.metadata == b.metadata
        else { throw WALError(.corrupt(.message), file: "it says something else") }
    }

    // MARK: What lies beside the log

    /// The vote record, the commit mark and the note of kvds, of the same bytes.
    static let marks = {
        var target = FuzzTarget("marks", "the vote record, the commit mark and the note of kvds") {
            input in
            let storage = SimulatedStorage(seed: 1)
            for path in ["/vote", "/mark"] { storage.replaceContents(of: path, with: Array(input)) }
            let member = MemberID(0xfa69_d0c8_16ac_9a4f)
            do throws(StorageError) {
                let seen = try VoteRecord.look(at: "/vote", storage: storage)
                var votes = try VoteRecord.open("/vote", storage: storage, member: member)
                let isOurs = seen?.member == member
                try storing(
                    (votes.recalled != nil) == isOurs, "a promise of \(String(describing: seen))")
                try votes.store(term: 9, vote: MemberID(3))
                let again = try VoteRecord.open("/vote", storage: storage, member: member)
                try storing(
                    again.recalled?.term == 9 && again.recalled?.vote == MemberID(3)
                        && !again.isDamaged, "a promise was lost")
                var mark = try CommitMark.open("/mark", storage: storage, memberID: member)
                let recalled = mark.recalled
                mark.store(CommitMark.Values(commit: 77))
                let sight = try CommitMark.look(at: "/mark", storage: storage)
                try storing(sight?.values.commit == 77, "a mark was lost")
                if let note = KvdNote(Array(input)) {
                    try storing(note.encoded == Array(input), "a note's bytes changed")
                    return true
                }
                if case .unknown = recalled { return isOurs }
                return true
            } catch {
                throw FuzzFinding("\(error)")
            }
        }
        target.inputBytesMax = 8192
        target.mend = { mendSlots(&$0) }
        return target
    }()

    private static func storing(_ holds: Bool, _ finding: String) throws(StorageError) {
        if !holds { throw StorageError(.read, finding, code: 5) }
    }

    /// Both slots, of the kind that the bytes are of.
    private static func mendSlots(_ bytes: inout [UInt8]) {
        if bytes.starts(with: "kvd kvds".utf8), bytes.count >= 12 {
            let body = bytes.count - 4
            return bytes.put(CRC32C.of(Array(bytes[..<body])), at: body)
        }
        let isMark = bytes.starts(with: "martchdk".utf8)
        let payload = isMark ? 64 : 40
        for slot in [0, isMark ? 512 : 4096] where slot + payload + 4 <= bytes.count {
            let crc = CRC32C.of(Array(bytes[slot..<(slot + payload)]))
            bytes.put(crc, at: slot + payload)
        }
    }
}
