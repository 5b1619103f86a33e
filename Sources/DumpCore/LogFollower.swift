import ProtoWire
import RaftModel
import State
import Storage

/// Applies what a log committed, as its records come by. Keeps only what is not known to be
/// committed yet, so a log of any length takes the memory of its store.
final class LogFollower {
    enum Trouble: Error {
        /// The log does not know the snapshot that was begun from; an older one may do.
        case otherSnapshot(String)
        case broken(String)
    }

    let state: MemberState
    private let base: SnapshotMetadata
    private let moment: Moment
    /// Entries behind the applied ones, without a gap.
    private(set) var tail: [Entry] = []
    private var commit: UInt64 = 0
    /// The log has an entry or a snapshot record of the base, or goes on right behind it.
    private var knowsBase: Bool
    private(set) var metadata: WALMetadata?
    private(set) var hardState = HardState.empty
    private(set) var trouble: Trouble?
    /// What was asked for has been reached.
    private(set) var isDone = false
    /// Of the SYNC that is later than the time that was asked for, in Unix nanoseconds.
    private(set) var timeBehind: Int64?

    init(_ state: MemberState, from base: SnapshotMetadata, until moment: Moment) {
        (self.state, self.base, self.moment) = (state, base, moment)
        knowsBase = base.index == 0
        if case .index(base.index) = moment { isDone = base.index > 0 }
    }

    /// False: it need not or cannot go on.
    func take(_ record: LogRecord) -> Bool {
        // What follows is told as damage by the scan.
        guard record.isIntact, trouble == nil, !hasAll else { return false }
        do throws(WireError) {
            switch record.type {
            case .crc: break
            case .metadata: metadata = try WALMetadata.decode(record.data)
            case .entry: take(try Entry.decode(record.data))
            case .state:
                hardState = try HardState.decode(record.data)
                advance(to: hardState.commit)
            case .snapshot: take(try WALSnapshotRecord.decode(record.data))
            }
        } catch {
            trouble = .broken(
                "record \(record.number) of \(record.segment) does not decode: \(error)")
        }
        return trouble == nil && !hasAll
    }

    /// Whose log it is must be known too.
    private var hasAll: Bool { isDone && knowsBase && metadata != nil }

    /// The log has ended; `applied`: what the member is known to have applied, its state apart.
    func finish(applied: UInt64) {
        guard trouble == nil, !isDone else { return }
        guard knowsBase else {
            trouble = .otherSnapshot("the log does not have the entry \(base.index) that it is of")
            return
        }
        advance(to: applied)
    }

    private var lastIndex: UInt64 { tail.last?.index ?? state.appliedIndex }

    private func take(_ entry: Entry) {
        if entry.index == base.index, base.index > 0 { return know(entry.term) }
        guard entry.index > state.appliedIndex else { return }
        guard entry.index <= lastIndex + 1 else {
            trouble = .broken(
                "entry \(entry.index) follows entry \(lastIndex): what lies between is not there")
            return
        }
        knowsBase = true
        tail.removeLast(tail.count - Int(entry.index - state.appliedIndex - 1))
        tail.append(entry)
    }

    private func know(_ term: UInt64) {
        guard term == base.term else {
            trouble = .otherSnapshot(
                "the log has entry \(base.index) of term \(term), the snapshot is of \(base.term)")
            return
        }
        knowsBase = true
    }

    private func take(_ snapshot: WALSnapshotRecord) {
        guard snapshot.index > base.index else {
            if snapshot.index == base.index, snapshot.index > 0 { know(snapshot.term) }
            return
        }
        guard snapshot.index > state.appliedIndex else { return }
        let place = Int(clamping: snapshot.index - state.appliedIndex - 1)
        guard place < tail.count, tail[place].term == snapshot.term else {
            trouble = .broken(
                "the log goes on from a snapshot of index \(snapshot.index) that was taken over "
                    + "from a leader, and has no entries up to it")
            return
        }
        advance(to: snapshot.index)
    }

    /// Applies all up to `commit`; what is not there yet, when it comes.
    private func advance(to commit: UInt64) {
        self.commit = max(self.commit, commit)
        var count = 0
        while count < tail.count, tail[count].index <= self.commit, trouble == nil, !isDone {
            if apply(tail[count]) { count += 1 }
        }
        tail.removeFirst(count)
    }

    private func apply(_ entry: Entry) -> Bool {
        if case .time(let time) = moment, let synced = Self.syncTime(entry), synced > time {
            (isDone, timeBehind) = (true, synced)
            return false
        }
        if case .unknown(let problem) = state.apply(entry, monotonic: 0, wall: 0) {
            trouble = .broken("entry \(entry.index) is not of the v2 API: \(problem)")
            return false
        }
        if case .index(entry.index) = moment { isDone = true }
        return true
    }

    private static func syncTime(_ entry: Entry) -> Int64? {
        guard entry.kind == .normal else { return nil }
        return entry.data.withUnsafeBytes { bytes in
            guard let view = try? RequestView.decode(bytes), view.method == .sync else {
                return nil
            }
            return view.time
        }
    }
}
