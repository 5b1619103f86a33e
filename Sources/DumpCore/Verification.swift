import RaftModel
import State
import Storage
package import StorageIO

/// `verify`: reads every byte of a member's files, and says of each whether it is what was written.
package struct Verification<IO: FileStorage> {
    private let storage: IO
    private let output: Output
    private let progress: Progress
    private var isWell = true

    package init(_ storage: IO, _ output: Output, _ progress: Progress) {
        (self.storage, self.output, self.progress) = (storage, output, progress)
    }

    /// `path`: a member's dir, or one snapshot file. False: something is damaged.
    package static func run(
        _ path: String, wal: String? = nil, _ storage: IO, _ output: Output, _ progress: Progress
    ) throws(DumpError) -> Bool {
        var verification = Verification(storage, output, progress)
        let kind = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: path)
        }
        if kind == .file {
            try verification.file(path)
        } else {
            let files = try MemberFiles.find(path, wal: wal, storage: storage)
            let member = try verification.log(files.walPath)
            try verification.snapshots(files)
            try verification.vote(files, of: member)
            try verification.mark(files, of: member)
            try verification.kvdNote(files, of: member)
        }
        return verification.isWell
    }

    private func ok(_ path: String, _ detail: String) { output.line("\(path): ok, \(detail)") }

    private mutating func bad(_ path: String, _ detail: String) {
        isWell = false
        output.line("\(path): DAMAGED: \(detail)")
    }

    private mutating func file(_ path: String) throws(DumpError) {
        if path.hasSuffix(".snap") || path.hasSuffix(".ksnap") { return snapshot(path) }
        // A backup may have any name; what is no snapshot says so.
        let isSegment =
            path.split(separator: "/").last.flatMap { WALSegmentName(String($0)) } != nil
        guard !isSegment else {
            throw .usage(
                "\(path) is one segment of a log, whose crc goes on from the one before it. Give "
                    + "the directory that it is in.")
        }
        snapshot(path)
    }

    // MARK: The log

    private mutating func log(_ directory: String) throws(DumpError) -> MemberID? {
        let segments = try DumpError.catching { () throws(StorageError) in
            try MemberFiles(memberPath: nil, walPath: directory).segments(storage)
        }
        var sequence = LogSequence()
        let scan = try LogVisit.run(
            directory, storage: storage, progress, totalBytes: segments.reduce(0) { $0 + $1.bytes }
        ) { record in
            if record.isIntact { sequence.take(DecodedRecord(record), directory: directory) }
            return true
        }
        report(scan, sequence, directory)
        return sequence.metadata?.memberID
    }

    private mutating func report(
        _ scan: LogScanSummary, _ sequence: LogSequence, _ directory: String
    ) {
        // What does not follow after damage follows from that.
        let damage = scan.damage.isEmpty ? sequence.problem.map { [$0.error] } ?? [] : scan.damage
        for segment in scan.segments {
            let path = "\(directory)/\(segment.name)"
            let own = damage.filter { $0.file == path }
            for error in own { bad(path, Self.text(error)) }
            guard own.isEmpty else { continue }
            var detail = "\(segment.recordCount) records"
            if let indices = segment.indices {
                detail += ", entries \(indices.lowerBound) to \(indices.upperBound)"
            }
            if let cut = scan.cut, cut.file == path {
                detail +=
                    "; \(cut.bytes) bytes of an unfinished write from byte \(cut.offsetBytes) on, "
                    + "which the next start cuts off"
            }
            ok(path, detail)
        }
        let files = Set(scan.segments.map { "\(directory)/\($0.name)" })
        for error in damage where !files.contains(error.file) {
            bad(error.file, Self.text(error))
        }
    }

    private static func text(_ error: WALError) -> String {
        guard error.recordNumber > 0 else { return "\(error.problem). \(error.advice)" }
        return "at byte \(error.offsetBytes) (record \(error.recordNumber)): \(error.problem). "
            + error.advice
    }

    // MARK: The other files

    private mutating func snapshots(_ files: MemberFiles) throws(DumpError) {
        guard let path = files.snapPath else { return }
        let kind = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: path)
        }
        guard kind == .directory else { return }
        let directory = SnapshotDirectory(path, storage: storage)
        let names = try DumpError.catching { () throws(StorageError) in try directory.list() }
        for name in names { snapshot(directory.path(of: name)) }
    }

    private mutating func snapshot(_ path: String) {
        do throws(DumpError) {
            let source = try SnapshotSource.load(path, storage: storage, progress)
            let image = source.image
            ok(
                path,
                "index \(image.index), \(image.nodeCount) nodes, hash "
                    + ByteText.hex(image.contentHash, digits: 16))
        } catch {
            // A running server may have removed it since it was listed.
            let isGone = (try? storage.kind(of: path)) == .some(nil)
            guard !isGone else { return }
            isWell = false
            output.line("\(path): DAMAGED: \(error.withoutPath(path))")
        }
    }

    private mutating func vote(_ files: MemberFiles, of member: MemberID?) throws(DumpError) {
        guard let path = files.votePath else { return }
        let found = try DumpError.catching { () throws(StorageError) in
            try VoteRecord.look(at: path, storage: storage)
        }
        guard let found else { return }
        if found.isBlank { return ok(path, "nothing promised yet") }
        guard let owner = found.member else {
            return bad(
                path,
                "nothing in it can be read. Start the member with --rejoin, which does not vote "
                    + "before it has the state from its peers.")
        }
        if let member, owner != member { return bad(path, Self.foreign(owner, member)) }
        ok(path, "term \(found.term), vote \(found.vote)")
    }

    private mutating func mark(_ files: MemberFiles, of member: MemberID?) throws(DumpError) {
        guard let path = files.markPath else { return }
        let found = try DumpError.catching { () throws(StorageError) in
            try CommitMark.look(at: path, storage: storage)
        }
        guard let found else { return }
        if found.isBlank { return ok(path, "nothing applied yet") }
        guard let owner = found.member else {
            return bad(
                path,
                "nothing in it can be read. It may be removed: the member then answers reads only "
                    + "when it has applied its whole log.")
        }
        if let member, owner != member { return bad(path, Self.foreign(owner, member)) }
        ok(path, "applied up to \(found.values.commit)")
    }

    private mutating func kvdNote(_ files: MemberFiles, of member: MemberID?) throws(DumpError) {
        guard let path = files.kvdNotePath else { return }
        let found = try DumpError.catching { () throws(StorageError) in
            try KvdNote.look(at: path, storage: storage)
        }
        switch found {
        case .none: return
        case .damaged:
            bad(path, "nothing in it can be read. It may be removed: a start passes it over.")
        case .note(let note):
            if let member, note.owner.memberID != member {
                return bad(path, Self.foreign(note.owner.memberID, member))
            }
            ok(path, "\(note.members.count) other members are known as kvds")
        }
    }

    private static func foreign(_ owner: MemberID, _ member: MemberID) -> String {
        "it is member \(owner)'s, the log is member \(member)'s. Put back the file that belongs here."
    }
}

extension DumpError {
    /// Without the path that the line begins with already.
    fileprivate func withoutPath(_ path: String) -> String {
        for prefix in ["\(path): ", "\(path) "] where description.hasPrefix(prefix) {
            return String(description.dropFirst(prefix.count))
        }
        return description
    }
}
