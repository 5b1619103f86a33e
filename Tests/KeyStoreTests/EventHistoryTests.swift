import Testing

@testable import KeyStore

@Suite struct EventHistoryTests {
    private func store(eventsMax: Int = 100_000, bytesMax: Int = 1 << 30) -> Store {
        var options = Store.Options()
        options.historyEventsMax = eventsMax
        options.historyBytesMax = bytesMax
        return Store(options: options)
    }

    @Test func keepsTheNewestByCount() throws {
        let store = store(eventsMax: 1_500)
        for number in 1...5_000 {
            try store.set("/1/k\(number % 7)", "\(number)")
            let history = store.history
            #expect(history.lastIndex == UInt64(number))
            #expect(history.count == min(number, 1_500))
            #expect(history.oldestIndex == UInt64(max(1, number - 1_499)))
        }
        #expect(store.history[3_500] == nil)
        #expect(store.history[5_001] == nil)
        for index in store.history.oldestIndex...store.history.lastIndex {
            #expect(store.history[index]?.index == index)
        }
    }

    @Test func keepsTheNewestByBytes() throws {
        let store = store(bytesMax: 100_000)
        let value = String(repeating: "v", count: 9_000)
        for number in 0..<100 {
            try store.set("/1/k\(number)", value)
            #expect(store.history.bytesCount <= 100_000)
        }
        #expect(store.history.count == 10)
        // A value over the bound by itself: this event is kept, and no other.
        try store.set("/1/huge", String(repeating: "v", count: 200_000))
        #expect(store.history.count == 1)
        #expect(store.history[store.currentIndex]?.keyText == "/1/huge")
        try store.set("/1/small", "1")
        #expect(store.history.count == 1)
        #expect(store.history.bytesCount < 1_000)
    }

    /// Hits and misses of each kind, from every place, against a look at each event.
    @Test func findsWhatALookAtEachEventFinds() throws {
        let store = store(eventsMax: 700)
        var requests = RandomRequests(seed: 4)
        for _ in 0..<2_500 { _ = Seen.apply(requests.next(index: store.currentIndex), to: store) }
        let history = store.history
        #expect(history.count == 700)
        for _ in 0..<1_500 {
            let path = requests.path()
            let since = history.oldestIndex + UInt64(requests.below(720))
            for isRecursive in [false, true] {
                Array(path.utf8).withUnsafeBytes { bytes in
                    let query = EventHistory.Query(path: bytes, isRecursive: isRecursive)
                    let found = history.first(query, from: since)?.index
                    var expected: UInt64?
                    var index = since
                    while let event = history[index], expected == nil {
                        if query.matches(event) { expected = index }
                        index += 1
                    }
                    #expect(found == expected, "\(path) \(isRecursive) since \(since)")
                }
            }
        }
    }

    @Test func copiesDoNotChange() throws {
        let store = store(eventsMax: 1_100)
        for number in 0..<2_000 { try store.set("/1/k", "\(number)") }
        let copy = store.history
        for number in 0..<2_000 { try store.set("/1/k", "again \(number)") }
        #expect(copy.oldestIndex == 901 && copy.lastIndex == 2_000)
        for index in copy.oldestIndex...copy.lastIndex {
            let value = copy[index]?.withValue { StoreText.string([UInt8]($0)) }
            #expect(value == "\(index - 1)")
        }
    }

    @Test func deepPathsAreFoundToo() throws {
        let store = store()
        let deep = "/1" + String(repeating: "/d", count: 500)
        try store.set(deep + "/f", "1")
        try store.set("/1/other", "1")
        try store.delete(deep, recursive: true)
        for (path, recursive, expected) in [
            (deep + "/f", false, 1), (deep, true, 1), (deep, false, 3), (deep + "/x", false, 3),
            ("/1/d/d", true, 1), ("/1/d/x", true, nil),
        ] as [(String, Bool, UInt64?)] {
            let start = try store.watch(path, 1, recursive: recursive, since: 1)
            #expect(start.events.first?.index == expected)
            store.cancelWatch(WatcherID(1))
        }
    }

    @Test func aWatcherOfWhatIsClearedIsToldTheBounds() throws {
        let store = store(eventsMax: 10)
        for _ in 0..<25 { try store.set("/1/k", "v") }
        let error = #expect(throws: StoreError.self) { try store.watch("/1/k", 1, since: 15) }
        #expect(error?.code == .eventIndexCleared)
        #expect(error?.index == 25)
        let cause = error.map { StoreText.string($0.cause) }
        #expect(cause == "the requested history has been cleared [16/15]")
        #expect(try store.watch("/1/k", 1, since: 16).events.first?.index == 16)
    }
}
