package import RaftModel

/// One member of a cluster, as all members know it.
///
/// URLs are kept as texts, exactly as the log has them: whoever wrote them checked them, and an
/// id is a hash of them.
package struct Member: Equatable, Sendable {
    package var id: MemberID
    /// Where its peers reach it; sorted as they were written.
    package var peerURLs: [String]
    /// Empty until the member has started and published itself.
    package var name: String
    /// Where clients reach it; empty until it has published itself.
    package var clientURLs: [String]

    package init(id: MemberID, peerURLs: [String], name: String = "", clientURLs: [String] = []) {
        self.id = id
        self.peerURLs = peerURLs
        self.name = name
        self.clientURLs = clientURLs
    }

    /// A member of a cluster's first configuration.
    package init(name: String, peerURLs: [EndpointURL], token: String) {
        let urls = peerURLs.sorted().map(\.description)
        self.init(id: MemberID(peerURLs: urls, token: token), peerURLs: urls, name: name)
    }

    /// A member added to a running cluster; it has no name until it starts.
    package init(added peerURLs: [EndpointURL], atUnixSeconds seconds: Int64) {
        let urls = peerURLs.sorted().map(\.description)
        let id = MemberID(peerURLs: urls, token: "", addedAtUnixSeconds: seconds)
        self.init(id: id, peerURLs: urls)
    }

    /// Whether it has published itself at least once.
    package var isStarted: Bool { !name.isEmpty || !clientURLs.isEmpty }
}

/// What a member tells the others about itself at every start: the value of its `attributes` key.
package struct MemberAttributes: Equatable, Sendable {
    package var name: String
    package var clientURLs: [String]

    package init(name: String, clientURLs: [String]) {
        self.name = name
        self.clientURLs = clientURLs
    }
}
