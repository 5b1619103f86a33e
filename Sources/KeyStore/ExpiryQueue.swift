/// Which nodes expire when, earliest first, equal times in the order of their paths.
///
/// A B+tree like a directory's, of entries that have a name alone:
///
///     +-------------------------+------------------+
///     | expiration, sign bit    | store path       |
///     | flipped, big-endian u64 | any length       |
///     +-------------------------+------------------+
///
/// What is removed along with a directory is not looked for here: its entries stay, and are
/// recognised as stale when their time comes, or by `sweep`, since the tree no longer has a node
/// of that path and expiration. So the order of expiry depends on the tree's content alone.
struct ExpiryQueue {
    struct Entry {
        let expiration: Int64
        let path: [UInt8]
    }

    private var root: TreeNode?
    private(set) var count = 0
    /// Where the sweep goes on; nil: it has nothing to look for.
    private var sweepStart: [UInt8]?

    mutating func insert(_ expiration: Int64, _ path: UnsafeRawBufferPointer) {
        assert(expiration != 0)
        let added = Self.withName(expiration, path) { name in
            // The stale entry of a removed node comes true again if the same is made anew.
            if root?.item(named: name) != nil { return false }
            withUnsafeMutablePointer(to: &root) { TreeNode.insert(.bare(name: name), into: $0) }
            return true
        }
        if added { count += 1 }
    }

    mutating func remove(_ expiration: Int64, _ path: UnsafeRawBufferPointer) {
        let removed = Self.withName(expiration, path) { name in
            withUnsafeMutablePointer(to: &root) { TreeNode.remove(name, from: $0) }
        }
        precondition(removed != nil, "each node that expires has an entry")
        count -= 1
    }

    /// The earliest entry, if it is due at `now`.
    func first(dueAt now: Int64) -> Entry? {
        guard var node = root else { return nil }
        while !node.isLeaf { node = node.children[0] }
        let entry = Self.entry(node.items[0].name)
        return entry.expiration <= now ? entry : nil
    }

    // MARK: - Stale entries

    /// To be called when a directory has been removed with its content.
    mutating func directoryRemoved() {
        if root != nil { sweepStart = [] }
    }

    /// Looks at up to `limit` entries and removes those that `isStale`; goes on from there at the
    /// next call. This bounds the memory they take; it does not change what expires.
    mutating func sweep(limit: Int, isStale: (Entry) -> Bool) {
        guard let start = sweepStart, root != nil else { return }
        var stale: [Entry] = []
        var last: [UInt8] = []
        let seen = forEach(from: start, limit: limit) { name in
            let entry = Self.entry(name)
            if isStale(entry) { stale.append(entry) }
            last = [UInt8](name)
        }
        for entry in stale {
            entry.path.withUnsafeBytes { remove(entry.expiration, $0) }
        }
        sweepStart = seen < limit ? nil : last + [0]
    }

    /// Gives `body` up to `limit` names in order, from `start` on. Returns how many it gave.
    private func forEach(
        from start: [UInt8], limit: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Int {
        var seen = 0
        var frames: [(node: TreeNode, position: Int)] = []
        start.withUnsafeBytes { name in
            guard var node = root else { return }
            while !node.isLeaf {
                let index = node.childIndex(for: name)
                frames.append((node, index + 1))
                node = node.children[index]
            }
            frames.append((node, node.position(of: name).index))
        }
        while let (node, position) = frames.popLast(), seen < limit {
            if node.isLeaf {
                for index in position..<node.count where seen < limit {
                    body(node.items[index].name)
                    seen += 1
                }
            } else if position <= node.count {
                frames.append((node, position + 1))
                frames.append((node.children[position], 0))
            }
        }
        return seen
    }

    // MARK: - Names

    private static func withName<R>(
        _ expiration: Int64, _ path: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        withUnsafeTemporaryAllocation(byteCount: 8 + path.count, alignment: 8) { name in
            let order = UInt64(bitPattern: expiration) ^ 1 << 63
            name.storeBytes(of: order.bigEndian, as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: name[8...]).copyMemory(from: path)
            return body(UnsafeRawBufferPointer(name))
        }
    }

    private static func entry(_ name: UnsafeRawBufferPointer) -> Entry {
        let order = UInt64(bigEndian: name.loadUnaligned(as: UInt64.self))
        return Entry(expiration: Int64(bitPattern: order ^ 1 << 63), path: [UInt8](name[8...]))
    }
}
