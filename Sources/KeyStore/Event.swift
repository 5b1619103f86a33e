/// What a write did.
package enum Action: UInt8, Sendable, CaseIterable {
    case set = 1
    case create, update, compareAndSwap, delete, compareAndDelete, expire

    /// The word of the v2 API.
    package var name: StaticString {
        switch self {
        case .set: "set"
        case .create: "create"
        case .update: "update"
        case .compareAndSwap: "compareAndSwap"
        case .delete: "delete"
        case .compareAndDelete: "compareAndDelete"
        case .expire: "expire"
        }
    }

    /// The node is gone: the event's `node` has no value, its `previousNode` has.
    package var isRemoval: Bool {
        self == .delete || self == .compareAndDelete || self == .expire
    }
}

/// One successful write or expiry: the answer to its client, what watchers are told, and what the
/// history keeps; all of them share it. A reference to one immutable allocation, so copying is
/// cheap; `id` tells whether two are the same one.
///
/// Values are not copied: the event refers to the items of the tree, and keeps the ones that have
/// been replaced alive. Of a directory it keeps only the facts, never the content.
///
/// `@unchecked Sendable`: nothing it refers to changes once it has been made.
package struct Event: @unchecked Sendable {
    /// The facts, then the key's bytes.
    final class Storage: ManagedBuffer<Facts, UInt8> {
        /// Not through `header`: a class's property is checked for exclusive access each time.
        @inline(__always)
        var facts: UnsafeMutablePointer<Facts> { withUnsafeMutablePointerToHeader { $0 } }
    }

    struct Facts {
        var index: UInt64
        var timeBase: Int64
        /// What is there now; nil after a removal.
        var node: Item?
        /// What was there before.
        var previous: Item?
        var keyCount: UInt32
        var action: Action
        var isRefresh: Bool
    }

    private let storage: Storage

    var facts: Facts { storage.facts.pointee }

    init(_ facts: Facts, key: UnsafeRawBufferPointer) {
        precondition(facts.action.isRemoval == (facts.node == nil))
        precondition(!facts.action.isRemoval || facts.previous != nil)
        let buffer = Storage.create(minimumCapacity: key.count) { _ in facts }
        buffer.withUnsafeMutablePointers { header, tail in
            header.pointee.keyCount = UInt32(key.count)
            UnsafeMutableRawBufferPointer(start: tail, count: key.count).copyMemory(from: key)
        }
        storage = unsafeDowncast(buffer, to: Storage.self)
    }

    /// Whether it says what `facts` and `key` say; which of the items are shared does not count.
    func isSame(_ facts: Facts, key: UnsafeRawBufferPointer) -> Bool {
        let own = storage.facts.pointee
        return own.index == facts.index && own.timeBase == facts.timeBase
            && own.action == facts.action && own.isRefresh == facts.isRefresh
            && Self.areSame(own.node, facts.node) && Self.areSame(own.previous, facts.previous)
            && withKey { Bytes.equal($0, key) }
    }

    private static func areSame(_ a: Item?, _ b: Item?) -> Bool {
        guard let a, let b else { return (a == nil) == (b == nil) }
        return a === b
            || (a.isDirectory == b.isDirectory && a.createdIndex == b.createdIndex
                && a.modifiedIndex == b.modifiedIndex && a.expiration == b.expiration
                && Bytes.equal(a.name, b.name)
                && (a.isDirectory || Bytes.equal(a.value, b.value)))
    }

    package var id: ObjectIdentifier { ObjectIdentifier(storage) }
    package var action: Action { storage.facts.pointee.action }
    /// The store's index after the write; also the `modifiedIndex` the answer gives the node.
    package var index: UInt64 { storage.facts.pointee.index }
    /// The time, in unix nanoseconds, that the `ttl` fields of the answer count from.
    package var timeBase: Int64 { storage.facts.pointee.timeBase }
    /// Made by a refresh: kept in the history, but no watcher is told.
    package var isRefresh: Bool { storage.facts.pointee.isRefresh }

    /// The node's store path. The bytes are valid inside `body` only.
    package func withKey<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        defer { withExtendedLifetime(storage) {} }
        return try body(key)
    }

    /// The node as the write left it. After a removal: no value, no expiration, and `isDirectory`
    /// for a deleted, though not for an expired, directory.
    package var node: NodeAttributes {
        if let node = storage.facts.pointee.node { return Node(item: node).attributes }
        guard let previous = storage.facts.pointee.previous else {
            preconditionFailure("a removal has a previous node")
        }
        return NodeAttributes(
            isDirectory: previous.isDirectory && action == .delete, hasValue: false,
            createdIndex: previous.createdIndex, modifiedIndex: index, expiration: 0)
    }

    /// What the write replaced or removed; nil if it made something new.
    package var previousNode: NodeAttributes? {
        storage.facts.pointee.previous.map { Node(item: $0).attributes }
    }

    /// `node`'s value; empty where it has none. The bytes are valid inside `body` only.
    package func withValue<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try Self.withValue(of: storage.facts.pointee.node, body)
    }

    /// `previousNode`'s value; empty where it has none. The bytes are valid inside `body` only.
    package func withPreviousValue<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try Self.withValue(of: storage.facts.pointee.previous, body)
    }

    private static func withValue<R, E: Error>(
        of item: Item?, _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        defer { withExtendedLifetime(item) {} }
        return try body(item?.value ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }
}

extension Event {
    /// Valid only while something keeps this event alive.
    var key: UnsafeRawBufferPointer {
        let tail = storage.withUnsafeMutablePointerToElements { $0 }
        return UnsafeRawBufferPointer(start: tail, count: Int(storage.facts.pointee.keyCount))
    }

    /// A directory has been removed, by request or by expiry.
    var removesDirectory: Bool {
        storage.facts.pointee.node == nil && storage.facts.pointee.previous?.isDirectory == true
    }

    /// Memory that the history keeps because of this event, roughly. What is replaced by one
    /// event was made by another: each value is counted twice while both are kept.
    var footprintBytes: Int {
        let node = storage.facts.pointee.node?.footprintBytes ?? 0
        let previous = storage.facts.pointee.previous?.footprintBytes ?? 0
        return 80 + Int(storage.facts.pointee.keyCount) + node + previous
    }
}
