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

    @Test func restoringCancelsWatchersAndForgetsTheOldState() throws {
        let (other, _) = worn()
        let store = Store()
        try store.set("/1/mine", "v", expiration: StoreText.start + 1)
        _ = try store.watch("/1/other", 7)
        #expect(store.restore(other.image) == [WatcherID(7)])
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
