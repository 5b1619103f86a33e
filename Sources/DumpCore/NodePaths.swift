import KeyStore

/// Every node of a store with its path, `/` apart, directories before what is in them.
struct NodePaths {
    private var walk: NodeWalk
    private var path: [UInt8] = []
    /// Where the names of the open directories end in `path`.
    private var ends: [Int] = []

    init(_ image: StoreImage) { walk = image.walk() }

    mutating func next() -> (path: [UInt8], node: Node)? {
        while let step = walk.next() {
            switch step {
            case .close:
                ends.removeLast()
                path.removeLast(path.count - (ends.last ?? 0))
            case .open(let node):
                append(node)
                ends.append(path.count)
                return (path, node)
            case .file(let node):
                append(node)
                defer { path.removeLast(path.count - (ends.last ?? 0)) }
                return (path, node)
            }
        }
        return nil
    }

    private mutating func append(_ node: Node) {
        path.append(UInt8(ascii: "/"))
        node.withName { path.append(contentsOf: $0) }
    }
}

/// Which nodes are listed, and what of them.
struct NodeListing {
    /// Empty: all.
    var prefix: [UInt8] = []
    var showsValues = false
    var isJSON = false

    func write(_ image: StoreImage, to output: Output) {
        var paths = NodePaths(image)
        while !output.isClosed, let (path, node) = paths.next() {
            guard isWanted(path) else { continue }
            if isJSON { output.line(json(path, node)) } else { output.line(text(path, node)) }
        }
    }

    /// The node that the prefix names, and all below it.
    private func isWanted(_ path: [UInt8]) -> Bool {
        guard !prefix.isEmpty, prefix != [UInt8(ascii: "/")] else { return true }
        guard path.starts(with: prefix) else { return false }
        return path.count == prefix.count || prefix.last == UInt8(ascii: "/")
            || path[prefix.count] == UInt8(ascii: "/")
    }

    private func text(_ path: [UInt8], _ node: Node) -> String {
        var text = ByteText.escaped(path) + (node.isDirectory ? "/" : "")
        text += " created=\(node.createdIndex) modified=\(node.modifiedIndex)"
        if !node.isDirectory { text += " bytes=\(node.valueBytesCount)" }
        if node.expiration != 0 { text += " expires=\(Moment.text(node.expiration))" }
        if showsValues, !node.isDirectory {
            text += " \(ByteText.quoted(node.withValue { Array($0) }))"
        }
        return text
    }

    private func json(_ path: [UInt8], _ node: Node) -> JSONLine {
        var line = JSONLine()
        line.bytes("path", path)
        if node.isDirectory { line.flag("dir", true) }
        line.number("createdIndex", node.createdIndex)
        line.number("modifiedIndex", node.modifiedIndex)
        if !node.isDirectory { line.number("bytes", node.valueBytesCount) }
        if node.expiration != 0 { line.string("expires", Moment.text(node.expiration)) }
        if showsValues, !node.isDirectory {
            line.bytes("value", node.withValue { Array($0) })
        }
        return line
    }
}
