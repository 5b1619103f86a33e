internal import NIOCore

/// Keeps one stream from one peer dialled: when to connect, and when to try again.
///
///     idle ──start──▶ dialling ──opened──▶ open
///                       ▲  │                │
///                  woken│  └─failed─┐ ┌─────┘ failed
///                       │           ▼ ▼
///                       └───────  waiting          stop: from any state, for ever
///
/// Each attempt has a number, and what is reported of an attempt that is over changes nothing.
struct StreamDial {
    enum State: Equatable {
        case idle
        case dialling
        case open
        case waiting
        case stopped
    }

    enum Action: Equatable {
        case none
        case dial(attempt: UInt64)
        /// Call `woken` for this attempt after this time.
        case wait(TimeAmount, attempt: UInt64)
    }

    private(set) var state = State.idle
    private(set) var attempt: UInt64 = 0
    /// Attempts in a row that came to no stream.
    private var failureCount = 0
    private let delay: TimeAmount
    private let delayMax: TimeAmount

    /// Failures after which the delay begins to grow.
    private static let quickFailureCount = 10

    init(delay: TimeAmount, delayMax: TimeAmount) {
        precondition(delay > .zero && delayMax >= delay, "the delay grows, from above zero")
        (self.delay, self.delayMax) = (delay, delayMax)
    }

    mutating func start() -> Action {
        guard state == .idle else { return .none }
        return dial()
    }

    mutating func opened(attempt: UInt64) {
        guard isCurrent(attempt) else { return }
        state = .open
        failureCount = 0
    }

    mutating func failed(attempt: UInt64) -> Action {
        guard isCurrent(attempt) else { return .none }
        let wasOpen = state == .open
        if !wasOpen { failureCount += 1 }
        state = .waiting
        return .wait(wasOpen ? delay : nextDelay, attempt: attempt)
    }

    /// The time that a `wait` asked for has passed.
    mutating func woken(attempt: UInt64) -> Action {
        guard state == .waiting, attempt == self.attempt else { return .none }
        return dial()
    }

    /// The peer has just shown that it is there: a delay that has grown long is cut short.
    mutating func peerIsAlive() -> Action {
        guard state == .waiting, failureCount > Self.quickFailureCount else { return .none }
        failureCount = 0
        return dial()
    }

    mutating func stop() { state = .stopped }

    /// Whether `attempt` is the one under way or open.
    func isCurrent(_ attempt: UInt64) -> Bool {
        attempt == self.attempt && (state == .dialling || state == .open)
    }

    private mutating func dial() -> Action {
        attempt += 1
        state = .dialling
        return .dial(attempt: attempt)
    }

    private var nextDelay: TimeAmount {
        let doublings = failureCount - Self.quickFailureCount
        guard doublings > 0 else { return delay }
        // Twenty doublings are above any sensible bound, and cannot overflow.
        let grown = delay.nanoseconds << Int64(min(doublings, 20))
        return .nanoseconds(min(grown, delayMax.nanoseconds))
    }
}
