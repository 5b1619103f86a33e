/// The operations on one key, until there are enough of them to be judged.
package struct KeyHistory: Sendable {
    package private(set) var operations: [KeyOperation] = []
    package private(set) var openCount = 0
    /// Of clients that still wait.
    package private(set) var pendingCount = 0

    /// Whether no more should be asked of the key: the search grows with what got no answer.
    package func isFull(_ limits: Limits) -> Bool {
        operations.count >= limits.operations || openCount >= limits.open
    }

    package struct Limits: Sendable {
        package var operations = 60
        package var open = 6

        package init() {}
    }

    package init() {}

    /// Returns the operation's place, for its answer.
    package mutating func call(_ input: KeyOperation.Input, client: Int, at step: UInt64) -> Int {
        operations.append(KeyOperation(client: client, input, nil, calledAt: step))
        pendingCount += 1
        return operations.count - 1
    }

    package mutating func answer(_ place: Int, _ output: KeyOperation.Output, at step: UInt64) {
        pendingCount -= 1
        operations[place].output = output
        operations[place].returnedAt = step
    }

    /// Nobody knows whether it was done.
    package mutating func giveUp(_ place: Int) {
        pendingCount -= 1
        if operations[place].input != .read { openCount += 1 }
    }

    /// It was certainly not done: it never was asked.
    package mutating func takeBack(_ place: Int) {
        pendingCount -= 1
        operations[place].input = .read
    }

    /// Nil: all is explained.
    package func check() -> Linearizability.Failure? { Linearizability.check(operations) }
}
