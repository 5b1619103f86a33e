internal import KVServer
internal import KeyStore

/// How far the cluster of a token has come, as this member of the service has it.
struct TokenState: Equatable {
    /// Nil: the size key is no number.
    var size: Int?
    /// What the members registered, in the order in which they came.
    var members: [String]
    /// Unix nanoseconds; nil: it stays.
    var expiration: Int64?

    var isComplete: Bool { size.map { members.count >= $0 } ?? false }

    /// Nil: there is no such token.
    init?(_ token: String, _ engine: Engine) {
        let path = "\(Discovery.registryPath)/\(token)"
        guard let directory = Self.node(path, engine), directory.isDirectory,
            let size = Self.node("\(path)/_config/size", engine)
        else { return nil }
        self.size = Int(size.text)
        var found: [(created: UInt64, value: String)] = []
        var walk = directory.walk(isRecursive: false, skipsHidden: true)
        while let step = walk.next() {
            guard case .file(let node) = step else { continue }
            found.append((node.createdIndex, node.text))
        }
        members = found.sorted { $0.created < $1.created }.map(\.value)
        expiration = directory.expiration == 0 ? nil : directory.expiration
    }

    private static func node(_ key: String, _ engine: Engine) -> Node? {
        var path = "/1" + key
        return path.withUTF8 { try? engine.store.tree.node(at: UnsafeRawBufferPointer($0)) }
    }
}

extension Node {
    fileprivate var text: String { withValue { String(decoding: $0, as: UTF8.self) } }
}
