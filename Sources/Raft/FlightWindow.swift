import DequeModule

/// The appends on their way to one follower, oldest first: how many, and how big.
struct FlightWindow: Sendable {
    struct Limits: Sendable {
        var messages: Int
        var bytes: Int
    }

    private struct Flight: Sendable {
        var lastIndex: UInt64
        var bytes: Int
    }

    private var flights = Deque<Flight>()
    private(set) var bytes = 0

    var count: Int { flights.count }

    func isFull(_ limits: Limits) -> Bool {
        flights.count >= limits.messages || bytes >= limits.bytes
    }

    mutating func add(lastIndex: UInt64, bytes: Int) {
        assert(flights.last.map { $0.lastIndex < lastIndex } ?? true, "appends go out in order")
        flights.append(Flight(lastIndex: lastIndex, bytes: bytes))
        self.bytes += bytes
    }

    /// Everything up to `index` has arrived.
    mutating func free(through index: UInt64) {
        while let first = flights.first, first.lastIndex <= index { freeFirst() }
    }

    /// Makes room for one, when the follower answers but its acknowledgements may be lost.
    mutating func freeFirst() {
        guard let first = flights.popFirst() else { return }
        bytes -= first.bytes
        assert(bytes >= 0)
    }

    mutating func removeAll() {
        flights.removeAll(keepingCapacity: true)
        bytes = 0
    }
}
