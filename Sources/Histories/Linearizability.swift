/// Whether what clients were told of one key can be put into one order that explains it all, in which
/// nothing comes before what had been answered when it was asked.
///
/// The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory
/// ("Testing for Linearizability", 2017): operations are taken, one after the other, out of a list of
/// calls and returns; at a return whose call was not taken, the last choice is undone; and a set of
/// operations taken, with the value that they led to, is never tried twice. Operations that got no
/// answer return at the end of time, with any answer, so they can be taken anywhere or not at all.
package enum Linearizability {
    /// Nil: it can. Else, the longest order that was found, and what stands in its way.
    package static func check(
        _ operations: [KeyOperation], initial: KeyOperation.Value = KeyOperation.absent
    ) -> Failure? {
        var search = Search(operations, initial)
        return search.run()
    }

    package struct Failure: Error, CustomStringConvertible {
        /// The longest order that explains what was answered.
        package var order: [KeyOperation]
        /// What was answered next and cannot be explained behind it.
        package var stuckAt: KeyOperation

        package var description: String {
            let tail = order.suffix(12).map { "  \($0.line)" }.joined(separator: "\n")
            return """
                no order of the operations explains the answers. The longest one ends with
                \(tail)
                and behind it cannot come
                  \(stuckAt.line)
                """
        }
    }

    private struct Memory: Hashable {
        var taken: [UInt64]
        var value: KeyOperation.Value
    }

    /// Calls and returns in a doubly linked list by their times; taking an operation unlinks both of
    /// its entries. Entry 0 is the head.
    private struct Search {
        let operations: [KeyOperation]
        var next: [Int]
        var previous: [Int]
        /// Of each entry; the operation's number, and whether it is its call.
        var owner: [Int]
        var isCall: [Bool]
        /// Of each operation, the entry of its return.
        var returnEntry: [Int]
        var callEntry: [Int]
        var value: KeyOperation.Value
        var taken: [UInt64]
        var stack: [(operation: Int, before: KeyOperation.Value)] = []
        var memory: Set<Memory> = []
        var best: (order: [Int], stuckAt: Int)?
        var unanswered: Int

        init(_ operations: [KeyOperation], _ initial: KeyOperation.Value) {
            self.operations = operations
            value = initial
            taken = [UInt64](repeating: 0, count: operations.count / 64 + 1)
            let count = operations.count
            var entries: [(time: UInt64, isCall: Bool, operation: Int)] = []
            for (i, operation) in operations.enumerated() {
                entries.append((operation.calledAt, true, i))
                entries.append((operation.returnedAt, false, i))
            }
            // At the same step a return comes after a call: both may have been at any moment of it.
            entries.sort {
                ($0.time, $0.isCall ? 0 : 1, $0.operation)
                    < ($1.time, $1.isCall ? 0 : 1, $1.operation)
            }
            next = Array(1...(2 * count + 1)).map { $0 <= 2 * count ? $0 : 0 }
            previous = Array(0...(2 * count)).map { max(0, $0 - 1) }
            owner = [-1] + entries.map(\.operation)
            isCall = [false] + entries.map(\.isCall)
            returnEntry = [Int](repeating: 0, count: count)
            callEntry = [Int](repeating: 0, count: count)
            for (i, entry) in entries.enumerated() {
                if entry.isCall {
                    callEntry[entry.operation] = i + 1
                } else {
                    returnEntry[entry.operation] = i + 1
                }
            }
            unanswered = operations.count { $0.output != nil }
        }

        mutating func run() -> Failure? {
            var entry = next[0]
            while unanswered > 0 {
                // At a return, its call was not taken in time.
                guard entry != 0, isCall[entry] else {
                    note(stuckAt: entry)
                    guard let back = undo() else { return failure }
                    entry = back
                    continue
                }
                entry = take(entry) ? next[0] : next[entry]
            }
            return nil
        }

        /// Takes an operation as the next one, if that explains its answer and was not tried yet.
        private mutating func take(_ entry: Int) -> Bool {
            let operation = owner[entry]
            guard let after = operations[operation].apply(to: value) else { return false }
            // One that changed nothing and was told nothing need not be taken at all.
            if operations[operation].output == nil, after == value { return false }
            taken[operation / 64] |= 1 << UInt64(operation % 64)
            guard memory.insert(Memory(taken: taken, value: after)).inserted else {
                taken[operation / 64] &= ~(1 << UInt64(operation % 64))
                return false
            }
            stack.append((operation, value))
            value = after
            if operations[operation].output != nil { unanswered -= 1 }
            unlink(callEntry[operation])
            unlink(returnEntry[operation])
            return true
        }

        /// Undoes the last choice; gives the entry to go on at.
        private mutating func undo() -> Int? {
            guard let (operation, before) = stack.popLast() else { return nil }
            value = before
            taken[operation / 64] &= ~(1 << UInt64(operation % 64))
            if operations[operation].output != nil { unanswered += 1 }
            relink(returnEntry[operation])
            relink(callEntry[operation])
            return next[callEntry[operation]]
        }

        private mutating func unlink(_ entry: Int) {
            next[previous[entry]] = next[entry]
            previous[next[entry]] = previous[entry]
        }

        private mutating func relink(_ entry: Int) {
            next[previous[entry]] = entry
            previous[next[entry]] = entry
        }

        private mutating func note(stuckAt entry: Int) {
            guard entry != 0, stack.count >= best?.order.count ?? 0 else { return }
            best = (stack.map(\.operation), owner[entry])
        }

        private var failure: Failure {
            let stuck = best?.stuckAt ?? 0
            return Failure(
                order: (best?.order ?? []).map { operations[$0] }, stuckAt: operations[stuck])
        }
    }
}

extension KeyOperation {
    /// For people.
    package var line: String {
        let answer = output.map { "\($0)" } ?? "no answer"
        let end = returnedAt == .max ? "…" : "\(returnedAt)"
        return "client \(client): \(input) → \(answer)   [\(calledAt), \(end)]"
    }
}
