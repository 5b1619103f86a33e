internal import Cluster

extension ServerConfiguration {
    /// The first lines of the log, in etcd's order: what was read where, versions, data dir.
    package var startNotes: [ConfigurationNote] {
        var lines = notes
        lines += ProductVersion.lines.map { ConfigurationNote(.info, $0) }
        if isDataDirectoryDefault {
            lines.append(
                ConfigurationNote(
                    .warning,
                    "no data-dir provided, using default data-dir ./\(dataDirectory)"))
        }
        return lines
    }

    /// The lines about this member, once its listeners are open. The last two only at its first
    /// start: afterwards membership comes from the log. Source: `reference/cli.md` §4.
    package func memberNotes(isFirstStart: Bool) -> [ConfigurationNote] {
        let ticks = Int64(electionTicks) * heartbeatInterval.milliseconds
        var lines = [
            "name = \(name)",
            "data dir = \(dataDirectory)",
            "member dir = \(dataDirectory)/member",
        ]
        if let walDirectory { lines.append("dedicated WAL dir = \(walDirectory)") }
        lines += [
            "heartbeat = \(heartbeatInterval.milliseconds)ms",
            "election = \(ticks)ms",
            "snapshot count = \(snapshotEntryCount)",
            "advertise client URLs = \(Self.joined(advertisedClientURLs))",
        ]
        if isFirstStart {
            lines.append("initial advertise peer URLs = \(Self.joined(advertisedPeerURLs))")
            lines.append("initial cluster = \(initialCluster)")
        }
        return lines.map { ConfigurationNote(.info, "etcdserver", $0) }
    }

    private static func joined(_ urls: [EndpointURL]) -> String {
        urls.map(\.description).joined(separator: ",")
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
