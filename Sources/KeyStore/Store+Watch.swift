/// What became of a wish to watch.
package struct WatchStart: Sendable {
    /// Events of the past, to be delivered first, in order: at most one, unless the watcher is a
    /// stream and `Store.Options.streamsContinueFromHistory` is set.
    package let events: [Event]
    /// Whether notifications will follow. If not, a one-shot watcher has had its event; a stream
    /// stays open and silent, as etcd's does.
    package let isRegistered: Bool
}

extension Store {
    /// Starts watching `path`, which need not exist.
    ///
    /// A live watcher is told of writes to the key itself; if recursive, of those below it, but
    /// not where an element below `path` starts with `_`; and of the removal of a directory, if
    /// `path` was a node in it. A refresh tells nobody. The history is searched by a simpler rule
    /// (`EventHistory.Query`).
    ///
    /// - Parameters:
    ///   - id: names the watcher in notifications and for `cancelWatch`; not in use now.
    ///   - isStream: stays registered after its first event.
    ///   - sinceIndex: the first index of interest, past or future; 0: the next one.
    ///
    /// Throws `eventIndexCleared` if the history has dropped an event that it asks for, or may have.
    package func watch(
        _ path: UnsafeRawBufferPointer, as id: WatcherID, isRecursive: Bool, isStream: Bool,
        sinceIndex: UInt64 = 0
    ) throws(StoreError) -> WatchStart {
        try onCleanPath(path) { path throws(StoreError) in
            let since = sinceIndex == 0 ? currentIndex + 1 : sinceIndex
            if since < history.oldestIndex,
                history.dropped.mayConcern(path, isRecursive: isRecursive, since: since)
            {
                let range = "[\(history.oldestIndex)/\(since)]"
                throw StoreError(
                    .eventIndexCleared,
                    cause: Array("the requested history has been cleared \(range)".utf8),
                    index: currentIndex)
            }
            let past = events(
                EventHistory.Query(path: path, isRecursive: isRecursive),
                since: max(since, history.oldestIndex),
                areAllWanted: isStream && options.streamsContinueFromHistory)
            let isRegistered =
                past.isEmpty || isStream && options.streamsContinueFromHistory
            if isRegistered {
                hub.register(
                    id, path: path, isRecursive: isRecursive, isStream: isStream,
                    sinceIndex: since)
            }
            return WatchStart(events: past, isRegistered: isRegistered)
        }
    }

    private func events(
        _ query: EventHistory.Query, since: UInt64, areAllWanted: Bool
    ) -> [Event] {
        var events: [Event] = []
        var next = since
        while let event = history.first(query, from: next) {
            events.append(event)
            if !areAllWanted { break }
            next = event.index + 1
        }
        return events
    }

    /// - Returns: false if the watcher is not registered (any more).
    @discardableResult
    package func cancelWatch(_ id: WatcherID) -> Bool { hub.cancel(id) }

    /// Cancels all watchers, for example because the state is replaced by a snapshot's; what was
    /// found for them before stays to be taken.
    package func cancelAllWatches() -> [WatcherID] { hub.cancelAll() }
}
