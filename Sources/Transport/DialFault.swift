internal import NIOCore
internal import RaftModel

/// Why there is no stream from a peer, or no more.
enum DialFault: Error, Equatable, CustomStringConvertible {
    /// TCP or TLS failed, before or after the connection stood.
    case connection(String)
    /// 404: the peer does not know this member, or not yet.
    case notRecognised(String)
    /// 410.
    case removed
    /// 412: another cluster, another member, or a version that it cannot talk to.
    case mismatch(String)
    case status(UInt, String)
    /// The peer ended the stream.
    case ended
    /// The connection was closed in the middle of the stream: its process was killed, or something between
    /// closed it.
    case cut
    /// Nothing came for so long.
    case silent(TimeAmount)
    case faulty(StreamFault)
    /// What came is no HTTP.
    case notHTTP(String)

    var description: String {
        switch self {
        case .connection(let problem): problem
        case .notRecognised(let text): "404 \(text)"
        case .removed: "410: this member was removed from the cluster"
        case .mismatch(let text): "412 \(text)"
        case .status(let code, let text): "it answered \(code) \(text)"
        case .ended: "it ended the stream"
        case .cut: "the connection ended in the middle of it"
        case .silent(let time): "nothing came from it for \(time.nanoseconds / 1_000_000) ms"
        case .faulty(let fault): "\(fault)"
        case .notHTTP(let problem): "it does not speak HTTP: \(problem)"
        }
    }
}
