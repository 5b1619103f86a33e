import Testing

@testable import KeyStore

@Suite struct WatchTests {
    @Test func allWatchersOfAnEventGetTheSameOne() throws {
        let store = Store()
        for id in 1...100 as ClosedRange<UInt64> {
            _ = try store.watch(id % 2 == 0 ? "/1" : "/1/k", id, recursive: true)
        }
        let event = try store.set("/1/k", "v")
        let told = store.takeNotifications()
        #expect(Set(told.map(\.watcher.rawValue)) == Set(1...100))
        #expect(told.allSatisfy { $0.event.id == event.id })
        #expect(!store.hasNotifications)
        #expect(store.statistics.watchers == 0)
    }

    @Test func oneShotsGoAndStreamsStay() throws {
        let store = Store()
        _ = try store.watch("/1/k", 1)
        _ = try store.watch("/1/k", 2, stream: true)
        for _ in 0..<3 { try store.set("/1/k", "v") }
        #expect(store.takeNotifications().map(\.watcher.rawValue) == [1, 2, 2, 2])
        #expect(!store.cancelWatch(WatcherID(1)))
        #expect(store.cancelWatch(WatcherID(2)))
        try store.set("/1/k", "v")
        #expect(!store.hasNotifications)
    }

    @Test func expiryTellsWatchersInsideTheDirectory() throws {
        let store = Store()
        try store.set("/1/d", dir: true, expiration: StoreText.start + 5)
        try store.set("/1/d/a/b", "v")
        _ = try store.watch("/1/d/a/b", 1)
        _ = try store.watch("/1/d/a", 2)
        _ = try store.watch("/1/d/a/none", 3)
        _ = try store.watch("/1", 4, recursive: true)
        #expect(store.expire(upTo: StoreText.start + 4) == 0)
        #expect(store.expire(upTo: StoreText.start + 5) == 1)
        let told = store.takeNotifications()
        #expect(Set(told.map(\.watcher.rawValue)) == [1, 2, 4])
        #expect(told.allSatisfy { $0.event.keyText == "/1/d" && $0.event.action == .expire })
    }

    /// Watchers come and go in any order; afterwards the trie is as empty as in the beginning.
    @Test func placesAreFreed() throws {
        var trie = WatchTrie()
        var used: [WatchTrie.Place: Int] = [:]
        var random = SplitMix64(seed: 3)
        var paths: [String] = []
        for _ in 0..<4_000 {
            if random.chance(55) || paths.isEmpty {
                let depth = 1 + random.below(4)
                let path = (0..<depth).map { _ in "/\(random.below(12))" }.joined()
                paths.append(path)
                used[withBytes(path) { trie.makePlace(for: $0) }, default: 0] += 1
            } else {
                let path = paths.remove(at: random.below(paths.count))
                let place = withBytes(path) { trie.makePlace(for: $0) }
                used[place, default: 0] -= 1
                trie.prune(place) { used[$0, default: 0] == 0 }
            }
        }
        for path in paths {
            let place = withBytes(path) { trie.makePlace(for: $0) }
            used[place, default: 0] -= 1
            trie.prune(place) { used[$0, default: 0] == 0 }
        }
        #expect(used.values.allSatisfy { $0 == 0 })
        var left = 0
        trie.forEachChild(of: WatchTrie.root) { _, _ in left += 1 }
        #expect(left == 0)
        #expect(trie.placesCount < 12 * 12 * 12 * 12)
    }

    @Test func cancellingAllGivesEveryID() throws {
        let store = Store()
        for id in 1...10 as ClosedRange<UInt64> { _ = try store.watch("/1/k\(id % 3)", id) }
        #expect(store.cancelAllWatches().map(\.rawValue) == Array(1...10))
        try store.set("/1/k1", "v")
        #expect(!store.hasNotifications)
    }

    @Test func ttlSecondsAreRoundedUpAndGoNegative() {
        let second: Int64 = 1_000_000_000
        for (left, seconds) in [
            (10 * second, 10), (second + 1, 2), (1, 1), (0, 0), (-1, 0), (-second, -1),
            (-second - 1, -1), (-2 * second, -2),
        ] as [(Int64, Int64)] {
            let now = StoreText.start
            #expect(TimeToLive.seconds(until: now + left, now: now) == seconds)
        }
        #expect(TimeToLive.seconds(until: .min, now: .max) == Int64.min / second)
        #expect(TimeToLive.seconds(until: .max, now: .min) == Int64.max / second + 1)
    }
}
