internal import KeyStore

/// The JSON bodies of the keys API. Field order: `key`, `value`, `dir`, `expiration`, `ttl`,
/// `nodes`, `modifiedIndex`, `createdIndex`; what is empty or zero is left out, but the value of a
/// file is there even when empty. Source: `reference/client-api.md` §4.
extension ByteWriter {
    /// `{"action":…,"node":…,"prevNode":…}` and a newline: the answer of a write, and what a
    /// watcher is told of it.
    mutating func append(event: Event) {
        append("{\"action\":\"")
        append(event.action.name)
        append("\",\"node\":{")
        event.withKey { key in
            let key = Self.clientKey(key)
            event.withValue { value in
                append(node: event.node, key: key, value: value, now: event.timeBase)
            }
            if let previous = event.previousNode {
                append("},\"prevNode\":{")
                event.withPreviousValue { value in
                    append(node: previous, key: key, value: value, now: event.timeBase)
                }
            }
        }
        append("}}\n")
    }

    /// `{"action":…}` and a newline.
    mutating func append(actionOf event: Event) {
        append("{\"action\":\"")
        append(event.action.name)
        append("\"}\n")
    }

    /// `{"errorCode":…,"message":…,"cause":…,"index":…}` and a newline.
    mutating func append(
        error code: ErrorCode, cause: UnsafeRawBufferPointer, index: UInt64
    ) {
        append("{\"errorCode\":")
        append(decimal: UInt64(code.rawValue))
        append(",\"message\":")
        append(jsonString: code.message)
        if !cause.isEmpty {
            append(",\"cause\":")
            append(jsonString: cause)
        }
        append(",\"index\":")
        append(decimal: index)
        append("}\n")
    }

    /// The fields of a node that lists no children, without braces.
    @inline(__always)
    mutating func append(
        node: NodeAttributes, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer,
        now: Int64
    ) {
        var hasField = false
        if !key.isEmpty {
            append("\"key\":")
            append(jsonString: key)
            hasField = true
        }
        if node.hasValue {
            append(hasField ? ",\"value\":" : "\"value\":")
            append(jsonString: value)
            hasField = true
        }
        if node.isDirectory {
            append(hasField ? ",\"dir\":true" : "\"dir\":true")
            hasField = true
        }
        if !node.isPermanent { append(expiration: node.expiration, now: now) }
        append(indicesOf: node, after: hasField)
    }

    /// `,"expiration":…` and, unless it is zero, `,"ttl":…`.
    mutating func append(expiration: Int64, now: Int64) {
        append(",\"expiration\":\"")
        append(rfc3339: expiration)
        append("\"")
        let seconds = TimeToLive.seconds(until: expiration, now: now)
        if seconds != 0 {
            append(",\"ttl\":")
            append(decimal: seconds)
        }
    }

    /// `,"modifiedIndex":…,"createdIndex":…`
    @inline(__always)
    mutating func append(indicesOf node: NodeAttributes, after hasField: Bool) {
        if node.modifiedIndex != 0 {
            append(hasField ? ",\"modifiedIndex\":" : "\"modifiedIndex\":")
            append(decimal: node.modifiedIndex)
        }
        if node.createdIndex != 0 {
            append(",\"createdIndex\":")
            append(decimal: node.createdIndex)
        }
    }

    /// A store path without the clients' namespace: `/1/a` is `/a`, and `/1` nothing.
    @inline(__always)
    static func clientKey(_ path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard ByteSearch.hasPrefix(path, "/1") else { return path }
        return UnsafeRawBufferPointer(rebasing: path[2...])
    }
}
