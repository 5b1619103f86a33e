import Logging
import RaftModel
import Storage
import Synchronization
import Transport

/// The snapshots that are coming in, and what is left of one whose connection was lost, or that was coming
/// in when this member was stopped: its leader tries again, and goes on where it stopped.
final class IncomingSnapshots: Sendable {
    private struct State {
        /// No two are written to the same file. With the identity of the sender's.
        var active: [SnapshotName: String] = [:]
        var suspended: IncomingSnapshot?
        /// What the last run has left is being read.
        var isRecovering = false
    }

    private let state = Mutex(State())

    enum Fault: Error, CustomStringConvertible {
        case busy(SnapshotName)
        case recovering
        case gone(offset: Int)
        case file(SnapshotError)

        var description: String {
            switch self {
            case .busy(let name): "\(name) is coming in already"
            case .recovering:
                "what came of a snapshot before this member was restarted is being verified: send it "
                    + "again later"
            case .gone(let offset):
                "the first \(offset) bytes of that snapshot are not here any more: send all of it"
            case .file(let error): "\(error)"
            }
        }
    }

    /// How much of that file is here. Nil as long as a connection that was cut off is still being
    /// written down: to say "nothing" would have all of it sent again.
    func offset(of identity: String) -> Int? {
        state.withLock { state in
            guard !state.isRecovering, !state.active.values.contains(identity) else { return nil }
            guard let suspended = state.suspended, suspended.identity == identity else { return 0 }
            return suspended.receivedBytes
        }
    }

    /// Takes up what the last run has left, on the keeper's thread: every byte of it is read. Until that is
    /// done nothing else is taken in.
    func recover(_ keeper: SnapshotKeeper) {
        guard let partial = try? keeper.directory.partial() else { return }
        state.withLock { $0.isRecovering = true }
        keeper.run { [self] in
            let found = try? IncomingSnapshot(keeper, recovering: partial)
            if let found {
                keeper.log.info(
                    """
                    \(found.receivedBytes) bytes of the snapshot \(found.name) had come in before the \
                    restart: its sender may go on behind them
                    """)
            }
            state.withLock { state in
                (state.suspended, state.isRecovering) = (found, false)
            }
        }
    }

    /// This member's own state is as late as `index`: older snapshots are of no use to it.
    func forget(upTo index: UInt64) {
        let old = state.withLock { state -> IncomingSnapshot? in
            guard let suspended = state.suspended, suspended.name.index <= index else { return nil }
            state.suspended = nil
            return suspended
        }
        old?.removeFile()
    }

    /// Begins, or goes on. What was suspended and is not gone on with makes room.
    func take(
        _ metadata: SnapshotMetadata, _ part: SnapshotPart, _ keeper: SnapshotKeeper
    ) throws(Fault) -> IncomingSnapshot {
        let name = SnapshotName(term: metadata.term, index: metadata.index, format: .kvd)
        guard !state.withLock({ $0.isRecovering }) else { throw .recovering }
        let (isFree, suspended) = state.withLock { state in
            guard state.active[name] == nil else { return (false, nil as IncomingSnapshot?) }
            state.active[name] = part.identity
            defer { state.suspended = nil }
            return (true, state.suspended)
        }
        guard isFree else { throw .busy(name) }
        if let suspended, !part.identity.isEmpty, suspended.identity == part.identity,
            suspended.metadata == metadata, suspended.receivedBytes == part.offset
        {
            return suspended
        }
        suspended?.removeFile()
        guard part.offset == 0 else {
            settled(name)
            throw .gone(offset: part.offset)
        }
        do throws(SnapshotError) {
            return try IncomingSnapshot(keeper, metadata, identity: part.identity)
        } catch {
            settled(name)
            throw .file(error)
        }
    }

    func suspend(_ snapshot: IncomingSnapshot) {
        let old = state.withLock { state in
            state.active[snapshot.name] = nil
            defer { state.suspended = snapshot }
            return state.suspended
        }
        old?.removeFile()
    }

    func settled(_ name: SnapshotName) { state.withLock { $0.active[name] = nil } }
}
