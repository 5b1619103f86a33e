import DequeModule
import RaftModel

/// The requests that wait for their command to be applied.
///
/// A member numbers its requests one after the other, so they lie in a ring at `id - first`:
/// finding one costs a subtraction, no hashing. All wait equally long, so the first in the ring is
/// also the first to time out.
///
///     first                                 first + slots.count
///       v                                          v
///     | waiting | answered | waiting | ... | waiting |
///
/// Answered ones are dropped when they reach the front.
struct PendingRequests {
    private struct Slot {
        var owner: Owner?
        /// Monotonic nanoseconds.
        var deadline: Int64
    }

    /// Whom to tell.
    enum Owner: Equatable {
        case client(Ticket)
        /// One who asked for a conf change.
        case memberChange(Ticket, ConfChange.Kind)
        /// The engine's own: publication of name and client URLs.
        case publication
        /// The engine's own, as leader: the conf change that makes a newcomer a member.
        case promotion(MemberID)
    }

    /// An id's counting part; what lies above is the member's (`RequestIDGenerator`).
    private static let countMask: UInt64 = 1 << 48 - 1

    private var first: UInt64
    private var slots = Deque<Slot>()
    /// Requests not answered yet.
    private(set) var count = 0

    init() { first = 0 }

    mutating func add(_ owner: Owner, id: UInt64, deadline: Int64) {
        if slots.isEmpty { first = id }
        let offset = (id &- first) & Self.countMask
        precondition(offset >= UInt64(slots.count), "request ids go up")
        // Ids that nobody waits for, such as a SYNC's, leave gaps.
        while UInt64(slots.count) < offset { slots.append(Slot(owner: nil, deadline: 0)) }
        slots.append(Slot(owner: owner, deadline: deadline))
        count += 1
    }

    /// Whether somebody still waits for `id`.
    func isWaiting(_ id: UInt64) -> Bool {
        guard let position = position(of: id) else { return false }
        return slots[position].owner != nil
    }

    /// Takes the one who waits for `id`; nil when it is another member's, or was given up.
    mutating func take(_ id: UInt64) -> Owner? {
        guard let position = position(of: id), let owner = slots[position].owner else { return nil }
        slots[position].owner = nil
        count -= 1
        dropAnswered()
        return owner
    }

    /// Takes the first one whose deadline has passed.
    mutating func takeExpired(now: Int64) -> Owner? {
        guard let slot = slots.first, let owner = slot.owner, slot.deadline <= now else {
            return nil
        }
        slots[0].owner = nil
        count -= 1
        dropAnswered()
        return owner
    }

    /// Takes all, in the order in which they came.
    mutating func takeAll() -> [Owner] {
        let owners = slots.compactMap(\.owner)
        slots.removeAll()
        count = 0
        return owners
    }

    /// Nil for the ids of other members, and for those that are answered and gone.
    private func position(of id: UInt64) -> Int? {
        guard id & ~Self.countMask == first & ~Self.countMask else { return nil }
        let offset = (id &- first) & Self.countMask
        return offset < UInt64(slots.count) ? Int(offset) : nil
    }

    private mutating func dropAnswered() {
        while let slot = slots.first, slot.owner == nil {
            slots.removeFirst()
            first = first & ~Self.countMask | ((first &+ 1) & Self.countMask)
        }
    }
}
