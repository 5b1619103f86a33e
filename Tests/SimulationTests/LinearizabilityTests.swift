import Histories
import StorageIO
import Testing

@Suite struct LinearizabilityTests {
    @Test(arguments: HistoryCase.all) func historiesAreJudged(_ history: HistoryCase) {
        #expect((Linearizability.check(history.operations) == nil) == history.isGood)
    }

    /// Histories made by a real register are good; and on small ones, true or false, the search agrees
    /// with trying all orders.
    @Test func theSearchAgreesWithAllOrders() {
        var (goodCount, badCount) = (0, 0)
        for seed in 1...4000 as ClosedRange<UInt64> {
            var random = SplitMix64(seed: seed)
            var history = Self.makeHistory(&random, count: 3 + random.below(4))
            #expect(Linearizability.check(history) == nil, "seed \(seed)")
            Self.spoil(&history, &random)
            let isGood = Linearizability.check(history) == nil
            #expect(isGood == Self.hasOrder(history[...], [], KeyOperation.absent), "seed \(seed)")
            if isGood { goodCount += 1 } else { badCount += 1 }
        }
        #expect(goodCount > 200 && badCount > 200)
    }

    /// Much that got no answer, and long histories, are no trouble.
    @Test func longHistoriesAreQuick() {
        for seed in 1...200 as ClosedRange<UInt64> {
            var random = SplitMix64(seed: seed)
            #expect(
                Linearizability.check(Self.makeHistory(&random, count: 60)) == nil, "seed \(seed)")
        }
    }

    /// Each operation happens at a moment between its call and its return.
    private static func makeHistory(
        _ random: inout SplitMix64, count: Int
    ) -> [KeyOperation] {
        var drawn: [(moment: Int, called: Int, returned: Int, input: KeyOperation.Input)] = []
        for number in 0..<count {
            let moment = random.below(count * 10) * 100 + number
            let (before, after) = (random.below(1500), random.below(1500))
            drawn.append(
                (moment, max(0, moment - before), moment + after, input(&random, number)))
        }
        drawn.sort { $0.moment < $1.moment }
        var value = KeyOperation.absent
        var history: [KeyOperation] = []
        for (client, one) in drawn.enumerated() {
            let asked = KeyOperation(
                client: client, one.input, nil, calledAt: UInt64(one.called))
            var answered = asked
            if !random.chance(percent: 12) {
                answered.output = answer(one.input, on: value)
                answered.returnedAt = UInt64(one.returned)
            }
            history.append(answered)
            value = asked.apply(to: value) ?? value
        }
        return history
    }

    private static func input(_ random: inout SplitMix64, _ number: Int) -> KeyOperation.Input {
        let new = KeyOperation.Value(number + 1)
        let old = KeyOperation.Value(random.below(number + 1))
        return switch random.below(8) {
        case 0, 1: .read
        case 2, 3: .set(new)
        case 4: .swap(from: old, to: new)
        case 5: .create(new)
        case 6: .delete
        default: .deleteIf(old)
        }
    }

    /// What a register that is at `value` answers: the one answer that fits.
    private static func answer(
        _ input: KeyOperation.Input, on value: KeyOperation.Value
    ) -> KeyOperation.Output? {
        let all: [KeyOperation.Output] = [
            .value(value), .done(previous: value), .keyMissing, .keyExists, .compareFailed,
        ]
        return all.first { output in
            KeyOperation(client: 0, input, output, calledAt: 0, returnedAt: 0).apply(to: value)
                != nil
        }
    }

    private static func spoil(_ history: inout [KeyOperation], _ random: inout SplitMix64) {
        let place = random.below(history.count)
        guard history[place].output != nil else { return }
        let value = KeyOperation.Value(random.below(history.count + 1))
        history[place].output =
            history[place].input == .read
            ? .value(value) : random.coin() ? .done(previous: value) : .keyMissing
    }

    private static func hasOrder(
        _ left: ArraySlice<KeyOperation>, _ taken: [KeyOperation], _ value: KeyOperation.Value
    ) -> Bool {
        if left.allSatisfy({ $0.output == nil }) { return true }
        for i in left.indices {
            let next = left[i]
            // Nothing that had been answered before it was asked may be left behind.
            guard left.allSatisfy({ $0.returnedAt >= next.calledAt }),
                let after = next.apply(to: value)
            else { continue }
            var rest = left
            rest.remove(at: i)
            if hasOrder(ArraySlice(rest), taken + [next], after) { return true }
        }
        return false
    }
}
