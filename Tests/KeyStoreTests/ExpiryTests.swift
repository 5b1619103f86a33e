import Testing

@testable import KeyStore

@Suite struct ExpiryTests {
    private let start = StoreText.start

    @Test func anEntryForEachNodeThatExpires() throws {
        let store = Store()
        for number in 0..<100 {
            try store.set("/1/d\(number % 10)/k\(number)", expiration: start + Int64(number))
        }
        #expect(store.queue.count == 100)
        try store.set("/1/d0/k0", "permanent now")
        try store.set("/1/d1/k1", expiration: start + 500)
        try store.delete("/1/d2/k2")
        #expect(store.queue.count == 98)
        #expect(store.expire(upTo: start + 50) == 48)
        #expect(store.queue.count == 50)
    }

    /// What went with a directory leaves entries behind; the sweep finds them in time, though
    /// none of them is due.
    @Test func entriesOfRemovedDirectoriesAreSweptAway() throws {
        let store = Store()
        for round in 0..<5 {
            for number in 0..<1_000 {
                try store.set("/1/d/\(number)", expiration: start + 1_000_000 + Int64(round))
            }
            try store.delete("/1/d", recursive: true)
        }
        try store.set("/1/stays", expiration: start + 1_000_001)
        #expect(store.queue.count == 5_001)
        for _ in 0..<20 { #expect(store.expire(upTo: start) == 0) }
        #expect(store.queue.count == 1)
        #expect(store.expire(upTo: start + 1_000_001) == 1)
        #expect(store.queue.count == 0)
    }

    @Test func staleEntriesThatAreDueMakeNoEvent() throws {
        let store = Store()
        try store.set("/1/d/k", expiration: start + 10)
        try store.delete("/1/d", recursive: true)
        try store.set("/1/d/k", expiration: start + 20)
        #expect(store.expire(upTo: start + 10) == 0)
        #expect(store.queue.count == 1)
        #expect(store.expire(upTo: start + 20) == 1)
        #expect(store.statistics.expireCount == 1)
    }

    /// Negative times sort before positive ones.
    @Test func timesBefore1970ComeFirst() throws {
        let store = Store()
        for name in ["a", "b", "c"] { try store.set("/1/\(name)", "v") }
        for (name, expiration) in [("a", 5), ("b", -5), ("c", Int64.min)] as [(String, Int64)] {
            _ = try withBytes("/1/\(name)") { path in
                try withBytes("v") { value in
                    try store.update(
                        path, Update(value: value, expiration: expiration), now: start)
                }
            }
        }
        #expect(store.expire(upTo: 5) == 3)
        let expired = (7...9).compactMap { store.history[$0]?.keyText }
        #expect(expired == ["/1/c", "/1/b", "/1/a"])
    }
}
