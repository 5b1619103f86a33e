import Testing

@testable import KeyStore

/// Random requests against the store and against `ReferenceStore`: same answers, same tree, same
/// history, same watchers told; and versions of the tree that somebody keeps do not change.
@Suite struct ModelTests {
    static let seeds: [UInt64] = Array(1...20)

    @Test(arguments: seeds)
    func answersAsTheReference(seed: UInt64) throws {
        var requests = RandomRequests(seed: seed)
        var reference = ReferenceStore()
        let store = Store()
        var kept: [(tree: Tree, entries: [String: ReferenceStore.Entry])] = []
        for step in 0..<10_000 {
            let request = requests.next(index: reference.index)
            let expected = reference.apply(request).map { $0.map(\.asTold) }
            let seen = Seen.apply(request, to: store)
            guard seen == expected else {
                Issue.record("seed \(seed) step \(step): \(request): \(seen), not \(expected)")
                return
            }
            if step % 400 == 0 { kept.append((store.tree, reference.entries)) }
            if kept.count > 4 { kept.remove(at: requests.below(kept.count)) }
            if step % 1_000 == 999 {
                try store.tree.checkInvariants()
                try #require(Seen.entries(of: store.tree) == reference.entries)
            }
        }
        for (tree, entries) in kept {
            try tree.checkInvariants()
            #expect(Seen.entries(of: tree) == entries, "a kept version has changed")
        }
    }

    /// With eight watchers at a time, live and from the history.
    @Test(arguments: seeds)
    func watchersAreToldAsTheReferenceSays(seed: UInt64) throws {
        var requests = RandomRequests(seed: seed &+ 1_000)
        var reference = ReferenceStore()
        let store = Store()
        var past: [ReferenceStore.Happening] = []
        var watchers: [WatcherID: ReferenceStore.Watcher] = [:]
        var nextID: UInt64 = 1
        for step in 0..<2_000 {
            if watchers.count < 8 {
                let watcher = ReferenceStore.Watcher(
                    path: requests.path(), isRecursive: requests.chance(50),
                    since: UInt64(max(1, Int(reference.index) + 10 - requests.below(30))))
                let id = WatcherID(nextID)
                nextID += 1
                let first = past.first { watcher.wouldHaveBeenTold($0) }
                let start = try start(watcher, id, store)
                try #require(start.events.map(\.index) == (first.map { [$0.index] } ?? []))
                try #require(start.isRegistered == (first == nil))
                if first == nil { watchers[id] = watcher }
            } else if requests.chance(5),
                let id = watchers.keys.min(by: { $0.rawValue < $1.rawValue })
            {
                #expect(store.cancelWatch(id))
                watchers[id] = nil
            }
            let request = requests.next(index: reference.index)
            let happenings = (try? reference.apply(request).get()) ?? []
            _ = Seen.apply(request, to: store)
            past += happenings
            var expected: [WatcherID: UInt64] = [:]
            for happening in happenings {
                for (id, watcher) in watchers where watcher.isTold(happening) {
                    expected[id] = happening.index
                    watchers[id] = nil
                }
            }
            let told = store.takeNotifications().map { ($0.watcher, $0.event.index) }
            try #require(
                Dictionary(told, uniquingKeysWith: { _, _ in 0 }) == expected,
                "seed \(seed) step \(step): \(request)")
            try #require(store.statistics.watchers == UInt64(watchers.count))
        }
        #expect(Set(store.cancelAllWatches()) == Set(watchers.keys))
    }

    private func start(
        _ watcher: ReferenceStore.Watcher, _ id: WatcherID, _ store: Store
    ) throws -> WatchStart {
        try Array(watcher.path.utf8).withUnsafeBytes {
            try store.watch(
                $0, as: id, isRecursive: watcher.isRecursive, isStream: false,
                sinceIndex: watcher.since)
        }
    }

    @Test func sameCommandsGiveTheSameState() {
        func run() -> [String] {
            var requests = RandomRequests(seed: 77)
            let store = Store()
            for _ in 0..<3_000 {
                _ = Seen.apply(requests.next(index: store.currentIndex), to: store)
            }
            let events = (store.history.oldestIndex...store.history.lastIndex).map {
                StoreText.json(store.history[$0]!)  // within the history's bounds
            }
            return events + ["\(Seen.entries(of: store.tree))".count.description]
        }
        #expect(run() == run())
    }
}

/// What the store did, in the reference's words.
enum Seen {
    typealias Outcome = Result<[ReferenceStore.Happening], ReferenceStore.Refusal>

    static func apply(_ request: ReferenceStore.Request, to store: Store) -> Outcome {
        request.withCommand { command in
            let before = store.currentIndex
            do throws(StoreError) {
                switch try store.apply(command, now: request.time) {
                case .event(let event):
                    return .success([happening(event)])
                case .node:
                    return .success([])
                case .expired(let count):
                    let events = (0..<UInt64(count)).compactMap { store.history[before + $0 + 1] }
                    return .success(events.map { happening($0) })
                }
            } catch {
                precondition(error.index == store.currentIndex && before == error.index)
                return .failure(
                    ReferenceStore.Refusal(
                        code: error.code, cause: StoreText.string(error.cause)))
            }
        }
    }

    /// Without `removed`, which an event does not tell.
    private static func happening(_ event: Event) -> ReferenceStore.Happening {
        ReferenceStore.Happening(
            action: event.action, key: event.withKey { StoreText.string([UInt8]($0)) },
            index: event.index,
            node: event.withValue { seen(event.node, $0) },
            previous: event.previousNode.map { previous in
                event.withPreviousValue { seen(previous, $0) }
            },
            isRefresh: event.isRefresh)
    }

    private static func seen(
        _ node: NodeAttributes, _ value: UnsafeRawBufferPointer
    ) -> ReferenceStore.Seen {
        var seen = ReferenceStore.Seen(
            ReferenceStore.Entry(
                value: node.hasValue ? StoreText.string([UInt8](value)) : nil,
                created: node.createdIndex, modified: node.modifiedIndex,
                expiration: node.expiration))
        seen.isDirectory = node.isDirectory
        return seen
    }

    /// A version of the tree as the reference keeps it.
    static func entries(of tree: Tree) -> [String: ReferenceStore.Entry] {
        var entries = ["/": entry(Node(item: tree.root))]
        var walk = Node(item: tree.root).walk(isRecursive: true, skipsHidden: false)
        var open = [""]
        func path(_ node: Node) -> String {
            open[open.count - 1] + "/" + node.withName { StoreText.string([UInt8]($0)) }
        }
        while let step = walk.next() {
            switch step {
            case .file(let file): entries[path(file)] = entry(file)
            case .open(let directory):
                open.append(path(directory))
                entries[open[open.count - 1]] = entry(directory)
            case .close: open.removeLast()
            }
        }
        return entries
    }

    private static func entry(_ node: Node) -> ReferenceStore.Entry {
        ReferenceStore.Entry(
            value: node.isDirectory ? nil : node.withValue { StoreText.string([UInt8]($0)) },
            created: node.createdIndex, modified: node.modifiedIndex,
            expiration: node.expiration)
    }
}
