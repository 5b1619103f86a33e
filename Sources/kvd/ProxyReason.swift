import Cluster
import Configuration
import Storage
import StorageIO

/// Why this process is a proxy.
enum ProxyReason: Sendable {
    /// `--proxy`
    case asked
    /// `--discovery-fallback proxy`: the cluster was full, with these peer URLs.
    case clusterFull([EndpointURL])
    /// A proxy lives in the data dir. As in etcd that goes before the flags.
    case dataDirectory

    /// What the flags ask for, corrected by who lives in the data dir; nil: a member.
    ///
    /// Where a member lives it is started, `--proxy` or not: to leave it out of its cluster would cost
    /// the cluster a vote. `configuration` says afterwards what is started.
    static func find(
        _ configuration: inout ServerConfiguration, _ machine: Machine,
        _ notes: inout [ConfigurationNote]
    ) -> ProxyReason? {
        let path = configuration.dataDirectory
        let isAsked = configuration.proxy.mode != .off
        switch try? DataDirectoryKind.inspect(path, storage: PosixStorage()) {
        case .member? where isAsked && machine.holdsMember(path, configuration.walDirectory):
            configuration.proxy.mode = .off
            notes.append(
                ConfigurationNote(
                    .warning, "etcdmain",
                    """
                    --proxy HAS NO EFFECT: a member of a cluster lives in \(path), and is started, as by \
                    etcd. To have a proxy in its place, remove the member from the cluster (DELETE \
                    /v2/members/ID), and start with an empty --data-dir
                    """))
            return nil
        case .proxy? where !isAsked && configuration.discoveryService == nil:
            configuration.proxy.mode = .on
            return .dataDirectory
        default: return isAsked ? .asked : nil
        }
    }

    /// To be said loudly of a proxy that nobody has asked for in so many words; nil: somebody has.
    func warning(_ configuration: ServerConfiguration) -> String? {
        let reason: String
        let wayOut: String
        switch self {
        case .asked: return nil
        case .clusterFull:
            reason = "the cluster that --discovery leads to was full"
            wayOut = "; to end with an error instead, set --discovery-fallback exit"
        case .dataDirectory:
            reason =
                "it was one before, says \(configuration.dataDirectory)/proxy, and that goes before "
                + "the flags, as in etcd"
            wayOut = "; to have this line no longer, set --proxy on"
        }
        return """
            THIS PROCESS IS A PROXY, NOT A MEMBER: \(reason). It keeps no data and has no vote, and hands \
            all requests to the members. To be a member, add this machine to the running cluster (POST \
            /v2/members) and start with an empty --data-dir\(wayOut)
            """
    }
}
