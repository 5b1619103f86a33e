internal import KeyStore

/// How an answer to a GET is to look.
struct ListingPlan {
    var isRecursive = false
    var keysOnly = false
    /// Answer with the number of nodes instead of the nodes.
    var isCount = false
    /// The most nodes to write, not counting directories reopened on the way to them.
    var limit = Int.max
    /// Unix nanoseconds, what `ttl` is counted from.
    var now: Int64 = 0
    /// The store's index of what is listed.
    var version: UInt64 = 0
}

/// Writes the answer of a GET: a file, or a directory with what is below it.
///
/// Children come in the order of the store, which is that of their bytes, at every level: what
/// `sorted=true` asks for, and as good as etcd's random order for everybody else. Hidden nodes are
/// left out with all below them. Source: `reference/client-api.md` §4.
///
/// A large directory is written in pieces: `begin`, and `resume` until it says that it is done, on
/// any thread, one at a time. What it reads does not change.
struct ListingWriter: ~Copyable {
    /// As much of an answer is written at once: enough for nearly all, and some 100 us.
    static let pieceBytesMax = 64 << 10
    private static let pieceStepsMax = 4096

    private var plan = ListingPlan()
    private var walk: NodeWalk?
    /// The key of the directory being written, escaped for JSON.
    private var key = ByteWriter(capacity: 256)
    /// The same, escaped for a query; only if there is a limit.
    private var place = ByteWriter(capacity: 256)
    private var levels: [Level] = []
    /// Directories that the walk began in, not written yet: they are only if something in them is.
    private var reopened: [Node] = []
    /// Nodes written, or counted.
    private var count = 0
    /// The answer that was finished last has a `next`.
    private(set) var isCut = false

    private struct Level {
        let directory: NodeAttributes
        /// Lengths of `key` and `place` in front of this directory's own name.
        let parentKeyCount: Int
        let parentPlaceCount: Int
        var hasChildren = false
    }

    /// - Parameters:
    ///   - node: what was found at `key`.
    ///   - key: the client's key; empty for the root.
    ///   - after: where to go on, relative to `key`; empty: at the beginning.
    /// - Returns: whether the answer is whole; if not, `resume`.
    mutating func begin(
        _ node: Node, key clientKey: UnsafeRawBufferPointer,
        after: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        _ plan: ListingPlan, into out: inout ByteWriter
    ) -> Bool {
        out.append("{\"action\":\"get\",\"node\":{")
        self.plan = plan
        (count, isCut) = (0, false)
        guard node.isDirectory else {
            writeRoot(node, key: clientKey, into: &out)
            return true
        }
        key.removeAll()
        key.append(jsonEscaped: clientKey)
        place.removeAll()
        if plan.limit != .max { place.append(queryEscaped: clientKey) }
        levels.removeAll(keepingCapacity: true)
        open(node, parentKeyCount: 0, parentPlaceCount: 0, into: &out)
        if after.isEmpty {
            walk = node.walk(isRecursive: plan.isRecursive, skipsHidden: true)
        } else {
            walk = node.walk(
                isRecursive: plan.isRecursive, skipsHidden: true, after: after,
                entered: &reopened)
        }
        return resume(into: &out)
    }

    /// Writes a piece. Returns whether it was the last.
    mutating func resume(into out: inout ByteWriter) -> Bool {
        var steps = Self.pieceStepsMax
        while out.count < Self.pieceBytesMax, steps > 0 {
            steps -= 1
            guard let step = walk?.next() else {
                finish(isCut: false, into: &out)
                return true
            }
            guard take(step, into: &out) else {
                finish(isCut: true, into: &out)
                return true
            }
        }
        return false
    }

    /// Returns false if the step is one too many.
    private mutating func take(_ step: NodeWalk.Step, into out: inout ByteWriter) -> Bool {
        if case .close = step {
            if reopened.popLast() != nil || plan.isCount { return true }
            close(into: &out)
            out.append("}")
            return true
        }
        if count == plan.limit { return false }
        count += 1
        if plan.isCount { return true }
        for directory in reopened { enter(directory, into: &out) }
        reopened.removeAll()
        switch step {
        case .file(let file): writeFile(file, into: &out)
        case .open(let directory):
            enter(directory, into: &out)
            if count == plan.limit { notePlace(behind: nil) }
        case .close: break
        }
        return true
    }

    private mutating func finish(isCut: Bool, into out: inout ByteWriter) {
        self.isCut = isCut
        reopened.removeAll()
        walk = nil
        while levels.count > 1 {
            close(into: &out)
            out.append("}")
        }
        close(into: &out)
        out.append("}")
        if plan.isCount {
            out.append(",\"count\":")
            out.append(decimal: UInt64(count))
        }
        if isCut {
            out.append(",\"next\":\"after=")
            out.append(lastPlace)
            out.append("&version=")
            out.append(decimal: plan.version)
            out.append("\"")
        }
        out.append("}\n")
    }

    private mutating func writeRoot(
        _ file: Node, key clientKey: UnsafeRawBufferPointer, into out: inout ByteWriter
    ) {
        var attributes = file.attributes
        attributes.hasValue = !plan.keysOnly && !plan.isCount
        file.withValue { value in
            out.append(node: attributes, key: clientKey, value: value, now: plan.now)
        }
        out.append(plan.isCount ? "},\"count\":0}\n" : "}}\n")
    }

    // MARK: - Where to go on

    /// What the last node that the limit allowed is called in a query.
    private var lastPlace: [UInt8] = []

    /// - Parameter file: in the directory being written; nil: that directory.
    private mutating func notePlace(behind file: Node?) {
        let directoryCount = place.count
        if let file {
            place.append("/")
            file.withName { place.append(queryEscaped: $0) }
        }
        lastPlace = Array(place.bytes)
        place.truncate(to: directoryCount)
    }

    // MARK: - Directories

    private mutating func enter(_ directory: Node, into out: inout ByteWriter) {
        startChild(into: &out)
        let (keyCount, placeCount) = (key.count, place.count)
        key.append(UInt8(ascii: "/"))
        directory.withName { key.append(jsonEscaped: $0) }
        if plan.limit != .max {
            place.append(UInt8(ascii: "/"))
            directory.withName { place.append(queryEscaped: $0) }
        }
        open(directory, parentKeyCount: keyCount, parentPlaceCount: placeCount, into: &out)
    }

    /// Writes the fields before `nodes`.
    private mutating func open(
        _ directory: Node, parentKeyCount: Int, parentPlaceCount: Int, into out: inout ByteWriter
    ) {
        if key.count > 0 {
            out.append("\"key\":\"")
            out.append(key.bytes)
            out.append("\",")
        }
        out.append("\"dir\":true")
        let attributes = directory.attributes
        if !attributes.isPermanent {
            out.append(expiration: attributes.expiration, now: plan.now)
        }
        levels.append(
            Level(
                directory: attributes, parentKeyCount: parentKeyCount,
                parentPlaceCount: parentPlaceCount))
    }

    /// Writes the fields from the end of `nodes` on.
    private mutating func close(into out: inout ByteWriter) {
        guard let level = levels.popLast() else { preconditionFailure("close follows open") }
        if level.hasChildren { out.append("]") }
        out.append(indicesOf: level.directory, after: true)
        key.truncate(to: level.parentKeyCount)
        place.truncate(to: level.parentPlaceCount)
    }

    /// Writes what comes before a child's fields.
    private mutating func startChild(into out: inout ByteWriter) {
        let last = levels.count - 1
        out.append(levels[last].hasChildren ? ",{" : ",\"nodes\":[{")
        levels[last].hasChildren = true
    }

    private mutating func writeFile(_ file: Node, into out: inout ByteWriter) {
        startChild(into: &out)
        out.append("\"key\":\"")
        out.append(key.bytes)
        out.append("/")
        file.withName { out.append(jsonEscaped: $0) }
        out.append("\"")
        if !plan.keysOnly {
            file.withValue { value in
                out.append(",\"value\":")
                out.append(jsonString: value)
            }
        }
        let attributes = file.attributes
        if !attributes.isPermanent {
            out.append(expiration: attributes.expiration, now: plan.now)
        }
        out.append(indicesOf: attributes, after: true)
        out.append("}")
        if count == plan.limit { notePlace(behind: file) }
    }
}

extension ByteWriter {
    /// Percent escapes for all but letters, digits and `-._~/`.
    fileprivate mutating func append(queryEscaped text: UnsafeRawBufferPointer) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-")...UInt8(ascii: "/"),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                append(byte)
            default:
                append(UInt8(ascii: "%"))
                append(Self.hexDigit(byte >> 4))
                append(Self.hexDigit(byte & 15))
            }
        }
    }
}
