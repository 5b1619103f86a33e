/// One key of the tree, in one allocation: the fixed part, then the name, then the value.
///
///     +--------+----------+---------+----------+------------+-------+-------+------+-------+
///     | object | children | created | modified | expiration | shape | value | name | value |
///     | 16     | 8        | 8       | 8        | 8          | 4     | count | ...  | ...   |
///     +--------+----------+---------+----------+------------+-------+-------+------+-------+
///
/// A directory has, where a file has its value, the sum of what is below it (`ContentSum`, 16 bytes).
///
/// A file's item never changes once it is in a tree: a write makes a new one, and the old one
/// lives on in views, events and the history that refer to it. A directory's item is changed in
/// place (`children`, `expiration`) by the store, but only while nothing else refers to it.
///
/// Also used with a name alone: as the separators of a `TreeNode` and as the keys of the expiry
/// queue.
final class Item: ManagedBuffer<Item.Header, UInt8> {
    struct Header {
        /// The directory's content; nil for a file and for an empty directory.
        var children: TreeNode?
        var createdIndex: UInt64
        var modifiedIndex: UInt64
        /// Unix nanoseconds; 0: permanent.
        var expiration: Int64
        /// Name's byte count, plus `directoryBit`.
        var shape: UInt32
        var valueCount: UInt32
    }

    static let directoryBit: UInt32 = 1 << 31
    private static let sumBytes = 16

    @inline(__always)
    private static func allocate(
        nameCount: Int, valueCount: Int, isDirectory: Bool, _ stamp: Stamp
    ) -> Item {
        precondition(nameCount <= StorePath.bytesMax && valueCount <= Int(UInt32.max))
        let tailCount = nameCount + (isDirectory ? sumBytes : valueCount)
        let buffer = Item.create(minimumCapacity: tailCount) { _ in
            Header(
                children: nil, createdIndex: stamp.createdIndex,
                modifiedIndex: stamp.modifiedIndex, expiration: stamp.expiration,
                shape: UInt32(nameCount) | (isDirectory ? directoryBit : 0),
                valueCount: UInt32(valueCount))
        }
        return unsafeDowncast(buffer, to: Item.self)
    }

    /// The numbers an item is stamped with.
    struct Stamp {
        var createdIndex: UInt64
        var modifiedIndex: UInt64
        var expiration: Int64 = 0
    }

    static func file(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ stamp: Stamp
    ) -> Item {
        let item = allocate(
            nameCount: name.count, valueCount: value.count, isDirectory: false, stamp)
        let tail = item.tail
        if let base = name.baseAddress { tail.copyMemory(from: base, byteCount: name.count) }
        if let base = value.baseAddress {
            (tail + name.count).copyMemory(from: base, byteCount: value.count)
        }
        return item
    }

    static func directory(name: UnsafeRawBufferPointer, _ stamp: Stamp) -> Item {
        let item = allocate(nameCount: name.count, valueCount: 0, isDirectory: true, stamp)
        if let base = name.baseAddress { item.tail.copyMemory(from: base, byteCount: name.count) }
        item.sum = .none
        return item
    }

    /// A name that is only there to be compared with.
    static func bare(name: UnsafeRawBufferPointer) -> Item {
        file(
            name: name, value: UnsafeRawBufferPointer(start: nil, count: 0),
            Stamp(createdIndex: 0, modifiedIndex: 0))
    }

    /// Same name and stamp; shares the children. For a directory that a view refers to.
    func copiedDirectory() -> Item {
        let copy = withoutChildren(modifiedIndex: modifiedIndex)
        copy.children = children
        copy.sum = sum
        return copy
    }

    /// The directory's own facts alone, for an event: it must not keep the content alive.
    func withoutChildren(modifiedIndex: UInt64) -> Item {
        assert(isDirectory)
        return .directory(
            name: name,
            Stamp(
                createdIndex: createdIndex, modifiedIndex: modifiedIndex,
                expiration: expiration))
    }

    /// A long chain of nested directories is freed by a loop, not by nested calls.
    deinit {
        if let content = children {
            children = nil
            TreeNode.release(content)
        }
    }
}

extension Item {
    /// Not through `header`: a class's property is checked for exclusive access each time.
    @inline(__always)
    private var facts: UnsafeMutablePointer<Header> { withUnsafeMutablePointerToHeader { $0 } }

    /// Where the reference to a directory's content is kept.
    @inline(__always)
    var childrenPlace: UnsafeMutablePointer<TreeNode?> {
        assert(isDirectory)
        return withUnsafeMutablePointer(to: &facts.pointee.children) { $0 }
    }

    @inline(__always)
    var children: TreeNode? {
        get { facts.pointee.children }
        set { facts.pointee.children = newValue }
    }

    /// What is below the directory.
    @inline(__always)
    var sum: ContentSum {
        get {
            assert(isDirectory)
            let place = tail + nameCount
            return ContentSum(
                hash: place.loadUnaligned(as: UInt64.self),
                count: place.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        set {
            assert(isDirectory)
            let place = tail + nameCount
            place.storeBytes(of: newValue.hash, as: UInt64.self)
            place.storeBytes(of: newValue.count, toByteOffset: 8, as: UInt64.self)
        }
    }

    @inline(__always)
    var expiration: Int64 {
        get { facts.pointee.expiration }
        set { facts.pointee.expiration = newValue }
    }

    @inline(__always) var createdIndex: UInt64 { facts.pointee.createdIndex }
    @inline(__always) var modifiedIndex: UInt64 { facts.pointee.modifiedIndex }
    @inline(__always) var valueCount: Int { Int(facts.pointee.valueCount) }

    @inline(__always)
    private var tail: UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(withUnsafeMutablePointerToElements { $0 })
    }

    @inline(__always)
    var isDirectory: Bool { facts.pointee.shape & Self.directoryBit != 0 }

    @inline(__always)
    var nameCount: Int { Int(facts.pointee.shape & ~Self.directoryBit) }

    /// Valid only while something keeps this item alive.
    @inline(__always)
    var name: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: tail, count: nameCount)
    }

    /// Valid only while something keeps this item alive.
    @inline(__always)
    var value: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: tail + nameCount, count: valueCount)
    }

    /// Bytes of memory it takes, roughly as the allocator counts.
    var footprintBytes: Int { 64 + nameCount + valueCount }
}
