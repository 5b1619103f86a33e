package import KeyStore
package import Raft
package import RaftModel
package import State

/// What the owner of an `Engine` has to do for it after a pump.
///
/// The order matters: `persist` is handed to the log before anything else, so that the disk starts
/// as early as it can; then everything else in any order. Nothing here waits for `persist`:
/// what must not leave before it is durable is not in here until `persisted` was reported.
package struct Effects {
    package var persist: [Raft.PersistBatch] = []
    /// An image of the state to be written out as a snapshot on another thread: report
    /// `Engine.snapshotSaved` or `snapshotFailed`.
    package var snapshot: StateImage?
    /// Members that a snapshot has to be sent to.
    package var snapshotsWanted: [Raft.SnapshotWanted] = []
    /// The store turned out not to be what the log says: note it where a restart finds it.
    package var stateIsVoid = false
    /// A member that rejoined has everything again: forget that it had not.
    package var hasRejoined = false
    /// To other members; any of them may be lost.
    package var messages: [Message] = []
    package var answers: [(Ticket, Outcome)] = []
    package var notifications: [Notification] = []
    /// Content of removed directories: let go of it on another thread, as that may take long.
    package var removedContent: [RemovedContent] = []
    /// The members this one talks to changed: compare `Engine.membership`.
    package var peersChanged = false
    /// Ask every other member for its versions, and report them to `Engine.versionsLearnt`.
    package var wantsVersions = false
    /// Stop serving, for this reason.
    package var stop: StopReason?

    package init() {}

    /// Empties everything but keeps the memory for the next pump.
    package mutating func removeAll() {
        persist.removeAll(keepingCapacity: true)
        messages.removeAll(keepingCapacity: true)
        answers.removeAll(keepingCapacity: true)
        notifications.removeAll(keepingCapacity: true)
        removedContent.removeAll()
        snapshot = nil
        snapshotsWanted.removeAll()
        (stateIsVoid, hasRejoined) = (false, false)
        peersChanged = false
        wantsVersions = false
        stop = nil
    }
}

/// Why the engine cannot go on.
package enum StopReason: Equatable, Sendable, CustomStringConvertible {
    /// An entry removed this member: the end, with exit code 0.
    case removedFromCluster
    /// The cluster's version is above this program's.
    case clusterVersionTooHigh(String)
    /// A committed entry cannot be understood: applying on would diverge from the others.
    case unknownCommand(index: UInt64, problem: String)

    package var description: String {
        switch self {
        case .removedFromCluster:
            "the member has been permanently removed from the cluster"
        case .clusterVersionTooHigh(let version):
            "the cluster runs version \(version), which this kvd does not speak. Start a newer kvd"
        case .unknownCommand(let index, let problem):
            """
            entry \(index) of the log is no command of the v2 API (\(problem)). It was written by \
            another version; look at it with kvd-dump wal, and start the server that wrote it
            """
        }
    }
}
