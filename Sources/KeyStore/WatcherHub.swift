/// A watcher's name, chosen by who registers it; not to be used twice at a time.
package struct WatcherID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// An event that a watcher is to be told. All watchers of one event get the same `Event`.
package struct Notification: Sendable {
    package let watcher: WatcherID
    package let event: Event
}

/// The watchers that wait, and who is to be told of an event.
///
/// Watchers hang in a trie of path components that has a place for each watched path and for all
/// above it. An event walks its key's components down that trie and stops where nobody watches
/// anything deeper. Only the removal of a directory looks at places below its key, and then at
/// the watched ones, not at the removed nodes.
struct WatcherHub {
    private struct Watcher {
        let id: WatcherID
        let isRecursive: Bool
        let isStream: Bool
        let sinceIndex: UInt64
    }

    private struct Location {
        var place: WatchTrie.Place
        /// Position in the place's list.
        var slot: Int
    }

    private var trie = WatchTrie()
    /// Indexed by the trie's places.
    private var watchers: [[Watcher]] = [[]]
    private var locations: [WatcherID: Location] = [:]
    /// Who is to be told what, in the order it happened, until the owner takes it.
    var notifications: [Notification] = []

    var count: Int { locations.count }

    mutating func register(
        _ id: WatcherID, path: UnsafeRawBufferPointer, isRecursive: Bool, isStream: Bool,
        sinceIndex: UInt64
    ) {
        precondition(locations[id] == nil, "a watcher's id is not used twice at a time")
        let place = trie.makePlace(for: path)
        if watchers.count < trie.placesCount {
            watchers += Array(repeating: [], count: trie.placesCount - watchers.count)
        }
        locations[id] = Location(place: place, slot: watchers[place].count)
        watchers[place].append(
            Watcher(id: id, isRecursive: isRecursive, isStream: isStream, sinceIndex: sinceIndex))
    }

    /// - Returns: false if there is no such watcher (any more).
    mutating func cancel(_ id: WatcherID) -> Bool {
        guard let location = locations[id] else { return false }
        remove(at: location.slot, of: location.place)
        trie.prune(location.place) { [watchers] in watchers[$0].isEmpty }
        return true
    }

    /// Removes all watchers.
    mutating func cancelAll() -> [WatcherID] {
        let ids = locations.keys.sorted { $0.rawValue < $1.rawValue }
        trie = WatchTrie()
        watchers = [[]]
        locations = [:]
        return ids
    }

    /// Removes the watchers for whom `isLost`, and returns them in ascending order.
    mutating func cancel(
        where isLost: (_ path: UnsafeRawBufferPointer, _ isRecursive: Bool, _ since: UInt64) -> Bool
    ) -> [WatcherID] {
        var lost: [WatcherID] = []
        for place in watchers.indices where !watchers[place].isEmpty {
            trie.path(of: place).withUnsafeBytes { path in
                for watcher in watchers[place]
                where isLost(path, watcher.isRecursive, watcher.sinceIndex) {
                    lost.append(watcher.id)
                }
            }
        }
        for id in lost { _ = cancel(id) }
        return lost.sorted { $0.rawValue < $1.rawValue }
    }

    /// The list's last takes the place of the one removed.
    private mutating func remove(at slot: Int, of place: WatchTrie.Place) {
        let id = watchers[place][slot].id
        locations[id] = nil
        let last = watchers[place].removeLast()
        if last.id != id {
            watchers[place][slot] = last
            locations[last.id] = Location(place: place, slot: slot)
        }
    }

    // MARK: - Events

    /// Finds the watchers of `event`.
    ///
    /// - Parameter removed: the item taken out of the tree, with its content, if it was a directory.
    mutating func notify(_ event: Event, removed: Item?) {
        notify(event) { hub, place in
            if let removed, event.removesDirectory { hub.tellBelow(place, event, removed) }
        }
    }

    /// Finds the watchers of an event of which only the history knows: if it removed a directory, what
    /// was in it is not known any more, and all who watch below it are told.
    mutating func notifyOfPast(_ event: Event) {
        notify(event) { hub, place in
            if event.removesDirectory { hub.tellAllBelow(place, event) }
        }
    }

    @inline(__always)
    private mutating func notify(
        _ event: Event, tellBelow: (inout WatcherHub, WatchTrie.Place) -> Void
    ) {
        if locations.isEmpty { return }
        let key = event.key
        let hiddenStart = Self.lastHiddenStart(key)
        var components = PathComponents(key)
        var place = WatchTrie.root
        while true {
            let end = components.end
            guard let component = components.next() else { break }
            // Above the key: told if recursive, unless something between the two is hidden.
            if hiddenStart <= end {
                tell(place, event) { $0.isRecursive }
            }
            let next = trie.child(component, of: place)
            trie.prune(place) { [watchers] in watchers[$0].isEmpty }
            guard let next else { return }
            place = next
        }
        tellBelow(&self, place)
        tell(place, event) { _ in true }
        trie.prune(place) { [watchers] in watchers[$0].isEmpty }
    }

    /// Where the last component that begins with `_` begins; 0 if there is none.
    private static func lastHiddenStart(_ key: UnsafeRawBufferPointer) -> Int {
        var offset = key.count - 1
        while offset > 0 {
            if key[offset] == StorePath.underscore, key[offset - 1] == StorePath.slash {
                return offset
            }
            offset -= 1
        }
        return 0
    }

    /// Tells those at `place` who are interested; one-shot ones are removed.
    private mutating func tell(
        _ place: WatchTrie.Place, _ event: Event, _ isInterested: (Watcher) -> Bool
    ) {
        var slot = 0
        while slot < watchers[place].count {
            let watcher = watchers[place][slot]
            guard watcher.sinceIndex <= event.index, isInterested(watcher) else {
                slot += 1
                continue
            }
            notifications.append(Notification(watcher: watcher.id, event: event))
            if watcher.isStream {
                slot += 1
            } else {
                remove(at: slot, of: place)
            }
        }
    }

    /// Tells all watchers below `top` whose path was a node of the removed directory.
    private mutating func tellBelow(_ top: WatchTrie.Place, _ event: Event, _ removed: Item) {
        var pending = [(place: top, directory: removed)]
        var visited: [WatchTrie.Place] = []
        while let (place, directory) = pending.popLast() {
            guard let content = directory.children else { continue }
            trie.forEachChild(of: place) { child, name in
                guard let item = content.item(named: name)?.takeUnretainedValue() else { return }
                visited.append(child)
                if item.isDirectory { pending.append((child, item)) }
            }
        }
        tell(visited, event)
    }

    private mutating func tellAllBelow(_ top: WatchTrie.Place, _ event: Event) {
        var visited: [WatchTrie.Place] = []
        trie.forEachChild(of: top) { child, _ in visited.append(child) }
        var next = 0
        while next < visited.count {
            trie.forEachChild(of: visited[next]) { child, _ in visited.append(child) }
            next += 1
        }
        tell(visited, event)
    }

    private mutating func tell(_ visited: [WatchTrie.Place], _ event: Event) {
        for place in visited { tell(place, event) { _ in true } }
        // Deepest last in `visited`: pruning from the end frees parents after their children.
        for place in visited.reversed() {
            trie.prune(place) { [watchers] in watchers[$0].isEmpty }
        }
    }
}
