/// Builds one directory's B+tree from items that come in the order of their names.
///
/// Keeps the right edge: one unfinished node per level. A full one goes up into its parent with
/// the separator that precedes its right neighbour.
struct DirectoryBuilder {
    /// Leaves a little room, so that the first write to each leaf does not split it.
    private static let fill = 56

    private let directory: Item
    /// Finished leaves and the unfinished last one.
    private var leaves: [TreeNode] = []
    private let keepsItems: Bool
    /// The last item, where none is kept.
    private var last: Item?

    /// - Parameter keepsItems: false: only their order is looked at, and the directory stays empty.
    init(_ directory: Item, keepsItems: Bool = true) {
        precondition(directory.isDirectory && directory.children == nil)
        self.directory = directory
        self.keepsItems = keepsItems
    }

    /// - Returns: false if the name does not follow the last one's.
    mutating func add(_ item: Item) -> Bool {
        guard keepsItems else {
            defer { last = item }
            return last.map { Bytes.compare($0.name, item.name) < 0 } ?? true
        }
        guard let last = leaves.last else {
            leaves = [.make(level: 0, width: TreeNode.widthMin)]
            leaves[0].append(item)
            return true
        }
        guard Bytes.compare(last.items[last.count - 1].name, item.name) < 0 else { return false }
        if last.count == Self.fill {
            leaves.append(.make(level: 0, width: TreeNode.widthMax))
        } else if last.isFull {
            leaves[leaves.count - 1] = last.copied(width: last.width * 2)
        }
        leaves[leaves.count - 1].append(item)
        return true
    }

    /// The directory with its content.
    func finish() -> Item {
        guard !leaves.isEmpty else { return directory }
        for leaf in leaves { leaf.rebuildHeads() }
        var nodes = leaves
        // `firsts[i]` is the first item below `nodes[i]`, `lasts[i]` the last.
        var edges = leaves.map { ($0.items[0], $0.items[$0.count - 1]) }
        var level = 0
        while nodes.count > 1 {
            level += 1
            var above: [TreeNode] = []
            var aboveEdges: [(Item, Item)] = []
            for group in Self.groups(nodes.count) {
                let node = TreeNode.make(level: level, width: TreeNode.widthMax)
                node.children.initialize(to: nodes[group.lowerBound])
                for index in group.dropFirst() {
                    node.append(
                        TreeNode.separator(edges[index - 1].1, edges[index].0),
                        child: nodes[index])
                }
                node.rebuildHeads()
                above.append(node)
                aboveEdges.append((edges[group.lowerBound].0, edges[group.upperBound - 1].1))
            }
            nodes = above
            edges = aboveEdges
        }
        directory.children = nodes[0]
        return directory
    }

    /// Splits `count` children into groups of at most `fill` and at least two.
    private static func groups(_ count: Int) -> [Range<Int>] {
        let groupCount = (count + fill - 1) / fill
        return (0..<groupCount).map { group in
            count * group / groupCount..<count * (group + 1) / groupCount
        }
    }
}
