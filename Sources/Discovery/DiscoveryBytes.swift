/// What strangers' bytes are read into, outside of a connection: for those who hold the readers to
/// what they promise (`Fuzzing`). A text each, so that two readings can be compared; nil: refused.
package enum DiscoveryBytes {
    package static func dnsAnswer(_ bytes: [UInt8]) -> String? {
        guard let message = DNSMessage(parsing: bytes) else { return nil }
        // What is read from it is taken for names of hosts: they must be some.
        for case .service(_, _, _, let target) in message.records {
            precondition(DNSName(labels: target.labels) != nil, "a target that is no name")
        }
        return "\(message) \(message.records)"
    }

    /// The question that an answer repeats, written as we would ask it.
    package static func dnsQuestion(ofAnswer bytes: [UInt8]) -> [UInt8]? {
        DNSMessage(parsing: bytes).map { $0.question.encoded(id: $0.id) }
    }

    package static func registryAnswer(
        status: Int, storeIndex: String?, body: [UInt8]
    ) -> String? {
        switch RegistryAnswer(status: status, storeIndex: storeIndex, body: body) {
        case .unavailable, .unknown: nil
        case let read: "\(read)"
        }
    }

    package static func tokenRoute(method: String, path: String, query: String) -> String? {
        switch TokenRoute(method: method, path: path, query: query) {
        case .absent, .methodNotAllowed: nil
        case let route: "\(route)"
        }
    }

    package static func resolverServers(_ resolvConf: String) -> [String] {
        ResolverSettings(resolvConf: resolvConf).servers.map { "\($0)" }
    }
}
