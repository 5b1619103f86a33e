import Testing

@testable import KeyStore

/// Who is refused for what the history has dropped, against a look at all that ever happened.
@Suite struct DroppedEventsTests {
    private struct Past {
        var events: [Event] = []
        var dropped: DroppedEvents
    }

    /// A few thousand random requests; the first 2000 events are dropped.
    private func past(seed: UInt64, keysMax: Int) -> (Past, RandomRequests) {
        let store = Store()
        var requests = RandomRequests(seed: seed)
        while store.currentIndex < 2500 {
            _ = Seen.apply(requests.next(index: store.currentIndex), to: store)
        }
        var past = Past(dropped: DroppedEvents(unknownThrough: 0, keysMax: keysMax))
        for index in 1...UInt64(2000) {
            guard let event = store.history[index] else { continue }
            past.events.append(event)
            past.dropped.add(event)
        }
        return (past, requests)
    }

    private func isMissed(
        _ path: UnsafeRawBufferPointer, isRecursive: Bool, since: UInt64, in past: Past
    ) -> Bool {
        let query = EventHistory.Query(path: path, isRecursive: isRecursive)
        return past.events.contains { $0.index >= since && query.matches($0) }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func refusesWhoMissedSomethingAndNobodyElse(seed: UInt64) {
        var (past, requests) = past(seed: seed, keysMax: DroppedEvents.keysMax)
        var counts = (missed: 0, free: 0)
        for _ in 0..<600 {
            let path = requests.path()
            let since = 2001 - UInt64(1 + requests.below(requests.below(2) == 0 ? 2000 : 100))
            let isRecursive = requests.below(2) == 0
            withBytes(path) { path in
                let isMissed = isMissed(path, isRecursive: isRecursive, since: since, in: past)
                let isRefused = past.dropped.mayConcern(
                    path, isRecursive: isRecursive, since: since)
                #expect(isRefused == isMissed)
                if isMissed { counts.missed += 1 } else { counts.free += 1 }
            }
        }
        #expect(counts.missed > 60 && counts.free > 60)
    }

    /// With next to no memory: too many are refused, never too few.
    @Test(arguments: [1, 2, 5])
    func neverMissesWithLittleMemory(keysMax: Int) {
        var (past, requests) = past(seed: 9, keysMax: keysMax)
        for _ in 0..<600 {
            let path = requests.path()
            let since = 2001 - UInt64(1 + requests.below(requests.below(2) == 0 ? 2000 : 100))
            let isRecursive = requests.below(2) == 0
            withBytes(path) { path in
                guard isMissed(path, isRecursive: isRecursive, since: since, in: past) else {
                    return
                }
                #expect(past.dropped.mayConcern(path, isRecursive: isRecursive, since: since))
            }
        }
    }

    /// A hundred thousand other keys, and a small history: what nobody touches is watched on.
    @Test func unrelatedTrafficClearsNoWatch() throws {
        var options = Store.Options()
        options.historyEventsMax = 100
        let store = Store(options: options)
        try store.set("/1/config/db", "1")
        try store.set("/1/jobs/mine", "1")
        let since = store.currentIndex + 1
        for number in 0..<30_000 { try store.set("/1/jobs/n\(number)", "") }
        for (path, isRecursive) in [
            ("/1/config", true), ("/1/config/db", false), ("/1/none", true),
        ] {
            let start = try store.watch(path, since, recursive: isRecursive, since: since)
            #expect(start.isRegistered && start.events.isEmpty)
            store.cancelWatch(WatcherID(since))
        }
        for path in ["/1/jobs", "/1"] {
            #expect(throws: StoreError.self) {
                try store.watch(path, 1, recursive: true, since: since)
            }
        }
        // Not of the key itself, though below it much was.
        #expect(try store.watch("/1/jobs", 2, since: since).isRegistered)
        try store.set("/1/config/db", "2")
        #expect(store.takeNotifications().isEmpty)
        let late = try store.watch("/1/config", 3, recursive: true, since: since)
        #expect(late.events.map(\.index) == [store.currentIndex])
        // What it waited for has gone by now.
        for number in 0..<200 { try store.set("/1/jobs/again\(number)", "") }
        #expect(throws: StoreError.self) {
            try store.watch("/1/config", 4, recursive: true, since: since)
        }
        // Who holds a directory's removal against it: all below, whether it is there again or not.
        try store.delete("/1/config", recursive: true)
        let gone = store.currentIndex
        for number in 0..<200 { try store.set("/1/jobs/more\(number)", "") }
        try store.set("/1/config/other", "1")
        for path in ["/1/config/other", "/1/config/x/y"] {
            #expect(throws: StoreError.self) { try store.watch(path, 5, since: gone) }
            #expect(try store.watch(path, 6, since: gone + 1).events.count < 2)
            store.cancelWatch(WatcherID(6))
        }
    }

    @Test func deeperThanIsToldApart() throws {
        var options = Store.Options()
        options.historyEventsMax = 10
        let store = Store(options: options)
        let deep = "/1" + String(repeating: "/d", count: 20)
        try store.set(deep + "/a", "1")
        for number in 0..<20 { try store.set("/1/n\(number)", "") }
        #expect(throws: StoreError.self) { try store.watch(deep + "/a", 1, since: 1) }
        // It cannot be told from its neighbour.
        #expect(throws: StoreError.self) { try store.watch(deep + "/b", 1, since: 1) }
        #expect(try store.watch(deep + "/b", 1, since: 2).isRegistered)
    }

    @Test func recordsAreTakenBack() throws {
        let (past, _) = past(seed: 4, keysMax: DroppedEvents.keysMax)
        let records = past.dropped.records
        let read = try #require(DroppedEvents(records: records, unknownThrough: 0, before: 2001))
        #expect(read.records == records)
        #expect(records.map(\.keys.count).reduce(0, +) > 20)
        #expect(DroppedEvents(records: records, unknownThrough: 0, before: 2000) == nil)
        let many = Array(repeating: records[0], count: DroppedEvents.depthMax + 2)
        #expect(DroppedEvents(records: many, unknownThrough: 0, before: 2001) == nil)
    }

    /// Keys without end, and a restart after every few of them: what was read back counts as what is
    /// remembered, so that the memory stays bounded and each record can be read by the next start.
    @Test(arguments: [1, 2, 7, 64])
    func restartsRememberNoMore(keysMax: Int) throws {
        let store = Store()
        for number in 0..<2000 { try store.set("/1/d\(number % 3)/n\(number)", "") }
        var past = Past(dropped: DroppedEvents(unknownThrough: 0, keysMax: keysMax))
        for index in 1...UInt64(2000) {
            let event = try #require(store.history[index])
            past.events.append(event)
            past.dropped.add(event)
            guard index % 13 == 0 else { continue }
            let read = try #require(
                DroppedEvents(
                    records: past.dropped.records, unknownThrough: 0, before: index + 1))
            past.dropped = read.limited(toKeys: keysMax)
            #expect(past.dropped.levels.allSatisfy { $0.keyCount <= 2 * keysMax })
            for since in [index / 2, index] {
                let number = Int(since) - 1
                withBytes("/1/d\(number % 3)/n\(number)") { path in
                    #expect(past.dropped.mayConcern(path, isRecursive: false, since: since))
                    // Long ago, if that is still known.
                    if since == index, keysMax > 13 {
                        #expect(
                            !past.dropped.mayConcern(path, isRecursive: false, since: index + 1))
                    }
                }
            }
        }
    }

    /// A member that remembers less takes over from one that remembers more.
    @Test func aShorterMemoryKeepsWhatIsNewest() throws {
        let (past, _) = past(seed: 4, keysMax: DroppedEvents.keysMax)
        let limited = past.dropped.limited(toKeys: 4)
        #expect(limited.levels.count == past.dropped.levels.count)
        #expect(limited.levels.allSatisfy { $0.keyCount <= 8 })
        for (short, long) in zip(limited.levels, past.dropped.levels) {
            let newest = long.entries.max { $0.value.below < $1.value.below }
            let (key, entry) = try #require(newest)
            #expect(short.entry(key) == entry)
            for (key, entry) in long.entries { #expect(short.entry(key).below >= entry.below) }
        }
    }
}
