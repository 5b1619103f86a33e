/// The members that `--initial-cluster` names: `m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380`.
///
/// A name may come several times, once for each of its URLs. Empty items are skipped, as etcd
/// does. Source: `reference/cli.md` §2 and §3.
package struct InitialCluster: Equatable, Sendable, CustomStringConvertible {
    package struct Named: Equatable, Sendable {
        package let name: String
        /// Sorted; never empty.
        package let urls: [EndpointURL]

        package init(name: String, urls: [EndpointURL]) {
            self.name = name
            self.urls = urls.sorted()
        }
    }

    /// Sorted by name.
    package let members: [Named]

    package init(_ members: [Named]) {
        precondition(members.allSatisfy { !$0.urls.isEmpty }, "a named member has a URL")
        self.members = members.sorted { $0.name.precedesBytewise($1.name) }
    }

    /// Parses the flag's text. An item without `=` has an empty URL, which no URL may be.
    package init(_ text: String) throws(EndpointURLError) {
        var urls: [String: [EndpointURL]] = [:]
        for item in text.split(separator: ",") {
            let parts = item.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let url = try EndpointURL(parts.count == 2 ? String(parts[1]) : "")
            urls[String(parts[0]), default: []].append(url)
        }
        self.init(urls.map { Named(name: $0.key, urls: $0.value.sorted()) })
    }

    /// The URLs of one member, or nil if it is not named.
    package subscript(name: String) -> [EndpointURL]? {
        members.first { $0.name == name }?.urls
    }

    package var isEmpty: Bool { members.isEmpty }

    package var names: [String] { members.map(\.name) }

    package var urls: [EndpointURL] { members.flatMap(\.urls).sorted() }

    /// As etcd prints it: `name=url` pairs, sorted.
    package var description: String {
        let pairs = members.flatMap { member in member.urls.map { "\(member.name)=\($0)" } }
        return pairs.sorted { $0.precedesBytewise($1) }.joined(separator: ",")
    }

    /// URLs that are named more than once, each of them once.
    package var duplicateURLs: [EndpointURL] {
        let counts = Dictionary(urls.map { ($0, 1) }, uniquingKeysWith: +)
        return counts.filter { $0.value > 1 }.keys.sorted()
    }

    /// The members with the ids that every one of them computes alike; sorted by id.
    ///
    /// `token` is the cluster token, or with discovery the whole discovery URL.
    package func makeMembers(token: String) -> [Member] {
        members.map { Member(name: $0.name, peerURLs: $0.urls, token: token) }
            .sorted { $0.id < $1.id }
    }
}
