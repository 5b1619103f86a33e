/// What a node, or all nodes below a directory, hash to.
///
/// A node's hash covers its path, value, indices, expiration and kind, and nothing else: not where
/// it lies in memory, nor how it came about. The hash of many is the sum of theirs, so that a change
/// anywhere adds the same difference to each directory above it, and a removed directory takes its
/// content's sum with it: every change costs O(depth), a directory of a million keys removed too.
///
/// Part of the snapshot format and of what members compare: it must not change without a new version
/// of both (`ContentHash.version`). All loads are little-endian.
///
///     state = k0
///     for each of path, value:       16 bytes at a time, the last ones padded with zeros:
///         state = fold(word0 ^ k1, word1 ^ state)
///         state = fold(state ^ k2, length ^ k0)
///     state = fold(state ^ createdIndex, modifiedIndex ^ k1)
///     hash  = fold(state ^ expiration, kind ^ k2)              kind: 1 a file, 2 a directory
///
/// `fold(a, b)` is the 128-bit product of both, its halves xored.
package enum ContentHash {
    package static let version = 1

    private static let k0: UInt64 = 0xa076_1d64_78bd_642f
    private static let k1: UInt64 = 0xe703_7ed1_a0b4_28db
    private static let k2: UInt64 = 0x8ebc_6af0_9c88_c6e3

    /// Of the node at `path` alone, not of what is below it.
    @inline(__always)
    static func of(_ item: Item, at path: UnsafeRawBufferPointer) -> UInt64 {
        var state = absorb(path, k0)
        state = absorb(item.value, state)
        state = fold(state ^ item.createdIndex, item.modifiedIndex ^ k1)
        let expiration = UInt64(bitPattern: item.expiration)
        return fold(state ^ expiration, (item.isDirectory ? 2 : 1) ^ k2)
    }

    @inline(__always)
    private static func absorb(_ bytes: UnsafeRawBufferPointer, _ start: UInt64) -> UInt64 {
        var state = start
        var offset = 0
        while offset + 16 <= bytes.count {
            state = fold(word(bytes, offset) ^ k1, word(bytes, offset + 8) ^ state)
            offset += 16
        }
        if offset < bytes.count {
            // `Bytes.word` is big-endian, and zero past the end.
            let first = Bytes.word(bytes, at: offset).byteSwapped
            let second = Bytes.word(bytes, at: offset + 8).byteSwapped
            state = fold(first ^ k1, second ^ state)
        }
        return fold(state ^ k2, UInt64(bytes.count) ^ k0)
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}

/// What is below a directory: the sum of the nodes' hashes, and how many they are.
struct ContentSum: Equatable {
    var hash: UInt64 = 0
    var count: UInt64 = 0

    static let none = ContentSum()

    /// The node at `path`, with what is below it.
    @inline(__always)
    static func of(_ item: Item, at path: UnsafeRawBufferPointer) -> ContentSum {
        let own = ContentSum(hash: ContentHash.of(item, at: path), count: 1)
        return item.isDirectory ? own + item.sum : own
    }

    @inline(__always)
    static func + (a: ContentSum, b: ContentSum) -> ContentSum {
        ContentSum(hash: a.hash &+ b.hash, count: a.count &+ b.count)
    }

    @inline(__always)
    static func - (a: ContentSum, b: ContentSum) -> ContentSum {
        ContentSum(hash: a.hash &- b.hash, count: a.count &- b.count)
    }
}

extension Tree {
    /// What all nodes but `/` itself hash to, in this version.
    package var contentHash: UInt64 { root.sum.hash }
    /// Nodes but `/` itself.
    package var nodeCount: Int { Int(clamping: root.sum.count) }

    /// The node at `path` was changed by `difference`, what is below it included: every directory
    /// above it learns of that. They are unshared, as `update` has just been there.
    @inline(__always)
    func add(_ difference: ContentSum, above path: UnsafeRawBufferPointer) {
        if difference == .none { return }
        var components = PathComponents(path)
        var item = Unmanaged.passUnretained(root)
        while let name = components.next() {
            item._withUnsafeGuaranteedRef { $0.sum = $0.sum + difference }
            let child = item._withUnsafeGuaranteedRef { $0.children?.item(named: name) }
            // The last component may be gone; what is above it is there.
            guard components.end < path.count, let child else { return }
            item = child
        }
    }
}

extension Store {
    /// What the whole content hashes to now; see `ContentHash`.
    package var contentHash: UInt64 { tree.contentHash }
}

extension StoreImage {
    package var contentHash: UInt64 { tree.contentHash }
    package var nodeCount: Int { tree.nodeCount }
    package var eventCount: Int { history.count }

    /// The hash, computed anew from every node: what is kept must equal it.
    package func recomputedHash() -> UInt64 {
        var walk = walk()
        var path: [UInt8] = []
        var hash: UInt64 = 0
        func add(_ node: Node) {
            hash &+= path.withUnsafeBytes { ContentHash.of(node.item, at: $0) }
        }
        while let step = walk.next() {
            switch step {
            case .file(let file):
                let count = path.count
                path.append(StorePath.slash)
                file.withName { path.append(contentsOf: $0) }
                add(file)
                path.removeSubrange(count...)
            case .open(let directory):
                path.append(StorePath.slash)
                directory.withName { path.append(contentsOf: $0) }
                add(directory)
            case .close:
                while let last = path.popLast(), last != StorePath.slash {}
            }
        }
        return hash
    }
}
