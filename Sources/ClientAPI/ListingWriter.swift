internal import KeyStore

/// Writes the answer of a GET: a file, or a directory with what is below it.
///
/// Children come in the order of the store, which is that of their bytes, at every level: what
/// `sorted=true` asks for, and as good as etcd's random order for everybody else. Hidden nodes are
/// left out with all below them. Source: `reference/client-api.md` §4.
struct ListingWriter: ~Copyable {
    /// The key of the directory being written, escaped.
    private var key = ByteWriter(capacity: 256)
    private var levels: [Level] = []

    private struct Level {
        let directory: NodeAttributes
        /// Length of `key` in front of this directory's own name.
        let parentKeyCount: Int
        var hasChildren = false
    }

    /// - Parameters:
    ///   - node: what was found at `key`.
    ///   - key: the client's key; empty for the root.
    ///   - now: Unix nanoseconds, what `ttl` is counted from.
    mutating func write(
        _ node: Node, key clientKey: UnsafeRawBufferPointer, isRecursive: Bool, now: Int64,
        into out: inout ByteWriter
    ) {
        out.append("{\"action\":\"get\",\"node\":{")
        if node.isDirectory {
            writeDirectory(node, key: clientKey, isRecursive: isRecursive, now: now, into: &out)
        } else {
            node.withValue { value in
                out.append(node: node.attributes, key: clientKey, value: value, now: now)
            }
        }
        out.append("}}\n")
    }

    private mutating func writeDirectory(
        _ node: Node, key clientKey: UnsafeRawBufferPointer, isRecursive: Bool, now: Int64,
        into out: inout ByteWriter
    ) {
        key.removeAll()
        key.append(jsonEscaped: clientKey)
        levels.removeAll(keepingCapacity: true)
        open(node.attributes, parentKeyCount: 0, now: now, into: &out)
        var walk = node.walk(isRecursive: isRecursive, skipsHidden: true)
        while let step = walk.next() {
            switch step {
            case .file(let file): writeFile(file, now: now, into: &out)
            case .open(let directory):
                startChild(into: &out)
                let parentKeyCount = key.count
                key.append(UInt8(ascii: "/"))
                directory.withName { key.append(jsonEscaped: $0) }
                open(
                    directory.attributes, parentKeyCount: parentKeyCount, now: now, into: &out)
            case .close:
                close(into: &out)
                out.append("}")
            }
        }
        close(into: &out)
        precondition(levels.isEmpty, "every directory opened is closed")
    }

    /// Writes the fields before `nodes`.
    private mutating func open(
        _ directory: NodeAttributes, parentKeyCount: Int, now: Int64,
        into out: inout ByteWriter
    ) {
        if key.count > 0 {
            out.append("\"key\":\"")
            out.append(key.bytes)
            out.append("\",")
        }
        out.append("\"dir\":true")
        if !directory.isPermanent { out.append(expiration: directory.expiration, now: now) }
        levels.append(Level(directory: directory, parentKeyCount: parentKeyCount))
    }

    /// Writes the fields from the end of `nodes` on.
    private mutating func close(into out: inout ByteWriter) {
        guard let level = levels.popLast() else { preconditionFailure("close follows open") }
        if level.hasChildren { out.append("]") }
        out.append(indicesOf: level.directory, after: true)
        key.truncate(to: level.parentKeyCount)
    }

    /// Writes what comes before a child's fields.
    private mutating func startChild(into out: inout ByteWriter) {
        let last = levels.count - 1
        out.append(levels[last].hasChildren ? ",{" : ",\"nodes\":[{")
        levels[last].hasChildren = true
    }

    private mutating func writeFile(_ file: Node, now: Int64, into out: inout ByteWriter) {
        startChild(into: &out)
        out.append("\"key\":\"")
        out.append(key.bytes)
        out.append("/")
        file.withName { out.append(jsonEscaped: $0) }
        out.append("\"")
        file.withValue { value in
            out.append(",\"value\":")
            out.append(jsonString: value)
        }
        let attributes = file.attributes
        if !attributes.isPermanent { out.append(expiration: attributes.expiration, now: now) }
        out.append(indicesOf: attributes, after: true)
        out.append("}")
    }
}
