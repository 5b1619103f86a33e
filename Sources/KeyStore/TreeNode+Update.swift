/// Changes to a directory's B+tree, from its root down. All functions take the place a reference
/// to a node is kept in, and make the node unshared before they change it. They recurse only by
/// the height of one directory's tree, which is at most 31 and 5 in practice.
extension TreeNode {
    /// Where the item called `name` is kept, every node on the way made unshared, so that the
    /// caller may replace it; nil if there is none. Valid until the next change of the tree.
    static func slot(
        of name: UnsafeRawBufferPointer, in root: UnsafeMutablePointer<TreeNode>
    ) -> UnsafeMutablePointer<Item>? {
        var place = root
        while true {
            makeUnique(place)
            let node = Unmanaged.passUnretained(place.pointee)
            let child: UnsafeMutablePointer<TreeNode>? = node._withUnsafeGuaranteedRef {
                $0.isLeaf ? nil : $0.children + $0.childIndex(for: name)
            }
            if let child {
                place = child
                continue
            }
            return node._withUnsafeGuaranteedRef {
                let (index, isFound) = $0.position(of: name)
                return isFound ? $0.items + index : nil
            }
        }
    }

    // MARK: - Insertion

    /// Adds `item`, whose name must not be there yet. `root` nil: the directory was empty.
    static func insert(_ item: Item, into root: UnsafeMutablePointer<TreeNode?>) {
        guard root.pointee != nil else {
            let leaf = TreeNode.make(level: 0, width: widthMin)
            leaf.insert(item, at: 0)
            root.pointee = leaf
            return
        }
        let place = UnsafeMutableRawPointer(root).assumingMemoryBound(to: TreeNode.self)
        guard let split = insert(item, below: place, isRightmost: true) else { return }
        let above = TreeNode.make(level: place.pointee.level + 1, width: widthMax)
        (above.children).initialize(to: place.pointee)
        above.insert(split.separator, at: 0, child: split.right)
        place.pointee = above
    }

    private struct Split {
        var separator: Item
        var right: TreeNode
    }

    /// - Parameter isRightmost: nothing in the directory is to the right of this node.
    private static func insert(
        _ item: Item, below place: UnsafeMutablePointer<TreeNode>, isRightmost: Bool
    ) -> Split? {
        makeUnique(place)
        let node = place.pointee
        guard node.isLeaf else {
            let index = node.childIndex(for: item.name)
            let isLast = isRightmost && index == node.count
            guard let split = insert(item, below: node.children + index, isRightmost: isLast) else {
                return nil
            }
            return node.insert(split, at: index, isAppend: isLast)
        }
        let (index, isFound) = node.position(of: item.name)
        precondition(!isFound, "the caller replaces existing items in place")
        if !node.isFull {
            node.insert(item, at: index)
            return nil
        }
        if node.width < widthMax {
            let larger = node.copied(width: node.width * 2)
            larger.insert(item, at: index)
            place.pointee = larger
            return nil
        }
        return node.splitLeaf(adding: item, at: index, isAppend: isRightmost && index == node.count)
    }

    /// Names that only grow (queues, timestamps) leave full leaves behind, not half-full ones.
    private func splitLeaf(adding item: Item, at index: Int, isAppend: Bool) -> Split {
        let right = TreeNode.make(level: 0, width: Self.widthMax)
        let middle = isAppend ? count : count / 2
        if !isAppend {
            moveTail(from: middle, to: right)
            rebuildHeads()
            right.rebuildHeads()
        }
        if !isAppend && index <= middle {
            insert(item, at: index)
        } else {
            right.insert(item, at: index - middle)
        }
        return Split(separator: Self.separator(items[count - 1], right.items[0]), right: right)
    }

    /// Inner node: takes in what its child at `index` was split into.
    private func insert(_ split: Split, at index: Int, isAppend: Bool) -> Split? {
        if !isFull {
            insert(split.separator, at: index, child: split.right)
            return nil
        }
        let middle = isAppend ? count - 1 : count / 2
        let right = TreeNode.make(level: level, width: Self.widthMax)
        let (promoted, child) = cutTail(after: middle, into: right)
        right.children.initialize(to: child)
        if index <= middle {
            insert(split.separator, at: index, child: split.right)
        } else {
            right.insert(split.separator, at: index - middle - 1, child: split.right)
        }
        return Split(separator: promoted, right: right)
    }

    /// Moves separators right of `middle` with the children right of them to `right`, and takes
    /// out separator `middle` and the child right of it, which is to become `right`'s first.
    private func cutTail(after middle: Int, into right: TreeNode) -> (Item, TreeNode) {
        moveTail(from: middle + 1, to: right)
        let cut = removeSeparator(at: middle, childAt: middle + 1)
        rebuildHeads()
        right.rebuildHeads()
        return cut
    }

    /// The shortest name that is after `left` and not after `right`.
    static func separator(_ left: Item, _ right: Item) -> Item {
        let shared = Bytes.sharedPrefixCount(left.name, right.name)
        assert(Bytes.compare(left.name, right.name) < 0)
        return .bare(name: UnsafeRawBufferPointer(rebasing: right.name[...shared]))
    }

    // MARK: - Removal

    /// Takes out the item called `name`; nil if there is none.
    static func remove(
        _ name: UnsafeRawBufferPointer, from root: UnsafeMutablePointer<TreeNode?>
    ) -> Item? {
        guard root.pointee != nil else { return nil }
        let place = UnsafeMutableRawPointer(root).assumingMemoryBound(to: TreeNode.self)
        let removed = remove(name, below: place)
        let node = place.pointee
        if node.isLeaf {
            if node.count == 0 {
                root.pointee = nil
            } else if node.width > widthMin, node.count <= node.width / 4 {
                place.pointee = node.copied(width: max(widthMin, node.width / 2))
            }
        } else if node.count == 0 {
            place.pointee = node.children[0]
        }
        return removed
    }

    private static func remove(
        _ name: UnsafeRawBufferPointer, below place: UnsafeMutablePointer<TreeNode>
    ) -> Item? {
        makeUnique(place)
        let node = place.pointee
        if node.isLeaf {
            let (index, isFound) = node.position(of: name)
            return isFound ? node.remove(at: index) : nil
        }
        let index = node.childIndex(for: name)
        let removed = remove(name, below: node.children + index)
        if removed != nil, node.children[index].count < countMin, node.count > 0 {
            node.replenish(childAt: index)
        }
        return removed
    }

    /// The child at `index` has become small: joins it with a neighbour, or takes one from it.
    private func replenish(childAt index: Int) {
        let left = index == 0 ? 0 : index - 1
        Self.makeUnique(children + left)
        Self.makeUnique(children + left + 1)
        let pair = (children[left], children[left + 1])
        let extra = pair.0.isLeaf ? 0 : 1
        if pair.0.count + pair.1.count + extra <= Self.joinedCountMax {
            join(at: left)
        } else if index == left {
            takeFromRight(at: left)
        } else {
            takeFromLeft(at: left)
        }
    }

    /// Joins children `index` and `index + 1` into the former.
    private func join(at index: Int) {
        let left = children[index]
        let (separator, right) = removeSeparator(at: index, childAt: index + 1)
        if !left.isLeaf {
            left.insert(separator, at: left.count, child: right.children[0])
        }
        right.moveTail(from: 0, to: left)
        if !right.isLeaf { right.children.deinitialize(count: 1) }
        right.facts.pointee.isHollow = true
        left.rebuildHeads()
    }

    private func takeFromRight(at index: Int) {
        let (left, right) = (children[index], children[index + 1])
        if left.isLeaf {
            left.insert(right.remove(at: 0), at: left.count)
            replaceSeparator(at: index, with: Self.separator(left.lastItem, right.items[0]))
        } else {
            let (promoted, child) = right.removeSeparator(at: 0, childAt: 0)
            left.insert(items[index], at: left.count, child: child)
            replaceSeparator(at: index, with: promoted)
        }
    }

    private func takeFromLeft(at index: Int) {
        let (left, right) = (children[index], children[index + 1])
        if left.isLeaf {
            right.insert(left.remove(at: left.count - 1), at: 0)
            replaceSeparator(at: index, with: Self.separator(left.lastItem, right.items[0]))
        } else {
            let last = left.count - 1
            let (promoted, child) = left.removeSeparator(at: last, childAt: last + 1)
            right.insertFirst(items[index], child: child)
            replaceSeparator(at: index, with: promoted)
        }
    }

    private var lastItem: Item { items[count - 1] }

    /// Inner node: puts `child` before all children and `separator` behind it.
    private func insertFirst(_ separator: Item, child: TreeNode) {
        let first = children[0]
        insert(separator, at: 0, child: first)
        children[0] = child
    }
}
