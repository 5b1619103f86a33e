internal import KVServer
internal import KeyStore
internal import NIOCore

/// Watchers are told in portions, a portion a turn of the loop: each costs a system call, and an
/// event that thousands watch would keep everybody else waiting for tens of milliseconds.
extension ClientServer {
    /// Some 100 us of work. With four times as many, others had to wait for 10 ms while 5000 watchers were
    /// told of 4 KiB each, with so many for 7.
    private static let portionCount = 8
    /// Past it the loop does nothing else: it is told more than it can pass on.
    private static let waitingMax = 1 << 17

    func tell(_ notifications: [Notification]) {
        guard !notifications.isEmpty else { return }
        if notificationsWaiting.isEmpty, notifications.count <= Self.portionCount {
            for notification in notifications { tell(notification) }
            sharedEvent.forget()
        } else {
            notificationsWaiting.append(notifications)
            tellPortion()
        }
    }

    /// Before anything that ends watches.
    func tellAll() {
        while let notification = notificationsWaiting.next() { tell(notification) }
        sharedEvent.forget()
    }

    private func tellPortion() {
        let count = max(Self.portionCount, notificationsWaiting.count - Self.waitingMax)
        for _ in 0..<count {
            guard let notification = notificationsWaiting.next() else { break }
            tell(notification)
        }
        sharedEvent.forget()
    }

    /// Called when what was told is sent: that takes longer than the telling, and the pause would be over
    /// before it began.
    func tellMoreLater() {
        guard !notificationsWaiting.isEmpty, !willTellMore else { return }
        willTellMore = true
        _ = eventLoop.assumeIsolated().scheduleTask(in: RestingConnections.pause) { [self] in
            willTellMore = false
            tellPortion()
            flush()
            tellMoreLater()
        }
    }

    private func tell(_ notification: Notification) {
        let ticket = Ticket(notification.watcher)
        guard let connection = connection(at: ticket.connection) else { return }
        sharedEvent.encode(notification.event)
        connection.take(sharedEvent, number: ticket.request)
    }
}

/// Notifications in the order in which they came.
struct NotificationQueue {
    private var items: [Notification] = []
    private var taken = 0

    var count: Int { items.count - taken }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ more: [Notification]) { items += more }

    mutating func next() -> Notification? {
        guard taken < items.count else { return nil }
        defer {
            taken += 1
            // Events that were told are let go; moving the rest costs no more than taking it did.
            if taken == items.count {
                (items, taken) = ([], 0)
            } else if taken > items.count / 2, taken > 4096 {
                items.removeFirst(taken)
                taken = 0
            }
        }
        return items[taken]
    }
}
