/// A request as the log carries it (disk-format.md §4.1). Its bytes are borrowed: they must
/// outlive the call it is given to, and are not kept.
package struct Command {
    package enum Method: Sendable {
        case put, post, delete
        /// A read that went through the log.
        case quorumGet
        /// The leader's clock: what is due expires.
        case sync
    }

    package var method: Method
    /// Store path.
    package var path: UnsafeRawBufferPointer
    package var value = UnsafeRawBufferPointer(start: nil, count: 0)
    package var isDirectory = false
    /// Empty: not given.
    package var previousValue = UnsafeRawBufferPointer(start: nil, count: 0)
    /// 0: not given.
    package var previousIndex: UInt64 = 0
    package var previousExists: Bool?
    /// Unix nanoseconds; 0: permanent.
    package var expiration: Int64 = 0
    package var isRefresh = false
    package var isRecursive = false
    /// `sync` only: unix nanoseconds of the leader's clock.
    package var time: Int64 = 0

    package init(_ method: Method, path: UnsafeRawBufferPointer) {
        self.method = method
        self.path = path
    }

    var comparison: Comparison {
        Comparison(value: previousValue, index: previousIndex)
    }
}

/// What a compare-and-… wants to find. At least one of the two is given.
package struct Comparison {
    /// Empty: not given. Borrowed.
    package var value: UnsafeRawBufferPointer
    /// 0: not given.
    package var index: UInt64

    package init(value: UnsafeRawBufferPointer, index: UInt64) {
        self.value = value
        self.index = index
    }

    var isGiven: Bool { index > 0 || !value.isEmpty }
}

/// What a command came to.
package enum Answer: Sendable {
    case event(Event)
    case node(Node)
    /// So many nodes expired.
    case expired(Int)
}

extension Store {
    /// Carries out one command of the log.
    ///
    /// - Parameter now: unix nanoseconds; what the `ttl` fields of the answer count from.
    ///
    /// Throws what the operation that it stands for throws.
    package func apply(_ command: Command, now: Int64) throws(StoreError) -> Answer {
        switch command.method {
        case .put: .event(try put(command, now: now))
        case .post:
            .event(
                try create(
                    command.path, value: command.value, isDirectory: command.isDirectory,
                    isUnique: true, expiration: command.expiration, now: now))
        case .delete where command.comparison.isGiven:
            .event(try compareAndDelete(command.path, command.comparison, now: now))
        case .delete:
            .event(
                try delete(
                    command.path, isDirectory: command.isDirectory,
                    isRecursive: command.isRecursive, now: now))
        case .quorumGet: .node(try get(command.path))
        case .sync: .expired(expire(upTo: command.time))
        }
    }

    private func put(_ command: Command, now: Int64) throws(StoreError) -> Event {
        let update = Update(
            value: command.value, expiration: command.expiration, isRefresh: command.isRefresh)
        switch command.previousExists {
        case true? where !command.comparison.isGiven:
            return try self.update(command.path, update, now: now)
        case false?:
            return try create(
                command.path, value: command.value, isDirectory: command.isDirectory,
                isUnique: false, expiration: command.expiration, now: now)
        case _ where command.comparison.isGiven:
            return try compareAndSwap(command.path, command.comparison, update, now: now)
        default:
            return try set(command.path, update, isDirectory: command.isDirectory, now: now)
        }
    }
}
