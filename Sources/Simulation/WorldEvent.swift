import KVServer
import Raft
import RaftModel
import Storage
import StorageIO

/// What may happen next. Those of a host name its life: what was begun before a crash is nothing to
/// the one that came up after it.
enum WorldEvent {
    case tick(Int, UInt32)
    /// A turn of the host's loop.
    case turn(Int, UInt32)
    case deliver(Message, to: Int)
    /// The disk is done with a group of batches, and the host is told.
    case committed(Int, UInt32)
    case reported(Int, UInt32, through: UInt64)
    case idle(Int, UInt32)
    case segmentJob(Int, UInt32, SegmentJob)
    case saveSnapshot(Int, UInt32)
    case sendSnapshot(Int, UInt32, Raft.SnapshotWanted)
    case transfer(SnapshotTransfer)
    case transferred(Int, UInt32, MemberID, succeeded: Bool)
    case versions(Int, UInt32)
    case end(Int, UInt32)
    case start(Int)
    /// Numbers in the plan.
    case fault(Int)
    case faultEnds(Int)
    case client(Int)
    case request(Int, UInt32)
    case answer(Int, UInt32, Reply)
    case timeout(Int, UInt32)
    case watcher(Int)
    case operate

    /// Whose time it takes, so that it waits while that one is paused.
    var host: Int? {
        switch self {
        case .tick(let slot, _), .turn(let slot, _), .deliver(_, let slot), .committed(let slot, _),
            .reported(let slot, _, _), .idle(let slot, _), .segmentJob(let slot, _, _),
            .saveSnapshot(let slot, _), .sendSnapshot(let slot, _, _),
            .transferred(let slot, _, _, _), .versions(let slot, _), .end(let slot, _):
            slot
        case .transfer(let transfer): transfer.to
        default: nil
        }
    }

    /// For the fingerprint.
    var kind: UInt64 {
        switch self {
        case .tick: 1
        case .turn: 2
        case .deliver: 3
        case .committed: 4
        case .reported: 5
        case .idle: 6
        case .segmentJob: 7
        case .saveSnapshot: 8
        case .sendSnapshot: 9
        case .transfer: 10
        case .transferred: 11
        case .versions: 12
        case .end: 13
        case .start: 14
        case .fault: 15
        case .faultEnds: 16
        case .client: 17
        case .request: 18
        case .answer: 19
        case .timeout: 20
        case .watcher: 21
        case .operate: 22
        }
    }
}

/// What a segment's keeper does on a thread of its own.
enum SegmentJob {
    case prepare(SegmentPreparation<SimulatedStorage>)
    case reserve(SegmentPreparation<SimulatedStorage>)
    case release(SegmentRelease<SimulatedStorage>)
}

/// A snapshot's file on its way to a follower, and the message that goes with it.
struct SnapshotTransfer {
    var from: Int
    var fromLife: UInt32
    var to: Int
    var message: Message
    var file: [UInt8]
}
