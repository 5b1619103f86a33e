internal import Cluster
internal import NIOHTTP1
internal import RaftModel

/// What the headers of a request on the peer port say of the member that sent it.
///
/// Source: `reference/peer-protocol.md` §2. 2.0 sends none of them but the cluster's id.
struct PeerCaller: Equatable {
    /// `X-Server-From`.
    var member: MemberID?
    var features: PeerFeatures
    /// `X-PeerURLs`; those that cannot be parsed are left out.
    var urls: [EndpointURL]

    init(member: MemberID?, features: PeerFeatures = [], urls: [EndpointURL] = []) {
        self.member = member
        self.features = features
        self.urls = urls
    }

    init(_ headers: HTTPHeaders) {
        member = headers.first(name: PeerHeader.from).flatMap { MemberID(hex: $0) }
        features = PeerFeatures(header: headers.first(name: PeerFeatures.headerName))
        urls = (headers.first(name: PeerHeader.urls) ?? "").split(separator: ",").compactMap {
            try? EndpointURL(String($0))
        }
    }
}

/// Header names as Go writes them on the wire; they are read in any case.
enum PeerHeader {
    static let cluster = "X-Etcd-Cluster-Id"
    static let from = "X-Server-From"
    static let version = "X-Server-Version"
    static let minimumVersion = "X-Min-Cluster-Version"
    static let to = "X-Raft-To"
    static let urls = "X-Peerurls"
}

extension TransportConfiguration {
    /// The headers of every request to `/raft…`.
    var requestHeaders: HTTPHeaders {
        var headers = HTTPHeaders()
        headers.add(name: PeerHeader.cluster, value: "\(cluster)")
        headers.add(name: PeerHeader.from, value: "\(member)")
        headers.add(name: PeerHeader.version, value: "\(compatibility.local)")
        headers.add(name: PeerHeader.minimumVersion, value: "\(compatibility.minimum)")
        if !peerURLs.isEmpty {
            headers.add(
                name: PeerHeader.urls, value: peerURLs.map(\.description).joined(separator: ","))
        }
        if !features.isEmpty {
            headers.add(name: PeerFeatures.headerName, value: features.header)
        }
        return headers
    }
}
