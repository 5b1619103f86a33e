/// The two streams that a peer may dial.
enum StreamKind: String, Sendable, CaseIterable {
    /// Appends of a leader to the dialling peer; the path calls it so.
    case append = "msgapp"
    /// Everything else, and appends while the other one is missing.
    case message

    var path: String { "/raft/stream/\(rawValue)" }
}
