import KVServer
import KeyStore
import RaftModel
import StorageIO

/// A client that wants to see every event of every key, once, in order.
struct Watcher {
    let number: Int
    /// The first event that it has not seen; 0: it begins with whatever is next.
    var next: UInt64 = 0
    /// Where it waits, and under which number.
    var host: Int?
    var watch: UInt64 = 0
    var isStream = false

    init(number: Int) { self.number = number }
}

extension World {
    /// Asks some member for what comes next.
    func act(watcher i: Int) throws(Violation) {
        guard watchers[i].host == nil else { return }
        let up = hosts.filter { $0.engine.map { $0.isReadable && $0.leader != .none } ?? false }
        guard !up.isEmpty else {
            // Nobody knows of a leader: there is nothing to see for a while.
            return add(.watcher(i), after: clientRandom.around(300 * Simulation.millisecond))
        }
        let host = clientRandom.pick(up)
        guard let running = host.running else { return }
        lastWatch += 1
        // A stream tells only what comes; a single question may be about the past.
        let isStream = watchers[i].next == 0
        let since = watchers[i].next
        let start: WatchStart
        do throws(StoreError) {
            start = try watch(running, isStream: isStream, since: since)
        } catch {
            guard error.code == .eventIndexCleared else {
                throw Violation("watches go on", "\(host.id) answers \(error)")
            }
            coverage.count(.watchCleared)
            watchers[i].next = 0
            return restart(watcher: i)
        }
        if isStream { watchers[i].next = running.engine.store.currentIndex + 1 }
        for event in start.events { try see(event, watcher: i) }
        guard start.isRegistered else { return restart(watcher: i, soon: true) }
        (watchers[i].host, watchers[i].watch, watchers[i].isStream) = (
            host.slot, lastWatch, isStream
        )
        running.watches[lastWatch] = i
    }

    private func watch(
        _ running: Running, isStream: Bool, since: UInt64
    ) throws(StoreError) -> WatchStart {
        let id = WatcherID(lastWatch)
        let result = Oracle.root.withUnsafeBytes { path -> Result<WatchStart, StoreError> in
            do throws(StoreError) {
                return .success(
                    try running.engine.store.watch(
                        path, as: id, isRecursive: true, isStream: isStream, sinceIndex: since))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// A member tells a watcher of an event.
    func take(_ notification: Notification, from running: Running) throws(Violation) {
        let watch = notification.watcher.rawValue
        guard !running.answeredWatches.contains(watch) else {
            throw Violation(
                "watches without gap or repeat", "watch \(watch) asked once and is told twice")
        }
        guard let i = running.watches[watch] else { return }
        if scenario.mutation == .loseNotification, clientRandom.chance(percent: 2) { return }
        try see(notification.event, watcher: i)
        if scenario.mutation == .repeatNotification, clientRandom.chance(percent: 2) {
            try see(notification.event, watcher: i)
        }
        // One question, one answer; and who has a stream may ask elsewhere from where it is.
        guard !watchers[i].isStream || clientRandom.chance(percent: 20) else { return }
        if watchers[i].isStream {
            running.engine.store.cancelWatch(notification.watcher)
        } else {
            running.answeredWatches.insert(watch)
        }
        endWatch(watch, running)
    }

    private func see(_ event: Event, watcher i: Int) throws(Violation) {
        coverage.count(.watchEvent)
        let seen = Oracle.seen(event)
        guard let expected = judge.oracle.firstEvent(from: watchers[i].next) else {
            throw Violation(
                "watches without gap or repeat",
                "watcher \(i) is told of event \(seen.index), which nobody made")
        }
        guard expected == seen else {
            throw Violation(
                "watches without gap or repeat",
                "watcher \(i) is told of event \(seen.index) where \(expected.index) is next")
        }
        watchers[i].next = seen.index + 1
    }

    func endWatch(_ watch: UInt64, _ running: Running) {
        guard let i = running.watches.removeValue(forKey: watch) else { return }
        restart(watcher: i)
    }

    func restart(watcher i: Int, soon: Bool = false) {
        if !soon { coverage.count(.watchRestarted) }
        watchers[i].host = nil
        add(.watcher(i), after: soon ? 100_000 : clientRandom.around(20 * Simulation.millisecond))
    }
}
