/// Requests sent on one connection and not answered yet, oldest first: HTTP/1.1 answers in order.
/// A ring of fixed size, allocated once.
package struct InFlightQueue: Sendable {
    package struct Request: Equatable, Sendable {
        package var operation: Operation
        /// When it was meant to be sent.
        package var intended: Nanoseconds

        package init(_ operation: Operation, intended: Nanoseconds) {
            self.operation = operation
            self.intended = intended
        }
    }

    private var ring: [Request]
    private var head = 0
    package private(set) var count = 0

    package init(depth: Int) {
        precondition(depth > 0)
        ring = Array(repeating: Request(.put, intended: 0), count: depth)
    }

    package var isFull: Bool { count == ring.count }
    package var isEmpty: Bool { count == 0 }

    package mutating func push(_ request: Request) {
        precondition(!isFull, "the depth bounds what is in flight")
        var tail = head + count
        if tail >= ring.count { tail -= ring.count }
        ring[tail] = request
        count += 1
    }

    /// The oldest, or nil if nothing was asked.
    package mutating func pop() -> Request? {
        guard count > 0 else { return nil }
        let request = ring[head]
        head += 1
        if head == ring.count { head = 0 }
        count -= 1
        return request
    }
}
