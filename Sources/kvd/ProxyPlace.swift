import Cluster
import Configuration
import Logging
import Proxy
import Storage
import StorageIO

/// A proxy's data dir, and where it says, and the flags say, that the cluster is.
struct ProxyPlace: Sendable {
    let directory: ProxyDirectory<PosixStorage>
    /// From the last time.
    let learnt: [EndpointURL]
    /// From flags or discovery; never forgotten while the proxy runs.
    let seeds: [EndpointURL]

    static func open(
        _ configuration: ServerConfiguration, _ reason: ProxyReason
    ) throws(StartFailure) -> ProxyPlace {
        let storage = PosixStorage()
        let log = Logger(label: "etcdmain")
        let path = configuration.dataDirectory
        let wasThere = (try? DataDirectoryKind.inspect(path, storage: storage)) == .proxy
        let directory = try StartFailure.catching { () throws(DataDirectoryError) in
            if case .clusterFull = reason {
                try UnusedMember.remove(from: path, storage: storage)
            }
            return try ProxyDirectory.open(path, storage: storage)
        }
        if wasThere {
            log.notice(
                "the server is already initialized as proxy before, starting as etcd proxy...")
        }
        let learnt = try readPeers(directory, hasOthers: configuration.namesMembers, log)
        let seeds: [EndpointURL]
        if case .clusterFull(let peers) = reason {
            seeds = peers
        } else {
            seeds = try Self.seeds(configuration, directory, learnt, log)
        }
        let all = learnt + seeds.filter { !learnt.contains($0) }
        guard !all.isEmpty else { throw nowhere(directory.clusterPath) }
        if case .clusterFull = reason {
            // The next start does not ask the discovery service again.
            try StartFailure.catching { () throws(StorageError) in try directory.save(seeds) }
        }
        log.info(
            "proxy: using peer urls [\(all.map(\.description).joined(separator: " "))] ")
        return ProxyPlace(directory: directory, learnt: learnt, seeds: seeds)
    }

    /// What the flags say, or lead to.
    private static func seeds(
        _ configuration: ServerConfiguration, _ directory: ProxyDirectory<PosixStorage>,
        _ learnt: [EndpointURL], _ log: Logger
    ) throws(StartFailure) -> [EndpointURL] {
        guard !learnt.isEmpty else { return try FirstMembers.peers(configuration) }
        switch configuration.bootstrap {
        case .cluster:
            // Its default is this machine: that counts where nothing else is known.
            return configuration.namesMembers ? try FirstMembers.peers(configuration) : []
        case .dns:
            do throws(StartFailure) { return try FirstMembers.peers(configuration) } catch {
                for note in error.notes { log.warning("\(note.text)") }
                log.warning("proxy: going by \(directory.clusterPath) without --discovery-srv")
                return []
            }
        case .discovery:
            log.warning(
                """
                discovery token ignored since the proxy has already been initialized. Valid cluster \
                file found at \(directory.clusterPath.quotedAsGo)
                """)
            return []
        }
    }

    private static func readPeers(
        _ directory: ProxyDirectory<PosixStorage>, hasOthers: Bool, _ log: Logger
    ) throws(StartFailure) -> [EndpointURL] {
        do throws(ProxyDirectoryError) { return try directory.peers() ?? [] } catch {
            guard hasOthers else { throw StartFailure("etcdmain", "\(error)") }
            log.warning("proxy: \(error). Going by the flags")
            return []
        }
    }

    private static func nowhere(_ clusterPath: String) -> StartFailure {
        StartFailure(
            "etcdmain",
            """
            proxy: nothing says where the cluster is: there is no \(clusterPath), and no \
            --initial-cluster. Name the members' peer URLs with --initial-cluster \
            m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380
            """)
    }
}

extension ServerConfiguration {
    /// The flags lead to the members.
    fileprivate var namesMembers: Bool {
        if case .cluster = bootstrap { return setFlags.contains("initial-cluster") }
        return true
    }

    func proxyPort(seeds: [EndpointURL]) -> ProxyConfiguration {
        var settings = ProxyConfiguration(seeds: seeds)
        settings.isReadOnly = proxy.mode == .readOnly
        settings.failureWait = proxy.failureWait
        settings.refreshInterval = proxy.refreshInterval
        settings.dialTimeout = proxy.dialTimeout
        settings.writeTimeout = proxy.writeTimeout
        settings.readTimeout = proxy.readTimeout
        settings.requestBytesMax = requestBytesMax
        // Each client needs a connection to a member.
        settings.port = clientPort(descriptorsEach: 2)
        return settings
    }
}
