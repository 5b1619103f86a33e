internal import Cluster

/// A key of a token, as a server shows it.
struct RegistryNode: Equatable, Sendable {
    /// The whole key: what stands before the token differs from service to service.
    var key: String
    var value: String
    var createdIndex: UInt64
    var modifiedIndex: UInt64

    /// The key's last component, which is a member's id.
    var name: String { key.split(separator: "/").last.map(String.init) ?? "" }

    /// Whether it is a member's: a key right below the token. (Names with `_` are the service's.)
    func isMember(ofToken token: String) -> Bool {
        let parts = key.split(separator: "/")
        return parts.count >= 2 && parts[parts.count - 2] == token && !name.hasPrefix("_")
    }
}

/// What a discovery server said, read without trusting it.
enum RegistryAnswer: Equatable, Sendable {
    case node(action: String, RegistryNode, children: [RegistryNode], storeIndex: UInt64)
    /// A watch that the server ended without an event.
    case nothing
    /// The keys API refuses.
    case refusal(code: UInt64, message: String, cause: String, index: UInt64)
    /// It cannot answer now; the text says why.
    case unavailable(String)
    /// It is no keys API.
    case unknown(String)

    init(status: Int, storeIndex: String?, body: [UInt8]) {
        if status == 200, body.allSatisfy(\.isSpace) {
            self = .nothing
            return
        }
        let json = try? JSONValue(parsing: body)
        if let json, let read = try? Self.read(json, storeIndex: storeIndex) {
            if case .refusal(let code, let message, let cause, _) = read, status >= 500 {
                self = .unavailable("status \(status): \(code): \(message) (\(cause))")
            } else {
                self = read
            }
            return
        }
        self = status >= 500 ? .unavailable("status \(status)") : .unknown("status \(status)")
    }

    private static func read(
        _ json: JSONValue, storeIndex: String?
    ) throws(JSONError) -> RegistryAnswer? {
        if json["errorCode"] != nil {
            return .refusal(
                code: try json.unsigned("errorCode"), message: try json.string("message"),
                cause: try json.string("cause"), index: try json.unsigned("index"))
        }
        guard let field = json["node"], case .string? = field["key"] else { return nil }
        var children: [RegistryNode] = []
        if case .array(let nodes)? = field["nodes"] {
            for child in nodes { children.append(try node(child)) }
        }
        return .node(
            action: try json.string("action"), try node(field), children: children,
            storeIndex: storeIndex.flatMap { UInt64($0) } ?? 0)
    }

    private static func node(_ json: JSONValue) throws(JSONError) -> RegistryNode {
        RegistryNode(
            key: try json.string("key"), value: try json.string("value"),
            createdIndex: try json.unsigned("createdIndex"),
            modifiedIndex: try json.unsigned("modifiedIndex"))
    }
}

extension UInt8 {
    fileprivate var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
