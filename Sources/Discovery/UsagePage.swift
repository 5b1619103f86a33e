internal import Transport

/// The plain pages that people read at `/`.
enum UsagePage {
    static func text(_ base: String, lifetime: Duration?) -> String {
        let life =
            lifetime.map { "lives for \(spell($0)), and stays if its cluster is complete by then" }
            ?? "stays until it is removed"
        return """
            kvd discovery: helps the members of a new cluster find each other.

            1. Get a URL for a cluster of 3, once, on any machine:

                   curl '\(base)/new?size=3'

            2. Start every member with that URL, each with its own name and addresses:

                   kvd -name machine1 -discovery URL \\
                       -initial-advertise-peer-urls http://ADDRESS:2380 -listen-peer-urls http://ADDRESS:2380 \\
                       -advertise-client-urls http://ADDRESS:2379 -listen-client-urls http://ADDRESS:2379

            3. Look how far it has come:

                   curl '\(base)/?token=TOKEN'

            A URL is for one cluster, once. It \(life).

            """
    }

    static func text(_ url: String, _ state: TokenState, now: Int64) -> String {
        let size = state.size.map { "\($0)" } ?? "?"
        var text = "\(url)\n\nmembers: \(state.members.count) of \(size)\n"
        for (position, member) in state.members.enumerated() {
            let isOver = state.size.map { position >= $0 } ?? false
            text += "    \(member)\(isOver ? "   (too late: the cluster was full)" : "")\n"
        }
        if state.isComplete {
            text += "The cluster is complete: start no further member with this URL.\n"
        }
        if let end = state.expiration {
            let left = Duration.seconds(max(0, (end - now) / 1_000_000_000))
            let date = WallClock.httpDate(end)
            text += "expires: \(date), in \(spell(left)), unless the cluster is complete by then\n"
        } else {
            text += "expires: never\n"
        }
        return text
    }

    /// In the largest unit that it is more than two of.
    static func spell(_ time: Duration) -> String {
        let seconds = time.components.seconds
        for (unit, name) in [(86_400, "days"), (3600, "hours"), (60, "minutes")]
            as [(Int64, String)]
        where seconds > 2 * unit { return "\(seconds / unit) \(name)" }
        return "\(seconds) seconds"
    }
}
