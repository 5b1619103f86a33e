package import RaftModel
package import State
package import Storage
import StorageIO

/// A member's state at one moment: the newest snapshot that is not later, then the log up to it.
package struct StateReplay {
    /// How far.
    package enum Limit: Equatable, Sendable {
        /// All that the log knows to be committed.
        case committed
        case index(UInt64)
        /// Up to the last entry before the cluster's clock passed it, in Unix nanoseconds.
        case time(Int64)
    }

    package var state: MemberState
    package var metadata: WALMetadata
    package var hardState: HardState
    package var report: RecoveryReport
    /// What it began from; index 0: an empty store.
    package var snapshot: SnapshotMetadata
    package var snapshotName: SnapshotName?
    package var replayedCount = 0

    /// - Parameters:
    ///   - snapPath, walPath: a member's two dirs. Beside a running server: what is read twice and
    ///     gone the second time is looked for anew.
    ///   - archive: where `--wal-archive` put the segments that are not in the log any more.
    package static func run(
        snapPath: String, walPath: String, archive: String? = nil, until limit: Limit = .committed
    ) throws(StateReplayError) -> StateReplay {
        let storage = PosixStorage()
        guard let archive else {
            return try run(SnapshotDirectory(snapPath, storage: storage), walPath, storage, limit)
        }
        let log = ArchivedLog(walPath, archive: archive, storage: storage)
        return try run(SnapshotDirectory(snapPath, storage: storage), walPath, log, limit)
    }

    private static func run(
        _ snapshots: SnapshotDirectory<PosixStorage>, _ walPath: String, _ log: some FileStorage,
        _ limit: Limit
    ) throws(StateReplayError) -> StateReplay {
        let names: [SnapshotName]
        do throws(StorageError) { names = try snapshots.list() } catch {
            throw StateReplayError("\(error)")
        }
        var problems: [String] = []
        for name in names {
            if case .index(let index) = limit, name.index > index { continue }
            let image: StateImage
            do throws(SnapshotLoader.Failure) {
                image = try SnapshotLoader(snapshots).load(name).image
            } catch {
                problems.append("\(error)")
                continue
            }
            if case .time(let time) = limit, image.clusterTime > time { continue }
            do throws(StateReplayError) {
                return try run(image, name, walPath, log, limit)
            } catch {
                problems.append("\(error)")
            }
        }
        do throws(StateReplayError) {
            return try run(nil, nil, walPath, log, limit)
        } catch {
            throw StateReplayError((problems + ["\(error)"]).joined(separator: "\n"))
        }
    }

    private static func run(
        _ image: StateImage?, _ name: SnapshotName?, _ walPath: String, _ storage: some FileStorage,
        _ limit: Limit
    ) throws(StateReplayError) -> StateReplay {
        let from = WALSnapshotRecord(index: image?.index ?? 0, term: image?.term ?? 0)
        let log: RecoveredLog
        do throws(WALError) {
            log = try LogReader.read(walPath, storage: storage, from: from)
        } catch {
            throw StateReplayError("\(error)")
        }
        let state = MemberState()
        state.acceptsAnyVersion = true
        if let image { state.restore(image, monotonic: 0) }
        var replay = StateReplay(
            state: state, metadata: log.metadata, hardState: log.hardState, report: log.report,
            snapshot: image?.metadata ?? SnapshotMetadata(), snapshotName: name)
        try replay.apply(log, limit)
        return replay
    }

    private mutating func apply(
        _ log: RecoveredLog, _ limit: Limit
    ) throws(StateReplayError) {
        var last = log.hardState.commit
        if case .index(let index) = limit {
            guard index <= last else {
                throw StateReplayError(
                    "index \(index) is not committed in this log, which is up to \(last)")
            }
            last = index
        }
        for entry in log.entries where entry.index <= last {
            if case .time(let time) = limit, let moment = Self.syncTime(entry), moment > time {
                return
            }
            if case .unknown(let problem) = state.apply(entry, monotonic: 0, wall: 0) {
                throw StateReplayError(
                    "entry \(entry.index) is no command of the v2 API: \(problem)")
            }
            replayedCount += 1
        }
    }

    private static func syncTime(_ entry: Entry) -> Int64? {
        guard entry.kind == .normal, !entry.data.isEmpty else { return nil }
        return entry.data.withUnsafeBytes { bytes in
            guard let view = try? RequestView.decode(bytes), view.method == .sync, view.time > 0
            else { return nil }
            return view.time
        }
    }
}

package struct StateReplayError: Error, CustomStringConvertible {
    package let description: String

    init(_ text: String) { description = text }
}
