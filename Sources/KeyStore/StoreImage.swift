/// The whole state at one index, unchanging, made in O(1): what a snapshot is written from, on
/// any thread, while the store goes on. Watchers are not part of it.
package struct StoreImage: Sendable {
    package let tree: Tree
    package let history: EventHistory
    package let statistics: StoreStatistics
    /// False: no node has an expiration, so that a restore need not look for one.
    let hasExpiring: Bool

    package var currentIndex: UInt64 { tree.index }

    /// Everything in the tree, hidden or not: `/` is `tree.root`, then its content is walked.
    /// `StoreImageBuilder` takes the same steps.
    package func walk() -> NodeWalk {
        Node(item: tree.root).walk(isRecursive: true, skipsHidden: false)
    }
}

extension Store {
    package var image: StoreImage {
        StoreImage(
            tree: tree, history: history, statistics: statistics,
            hasExpiring: hasExpiringNodes)
    }

    /// A store that goes on from `image`. The history is cut to the options' bounds.
    package convenience init(restoring image: StoreImage, options: Options = Options()) {
        self.init(options: options)
        restore(image)
    }

    /// Puts `image` in the place of everything.
    ///
    /// Watchers are told what has happened between the two states, as far as the image's history
    /// knows it, and wait on. Those for whom something may be missing are cancelled, and returned: the
    /// caller ends their answers, and their clients ask again.
    ///
    /// - Parameter isContinuation: the image is a later state of the same cluster. If not, all watchers
    ///   are cancelled.
    @discardableResult
    package func restore(_ image: StoreImage, isContinuation: Bool = true) -> [WatcherID] {
        let seen = currentIndex
        removedContent = RemovedContent()
        tree = image.tree
        counters = image.statistics
        history = EventHistory(
            eventsMax: options.historyEventsMax, bytesMax: options.historyBytesMax,
            lastIndex: image.history.oldestIndex - 1)
        history.dropped = image.history.dropped.limited(toKeys: options.historyKeysMax)
        var index = image.history.oldestIndex
        while let event = image.history[index] {
            history.append(event)
            index += 1
        }
        queue = image.hasExpiring ? ExpiryQueue(scheduling: image.walk()) : ExpiryQueue()
        guard isContinuation, currentIndex >= seen else { return hub.cancelAll() }
        return catchUpWatchers(since: seen + 1)
    }

    private func catchUpWatchers(since next: UInt64) -> [WatcherID] {
        let lost = hub.cancel { path, isRecursive, since in
            let since = max(since, next)
            return since < history.oldestIndex
                && history.dropped.mayConcern(path, isRecursive: isRecursive, since: since)
        }
        var index = max(next, history.oldestIndex)
        while hub.count > 0, let event = history[index] {
            if !event.isRefresh { hub.notifyOfPast(event) }
            index += 1
        }
        return lost
    }
}

extension ExpiryQueue {
    /// All that expires in a tree.
    fileprivate init(scheduling walk: NodeWalk) {
        var walk = walk
        var path: [UInt8] = []
        self.init()
        func schedule(_ node: Node, in queue: inout ExpiryQueue) {
            guard node.expiration != 0 else { return }
            path.withUnsafeBytes { queue.insert(node.expiration, $0) }
        }
        func push(_ node: Node) {
            path.append(StorePath.slash)
            node.withName { path.append(contentsOf: $0) }
        }
        func pop() {
            while let last = path.popLast(), last != StorePath.slash {}
        }
        while let step = walk.next() {
            switch step {
            case .file(let file):
                if file.expiration == 0 { continue }
                push(file)
                schedule(file, in: &self)
                pop()
            case .open(let directory):
                push(directory)
                schedule(directory, in: &self)
            case .close:
                pop()
            }
        }
    }
}
