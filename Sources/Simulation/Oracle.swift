import Cluster
import KeyStore
import RaftModel
import State

/// What all members must have: applies every committed entry once, in their order.
///
/// It knows the store's hash after each entry, the members, and every event that a watcher of all
/// keys has to be told.
final class Oracle {
    /// One event under `/1`, as a watcher sees it.
    struct Seen: Equatable {
        var index: UInt64
        /// Of action, key and value.
        var digest: UInt64
    }

    static let root = Array("/1".utf8)

    private let state: MemberState
    /// After each entry; 0: before the first.
    private(set) var hashes: [UInt64]
    private(set) var events: [Seen] = []
    /// The members after each entry that changed them.
    private var memberships: [(index: UInt64, membership: Membership)] = []
    private(set) var expiredCount: UInt64 = 0

    init(historyEventsMax: Int) {
        var options = Store.Options()
        options.historyEventsMax = historyEventsMax
        state = MemberState(options: options)
        hashes = [state.contentHash]
        Self.root.withUnsafeBytes { path in
            do throws(StoreError) {
                _ = try state.store.watch(
                    path, as: WatcherID(1), isRecursive: true, isStream: true)
            } catch {
                preconditionFailure("a new store has no past that could be gone: \(error)")
            }
        }
    }

    var appliedIndex: UInt64 { state.appliedIndex }
    var membership: Membership { state.membership }

    func apply(_ entry: Entry) {
        let applied = state.apply(entry, monotonic: 0, wall: 0)
        hashes.append(state.contentHash)
        if hasChangedMembers(applied) { memberships.append((entry.index, state.membership)) }
        guard state.store.hasNotifications else { return }
        for notification in state.store.takeNotifications() {
            events.append(Self.seen(notification.event))
            if notification.event.action == .expire { expiredCount += 1 }
        }
    }

    private func hasChangedMembers(_ applied: Applied) -> Bool {
        switch applied {
        case .confChange(_, .success): true
        case .command(let outcome):
            if case .newcomer? = outcome.note { true } else { false }
        default: false
        }
    }

    func membership(at index: UInt64) -> Membership? {
        memberships.last { $0.index <= index }?.membership
    }

    /// The first event at or after `index` of the store; nil: none has come to be yet.
    func firstEvent(from index: UInt64) -> Seen? {
        var (low, high) = (0, events.count)
        while low < high {
            let middle = (low + high) / 2
            if events[middle].index < index { low = middle + 1 } else { high = middle }
        }
        return low < events.count ? events[low] : nil
    }

    static func seen(_ event: Event) -> Seen {
        var digest = Digest()
        digest.add(UInt64(event.action.rawValue))
        event.withKey { digest.add($0) }
        event.withValue { digest.add($0) }
        return Seen(index: event.index, digest: digest.value)
    }
}
