internal import Cluster

/// Which of a peer's URLs is used: one as long as it works, then the next, round and round.
struct URLPicker {
    private var urls: [EndpointURL]
    var all: [EndpointURL] { urls }
    private var position = 0

    init(_ urls: [EndpointURL]) {
        precondition(!urls.isEmpty, "a peer has at least one URL")
        self.urls = urls
    }

    var current: EndpointURL { urls[position] }

    /// Moves on, unless somebody else has found `url` wanting before.
    mutating func failed(_ url: EndpointURL) {
        guard url == current else { return }
        position = (position + 1) % urls.count
    }

    /// Takes other URLs; returns whether the current one is not among them.
    mutating func replace(with new: [EndpointURL]) -> Bool {
        precondition(!new.isEmpty, "a peer has at least one URL")
        let old = current
        urls = new
        position = new.firstIndex(of: old) ?? 0
        return current != old
    }
}
