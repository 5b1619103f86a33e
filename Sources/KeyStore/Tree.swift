/// One version of the whole tree. Copying the value keeps that version: it costs one reference
/// count, may be read on any thread for as long as wanted, and does not change while the store
/// goes on. While such a copy exists the store copies the nodes on the path of each write (once
/// each); without one it changes them in place.
///
/// `@unchecked Sendable`: everything reachable from a copied `Tree` is immutable, because the
/// store changes only nodes whose sole reference it holds.
package struct Tree: @unchecked Sendable {
    var root: Item
    /// The store's index when this version was current.
    package internal(set) var index: UInt64

    /// The tree of a new cluster: `/`, `/0` and `/1`, made at index 0.
    init() {
        let stamp = Item.Stamp(createdIndex: 0, modifiedIndex: 0)
        root = .directory(name: UnsafeRawBufferPointer(start: nil, count: 0), stamp)
        index = 0
        for namespace in [UInt8(ascii: "0"), UInt8(ascii: "1")] {
            let directory = withUnsafeBytes(of: namespace) { Item.directory(name: $0, stamp) }
            TreeNode.insert(directory, into: Self.children(of: &root))
            withUnsafeBytes(of: (StorePath.slash, namespace)) { path in
                root.sum = root.sum + .of(directory, at: path)
            }
        }
    }

    init(root: Item, index: UInt64) {
        precondition(root.isDirectory)
        self.root = root
        self.index = index
    }

    /// The node at a store path (`/1/a/b`).
    ///
    /// Throws `keyNotFound` (cause: the first missing path) or `notDirectory` (cause: the file on
    /// the way), both with this version's index.
    package func node(at path: UnsafeRawBufferPointer) throws(StoreError) -> Node {
        if !StorePath.isClean(path) {
            let clean = StorePath.cleaned(path)
            return try clean.withBytes { path throws(StoreError) in
                try Node(item: item(at: path))
            }
        }
        return try Node(item: item(at: path))
    }

    @inline(__always)
    func item(at path: UnsafeRawBufferPointer) throws(StoreError) -> Item {
        switch find(path) {
        case .found(let item): return item.takeUnretainedValue()
        case .missing(let end):
            throw StoreError(.keyNotFound, cause: path[..<end], index: index)
        case .blocked(let end):
            throw StoreError(.notDirectory, cause: path[..<end], index: index)
        }
    }

    enum Finding {
        case found(Unmanaged<Item>)
        /// Nothing called `path[..<end]`.
        case missing(end: Int)
        /// `path[..<end]` is a file, and not the end of the path.
        case blocked(end: Int)
    }

    @inline(__always)
    func find(_ path: UnsafeRawBufferPointer) -> Finding {
        var components = PathComponents(path)
        var item = Unmanaged.passUnretained(root)
        while true {
            let parentEnd = max(components.end, 1)
            guard let name = components.next() else { return .found(item) }
            if !item._withUnsafeGuaranteedRef({ $0.isDirectory }) {
                return .blocked(end: parentEnd)
            }
            let child = item._withUnsafeGuaranteedRef { $0.children?.item(named: name) }
            guard let child else { return .missing(end: components.end) }
            item = child
        }
    }
}

// MARK: - Changes

extension Tree {
    /// Where a path's item is kept, or how far the path exists.
    enum Place {
        case found(UnsafeMutablePointer<Item>)
        /// `directory` is the last that exists; `path[..<parentEnd]` is its path.
        case missing(directory: UnsafeMutablePointer<Item>, parentEnd: Int, end: Int)
        case blocked(end: Int)
    }

    /// Goes down `path`, making everything on the way unshared, and gives `body` what it finds.
    /// The pointers are valid in `body`, and until it changes the tree.
    @inline(__always)
    mutating func update<R, E: Error>(
        _ path: UnsafeRawBufferPointer, _ body: (Place) throws(E) -> R
    ) throws(E) -> R {
        try withUnsafeMutablePointer(to: &root) { root throws(E) in
            try body(Self.place(of: path, from: root))
        }
    }

    private static func place(
        of path: UnsafeRawBufferPointer, from root: UnsafeMutablePointer<Item>
    ) -> Place {
        var components = PathComponents(path)
        var slot = root
        while true {
            let parentEnd = components.end
            guard let name = components.next() else { return .found(slot) }
            guard slot.pointee.isDirectory else { return .blocked(end: parentEnd) }
            let children = Self.children(of: slot)
            guard children.pointee != nil, let next = Self.slot(of: name, in: children) else {
                return .missing(directory: slot, parentEnd: parentEnd, end: components.end)
            }
            slot = next
        }
    }

    @inline(__always)
    private static func slot(
        of name: UnsafeRawBufferPointer, in children: UnsafeMutablePointer<TreeNode?>
    ) -> UnsafeMutablePointer<Item>? {
        TreeNode.slot(
            of: name, in: UnsafeMutableRawPointer(children).assumingMemoryBound(to: TreeNode.self))
    }

    /// Where the content of the directory kept in `slot` is kept, after making it unshared.
    @inline(__always)
    static func children(of slot: UnsafeMutablePointer<Item>) -> UnsafeMutablePointer<TreeNode?> {
        assert(slot.pointee.isDirectory)
        if !isKnownUniquelyReferenced(&slot.pointee) {
            slot.pointee = slot.pointee.copiedDirectory()
        }
        return slot.pointee.childrenPlace
    }

    /// Adds `item` as the end of `path`, making the directories between `parentEnd`, where
    /// `directory` is, and the last component. Directories made so are permanent. Returns what was
    /// added below `directory`, and the path of that.
    static func add(
        _ item: Item, at path: UnsafeRawBufferPointer, below directory: UnsafeMutablePointer<Item>,
        parentEnd: Int
    ) -> (ContentSum, path: UnsafeRawBufferPointer) {
        let stamp = Item.Stamp(
            createdIndex: item.createdIndex, modifiedIndex: item.createdIndex)
        var bottom = item
        // From the end of the path upwards, so that one insertion puts it all in place.
        var end = path.count - item.nameCount - 1
        var (added, addedEnd) = (ContentSum.of(item, at: path), path.count)
        while end > parentEnd {
            var start = end
            while path[start - 1] != StorePath.slash { start -= 1 }
            let name = UnsafeRawBufferPointer(rebasing: path[start..<end])
            let parent = Item.directory(name: name, stamp)
            TreeNode.insert(bottom, into: parent.childrenPlace)
            parent.sum = added
            added = .of(parent, at: UnsafeRawBufferPointer(rebasing: path[..<end]))
            addedEnd = end
            bottom = parent
            end = start - 1
        }
        TreeNode.insert(bottom, into: children(of: directory))
        return (added, UnsafeRawBufferPointer(rebasing: path[..<addedEnd]))
    }

    /// Takes out the item at `path`, which exists and is not the root.
    mutating func remove(_ path: UnsafeRawBufferPointer) -> Item {
        let start = StorePath.nameStart(path)
        let name = UnsafeRawBufferPointer(rebasing: path[start...])
        let parentPath = UnsafeRawBufferPointer(rebasing: path[..<max(start - 1, 1)])
        let removed = update(parentPath) { place in
            guard case .found(let parent) = place,
                let item = TreeNode.remove(name, from: Self.children(of: parent))
            else { preconditionFailure("the caller has found this item") }
            return item
        }
        add(.none - .of(removed, at: path), above: path)
        return removed
    }
}
