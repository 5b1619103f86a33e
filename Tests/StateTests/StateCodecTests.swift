import KeyStore
import RaftModel
import StorageIO
import Testing

@testable import State

@Suite struct StateCodecTests {
    private func decode(
        _ bytes: [UInt8], pieces: Int = .max, of image: StateImage
    ) throws -> StateImage {
        var decoder = StateDecoder()
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + min(pieces, bytes.count))
            try bytes[start..<end].withUnsafeBytes { try decoder.append($0) }
            start = end
        }
        return try decoder.finish(
            index: image.index, term: image.term, confState: image.confState,
            clusterTime: image.clusterTime)
    }

    private func same(_ a: StateImage, _ b: StateImage) -> Bool {
        a.contentHash == b.contentHash && a.nodeCount == b.nodeCount
            && a.store.currentIndex == b.store.currentIndex && a.eventCount == b.eventCount
            && a.store.statistics.counters == b.store.statistics.counters
            && StateEncoder.bytes(a) == StateEncoder.bytes(b)
    }

    @Test(arguments: Array(1...10) as [UInt64])
    func comesBackAsItWas(seed: UInt64) throws {
        let state = RandomState.make(seed: seed, commands: 1200)
        let image = state.image()
        let bytes = StateEncoder.bytes(image)
        for pieces in [Int.max, 4096, 37, 1] {
            let decoded = try decode(bytes, pieces: pieces, of: image)
            #expect(same(decoded, image), "seed \(seed) in pieces of \(pieces)")
            #expect(decoded.store.recomputedHash() == image.contentHash)
        }
        // And it goes on in the same way.
        let restored = MemberState()
        restored.restore(try decode(bytes, of: image), monotonic: 0)
        #expect(restored.membership == state.membership)
        #expect(restored.clusterVersion == state.clusterVersion)
        var (a, b) = (RandomState(seed: seed + 1), RandomState(seed: seed + 1))
        for _ in 0..<300 {
            a.step(state)
            b.step(restored)
        }
        #expect(same(state.image(), restored.image()))
    }

    /// Who missed nothing is not refused after a restart either.
    @Test func whatWasDroppedComesBack() throws {
        let state = MemberState(options: Self.shortHistory)
        var random = RandomState(seed: 3)
        random.put(state, "/1/config/db", "1")
        let since = state.store.currentIndex + 1
        for number in 0..<400 { random.put(state, "/1/jobs/\(number % 70)", "") }
        #expect(!state.store.history.dropped.records.isEmpty)
        let image = state.image()
        let decoded = try decode(StateEncoder.bytes(image), pieces: 37, of: image)
        #expect(same(decoded, image))
        let restored = MemberState(options: Self.shortHistory)
        restored.restore(decoded, monotonic: 0)
        func watch(_ path: String, _ since: UInt64) throws -> WatchStart {
            try Array(path.utf8).withUnsafeBytes { path in
                try restored.store.watch(
                    path, as: WatcherID(since), isRecursive: true, isStream: false,
                    sinceIndex: since)
            }
        }
        #expect(try watch("/1/config", since).isRegistered)
        #expect(throws: StoreError.self) { try watch("/1/config", since - 1) }
        #expect(throws: StoreError.self) { try watch("/1/jobs/5", since) }
    }

    /// Ever new keys, as of a queue, and restarts: what each life writes the next one can read, and it
    /// does not grow.
    @Test func whatWasDroppedStaysBounded() throws {
        var options = Self.shortHistory
        options.historyKeysMax = 64
        var state = MemberState(options: options)
        var random = RandomState(seed: 4)
        var keyCounts: [Int] = []
        for life in 0..<5 {
            for number in 0..<60 { random.put(state, "/1/queue/\(life)-\(number)", "") }
            let image = state.image()
            let restored = MemberState(options: options)
            restored.restore(try decode(StateEncoder.bytes(image), of: image), monotonic: 0)
            #expect(same(restored.image(), image))
            keyCounts += image.store.history.dropped.records.map(\.keys.count)
            state = restored
        }
        #expect(keyCounts.max() ?? 0 > 64)
        #expect(keyCounts.allSatisfy { $0 <= 2 * 64 })
    }

    private static var shortHistory: Store.Options {
        var options = Store.Options()
        options.historyEventsMax = 50
        return options
    }

    @Test func theHistoryCostsLittleWhereItsValuesAreThoseOfTheTree() {
        let state = MemberState()
        var random = RandomState(seed: 1)
        for number in 0..<2000 {
            random.put(state, "/1/key\(number % 50)", String(repeating: "v", count: 200))
        }
        let bytes = StateEncoder.bytes(state.image())
        #expect(state.image().eventCount == 2000)
        // Each value is in there once: in the tree, or in the event that brought it.
        #expect(bytes.count < 2000 * 200 + 2000 * 40)
        #expect(bytes.count > 1900 * 200)
    }

    @Test func everyTruncationIsRefused() throws {
        let image = RandomState.make(seed: 3, commands: 200).image()
        let bytes = StateEncoder.bytes(image)
        for count in 0..<bytes.count {
            #expect(throws: StateError.self) {
                try decode(Array(bytes.prefix(count)), of: image)
            }
        }
        #expect(throws: StateError.self) { try decode(bytes + [0], of: image) }
    }

    /// Anything at all: refused, or a state that is one.
    @Test func hostileBytesNeverTrap() throws {
        let image = RandomState.make(seed: 5, commands: 300).image()
        let bytes = StateEncoder.bytes(image)
        var random = SplitMix64(seed: 7)
        var taken = 0
        for _ in 0..<30_000 {
            var damaged = bytes
            for _ in 0...random.below(4) {
                let place = random.below(damaged.count)
                switch random.below(4) {
                case 0: damaged[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: damaged.remove(at: place)
                case 2: damaged.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                default: damaged[place] ^= 1 << UInt8(random.below(8))
                }
            }
            guard let decoded = try? decode(damaged, pieces: 1000, of: image) else { continue }
            taken += 1
            #expect(decoded.contentHash == decoded.store.recomputedHash())
        }
        #expect(taken < 30_000)
    }

    @Test func deepTrees() throws {
        let state = MemberState()
        var random = RandomState(seed: 1)
        random.put(state, "/1" + String(repeating: "/d", count: 10_000), "bottom")
        let image = state.image()
        let decoded = try decode(StateEncoder.bytes(image), of: image)
        #expect(decoded.nodeCount == 10_002)
        #expect(same(decoded, image))
    }

    @Test func largeValuesGrowAPiece() throws {
        let state = MemberState()
        var random = RandomState(seed: 1)
        for number in 0..<5 {
            random.put(state, "/1/\(number)", String(repeating: "\(number)", count: 700_000))
        }
        let image = state.image()
        #expect(same(try decode(StateEncoder.bytes(image), pieces: 100_000, of: image), image))
    }
}
