/// One node of a directory's B+tree, in one allocation. A leaf (level 0) holds the directory's
/// items in the order of their names; an inner node holds separators (items with a name alone)
/// between its children: all names below `children[i]` are < `items[i]`, all names below
/// `children[i + 1]` are >= `items[i]`.
///
///     +--------+--------+-----------------+-----------------+---------------------------+
///     | object | header | heads           | items           | children (inner only)     |
///     | 16     | 32     | width x u64  | width x ref  | (width + 1) x ref      |
///     +--------+--------+-----------------+-----------------+---------------------------+
///
/// `prefix` is what all names in the node begin with (its first 24 bytes at most) and `heads[i]`
/// the eight bytes of name i that follow it, as a big-endian word. A search compares words that
/// lie side by side, and looks into an item (a cache miss) only where heads tie.
///
/// Nodes are shared by versions of the tree. Whoever changes one makes sure first that its
/// reference is the only one, and copies the node if not (`makeUnique`).
final class TreeNode: ManagedBuffer<TreeNode.Header, UInt64> {
    struct Header {
        var count: UInt16
        let width: UInt16
        let level: UInt8
        var prefixCount: UInt8
        /// Set when items and children have been moved out and only memory is left to free.
        var isHollow = false
        var prefix: (UInt64, UInt64, UInt64) = (0, 0, 0)
    }

    static let widthMin = 4
    static let widthMax = 64
    /// A node that is not a root and has fewer names after a removal takes from a sibling or
    /// joins it. (Appending may leave smaller ones at the tree's right edge.)
    static let countMin = 16
    /// Joining two nodes is worth it only if the result has room to grow.
    static let joinedCountMax = 48
    static let prefixCountMax = 24

    static func make(level: Int, width: Int) -> TreeNode {
        precondition((widthMin...widthMax).contains(width) && level < 32)
        let words = level == 0 ? 2 * width : 3 * width + 1
        let buffer = TreeNode.create(minimumCapacity: words) { _ in
            Header(count: 0, width: UInt16(width), level: UInt8(level), prefixCount: 0)
        }
        return unsafeDowncast(buffer, to: TreeNode.self)
    }

    /// Same content, other width. Children and items are shared.
    func copied(width: Int) -> TreeNode {
        precondition(width >= count)
        let copy = TreeNode.make(level: level, width: width)
        copy.facts.pointee.count = facts.pointee.count
        copy.facts.pointee.prefixCount = facts.pointee.prefixCount
        copy.facts.pointee.prefix = facts.pointee.prefix
        copy.heads.update(from: heads, count: count)
        copy.items.initialize(from: items, count: count)
        if level > 0 { copy.children.initialize(from: children, count: count + 1) }
        return copy
    }

    deinit {
        if !facts.pointee.isHollow { Self.release(emptying: self) }
    }
}

extension TreeNode {
    /// Not through `header`: a class's property is checked for exclusive access each time.
    @inline(__always)
    var facts: UnsafeMutablePointer<Header> { withUnsafeMutablePointerToHeader { $0 } }

    @inline(__always) var count: Int { Int(facts.pointee.count) }
    @inline(__always) var width: Int { Int(facts.pointee.width) }
    @inline(__always) var level: Int { Int(facts.pointee.level) }
    @inline(__always) var isLeaf: Bool { facts.pointee.level == 0 }
    @inline(__always) var isFull: Bool { facts.pointee.count == facts.pointee.width }

    @inline(__always)
    var heads: UnsafeMutablePointer<UInt64> { withUnsafeMutablePointerToElements { $0 } }

    @inline(__always)
    var items: UnsafeMutablePointer<Item> {
        UnsafeMutableRawPointer(heads + width).assumingMemoryBound(to: Item.self)
    }

    @inline(__always)
    var children: UnsafeMutablePointer<TreeNode> {
        assert(!isLeaf)
        return UnsafeMutableRawPointer(heads + 2 * width).assumingMemoryBound(to: TreeNode.self)
    }

    /// Makes sure that nobody else sees a change made through `slot`.
    @inline(__always)
    static func makeUnique(_ slot: UnsafeMutablePointer<TreeNode>) {
        if !isKnownUniquelyReferenced(&slot.pointee) {
            slot.pointee = slot.pointee.copied(width: slot.pointee.width)
        }
    }
}

// MARK: - Search

extension TreeNode {
    /// First position whose name is not before `name`, and whether it is `name`.
    @inline(__always)
    func position(of name: UnsafeRawBufferPointer) -> (index: Int, isFound: Bool) {
        let prefixCount = Int(facts.pointee.prefixCount)
        if prefixCount > 0 {
            let order = compareToPrefix(name, prefixCount)
            if order != 0 { return (order < 0 ? 0 : count, false) }
        }
        var (low, high) = tied(with: Bytes.word(name, at: prefixCount))
        while low < high {
            let middle = (low + high) >> 1
            let order = compareRest(name, to: middle, from: prefixCount + 8)
            if order == 0 { return (middle, true) }
            if order > 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }

    /// The range of names whose head is `head`; where it would be, if there is none.
    ///
    /// Counts through all heads instead of halving: no branch to mispredict, and the cache lines
    /// of a cold node are fetched all at once instead of one after the other.
    @inline(__always)
    private func tied(with head: UInt64) -> (low: Int, high: Int) {
        let heads = heads
        let count = count
        var low = 0
        for index in 0..<count { low &+= heads[index] < head ? 1 : 0 }
        var high = low
        while high < count, heads[high] == head { high &+= 1 }
        return (low, high)
    }

    /// Which child `name` belongs below.
    @inline(__always)
    func childIndex(for name: UnsafeRawBufferPointer) -> Int {
        let (index, isSeparator) = position(of: name)
        return isSeparator ? index + 1 : index
    }

    /// The item called `name` at or below this node.
    @inline(__always)
    func item(named name: UnsafeRawBufferPointer) -> Unmanaged<Item>? {
        // Unmanaged, because retaining each node on the way costs more than the search; the
        // root, which the caller holds, keeps them all alive.
        var node = Unmanaged.passUnretained(self)
        while true {
            let next: Unmanaged<TreeNode>? = node._withUnsafeGuaranteedRef {
                $0.isLeaf ? nil : .passUnretained($0.children[$0.childIndex(for: name)])
            }
            guard let next else { break }
            node = next
        }
        return node._withUnsafeGuaranteedRef {
            let (index, isFound) = $0.position(of: name)
            return isFound ? .passUnretained($0.items[index]) : nil
        }
    }

    @inline(__always)
    private func compareToPrefix(_ name: UnsafeRawBufferPointer, _ prefixCount: Int) -> Int {
        let words = facts.pointee.prefix
        var order = Self.compareMasked(Bytes.word(name, at: 0), words.0, prefixCount)
        if order == 0, prefixCount > 8 {
            order = Self.compareMasked(Bytes.word(name, at: 8), words.1, prefixCount - 8)
            if order == 0, prefixCount > 16 {
                order = Self.compareMasked(Bytes.word(name, at: 16), words.2, prefixCount - 16)
            }
        }
        // A name that ends within the prefix is before everything that has the prefix.
        return order == 0 && name.count < prefixCount ? -1 : order
    }

    /// Compares the first `count` bytes (8 at most) of two big-endian words.
    @inline(__always)
    private static func compareMasked(_ name: UInt64, _ prefix: UInt64, _ count: Int) -> Int {
        let masked = count >= 8 ? name : name & ~(UInt64.max >> UInt64(8 * count))
        return masked == prefix ? 0 : (masked < prefix ? -1 : 1)
    }

    /// Compares what follows the prefix and the head, which are equal.
    @inline(__always)
    private func compareRest(
        _ name: UnsafeRawBufferPointer, to index: Int, from offset: Int
    ) -> Int {
        let item = UnsafeRawPointer(items + index).load(as: Unmanaged<Item>.self)
        return item._withUnsafeGuaranteedRef { Bytes.compare(name, $0.name, from: offset) }
    }
}

// MARK: - Places inside one node

extension TreeNode {
    /// Sets prefix and heads anew from the names.
    func rebuildHeads() {
        guard count > 0 else {
            facts.pointee.prefixCount = 0
            return
        }
        setPrefix(
            Bytes.sharedPrefixCount(
                items[0].name, items[count - 1].name, limit: Self.prefixCountMax))
    }

    private func setPrefix(_ prefixCount: Int) {
        facts.pointee.prefixCount = UInt8(prefixCount)
        let first = UnsafeRawBufferPointer(rebasing: items[0].name[..<prefixCount])
        facts.pointee.prefix = (
            Bytes.word(first, at: 0), Bytes.word(first, at: 8), Bytes.word(first, at: 16)
        )
        for index in 0..<count { heads[index] = Bytes.word(items[index].name, at: prefixCount) }
    }

    /// Puts `item` at `index`. An inner node also gets `child`, right of it.
    func insert(_ item: Item, at index: Int, child: TreeNode? = nil) {
        let count = count
        precondition(count < width && index <= count)
        assert(isLeaf == (child == nil))
        if index < count {
            (heads + index + 1).update(from: heads + index, count: count - index)
            (items + index + 1).moveInitialize(from: items + index, count: count - index)
        }
        (items + index).initialize(to: item)
        if let child {
            let place = children + index + 1
            (place + 1).moveInitialize(from: place, count: count - index)
            place.initialize(to: child)
        }
        facts.pointee.count += 1
        adoptName(at: index)
    }

    /// Puts `item` at the end, for a node being built: `rebuildHeads` is to follow.
    func append(_ item: Item, child: TreeNode? = nil) {
        precondition(count < width)
        (items + count).initialize(to: item)
        if let child { (children + count + 1).initialize(to: child) }
        facts.pointee.count += 1
    }

    func replaceSeparator(at index: Int, with separator: Item) {
        precondition(!isLeaf && index < count)
        items[index] = separator
        adoptName(at: index)
    }

    /// Makes prefix and heads true again after a new name has come to `index`.
    @inline(__always)
    private func adoptName(at index: Int) {
        if count == 1 { return rebuildHeads() }
        // Whoever was there before has the prefix; the newcomer may not.
        let (name, other) = (items[index].name, items[index == 0 ? 1 : 0].name)
        let shared = Bytes.sharedPrefixCount(name, other, limit: Int(facts.pointee.prefixCount))
        if shared < Int(facts.pointee.prefixCount) { return setPrefix(shared) }
        heads[index] = Bytes.word(name, at: shared)
    }

    /// Takes out the item at `index`; of an inner node also the child left or right of it.
    func remove(at index: Int) -> Item {
        precondition(index < count && isLeaf)
        return removeName(at: index)
    }

    func removeSeparator(at index: Int, childAt childIndex: Int) -> (Item, TreeNode) {
        precondition(index < count && (childIndex == index || childIndex == index + 1))
        let place = children + childIndex
        let child = place.move()
        place.moveInitialize(from: place + 1, count: count - childIndex)
        return (removeName(at: index), child)
    }

    private func removeName(at index: Int) -> Item {
        let after = count - index - 1
        let item = (items + index).move()
        (items + index).moveInitialize(from: items + index + 1, count: after)
        (heads + index).update(from: heads + index + 1, count: after)
        facts.pointee.count -= 1
        return item
    }

    /// Moves names `start...` (and an inner node's children right of them) to the end of `other`.
    func moveTail(from start: Int, to other: TreeNode) {
        let moved = count - start
        precondition(other.count + moved <= other.width)
        (other.items + other.count).moveInitialize(from: items + start, count: moved)
        if !isLeaf {
            (other.children + other.count + 1).moveInitialize(
                from: children + start + 1, count: moved)
        }
        other.facts.pointee.count += UInt16(moved)
        facts.pointee.count -= UInt16(moved)
    }
}

// MARK: - Freeing

extension TreeNode {
    /// Drops a reference to `node`. If it was the last, all that goes with it goes in a loop:
    /// neither a deep nor a wide tree needs more stack than a small one.
    static func release(_ node: consuming TreeNode) {
        var pending = [node]
        releaseAll(&pending)
    }

    fileprivate static func release(emptying node: TreeNode) {
        var pending: [TreeNode] = []
        node.hollow(into: &pending)
        releaseAll(&pending)
    }

    private static func releaseAll(_ pending: inout [TreeNode]) {
        while var node = pending.popLast() {
            if isKnownUniquelyReferenced(&node) { node.hollow(into: &pending) }
        }
    }

    /// Gives up the content; appends to `pending` the nodes that it had references to.
    private func hollow(into pending: inout [TreeNode]) {
        precondition(!facts.pointee.isHollow)
        facts.pointee.isHollow = true
        if isLeaf {
            for index in 0..<count where items[index].isDirectory {
                guard isKnownUniquelyReferenced(&items[index]) else { continue }
                if let content = items[index].children {
                    items[index].children = nil
                    pending.append(content)
                }
            }
        } else {
            for index in 0...count { pending.append((children + index).move()) }
        }
        items.deinitialize(count: count)
    }
}
