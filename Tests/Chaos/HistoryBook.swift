package import Histories
import Synchronization

/// What the clients of one round asked of each key and were told.
///
/// A few keys are in use at a time. One that has been used enough gives way to another, as the
/// search for an order grows with what got no answer.
package final class HistoryBook: Sendable {
    package struct Kept: Sendable {
        package var path: String
        package var history = KeyHistory()

        package init(path: String) { self.path = path }
    }

    /// An operation under way.
    struct Call: Sendable {
        var slot: Int
        var place: Int
        var path: String
        var input: KeyOperation.Input
        var askedAt: UInt64
    }

    private struct State {
        var slots: [Kept]
        var retired: [Kept] = []
        var namesCount: Int
        var lastValue: KeyOperation.Value = KeyOperation.absent
    }

    private let folder: String
    private let limits = KeyHistory.Limits()
    private let state: Mutex<State>

    /// - Parameter folder: the keys lie in it; no other book has it.
    package init(folder: String, keys: Int) {
        self.folder = folder
        let slots = (0..<keys).map { Kept(path: "\(folder)/k\($0)") }
        state = Mutex(State(slots: slots, namesCount: keys))
    }

    package var slotCount: Int { state.withLock { $0.slots.count } }

    /// Nil: the key waits for its last answers.
    ///
    /// - Parameter draw: makes the input from a new value and one that the key may have.
    func begin(
        slot: Int, client: Int, now: () -> UInt64,
        _ draw: (_ new: KeyOperation.Value, _ guess: KeyOperation.Value) -> KeyOperation.Input
    ) -> Call? {
        state.withLock { state in
            if state.slots[slot].history.isFull(limits) {
                guard state.slots[slot].history.pendingCount == 0 else { return nil }
                state.retired.append(state.slots[slot])
                state.slots[slot] = Kept(path: "\(folder)/k\(state.namesCount)")
                state.namesCount += 1
            }
            state.lastValue += 1
            let input = draw(state.lastValue, state.slots[slot].history.lastWritten)
            let askedAt = now()
            let place = state.slots[slot].history.call(input, client: client, at: askedAt)
            return Call(
                slot: slot, place: place, path: state.slots[slot].path, input: input,
                askedAt: askedAt)
        }
    }

    func answer(_ call: Call, _ output: KeyOperation.Output, at time: UInt64) {
        state.withLock { $0.slots[call.slot].history.answer(call.place, output, at: time) }
    }

    /// Nobody knows whether it was done.
    func giveUp(_ call: Call) {
        state.withLock { $0.slots[call.slot].history.giveUp(call.place) }
    }

    /// All of the round, once its clients have ended.
    package var all: [Kept] { state.withLock { $0.retired + $0.slots } }
}

extension KeyHistory {
    /// A value that a comparison may hope for.
    var lastWritten: KeyOperation.Value {
        for operation in operations.reversed() {
            switch operation.input {
            case .set(let value), .create(let value), .update(let value), .swap(_, let value):
                return value
            case .read, .delete, .deleteIf: continue
            }
        }
        return KeyOperation.absent
    }
}
