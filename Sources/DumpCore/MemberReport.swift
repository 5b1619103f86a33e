import Cluster
import KeyStore
import RaftModel
import State
import Storage
package import StorageIO

/// `stat`: whose files these are, how far they go, and what a start would do with them.
package struct MemberReport {
    private let files: MemberFiles
    private var scan = LogScanSummary()
    private var sequence = LogSequence()
    private var writer = RecoveryReport.Writer.etcd2
    private var logBytes = 0
    /// Newest first, with their sizes.
    private var snapshots: [(name: SnapshotName, bytes: Int)] = []
    private var otherSnapshotFiles: [String] = []
    private var vote: VoteRecordSight?
    private var mark: CommitMarkSight?
    private var kvds = KvdNoteSight.none
    private var notes: [DataDirectoryNote] = []
    /// As of the end of the committed log; nil: it cannot be had.
    private var state: Result<MemberState, DumpError>?

    /// False: there is damage.
    package static func run(
        _ path: String, wal: String? = nil, isJSON: Bool, _ storage: some FileStorage,
        _ output: Output, _ progress: Progress
    ) throws(DumpError) -> Bool {
        let files = try MemberFiles.find(path, wal: wal, storage: storage)
        var report = MemberReport(files)
        // The log last: what the others tell of was in it by then.
        try report.readRest(storage)
        try report.readLog(storage, progress)
        report.readState(storage, progress)
        progress.end()
        if isJSON { output.line(report.json) } else { report.write(to: output) }
        return report.scan.damage.isEmpty && report.sequence.problem == nil
    }

    private init(_ files: MemberFiles) { self.files = files }

    private mutating func readLog(
        _ storage: some FileStorage, _ progress: Progress
    ) throws(DumpError) {
        let (files, walPath) = (files, files.walPath)
        let segments = try DumpError.catching { () throws(StorageError) in
            try files.segments(storage)
        }
        logBytes = segments.reduce(0) { $0 + $1.bytes }
        var sequence = LogSequence()
        scan = try LogVisit.run(walPath, storage: storage, progress, totalBytes: logBytes) {
            record in
            if record.isIntact { sequence.take(DecodedRecord(record), directory: walPath) }
            return true
        }
        self.sequence = sequence
        writer = scan.segments.last?.writer ?? .etcd2
    }

    private mutating func readRest(_ storage: some FileStorage) throws(DumpError) {
        guard let snapPath = files.snapPath, let votePath = files.votePath,
            let markPath = files.markPath, let memberPath = files.memberPath,
            let kvdNotePath = files.kvdNotePath
        else { return }
        do throws(StorageError) {
            if try storage.kind(of: snapPath) == .directory {
                let directory = SnapshotDirectory(snapPath, storage: storage)
                for name in try directory.list() {
                    let file = try storage.open(directory.path(of: name), for: .reading)
                    snapshots.append((name, try file.sizeBytes()))
                }
                otherSnapshotFiles = try storage.list(snapPath).filter { SnapshotName($0) == nil }
            }
            vote = try VoteRecord.look(at: votePath, storage: storage)
            mark = try CommitMark.look(at: markPath, storage: storage)
            kvds = try KvdNote.look(at: kvdNotePath, storage: storage)
            for note in DataDirectoryNote.allCases
            where try storage.kind(of: "\(memberPath)/\(note.rawValue)") != nil {
                notes.append(note)
            }
        } catch {
            throw DumpError("\(error)")
        }
    }

    private mutating func readState(_ storage: some FileStorage, _ progress: Progress) {
        do throws(DumpError) {
            state = .success(try StateSource.load(files, until: .end, storage, progress).state)
        } catch {
            state = .failure(error)
        }
    }

    // MARK: Text

    private var kind: String {
        switch writer {
        case .kvd: "kvd"
        case .etcd2: "etcd 2"
        case .etcd3: "etcd 3"
        }
    }

    private func write(to output: Output) {
        output.line("kind:        \(kind)")
        output.line("member:      \(sequence.metadata.map { "\($0.memberID)" } ?? "unknown")")
        output.line("cluster:     \(sequence.metadata.map { "\($0.clusterID)" } ?? "unknown")")
        let hard = sequence.lastState
        output.line("term:        \(hard.term)")
        output.line("vote:        \(hard.vote == .none ? "none" : "\(hard.vote)")")
        output.line("commit:      \(hard.commit)")
        output.line("last index:  \(sequence.last?.index ?? 0) (term \(sequence.last?.term ?? 0))")
        if let mark, mark.member != nil {
            output.line("applied:     \(mark.values.commit)")
        }
        if let vote, vote.member != nil {
            output.line("vote record: term \(vote.term), vote \(vote.vote)")
        }
        if case .note(let note) = kvds {
            let ids = note.members.sorted().map { "\($0)" }.joined(separator: " ")
            output.line("known kvds:  \(ids.isEmpty ? "none" : ids)")
        }
        writeState(to: output)
        output.line("log:         \(scan.segments.count) segments, \(ByteText.size(logBytes))")
        for segment in scan.segments {
            let entries =
                segment.indices.map { "entries \($0.lowerBound) to \($0.upperBound)" }
                ?? "no entries"
            output.line(
                "  \(segment.name) \(segment.endBytes) of \(segment.sizeBytes) bytes, \(entries)")
        }
        output.line("snapshots:   \(snapshots.count)")
        for (name, bytes) in snapshots { output.line("  \(name) \(bytes) bytes") }
        for name in otherSnapshotFiles { output.line("  \(name) (not read by a start)") }
        for line in start { output.line("start:       \(line)") }
    }

    private func writeState(to output: Output) {
        guard case .success(let state)? = state else { return }
        if let version = state.clusterVersion { output.line("version:     \(version)") }
        output.line(
            "store:       index \(state.store.currentIndex), "
                + "\(state.image().nodeCount) nodes, hash "
                + ByteText.hex(state.contentHash, digits: 16))
        output.line("members:     \(state.membership.members.count)")
        for member in state.membership.members {
            output.line(
                "  \(member.id) name=\(ByteText.quoted(Array(member.name.utf8))) "
                    + "peerURLs=\(member.peerURLs.joined(separator: ",")) "
                    + "clientURLs=\(member.clientURLs.joined(separator: ","))")
        }
    }

    // MARK: What a start would do

    private var start: [String] {
        var lines: [String] = []
        if let damage = scan.damage.first ?? sequence.problem?.error {
            return ["refused: \(damage)"]
        }
        if case .failure(let error)? = state { return ["refused: \(error)"] }
        if notes.contains(.rejoining) {
            lines.append("as a member that rejoins: no vote before it has all that it lost")
        }
        if notes.contains(.stateIsVoid) {
            lines.append("no reads before a leader's state is there")
        }
        if let cut = scan.cut {
            lines.append(
                "cuts \(cut.bytes) bytes of an unfinished write off \(cut.file) at byte "
                    + "\(cut.offsetBytes)")
        }
        if let mark, mark.member == sequence.metadata?.memberID,
            mark.values.commit > sequence.last?.index ?? 0
        {
            lines.append(
                "refused: the member had applied entries up to \(mark.values.commit), the log ends "
                    + "at \(sequence.last?.index ?? 0). Start it with --rejoin, or restore a backup"
            )
            return lines
        }
        let from = snapshots.first.map { "loads snapshot \($0.name)" } ?? "starts from nothing"
        let last = sequence.last?.index ?? 0
        lines.append("\(from), then reads the log up to index \(last)")
        if writer != .kvd {
            lines.append("takes the dir over from \(kind); its files stay until a snapshot is safe")
        }
        return lines
    }

    // MARK: JSON

    private var json: JSONLine {
        var line = JSONLine()
        line.string("kind", kind)
        if let ids = sequence.metadata {
            line.string("member", "\(ids.memberID)")
            line.string("cluster", "\(ids.clusterID)")
        }
        line.number("term", sequence.lastState.term)
        line.string("vote", "\(sequence.lastState.vote)")
        line.number("commit", sequence.lastState.commit)
        line.number("lastIndex", sequence.last?.index ?? 0)
        line.number("lastTerm", sequence.last?.term ?? 0)
        if let mark, mark.member != nil { line.number("applied", mark.values.commit) }
        if case .note(let note) = kvds {
            line.strings("knownKvds", note.members.sorted().map { "\($0)" })
        }
        line.number("logBytes", logBytes)
        line.strings("segments", scan.segments.map { "\($0.name)" })
        line.strings("snapshots", snapshots.map { "\($0.name)" })
        if case .success(let state)? = state {
            line.number("storeIndex", state.store.currentIndex)
            line.number("nodes", state.image().nodeCount)
            line.string("hash", ByteText.hex(state.contentHash, digits: 16))
            if let version = state.clusterVersion { line.string("version", "\(version)") }
            line.objects("members", state.membership.members.map(Self.json))
        }
        line.strings("start", start)
        line.strings("damage", scan.damage.map { "\($0)" })
        return line
    }

    private static func json(_ member: Member) -> JSONLine {
        var line = JSONLine()
        line.string("id", "\(member.id)")
        line.string("name", member.name)
        line.strings("peerURLs", member.peerURLs)
        line.strings("clientURLs", member.clientURLs)
        return line
    }
}
