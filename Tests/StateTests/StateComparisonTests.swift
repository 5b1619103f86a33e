import RaftModel
import StorageIO
import Testing

@testable import KeyStore
@testable import State

/// What was written of a state, compared with it piece by piece.
@Suite struct StateComparisonTests {
    private func compare(
        _ bytes: [UInt8], pieces: Int = .max, with image: StateImage
    ) throws {
        var decoder = StateDecoder.comparing(with: image)
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + min(pieces, bytes.count))
            try bytes[start..<end].withUnsafeBytes { try decoder.append($0) }
            start = end
        }
        try decoder.finishComparison()
    }

    private func decode(_ bytes: [UInt8], of image: StateImage) throws -> StateImage {
        var decoder = StateDecoder()
        try bytes.withUnsafeBytes { try decoder.append($0) }
        return try decoder.finish(
            index: image.index, term: image.term, confState: image.confState,
            clusterTime: image.clusterTime)
    }

    private func image(seed: UInt64, commands: Int, historyEventsMax: Int = 1000) -> StateImage {
        var options = Store.Options()
        options.historyEventsMax = historyEventsMax
        let state = MemberState(options: options)
        var random = RandomState(seed: seed)
        for _ in 0..<commands { random.step(state) }
        return state.image()
    }

    @Test(arguments: Array(1...10) as [UInt64])
    func whatWasWrittenIsTheState(seed: UInt64) throws {
        for events in [1000, 40] {
            let image = image(seed: seed, commands: 800, historyEventsMax: events)
            #expect((image.eventCount == events) == (events == 40))
            let bytes = StateEncoder.bytes(image)
            for pieces in [Int.max, 4096, 37] { try compare(bytes, pieces: pieces, with: image) }
        }
    }

    /// A step earlier or later it was another one.
    @Test(arguments: Array(1...10) as [UInt64])
    func anotherStateIsNot(seed: UInt64) throws {
        let state = MemberState()
        var random = RandomState(seed: seed)
        for _ in 0..<100 { random.step(state) }
        var last = state.image()
        for _ in 0..<50 {
            random.step(state)
            let next = state.image()
            guard StateEncoder.bytes(last) != StateEncoder.bytes(next) else { continue }
            #expect(throws: StateError.self) { try compare(StateEncoder.bytes(last), with: next) }
            #expect(throws: StateError.self) { try compare(StateEncoder.bytes(next), with: last) }
            last = next
        }
    }

    /// Whatever bit it is: kinds, names, values, indices, events, what was dropped, counters. But for the few
    /// that no reader looks at (what a removal says of the node that is gone): those change nothing.
    @Test func everyBitCounts() throws {
        let image = image(seed: 2, commands: 150, historyEventsMax: 30)
        var bytes = StateEncoder.bytes(image)
        var random = SplitMix64(seed: 1)
        let whole = bytes
        var unnoticed = 0
        for place in bytes.indices {
            let bit = UInt8(1) << UInt8(random.below(8))
            bytes[place] ^= bit
            if (try? compare(bytes, with: image)) != nil {
                unnoticed += 1
                let read = try decode(bytes, of: image)
                let isSame = StateEncoder.bytes(read) == whole
                #expect(isSame, "byte \(place)")
            }
            bytes[place] ^= bit
        }
        #expect(unnoticed < whole.count / 100)
        #expect(throws: StateError.self) { try compare(bytes + [0], with: image) }
        #expect(throws: StateError.self) { try compare(bytes.dropLast(), with: image) }
    }

    /// Equal or not: a start would refuse it.
    @Test func whatAReaderWouldRefuseIsRefused() throws {
        let whole = image(seed: 1, commands: 20)
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let root = Item.directory(name: nothing, Item.Stamp(createdIndex: 0, modifiedIndex: 0))
        let store = StoreImage(
            tree: Tree(root: root, index: 0),
            history: EventHistory(eventsMax: 10, bytesMax: 1000, lastIndex: 0),
            statistics: StoreStatistics(), hasExpiring: false)
        var image = whole
        image.store = store
        let error = #expect(throws: StateError.self) {
            try compare(StateEncoder.bytes(image), with: image)
        }
        #expect("\(try #require(error))".contains("there is no directory /0"))
    }
}
