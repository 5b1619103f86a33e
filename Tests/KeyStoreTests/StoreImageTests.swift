import Testing

@testable import KeyStore

@Suite struct StoreImageTests {
    /// A store with a bit of everything.
    private func worn(seed: UInt64 = 11, steps: Int = 4_000) -> (Store, RandomRequests) {
        var requests = RandomRequests(seed: seed)
        var options = Store.Options()
        options.historyEventsMax = 1_000
        let store = Store(options: options)
        for _ in 0..<steps { _ = Seen.apply(requests.next(index: store.currentIndex), to: store) }
        return (store, requests)
    }

    /// Writes an image out step by step and reads it back, as a snapshot does.
    private func rebuilt(_ image: StoreImage) throws -> StoreImage {
        var builder = StoreImageBuilder()
        var walk = image.walk()
        while let step = walk.next() {
            switch step {
            case .file(let file):
                try file.withName { name in
                    try file.withValue { value in
                        try builder.addFile(
                            name: name, value: value, createdIndex: file.createdIndex,
                            modifiedIndex: file.modifiedIndex, expiration: file.expiration)
                    }
                }
            case .open(let directory):
                try directory.withName { name in
                    try builder.open(
                        name: name, createdIndex: directory.createdIndex,
                        modifiedIndex: directory.modifiedIndex, expiration: directory.expiration)
                }
            case .close: try builder.close()
            }
        }
        try builder.endTree()
        var sources = EventSources(image)
        var index = image.history.oldestIndex
        while let event = image.history[index] {
            try add(event, sources.next(event), to: &builder)
            index += 1
        }
        return try builder.finish(currentIndex: image.currentIndex, statistics: image.statistics)
    }

    private func add(
        _ event: Event, _ sources: (node: EventSources.Place, previous: EventSources.Place),
        to builder: inout StoreImageBuilder
    ) throws {
        func source(
            _ place: EventSources.Place, _ node: @autoclosure () -> StoreImageBuilder.EventNode
        ) -> StoreImageBuilder.EventSource? {
            switch place {
            case .none: nil
            case .here: .new(node())
            case .tree: .tree
            case .event(let index): .event(index)
            }
        }
        try event.withKey { key in
            try event.withValue { value in
                try event.withPreviousValue { previousValue in
                    try builder.addEvent(
                        event.action, key: key, index: event.index, timeBase: event.timeBase,
                        isRefresh: event.isRefresh,
                        node: source(sources.node, .init(event.node, value: value)),
                        previous: source(
                            sources.previous, .init(event.previousNode!, value: previousValue)))
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func aRestoredStoreGoesOnLikeTheOriginal(seed: UInt64) throws {
        let (original, state) = worn(seed: seed)
        let restored = Store(restoring: try rebuilt(original.image), options: original.options)
        try restored.tree.checkInvariants()
        #expect(Seen.entries(of: restored.tree) == Seen.entries(of: original.tree))
        #expect(restored.statistics == original.statistics)
        #expect(restored.contentHash == original.contentHash)
        #expect(restored.image.nodeCount == original.image.nodeCount)
        #expect(restored.currentIndex == original.currentIndex)
        #expect(restored.history.oldestIndex == original.history.oldestIndex)
        for index in original.history.oldestIndex...original.history.lastIndex {
            let event = try #require(original.history[index])
            let copy = try #require(restored.history[index])
            #expect(StoreText.json(event) == StoreText.json(copy))
        }
        // The same requests from here on, expiry included, have the same effect on both.
        var requests = state
        for _ in 0..<3_000 {
            let request = requests.next(index: original.currentIndex)
            #expect(Seen.apply(request, to: original) == Seen.apply(request, to: restored))
        }
        #expect(Seen.entries(of: restored.tree) == Seen.entries(of: original.tree))
    }

    @Test func buildsDirectoriesOfEverySize() throws {
        for count in Array(0...130) + [3_135, 3_136, 3_137, 3_138, 10_000] {
            let store = Store()
            for number in 0..<count { try store.set("/1/k\(1_000_000 + number)", "\(number)") }
            let restored = Store(restoring: try rebuilt(store.image))
            try restored.tree.checkInvariants()
            #expect(restored.listing() == store.listing())
            try restored.set("/1/k0", "before all")
            try restored.set("/1/l", "after all")
            try restored.tree.checkInvariants()
        }
    }

    @Test func anImageDoesNotChange() throws {
        let (store, state) = worn()
        let image = store.image
        let before = Seen.entries(of: image.tree)
        var requests = state
        for _ in 0..<2_000 { _ = Seen.apply(requests.next(index: store.currentIndex), to: store) }
        #expect(Seen.entries(of: image.tree) == before)
        #expect(image.currentIndex < store.currentIndex)
    }

    /// A store that falls behind, and then gets the other's state: its watchers hear what they would
    /// have heard if they had waited at the other.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func watchersCatchUp(seed: UInt64) throws {
        var options = Store.Options()
        options.historyEventsMax = 300
        let (leader, follower) = (Store(options: options), Store(options: options))
        /// As the leader, and remembers everything.
        let archive = Store()
        var requests = RandomRequests(seed: seed)
        for _ in 0..<800 {
            let request = requests.next(index: leader.currentIndex)
            for store in [leader, follower, archive] { _ = Seen.apply(request, to: store) }
        }
        struct Watch { let path: String, recursive: Bool, stream: Bool }
        var watches: [UInt64: Watch] = [:]
        for id in 1...UInt64(200) {
            let watch = Watch(
                path: requests.path(), recursive: requests.below(2) == 0,
                stream: requests.below(2) == 0)
            watches[id] = watch
            for store in [leader, follower] {
                _ = try store.watch(
                    watch.path, id, recursive: watch.recursive, stream: watch.stream)
            }
        }
        // Sometimes more than the history holds.
        for _ in 0..<(seed % 2 == 0 ? 900 : 250) {
            let request = requests.next(index: leader.currentIndex)
            for store in [leader, archive] { _ = Seen.apply(request, to: store) }
        }
        let seen = follower.currentIndex
        let heard = Dictionary(grouping: leader.takeNotifications(), by: \.watcher)
        let lost = Set(follower.restore(leader.image))
        let caughtUp = Dictionary(grouping: follower.takeNotifications(), by: \.watcher)
        #expect(follower.watchersCount <= watches.count - lost.count)
        var counts = (lost: 0, told: 0, silent: 0)
        for (id, watch) in watches {
            let expected = heard[WatcherID(id)]?.map(\.event.index) ?? []
            let told = caughtUp[WatcherID(id)]?.map(\.event.index) ?? []
            let isLost = withBytes(watch.path) { path in
                let query = EventHistory.Query(path: path, isRecursive: watch.recursive)
                let first = archive.history.first(query, from: seen + 1)?.index ?? .max
                return first < follower.history.oldestIndex
            }
            #expect(lost.contains(WatcherID(id)) == isLost)
            if isLost {
                #expect(told.isEmpty)
                counts.lost += 1
                continue
            }
            // Of the removal of a directory more are told: what was in it is not known any more.
            let removals = Set(
                (follower.history.oldestIndex...follower.currentIndex).filter {
                    follower.history[$0]?.removesDirectory ?? false
                })
            if watch.stream {
                #expect(told.filter { !removals.contains($0) || expected.contains($0) } == expected)
            } else if let first = told.first, !removals.contains(first) {
                #expect(told == expected)
            } else if told.isEmpty {
                #expect(expected.isEmpty)
            }
            if told.isEmpty { counts.silent += 1 } else { counts.told += 1 }
        }
        #expect(counts.told > 5 && counts.silent + counts.lost > 5)
        #expect(seed % 2 == 0 ? counts.lost > 0 : counts.lost == 0)
    }

    @Test func anotherStateCancelsAllWatchers() throws {
        let (other, _) = worn()
        let store = Store()
        _ = try store.watch("/1/none", 7)
        #expect(store.restore(other.image, isContinuation: false) == [WatcherID(7)])
        let ahead = Store(restoring: other.image)
        try ahead.set("/1/one-more", "")
        _ = try ahead.watch("/1/none", 8)
        #expect(ahead.restore(other.image) == [WatcherID(8)])
    }

    @Test func restoringForgetsTheOldState() throws {
        let (other, _) = worn()
        let store = Store()
        try store.set("/1/mine", "v", expiration: StoreText.start + 1)
        store.restore(other.image)
        #expect(store.currentIndex == other.currentIndex)
        #expect(throws: StoreError.self) { try store.node("/1/mine") }
        let event = try store.set("/1/zz", "v")
        #expect(event.index == other.currentIndex + 1)
    }

    /// A snapshot may come without its history: then nothing before it can be watched.
    @Test func withoutHistoryTheImageIsWhereItBegins() throws {
        var builder = StoreImageBuilder()
        for name in ["0", "1"] {
            try withBytes(name) { name in
                try builder.open(name: name, createdIndex: 0, modifiedIndex: 0, expiration: 0)
            }
            try builder.close()
        }
        let image = try builder.finish(currentIndex: 500, statistics: StoreStatistics())
        let store = Store(restoring: image)
        let error = #expect(throws: StoreError.self) { try store.watch("/1", 1, since: 500) }
        #expect(error.map { StoreText.string($0.cause) }?.hasSuffix("[501/500]") == true)
        #expect(try store.watch("/1", 1, recursive: true, since: 501).isRegistered)
        try store.set("/1/k", "v")
        #expect(store.takeNotifications().map(\.event.index) == [501])
    }

    @Test func whatIsNoStoreIsRefused() throws {
        func code(
            _ build: (inout StoreImageBuilder) throws -> Void, finishes: Bool = true
        ) -> StoreImageError.Code? {
            var builder = StoreImageBuilder()
            do {
                try build(&builder)
                if finishes {
                    _ = try builder.finish(currentIndex: 9, statistics: StoreStatistics())
                }
                return nil
            } catch {
                return (error as? StoreImageError)?.code
            }
        }
        func open(_ builder: inout StoreImageBuilder, _ name: String) throws {
            try withBytes(name) { name in
                try builder.open(name: name, createdIndex: 1, modifiedIndex: 1, expiration: 0)
            }
        }
        func event(_ builder: inout StoreImageBuilder, _ key: String, _ index: UInt64) throws {
            let node = NodeAttributes(
                isDirectory: true, hasValue: false, createdIndex: 1, modifiedIndex: 1,
                expiration: 0)
            try withBytes(key) { key in
                try builder.addEvent(
                    .set, key: key, index: index, timeBase: 0, isRefresh: false,
                    node: .new(.init(node, value: UnsafeRawBufferPointer(start: nil, count: 0))),
                    previous: nil)
            }
        }
        #expect(code { try open(&$0, "") } == .badName)
        #expect(code { try open(&$0, "a/b") } == .badName)
        #expect(code { try open(&$0, "..") } == .badName)
        #expect(code { try $0.close() } == .unbalanced)
        #expect(code { try open(&$0, "0") } == .unbalanced)
        #expect(
            code {
                try open(&$0, "1")
                try $0.close()
                try open(&$0, "0")
                try $0.close()
            } == .notSorted)
        #expect(code { _ in } == .noNamespace)
        #expect(code { try event(&$0, "/", 9) } == .badEvent)
        #expect(code { try event(&$0, "/1/a", 0) } == .badEvent)
        #expect(code { try event(&$0, "/1/a", 8) } == .historyGap)
        #expect(
            code {
                try event(&$0, "/1/a", 7)
                try event(&$0, "/1/a", 9)
            } == .historyGap)
    }
}
