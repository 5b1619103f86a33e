/// Goes through what is below a directory, depth first, names in byte order, without recursion:
/// its stack is on the heap, so the depth of the tree does not matter.
///
/// A listing is written like this:
///
///     var walk = node.walk(isRecursive: true, skipsHidden: true)
///     while let step = walk.next() {
///         switch step {
///         case .file(let file): …            // key = key of the open directory + "/" + name
///         case .open(let directory): …       // its content follows,
///         case .close: …                     // up to here
///         }
///     }
///
/// Not recursive, each directory's `.open` is followed by its `.close` at once.
package struct NodeWalk: @unchecked Sendable {
    package enum Step: Sendable {
        case file(Node)
        case open(Node)
        case close
    }

    /// A node of a B+tree and the next position in it.
    private struct Frame {
        let node: TreeNode
        var position = 0
        /// Whether the node is a directory's root: leaving it leaves the directory.
        let isRoot: Bool
    }

    private let isRecursive: Bool
    private let skipsHidden: Bool
    private var frames: [Frame] = []
    /// Directories opened and not closed yet.
    package private(set) var depth = 0
    /// An opened directory that has no content, or whose content is not wanted.
    private var mustClose = false

    init(_ node: Node, isRecursive: Bool, skipsHidden: Bool) {
        self.isRecursive = isRecursive
        self.skipsHidden = skipsHidden
        if let children = node.item.children {
            frames.append(Frame(node: children, isRoot: true))
        }
    }

    /// Begins behind `path`, as if every step up to that node's had been taken, whether it is
    /// there or not.
    ///
    /// - Parameters:
    ///   - path: clean, and relative to `node`: `/a/b` is `b` in its directory `a`.
    ///   - entered: gets the directories that were opened and will be closed, outermost first.
    init(
        _ node: Node, isRecursive: Bool, skipsHidden: Bool, after path: UnsafeRawBufferPointer,
        entered: inout [Node]
    ) {
        self.isRecursive = isRecursive
        self.skipsHidden = skipsHidden
        var components = PathComponents(path)
        var directory = node.item
        while let children = directory.children {
            guard let name = components.next() else {
                frames.append(Frame(node: children, isRoot: true))
                return
            }
            let item = goBehind(name, in: children)
            guard let item, isRecursive, item.isDirectory else { return }
            if skipsHidden, item.name.first == StorePath.underscore { return }
            depth += 1
            entered.append(Node(item: item))
            directory = item
        }
        mustClose = depth > 0
    }

    /// Puts the walk behind `name` in a directory; returns what has that name.
    private mutating func goBehind(_ name: UnsafeRawBufferPointer, in children: TreeNode) -> Item? {
        var node = children
        var isRoot = true
        while !node.isLeaf {
            let child = node.childIndex(for: name)
            frames.append(Frame(node: node, position: child + 1, isRoot: isRoot))
            node = node.children[child]
            isRoot = false
        }
        let (index, isFound) = node.position(of: name)
        frames.append(Frame(node: node, position: isFound ? index + 1 : index, isRoot: isRoot))
        return isFound ? node.items[index] : nil
    }

    package mutating func next() -> Step? {
        if mustClose {
            mustClose = false
            depth -= 1
            return .close
        }
        while !frames.isEmpty {
            let last = frames.count - 1
            let node = frames[last].node
            let position = frames[last].position
            guard position < (node.isLeaf ? node.count : node.count + 1) else {
                let frame = frames.removeLast()
                guard frame.isRoot, depth > 0 else { continue }
                depth -= 1
                return .close
            }
            frames[last].position += 1
            if !node.isLeaf {
                frames.append(Frame(node: node.children[position], isRoot: false))
                continue
            }
            let item = node.items[position]
            if skipsHidden, item.name.first == StorePath.underscore { continue }
            return enter(item)
        }
        return nil
    }

    private mutating func enter(_ item: Item) -> Step {
        guard item.isDirectory else { return .file(Node(item: item)) }
        depth += 1
        if isRecursive, let children = item.children {
            frames.append(Frame(node: children, isRoot: true))
        } else {
            mustClose = true
        }
        return .open(Node(item: item))
    }
}
