internal import NIOCore
internal import RaftModel

/// A peer's `POST /raft` requests: each carries one message, a few are under way at once, each on
/// a connection of its own that is kept for the next one.
///
///     closed ──submit──▶ connecting(message) ──▶ busy(message) ──answer──▶ idle ──submit──▶ busy
///                            │ failed                │ failed               │
///                            ▼                       ▼                      ▼
///                          closed     closed; or, on a kept connection    closed
///                                     that the peer closed just then,
///                                     connecting(message) once more
///
/// Source: `reference/peer-protocol.md` §5.
struct PostPipeline {
    enum Slot {
        case closed
        case connecting(Message)
        case idle
        case busy(Message, isKept: Bool)
    }

    enum Action: Equatable {
        case none
        case connect(slot: Int)
        case post(Message, slot: Int)
    }

    private var slots: [Slot]
    private var queue = CircularBuffer<Message>()
    private let queueMax: Int

    init(connectionsMax: Int, queueMax: Int) {
        precondition(connectionsMax > 0 && queueMax >= 0, "a pipeline needs a connection")
        slots = Array(repeating: .closed, count: connectionsMax)
        self.queueMax = queueMax
    }

    /// Nil: there is no room, `message` is not taken.
    mutating func submit(_ message: Message) -> Action? {
        if let slot = slots.firstIndex(where: \.isIdle) {
            slots[slot] = .busy(message, isKept: true)
            return .post(message, slot: slot)
        }
        if let slot = slots.firstIndex(where: \.isClosed) {
            slots[slot] = .connecting(message)
            return .connect(slot: slot)
        }
        guard queue.count < queueMax else { return nil }
        queue.append(message)
        return Action.none
    }

    mutating func connected(slot: Int) -> Action {
        guard case .connecting(let message) = slots[slot] else { return .none }
        slots[slot] = .busy(message, isKept: false)
        return .post(message, slot: slot)
    }

    /// No connection: what waited for one is as stale as the message that was to open it.
    mutating func connectFailed(slot: Int) -> [Message] {
        guard case .connecting(let message) = slots[slot] else { return [] }
        slots[slot] = .closed
        defer { queue.removeAll() }
        return [message] + queue
    }

    /// The answer is there; the message that it belongs to, and what to do next.
    mutating func answered(slot: Int, keepsAlive: Bool) -> (Message, Action)? {
        guard case .busy(let message, _) = slots[slot] else { return nil }
        slots[slot] = keepsAlive ? .idle : .closed
        guard let next = queue.popFirst() else { return (message, .none) }
        slots[slot] = keepsAlive ? .busy(next, isKept: true) : .connecting(next)
        return (message, keepsAlive ? .post(next, slot: slot) : .connect(slot: slot))
    }

    /// The connection ended. Messages that are lost by it, and what to do next.
    ///
    /// - Parameter hasBegun: whether some of the answer had come.
    mutating func lost(slot: Int, hasBegun: Bool) -> ([Message], Action) {
        switch slots[slot] {
        case .closed: return ([], .none)
        case .connecting: return (connectFailed(slot: slot), .none)
        case .idle:
            slots[slot] = .closed
            return ([], .none)
        case .busy(let message, isKept: true) where !hasBegun:
            // The peer may have closed it as idle while the request was on its way.
            slots[slot] = .connecting(message)
            return ([], .connect(slot: slot))
        case .busy(let message, _):
            slots[slot] = .closed
            guard let next = queue.popFirst() else { return ([message], .none) }
            slots[slot] = .connecting(next)
            return ([message], .connect(slot: slot))
        }
    }

    /// The message under way in `slot`.
    func message(in slot: Int) -> Message? {
        guard case .busy(let message, _) = slots[slot] else { return nil }
        return message
    }

    func isIdle(_ slot: Int) -> Bool { slots[slot].isIdle }

    /// Gives everything up; returns the messages that were not answered.
    mutating func stop() -> [Message] {
        var messages: [Message] = []
        for slot in slots.indices {
            switch slots[slot] {
            case .connecting(let message), .busy(let message, _): messages.append(message)
            case .closed, .idle: break
            }
            slots[slot] = .closed
        }
        defer { queue.removeAll() }
        return messages + queue
    }
}

extension PostPipeline.Slot {
    var isIdle: Bool {
        guard case .idle = self else { return false }
        return true
    }

    var isClosed: Bool {
        guard case .closed = self else { return false }
        return true
    }
}
