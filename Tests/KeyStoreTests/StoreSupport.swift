import KeyStore

/// The store with strings, for tests.
extension Store {
    @discardableResult
    func set(
        _ path: String, _ value: String = "", dir: Bool = false, expiration: Int64 = 0,
        refresh: Bool = false
    ) throws(StoreError) -> Event {
        let bytes = Borrowed(path)
        let valueBytes = Borrowed(value)
        let update = Update(value: valueBytes.bytes, expiration: expiration, isRefresh: refresh)
        return try set(bytes.bytes, update, isDirectory: dir, now: StoreText.start)
    }

    @discardableResult
    func delete(_ path: String, recursive: Bool = false) throws(StoreError) -> Event {
        let bytes = Borrowed(path)
        return try delete(bytes.bytes, isRecursive: recursive, now: StoreText.start)
    }

    func node(_ path: String) throws(StoreError) -> Node {
        let bytes = Borrowed(path)
        return try tree.node(at: bytes.bytes)
    }

    func watch(
        _ path: String, _ id: UInt64, recursive: Bool = false, stream: Bool = false,
        since: UInt64 = 0
    ) throws(StoreError) -> WatchStart {
        let bytes = Borrowed(path)
        return try watch(
            bytes.bytes, as: WatcherID(id), isRecursive: recursive, isStream: stream,
            sinceIndex: since)
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

/// A string's bytes, as long as this is alive.
final class Borrowed {
    private let storage: UnsafeMutableRawBufferPointer

    init(_ text: String) {
        let utf8 = Array(text.utf8)
        storage = .allocate(byteCount: utf8.count, alignment: 1)
        storage.copyBytes(from: utf8)
    }

    deinit { storage.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage) }
}

extension Event {
    var keyText: String { withKey { StoreText.string([UInt8]($0)) } }
}
