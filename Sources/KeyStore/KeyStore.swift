/// The v2 key space of one member: tree, TTLs, watchers, history of events, statistics.
///
/// Pure: no clock, no I/O, no locks, no randomness. `Store` is changed by one thread, command by
/// command in the order of the log; the same commands give the same state on every member. Time
/// is a parameter: `now` is only what the `ttl` fields of an answer count from, and nothing ever
/// expires but by `expire(upTo:)`, which the owner calls for each SYNC entry it applies.
///
///     entry ─▶ Command ─▶ Store.apply ─▶ Answer, or StoreError      to the waiting client
///                           │   └──────▶ notifications              to the watchers' clients
///                           ├─ Tree          Item, TreeNode         what is
///                           ├─ EventHistory  Event                  what was
///                           ├─ ExpiryQueue                          what will not be
///                           └─ WatcherHub    WatchTrie              who wants to know
///
/// Reads do not change anything: `Store.get` on the engine's thread, or a copy of `Store.tree`,
/// an O(1) immutable version of everything, on any thread for as long as it takes. Snapshots are
/// written from a `StoreImage` and read back by a `StoreImageBuilder`.
///
/// Keys are *store paths*: `/1/a` for the client's `/a`, `/0/…` for the cluster's own. Paths and
/// values are bytes, handed in as `UnsafeRawBufferPointer` that need only live for the call.
///
/// The owner's duties after each command, in any order:
/// 1. `takeNotifications()`, if `hasNotifications`: deliver them.
/// 2. `takeRemovedContent()`, if `hasRemovedContent`: let it go out of scope on some other thread.
///
/// Start reading at `Store.apply` (`Command.swift`), then `Store+Writes.swift`; the structure is
/// explained in `TreeNode.swift` and `Item.swift`.
package final class Store {
    package struct Options: Sendable {
        /// Events kept for watchers that ask for the past. (etcd keeps 1000.)
        package var historyEventsMax = 100_000
        /// Memory that those events may keep; older ones are dropped before it is exceeded.
        package var historyBytesMax = 256 << 20
        /// Keys of each depth that are remembered of the events that were dropped, at least.
        package var historyKeysMax = DroppedEvents.keysMax
        /// A stream watcher that finds its first event in the history gets, in etcd, that event
        /// and then nothing more. True: it gets all that followed, and then the live ones.
        package var streamsContinueFromHistory = false

        package init() {}
    }

    package let options: Options
    /// The current version. Copy it to keep it; see `Tree`.
    /// (`exclusivity(unchecked)`, here and below: one thread, no re-entrance, and the checks at run
    /// time are a tenth of a write.)
    @exclusivity(unchecked) package internal(set) var tree: Tree
    @exclusivity(unchecked) package internal(set) var history: EventHistory
    @exclusivity(unchecked) var queue = ExpiryQueue()
    @exclusivity(unchecked) var hub = WatcherHub()
    @exclusivity(unchecked) var counters = StoreStatistics()
    @exclusivity(unchecked) var removedContent = RemovedContent()

    /// The store of a new cluster: `/`, `/0` and `/1`, at index 0.
    package init(options: Options = Options()) {
        self.options = options
        tree = Tree()
        history = EventHistory(
            eventsMax: options.historyEventsMax, bytesMax: options.historyBytesMax,
            keysMax: options.historyKeysMax, lastIndex: 0)
    }

    /// Index of the last successful write (`X-Etcd-Index`).
    package var currentIndex: UInt64 { tree.index }

    package var watchersCount: Int { hub.count }

    package var statistics: StoreStatistics {
        var statistics = counters
        statistics.watchers = UInt64(watchersCount)
        return statistics
    }

    // MARK: - Reads

    /// The node at `path`, counted in the statistics.
    ///
    /// Throws `keyNotFound` or `notDirectory`.
    package func get(_ path: UnsafeRawBufferPointer) throws(StoreError) -> Node {
        try get(path, in: tree)
    }

    /// As `get`, of an earlier version.
    @inline(__always)
    package func get(
        _ path: UnsafeRawBufferPointer, in tree: borrowing Tree
    ) throws(StoreError) -> Node {
        do throws(StoreError) {
            let node = try tree.node(at: path)
            counters.getsSuccess += 1
            return node
        } catch {
            counters.getsFail += 1
            throw error
        }
    }

    /// Counts a read made on a copy of `tree`.
    package func countGet(found: Bool) {
        if found { counters.getsSuccess += 1 } else { counters.getsFail += 1 }
    }

    // MARK: - What the last commands left for the owner

    package var hasNotifications: Bool { !hub.notifications.isEmpty }

    /// Who is to be told what, in order, since the last call. One-shot watchers among them are
    /// not registered any more.
    package func takeNotifications() -> [Notification] {
        let notifications = hub.notifications
        hub.notifications = []
        return notifications
    }

    package var hasRemovedContent: Bool { !removedContent.isEmpty }

    /// The content of directories removed since the last call. Freeing a million nodes takes some
    /// 100 ms: hand it to another thread. What is not taken is freed in place by the next command
    /// that removes a directory.
    package func takeRemovedContent() -> RemovedContent {
        let content = removedContent
        removedContent = RemovedContent()
        return content
    }
}

/// The content of removed directories, to be let go of wherever that does not matter.
package struct RemovedContent: @unchecked Sendable {
    private var directories: [Item] = []

    /// Ignores directories that are quickly freed: few files, no directories.
    mutating func add(_ directory: Item) {
        guard let content = directory.children, !content.isSmall else { return }
        directories.append(directory)
    }

    package var isEmpty: Bool { directories.isEmpty }
}

extension TreeNode {
    fileprivate var isSmall: Bool {
        isLeaf && !(0..<count).contains { items[$0].isDirectory }
    }
}
