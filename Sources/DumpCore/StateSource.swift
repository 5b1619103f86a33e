import RaftModel
import State
import Storage
import StorageIO

/// A member's state as of some moment: a snapshot, and what the log behind it committed.
struct StateSource {
    var state: MemberState
    var metadata: WALMetadata
    /// The last one in the log, or the vote record's promise if that is later.
    var hardState: HardState
    /// The entries of the log that are not known to be committed.
    var tail: [Entry]
    /// The snapshot that it begins with; 0: none.
    var snapshotIndex: UInt64
    /// Snapshots that were passed over, and why.
    var passedOver: [String]

    /// `archive`: where closed segments of the log are kept, compressed; nil: nowhere.
    static func load(
        _ files: MemberFiles, archive: String?, until moment: Moment, _ storage: some FileStorage,
        _ progress: Progress
    ) throws(DumpError) -> StateSource {
        guard let archive else { return try load(files, until: moment, storage, progress) }
        let kind = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: archive)
        }
        guard kind == .directory else {
            throw DumpError("\(archive) is no directory. Give --archive what --wal-archive was.")
        }
        let archived = ArchivedLog(files.walPath, archive: archive, storage: storage)
        return try load(files, until: moment, archived, progress)
    }

    static func load(
        _ files: MemberFiles, until moment: Moment, _ storage: some FileStorage,
        _ progress: Progress
    ) throws(DumpError) -> StateSource {
        for _ in 0..<attemptsMax {
            let before = try candidates(files, moment, storage)
            do throws(DumpError) {
                return try load(files, from: before, until: moment, storage, progress)
            } catch {
                // A running server made a snapshot meanwhile, and released what was to be read.
                guard try candidates(files, moment, storage) != before else { throw error }
            }
        }
        throw DumpError("\(files.walPath) changes faster than it can be read. Try again.")
    }

    private static let attemptsMax = 10

    private static func load(
        _ files: MemberFiles, from snapshots: [String], until moment: Moment,
        _ storage: some FileStorage, _ progress: Progress
    ) throws(DumpError) -> StateSource {
        var passedOver: [String] = []
        for path in snapshots {
            let snapshot: SnapshotSource
            do throws(DumpError) {
                snapshot = try SnapshotSource.load(path, storage: storage, progress)
            } catch {
                passedOver.append("\(error)")
                continue
            }
            if let source = try follow(
                files, from: snapshot.image, until: moment, &passedOver, storage, progress)
            {
                return source
            }
        }
        if let source = try follow(files, from: nil, until: moment, &passedOver, storage, progress)
        {
            return source
        }
        preconditionFailure("without a snapshot there is none that the log may not know")
    }

    /// The snapshots to begin from, best first.
    private static func candidates(
        _ files: MemberFiles, _ moment: Moment, _ storage: some FileStorage
    ) throws(DumpError) -> [String] {
        guard let path = files.snapPath else { return [] }
        let directory = SnapshotDirectory(path, storage: storage)
        let names = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: path) == .directory ? try directory.list() : []
        }
        return names.filter { isSuitable($0, directory, moment) }.map { directory.path(of: $0) }
    }

    private static func isSuitable(
        _ name: SnapshotName, _ directory: SnapshotDirectory<some FileStorage>, _ moment: Moment
    ) -> Bool {
        switch moment {
        case .end: return true
        case .index(let index): return name.index <= index
        case .time(let time):
            // etcd's do not say when they are of.
            guard name.format == .kvd, let reader = try? directory.open(name) else { return false }
            return reader.header.clusterTime > 0 && reader.header.clusterTime <= time
        }
    }

    /// Nil: the log does not know the snapshot.
    private static func follow(
        _ files: MemberFiles, from image: StateImage?, until moment: Moment,
        _ passedOver: inout [String], _ storage: some FileStorage, _ progress: Progress
    ) throws(DumpError) -> StateSource? {
        let state = MemberState()
        state.acceptsAnyVersion = true
        if let image { state.restore(image, monotonic: 0) }
        let base = image?.metadata ?? SnapshotMetadata()
        let follower = LogFollower(state, from: base, until: moment)
        // Before the log: what was applied by now is in it. A later mark may be of entries that
        // took the place of those that were read.
        let mark = try mark(files, storage)
        let scan = try LogVisit.run(
            files.walPath, storage: storage, from: base.index > 0 ? base.index : nil, progress
        ) { follower.take($0) }
        let isOwn = mark?.member == follower.metadata?.memberID
        follower.finish(applied: isOwn ? mark?.values.commit ?? 0 : 0)
        switch follower.trouble {
        case .otherSnapshot(let text) where image != nil:
            passedOver.append("snapshot of index \(base.index): \(text)")
            return nil
        case .otherSnapshot(let text)?, .broken(let text)?:
            throw failure(scan, "\(files.walPath): \(text)", state, passedOver)
        case nil: break
        }
        try check(moment, follower, scan, files, passedOver)
        guard let metadata = follower.metadata else {
            throw DumpError("\(files.walPath): the log does not say whose it is.")
        }
        return StateSource(
            state: state, metadata: metadata,
            hardState: try promised(files, follower.hardState, metadata, storage),
            tail: follower.tail, snapshotIndex: base.index, passedOver: passedOver)
    }

    /// Whether the moment was reached, and with nothing damaged in front of it.
    private static func check(
        _ moment: Moment, _ follower: LogFollower, _ scan: LogScanSummary, _ files: MemberFiles,
        _ passedOver: [String]
    ) throws(DumpError) {
        guard follower.isDone || scan.damage.isEmpty else {
            throw failure(scan, "\(files.walPath) is damaged", follower.state, passedOver)
        }
        if case .time(let time) = moment { try checkTime(time, follower, files) }
        guard !follower.isDone else { return }
        if case .index(let index) = moment {
            throw DumpError(
                "\(files.walPath): index \(index) is not known to be committed: the log is up to "
                    + "\(follower.state.appliedIndex). Give a smaller index.")
        }
    }

    /// Without a SYNC up to `time` nobody knows which entries there were by then. To take all in
    /// front of the first one would make an empty cluster of a mistyped year.
    private static func checkTime(
        _ time: Int64, _ follower: LogFollower, _ files: MemberFiles
    ) throws(DumpError) {
        guard follower.state.clock.synced == nil else { return }
        let first = follower.timeBehind.map { "its times begin at \(Moment.text($0))" }
        throw DumpError(
            "\(files.walPath): what was committed at \(Moment.text(time)) cannot be told: "
                + "\(first ?? "it has no times"). Give a later --at-time, the --archive that has "
                + "the log before, or an --at-index.")
    }

    private static func failure(
        _ scan: LogScanSummary, _ problem: String, _ state: MemberState, _ passedOver: [String]
    ) -> DumpError {
        var text = scan.damage.first.map { "\($0)" } ?? "\(problem)."
        for line in passedOver {
            text += " Passed over: \(line)" + (line.hasSuffix(".") ? "" : ".")
        }
        if state.appliedIndex > 0 {
            text += " What is in front of it can be had with --at-index \(state.appliedIndex)."
        }
        return DumpError(text)
    }

    /// What its member had applied.
    private static func mark(
        _ files: MemberFiles, _ storage: some FileStorage
    ) throws(DumpError) -> CommitMarkSight? {
        guard let path = files.markPath else { return nil }
        return try DumpError.catching { () throws(StorageError) in
            try CommitMark.look(at: path, storage: storage)
        }
    }

    private static func promised(
        _ files: MemberFiles, _ state: HardState, _ metadata: WALMetadata,
        _ storage: some FileStorage
    ) throws(DumpError) -> HardState {
        guard let path = files.votePath else { return state }
        let vote = try DumpError.catching { () throws(StorageError) in
            try VoteRecord.look(at: path, storage: storage)
        }
        guard let vote, vote.member == metadata.memberID, vote.term >= state.term else {
            return state
        }
        var state = state
        if vote.term > state.term || state.vote == .none { state.vote = vote.vote }
        state.term = vote.term
        return state
    }
}
