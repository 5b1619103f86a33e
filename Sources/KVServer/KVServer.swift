/// One node's logic: proposals, persistence, apply, linearizable reads, and its duties.
///
/// `Engine` is single-threaded and does no I/O, reads no clock and starts no thread. Its owner
/// (`kvd` on an event loop, `kvd-sim` on virtual time) tells it the time, hands work in, pumps
/// once a turn, and carries out the `Effects`:
///
///     client port ── propose, readLinearizably ──▶ ┌────────┐ ──▶ persist    the log's writer
///     peer port   ── receive(messages) ──────────▶ │ Engine │ ──▶ messages   the peers
///     log writer  ── persisted(through:) ────────▶ │        │ ──▶ answers    the clients
///     timer       ── tick ───────────────────────▶ └────────┘ ──▶ events     the watchers
///
/// A write: `propose` encodes the command once, as the bytes of its log entry; the pump appends
/// all of a turn's commands to the log together (one batch to disk, one message to each follower);
/// once it is committed and durable here the command is read in place, applied to the store,
/// and its waiting client, found by the command's id, gets the event.
///
/// A plain read goes straight to `engine.store`, as long as `engine.isReadable`: after a restart it
/// is not until the store has caught up with what this member may have shown before. A
/// linearizable read waits for one round of heartbeats shared by all reads of its turn.
///
/// Files: `Engine` holds the state and the pump; `Engine+Proposals`, `+Reads`, `+Apply`,
/// `+Membership` and `+Duties` its topics; `PendingRequests`, `PendingReads`, `ClusterClock` the
/// bookkeeping of one thing each.
package enum KVServer {
    /// etcd's interval between SYNC commands.
    package static let syncIntervalNanoseconds: Int64 = 500_000_000
}
