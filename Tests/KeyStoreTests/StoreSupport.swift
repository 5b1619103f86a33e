import KeyStore

/// The store with strings, for tests.
extension Store {
    @discardableResult
    func set(
        _ path: String, _ value: String = "", dir: Bool = false, expiration: Int64 = 0,
        refresh: Bool = false
    ) throws(StoreError) -> Event {
        try withBytes(path) { path throws(StoreError) in
            try withBytes(value) { value throws(StoreError) in
                try set(
                    path, Update(value: value, expiration: expiration, isRefresh: refresh),
                    isDirectory: dir, now: StoreText.start)
            }
        }
    }

    @discardableResult
    func delete(_ path: String, recursive: Bool = false) throws(StoreError) -> Event {
        try withBytes(path) { path throws(StoreError) in
            try delete(path, isRecursive: recursive, now: StoreText.start)
        }
    }

    func node(_ path: String) throws(StoreError) -> Node {
        try withBytes(path) { path throws(StoreError) in try tree.node(at: path) }
    }

    func watch(
        _ path: String, _ id: UInt64, recursive: Bool = false, stream: Bool = false,
        since: UInt64 = 0
    ) throws(StoreError) -> WatchStart {
        try withBytes(path) { path throws(StoreError) in
            try watch(
                path, as: WatcherID(id), isRecursive: recursive, isStream: stream,
                sinceIndex: since)
        }
    }

    /// Every key below `/1` with its value, directories with a slash.
    func listing() -> [String] {
        guard let root = try? node("/1") else { return [] }
        var lines: [String] = []
        var walk = root.walk(isRecursive: true, skipsHidden: false)
        var open = [""]
        while let step = walk.next() {
            switch step {
            case .file(let file):
                let value = file.withValue { StoreText.string([UInt8]($0)) }
                lines.append(open.joined(separator: "/") + "/" + Self.name(file) + "=" + value)
            case .open(let directory):
                open.append(Self.name(directory))
                lines.append(open.joined(separator: "/") + "/")
            case .close: open.removeLast()
            }
        }
        return lines
    }

    private static func name(_ node: Node) -> String {
        node.withName { StoreText.string([UInt8]($0)) }
    }
}

/// A string's bytes for the length of a call.
func withBytes<R, E: Error>(
    _ text: String, _ body: (UnsafeRawBufferPointer) throws(E) -> R
) throws(E) -> R {
    try Array(text.utf8).withUnsafeBufferPointer { bytes throws(E) in
        try body(UnsafeRawBufferPointer(bytes))
    }
}

extension Event {
    var keyText: String { withKey { StoreText.string([UInt8]($0)) } }
}
