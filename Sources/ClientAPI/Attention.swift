#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Waits a moment for the next request of a client that is alone, where that pays.
///
/// A client that sends one request at a time has its next one here some microseconds after the
/// answer. If the loop has gone to sleep meanwhile, waking it costs more than the request does: on
/// a virtual machine the processor itself has to be woken. So after an answer to the only
/// connection that has asked anything lately, its socket is looked at for up to `window` before the
/// loop goes on:
///
///     read ─▶ answer ─▶ look, look, look ─▶ read            a hit: worth it
///     read ─▶ answer ─▶ look … window over ─▶ sleep         a miss
///
/// Nothing else is served meanwhile, so the window is short and only used while there is a streak of
/// requests of one connection. After some misses in a row the next ones are let pass, ever more of
/// them: a client that thinks between its requests costs next to nothing. Off where there is one
/// processor, since the client needs it.
struct Attention {
    private static let window: Int64 = 50_000
    private static let streakMin = 16
    private static let missesMax = 3
    private static let passesMax = 1024

    private let isPossible: Bool
    private var place: UInt32 = .max
    private var streak = 0
    private var missCount = 0
    /// Answers to let pass before the next try, and how many after the next miss.
    private var passCount = 0
    private var nextPassCount = 1

    init(processorCount: Int = sysconf(Int32(_SC_NPROCESSORS_ONLN))) {
        isPossible = processorCount > 1
    }

    /// A request of the connection at `place` begins, of whatever kind.
    mutating func asked(by place: UInt32) {
        if place != self.place { (self.place, streak) = (place, 0) }
    }

    /// The only answer of this turn of the loop is out, to the connection at `place`: whether to wait
    /// for its next request.
    mutating func isWorthwhile(after place: UInt32) -> Bool {
        guard isPossible else { return false }
        asked(by: place)
        streak += 1
        guard streak >= Self.streakMin else { return false }
        guard passCount == 0 else {
            passCount -= 1
            return false
        }
        return true
    }

    /// Looks at the socket until it has input, or for the window.
    mutating func wait(for socket: CInt) {
        let deadline = ClientServer.monotonicNanoseconds() + Self.window
        var look = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        repeat {
            if poll(&look, 1, 0) != 0 {
                (missCount, nextPassCount) = (0, 1)
                return
            }
        } while ClientServer.monotonicNanoseconds() < deadline
        missCount += 1
        guard missCount >= Self.missesMax else { return }
        passCount = nextPassCount
        nextPassCount = min(nextPassCount * 2, Self.passesMax)
    }
}
