import Cluster
package import KeyStore
import Logging
import Raft
package import RaftModel
package import State

/// Snapshots: when one is taken, what becomes of the log behind it, and what a member that gets one
/// from its leader does with it.
///
///     pump ─▶ effects.snapshot: an image, made in O(1)   the owner writes it out on another thread
///          ◀─ snapshotSaved: it is durable               the log in memory is cut behind it
///     pump ─▶ effects.snapshotsWanted                    the owner sends a saved one, or asks for a
///          ◀─ snapshotMessage(for:to:)                   fresh one with `wantSnapshot()`
///     pump ─▶ effects.persist with a snapshot            the owner calls `install` with its image
///                                                        before it hands the batch to the log
extension Engine {
    /// Makes an image to be written out, if it is time or somebody asked for one.
    func takeSnapshotIfDue() {
        guard snapshotUnderWay == nil, !raft.isStateVoid,
            state.appliedIndex > 0, state.appliedIndex > snapshotIndex || isSnapshotWanted
        else { return }
        guard isSnapshotWanted || (policy.isDue && now >= snapshotRetryAt) else { return }
        isSnapshotWanted = false
        snapshotUnderWay = (state.appliedIndex, policy.begin())
        effects.snapshot = state.image(confState: raft.confState)
    }

    /// Asks for a snapshot of the state as it is, with the next pump. Returns false if the newest
    /// one is just that, and it is not wanted `always`: because its file is damaged.
    @discardableResult
    package func wantSnapshot(always: Bool = false) -> Bool {
        guard state.appliedIndex > snapshotIndex || always else { return false }
        isSnapshotWanted = true
        return true
    }

    /// The image of the last `effects.snapshot` is durable.
    package func snapshotSaved(index: UInt64, stateBytes: Int) {
        guard let underWay = snapshotUnderWay, underWay.index == index else { return }
        snapshotUnderWay = nil
        snapshotIndex = max(snapshotIndex, index)
        policy.saved(stateBytes: stateBytes)
        compactLog()
    }

    /// It could not be written. Another is tried after a while.
    package func snapshotFailed(index: UInt64) {
        guard let underWay = snapshotUnderWay, underWay.index == index else { return }
        snapshotUnderWay = nil
        policy.failed(underWay.begun)
        snapshotRetryAt = now + Self.snapshotRetryInterval
    }

    private static var snapshotRetryInterval: Int64 { 30_000_000_000 }
    private static var catchUpBytes: Int { 32 << 20 }
    /// What the log keeps at most for followers that are being sent a snapshot.
    private static var offeredBytesMax: Int { 256 << 20 }

    private func compactLog() {
        let isAlone = membership.listed.count < 2
        let newest = min(snapshotIndex, raft.appliedIndex)
        var index = raft.compactionIndex(
            behind: newest, keepingEntries: isAlone ? 0 : configuration.catchUpEntries,
            bytes: Self.catchUpBytes)
        if let offeredIndex, offeredIndex < index {
            let least = raft.compactionIndex(
                behind: newest, keepingEntries: .max, bytes: Self.offeredBytesMax)
            index = max(offeredIndex, min(index, least))
        }
        guard index >= raft.firstIndex else { return }
        raft.compact(through: index)
        serverLog.info("compacted raft log at \(index)")
    }

    // MARK: For a follower

    /// The message that carries the news of a snapshot to a follower that wants it; the state itself
    /// goes beside it. Nil: it needs none any more. Whatever becomes of it, call `reportSnapshot`.
    package func snapshotMessage(_ metadata: SnapshotMetadata, to member: MemberID) -> Message? {
        guard metadata.index >= raft.firstIndex - 1, metadata.index <= raft.appliedIndex else {
            return nil
        }
        return raft.sendSnapshot(Snapshot(metadata: metadata), to: member)
    }

    // MARK: From a leader

    /// Puts a leader's snapshot in the place of the state; it is durable, and of that many bytes.
    ///
    /// Watchers are told what they missed, if the snapshot's history has it. Returns those that cannot
    /// be.
    package func install(_ image: StateImage, stateBytes: Int) -> [WatcherID] {
        let before = state.appliedIndex
        let cancelled = state.restore(
            image, monotonic: now, isContinuation: !raft.isStateVoid)
        effects.notifications += store.takeNotifications()
        snapshotIndex = image.index
        policy.restarted(stateBytes: stateBytes)
        hashes.removeAll()
        effects.peersChanged = true
        noteMembership()
        serverLog.notice(
            """
            the state is now that of the leader's snapshot at index \(image.index), term \
            \(image.term), with \(image.nodeCount) keys; it was at index \(before)
            """)
        return cancelled
    }
}
