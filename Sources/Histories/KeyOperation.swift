/// What a client asked of one key, and what it was told: a register with comparisons.
///
/// Values are numbers that are written once each; 0 stands for a key that is not there.
package struct KeyOperation: Equatable, Sendable {
    package typealias Value = UInt32
    package static let absent: Value = 0

    package enum Input: Equatable, Sendable {
        case read
        case set(Value)
        /// If the key is not there.
        case create(Value)
        /// If the key is there.
        case update(Value)
        case swap(from: Value, to: Value)
        case delete
        case deleteIf(Value)
    }

    package enum Output: Equatable, Sendable {
        /// A read's answer.
        case value(Value)
        /// It was done; this is what was there before.
        case done(previous: Value)
        case keyMissing
        case keyExists
        case compareFailed
    }

    package var client: Int
    package var input: Input
    /// Nil: the client was told nothing, or nothing that says whether it was done.
    package var output: Output?
    /// The steps of the run at which it was asked and answered.
    package var calledAt: UInt64
    package var returnedAt: UInt64

    package init(
        client: Int, _ input: Input, _ output: Output?, calledAt: UInt64,
        returnedAt: UInt64 = .max
    ) {
        precondition(output != nil || returnedAt == .max, "who was told nothing still waits")
        precondition(calledAt <= returnedAt)
        (self.client, self.input, self.output) = (client, input, output)
        (self.calledAt, self.returnedAt) = (calledAt, returnedAt)
    }

    /// The key's value after this, done at a moment at which it was `value`; nil: the answer would
    /// have been another.
    package func apply(to value: Value) -> Value? {
        let (answer, after) = Self.carryOut(input, on: value)
        guard let output, output != answer else { return after }
        return nil
    }

    static func carryOut(_ input: Input, on value: Value) -> (Output, Value) {
        switch input {
        case .read: return (.value(value), value)
        case .set(let new): return (.done(previous: value), new)
        case .create(let new):
            return value == absent ? (.done(previous: absent), new) : (.keyExists, value)
        case .update(let new):
            return value == absent ? (.keyMissing, absent) : (.done(previous: value), new)
        case .swap(let expected, let new):
            if value == absent { return (.keyMissing, absent) }
            return value == expected ? (.done(previous: value), new) : (.compareFailed, value)
        case .delete:
            return value == absent ? (.keyMissing, absent) : (.done(previous: value), absent)
        case .deleteIf(let expected):
            if value == absent { return (.keyMissing, absent) }
            return value == expected ? (.done(previous: value), absent) : (.compareFailed, value)
        }
    }
}
