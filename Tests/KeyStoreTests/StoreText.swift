import KeyStore

/// Answers as the client port would write them, for comparison with recorded ones: keys without
/// the `/1`, expirations relative to a fixed moment (`T+100`: 100 seconds after it).
enum StoreText {
    /// 2026-11-23T10:00:00Z, where every scenario's clock starts.
    static let start: Int64 = 1_795_428_000 * 1_000_000_000

    static func json(_ event: Event) -> String {
        let key = event.withKey { clientKey($0) }
        var text = #"{"action":"\#(event.action.name)","node":"#
        text += event.withValue { node(key, event.node, value: $0, now: event.timeBase) }
        if let previous = event.previousNode {
            let value = event.withPreviousValue { [UInt8]($0) }
            text += #","prevNode":"#
            text += value.withUnsafeBytes {
                node(key, previous, value: $0, now: event.timeBase)
            }
        }
        return text + "}"
    }

    static func json(_ error: StoreError) -> String {
        var cause = string(error.cause)
        if cause.hasPrefix("/1") { cause.removeFirst(2) }
        let field = cause.isEmpty ? "" : #""cause":\#(quoted(cause)),"#
        return #"{"errorCode":\#(error.code.rawValue),"message":"\#(error.code.message)","#
            + #"\#(field)"index":\#(error.index)}"#
    }

    /// The answer to a GET.
    static func json(_ root: Node, path: [UInt8], isRecursive: Bool, now: Int64) -> String {
        var open = [(key: path.withUnsafeBytes { clientKey($0) }, node: root, nodes: [String]())]
        var walk = root.walk(isRecursive: isRecursive, skipsHidden: true)
        func finished() -> String {
            let (key, node, nodes) = open[open.count - 1]
            let list = nodes.isEmpty ? nil : nodes.joined(separator: ",")
            return node.withValue {
                Self.node(key, node.attributes, value: $0, nodes: list, now: now)
            }
        }
        while let step = walk.next() {
            let parent = open[open.count - 1].key == "/" ? "" : open[open.count - 1].key
            switch step {
            case .file(let file):
                let key = parent + "/" + file.withName { string([UInt8]($0)) }
                let text = file.withValue { node(key, file.attributes, value: $0, now: now) }
                open[open.count - 1].nodes.append(text)
            case .open(let directory):
                let key = parent + "/" + directory.withName { string([UInt8]($0)) }
                open.append((key, directory, []))
            case .close:
                let text = finished()
                open.removeLast()
                open[open.count - 1].nodes.append(text)
            }
        }
        return #"{"action":"get","node":\#(finished())}"#
    }

    private static func node(
        _ key: String, _ node: NodeAttributes, value: UnsafeRawBufferPointer,
        nodes: String? = nil, now: Int64
    ) -> String {
        var fields: [String] = []
        if !key.isEmpty { fields.append(#""key":\#(quoted(key))"#) }
        if node.hasValue { fields.append(#""value":\#(quoted(string([UInt8](value))))"#) }
        if node.isDirectory { fields.append(#""dir":true"#) }
        if !node.isPermanent {
            fields.append(#""expiration":"\#(relative(node.expiration))""#)
            let ttl = TimeToLive.seconds(until: node.expiration, now: now)
            if ttl != 0 { fields.append(#""ttl":\#(ttl)"#) }
        }
        if let nodes { fields.append(#""nodes":[\#(nodes)]"#) }
        if node.modifiedIndex > 0 { fields.append(#""modifiedIndex":\#(node.modifiedIndex)"#) }
        if node.createdIndex > 0 { fields.append(#""createdIndex":\#(node.createdIndex)"#) }
        return "{" + fields.joined(separator: ",") + "}"
    }

    private static func clientKey(_ path: UnsafeRawBufferPointer) -> String {
        let key = string([UInt8](path))
        return key.hasPrefix("/1") ? String(key.dropFirst(2)) : key
    }

    static func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func relative(_ time: Int64) -> String {
        let tenths = (time &- start) / 100_000_000
        let whole = tenths / 10
        let sign = tenths < 0 ? "" : "+"
        return "T\(sign)\(whole)" + (tenths % 10 == 0 ? "" : ".\(abs(tenths % 10))")
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"", "\\": quoted += "\\\(character)"
            case "<": quoted += "\\u003c"
            case ">": quoted += "\\u003e"
            case "&": quoted += "\\u0026"
            case "\0": quoted += "\\u0000"
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }
}
