import KVServer
import Raft
import RaftModel
import State
import Storage
import StorageIO

/// What a member has while it runs, and loses when it ends.
final class Running {
    let engine: Engine
    let group: GroupCommit<SimulatedStorage>
    let directory: DataDirectory<SimulatedStorage>
    let snapshots: SnapshotDirectory<SimulatedStorage>
    var mark: CommitMark
    var effects = Effects()
    var isTurnDue = false

    // MARK: The log's writer

    /// Handed over, and taken by the disk.
    var queue: [LogBatch] = []
    var writing: [LogBatch] = []
    var submittedSequence: UInt64 = 0
    var isOutOfSpace = false
    var hasWaitedForSpace = false
    var jobsUnderWay = 0

    // MARK: Snapshots

    /// A leader's snapshot takes the place of a void state when this batch is durable.
    var restoringSequence: UInt64?
    var imageToSave: StateImage?
    var waitingForSnapshot: [Raft.SnapshotWanted] = []
    var arrived: [(metadata: SnapshotMetadata, image: StateImage, stateBytes: Int)] = []

    // MARK: Peers and clients

    var kvdPeers: Set<MemberID> = []
    var knowsAllPeers = false
    var markedIndex: UInt64 = 0
    var requests: [Ticket: Request] = [:]
    var watches: [UInt64: Int] = [:]
    /// Single questions that have had their answer.
    var answeredWatches: Set<UInt64> = []

    /// What is to be done with the answer to a ticket.
    enum Request {
        case write
        /// A read, and the entry that it must have seen.
        case linearizableRead(key: Int, floor: UInt64)
        case plainRead(key: Int)
        case memberChange(OperatorWish)
    }

    init(
        engine: Engine, group: GroupCommit<SimulatedStorage>,
        directory: DataDirectory<SimulatedStorage>, mark: consuming CommitMark
    ) {
        (self.engine, self.group, self.directory) = (engine, group, directory)
        self.mark = mark
        snapshots = SnapshotDirectory(directory.snapPath, storage: directory.storage)
    }

    var wal: WAL<SimulatedStorage> { group.wal }
}
