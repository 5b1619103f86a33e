import RaftModel
import Storage
import Synchronization
import Transport

/// The snapshots that are coming in, and what is left of one whose connection was lost: its leader
/// tries again, and goes on where it stopped.
final class IncomingSnapshots: Sendable {
    private struct State {
        /// No two are written to the same file.
        var active: Set<SnapshotName> = []
        var suspended: IncomingSnapshot?
    }

    private let state = Mutex(State())

    enum Fault: Error, CustomStringConvertible {
        case busy(SnapshotName)
        case gone(offset: Int)
        case file(SnapshotError)

        var description: String {
            switch self {
            case .busy(let name): "\(name) is coming in already"
            case .gone(let offset):
                "the first \(offset) bytes of that snapshot are not here any more: send all of it"
            case .file(let error): "\(error)"
            }
        }
    }

    /// How much of that file is here.
    func offset(of identity: String) -> Int {
        state.withLock { state in
            guard let suspended = state.suspended, suspended.identity == identity else { return 0 }
            return suspended.receivedBytes
        }
    }

    /// Begins, or goes on. What was suspended and is not gone on with makes room.
    func take(
        _ metadata: SnapshotMetadata, _ part: SnapshotPart, _ keeper: SnapshotKeeper
    ) throws(Fault) -> IncomingSnapshot {
        let name = SnapshotName(term: metadata.term, index: metadata.index, format: .kvd)
        let (isFree, suspended) = state.withLock { state in
            guard state.active.insert(name).inserted else {
                return (false, nil as IncomingSnapshot?)
            }
            defer { state.suspended = nil }
            return (true, state.suspended)
        }
        guard isFree else { throw .busy(name) }
        if let suspended, !part.identity.isEmpty, suspended.identity == part.identity,
            suspended.name == name, suspended.receivedBytes == part.offset
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
            state.active.remove(snapshot.name)
            defer { state.suspended = snapshot }
            return state.suspended
        }
        old?.removeFile()
    }

    func settled(_ name: SnapshotName) { state.withLock { _ = $0.active.remove(name) } }
}
