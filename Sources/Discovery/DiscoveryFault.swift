package import Cluster

/// Why no cluster was found with a discovery token.
package enum DiscoveryFault: Error, Equatable, Sendable {
    /// As many members as the token is for have registered, and this one is not among them.
    case full
    /// This member's id is taken, and not by an unfinished start from this data dir.
    case previouslyRegistered
    /// The id is taken under another name: `value` is what stands there.
    case registeredOtherwise(value: String)
    /// This member registered and its key is gone.
    case registrationLost
    case refused(code: UInt64, message: String, cause: String, index: UInt64)
    case sizeIsBad(String)
    case badEndpoint(String)
    case invalidURL(String)
    case duplicateName(String)
    case duplicateURL(String)

    /// In etcd's words, where it has some.
    package var description: String {
        switch self {
        case .full: "discovery: cluster is full"
        case .previouslyRegistered, .registeredOtherwise: "discovery: found duplicate id"
        case .registrationLost: "discovery: own registration is gone"
        case .refused(let code, let message, let cause, let index):
            "\(code): \(message) (\(cause)) [\(index)]"
        case .sizeIsBad: "discovery: size key is bad"
        case .badEndpoint: "discovery: bad discovery endpoint"
        case .invalidURL: "discovery: invalid URL"
        case .duplicateName: "discovery: found duplicate name"
        case .duplicateURL(let cluster): "discovery cluster \(cluster) has duplicate url"
        }
    }

    /// What to do about it.
    func advice(url: ServiceURL, dataDirectory: String) -> String {
        switch self {
        case .full:
            "every place of \(url) is taken: check that no member started twice with different "
                + "addresses, or make a token for more members"
        case .previouslyRegistered:
            "if this member ran before and its data is lost, remove it from the cluster and add it "
                + "again (member remove, member add, --initial-cluster-state existing). If another "
                + "machine advertises the same peer URLs, correct --initial-advertise-peer-urls. "
                + "If no member ever ran, use a new token"
        case .registeredOtherwise(let value):
            "\(value) is registered with this member's peer URLs: two machines advertise the same, "
                + "or --name was changed since"
        case .registrationLost:
            "the token was deleted, or its time was up (kvd's service keeps one for seven days "
                + "unless its cluster is completed): use a new one"
        case .refused(100, _, _, _):
            "the token is unknown there, or its time is up. Get one from the service "
                + "(curl HOST/new?size=3), or make it: curl -X PUT \(url)/_config/size -d value=3"
        case .refused: "see what curl \(url) says"
        case .sizeIsBad(let value):
            "\(url)/_config/size is \(value.quotedAsGo) and must be a number from 1 on"
        case .badEndpoint(let problem):
            "\(url) does not answer like the keys of an etcd (\(problem)). The URL of an etcd or a "
                + "plain kvd must have /v2/keys in it: http://HOST:2379/v2/keys\(Discovery.registryPath)/TOKEN"
        case .invalidURL(let text): "what the members registered is no list of peer URLs: \(text)"
        case .duplicateName(let text): "give each member a --name of its own: \(text)"
        case .duplicateURL: "give each member peer URLs of its own"
        }
    }

    /// The lines that report it; exit 1 follows. Source: `reference/discovery.md` §2.
    package func notes(
        name: String, url: ServiceURL, dataDirectory: String
    ) -> [DiscoveryNote] {
        let lines: [DiscoveryNote]
        switch self {
        case .previouslyRegistered, .registeredOtherwise:
            lines = [
                DiscoveryNote(
                    .error,
                    "member \(name.quotedAsGo) has previously registered with discovery service "
                        + "token (\(url))."),
                DiscoveryNote(
                    .error,
                    "But etcd could not find valid cluster configuration in the given data dir "
                        + "(\(dataDirectory))."),
            ]
        case .duplicateName:
            lines = [
                DiscoveryNote(
                    .error,
                    "member with duplicated name has registered with discovery service token"
                        + "(\(url)).")
            ]
        default:
            lines = [
                DiscoveryNote(.error, "failed to join discovery cluster (\(description))"),
                DiscoveryNote(
                    .info,
                    "discovery token \(url) was used, but failed to bootstrap the cluster."),
                DiscoveryNote(
                    .info,
                    "please generate a new discovery token and try to bootstrap again."),
            ]
        }
        return lines + [DiscoveryNote(.info, advice(url: url, dataDirectory: dataDirectory))]
    }
}

/// A line for the log.
package struct DiscoveryNote: Equatable, Sendable {
    package enum Level: Sendable { case error, warning, notice, info }

    package let level: Level
    package let text: String

    init(_ level: Level, _ text: String) { (self.level, self.text) = (level, text) }
}
