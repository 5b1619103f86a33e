import RaftModel

/// This member's conf changes that are not applied yet, in the order in which they came.
///
/// A leader takes one conf change at a time and puts an empty entry in the place of any other. So
/// they are proposed one after the other:
///
///     waiting ──its turn──▶ proposed ──applied──▶ gone
///                 ▲            │
///                 └─ refused ──┘   by this member, as leader: known, and proposed again when what
///                                  was in its way is applied
///
/// A refusal by another leader is not heard of, nor is a lost message. What has not been applied
/// for `repeatInterval` is proposed again, if a second copy of it in the log would do nothing: an
/// id is added once and removed once. An update that comes twice could undo a later one, so it
/// steps aside for those behind it, and its client waits for it or for the time-out.
struct MemberChangeQueue {
    private struct Change {
        let id: UInt64
        let entry: Entry
        let isRepeatable: Bool
        /// Monotonic nanoseconds; nil: not proposed yet.
        var proposedAt: Int64?
        /// It was refused, and may be proposed again when this index is applied.
        var refusedUntil: UInt64?
    }

    private var changes: [Change] = []

    var isEmpty: Bool { changes.isEmpty }

    mutating func add(_ change: ConfChange) {
        changes.append(
            Change(
                id: change.id, entry: Entry(kind: .confChange, data: change.encoded()),
                isRepeatable: change.kind != .update))
    }

    /// What is to be proposed now, if anything: say `proposed` if it was.
    mutating func due(now: Int64, applied: UInt64, repeatInterval: Int64) -> Entry? {
        while let first = changes.first {
            guard let proposedAt = first.proposedAt else { return first.entry }
            let isOverdue = now - proposedAt >= repeatInterval
            if let index = first.refusedUntil {
                return applied >= index || isOverdue ? first.entry : nil
            }
            guard isOverdue else { return nil }
            if first.isRepeatable { return first.entry }
            changes.removeFirst()
        }
        return nil
    }

    /// The one that was due is on its way.
    mutating func proposed(now: Int64) {
        precondition(!changes.isEmpty, "only what is due is proposed")
        changes[0].proposedAt = now
        changes[0].refusedUntil = nil
    }

    /// This member leads and did not take it; it will when `index` is applied, or is asked again after
    /// `repeatInterval`.
    mutating func refused(_ id: UInt64, until index: UInt64) {
        guard let position = changes.firstIndex(where: { $0.id == id }) else { return }
        changes[position].refusedUntil = index
    }

    /// It was applied.
    mutating func settled(_ id: UInt64) { changes.removeAll { $0.id == id } }

    mutating func removeAll(where isGivenUp: (UInt64) -> Bool) {
        changes.removeAll { isGivenUp($0.id) }
    }
}
