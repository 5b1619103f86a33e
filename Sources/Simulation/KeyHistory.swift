/// The operations on one key, until there are enough of them to be judged.
struct KeyHistory {
    private(set) var operations: [KeyOperation] = []
    private(set) var openCount = 0
    /// Of clients that still wait.
    private(set) var pendingCount = 0

    /// Whether no more should be asked of the key: the search grows with what got no answer.
    func isFull(_ limits: Limits) -> Bool {
        operations.count >= limits.operations || openCount >= limits.open
    }

    struct Limits {
        var operations = 60
        var open = 6
    }

    /// Returns the operation's place, for its answer.
    mutating func call(_ input: KeyOperation.Input, client: Int, at step: UInt64) -> Int {
        operations.append(KeyOperation(client: client, input, nil, calledAt: step))
        pendingCount += 1
        return operations.count - 1
    }

    mutating func answer(_ place: Int, _ output: KeyOperation.Output, at step: UInt64) {
        pendingCount -= 1
        operations[place].output = output
        operations[place].returnedAt = step
    }

    /// Nobody knows whether it was done.
    mutating func giveUp(_ place: Int) {
        pendingCount -= 1
        if operations[place].input != .read { openCount += 1 }
    }

    /// It was certainly not done: it never was asked.
    mutating func takeBack(_ place: Int) {
        pendingCount -= 1
        operations[place].input = .read
    }

    func check() throws(Violation) {
        guard let failure = Linearizability.check(operations) else { return }
        throw Violation("linearizability", "\(failure)")
    }
}
