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
        _ configuration: ServerConfiguration, _ reason: ProxyHost.Reason
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
        let isNamed = configuration.setFlags.contains("initial-cluster") || reason.isFallback
        let learnt = try readPeers(directory, hasOthers: isNamed || configuration.discovers, log)
        // The default of --initial-cluster is this machine: it counts where nothing else is known.
        let seeds = try isNamed || learnt.isEmpty ? Self.seeds(configuration, reason) : []
        if !learnt.isEmpty, configuration.discovers {
            log.warning(
                """
                discovery token ignored since the proxy has already been initialized. Valid cluster \
                file found at \(directory.clusterPath.quotedAsGo)
                """)
        }
        let all = learnt + seeds.filter { !learnt.contains($0) }
        guard !all.isEmpty else { throw nowhere(directory.clusterPath) }
        if case .clusterFull = reason, learnt.isEmpty {
            // The next start does not ask the discovery service again.
            try StartFailure.catching { () throws(StorageError) in try directory.save(seeds) }
        }
        log.info(
            "proxy: using peer urls [\(all.map(\.description).joined(separator: " "))] ")
        return ProxyPlace(directory: directory, learnt: learnt, seeds: seeds)
    }

    private static func seeds(
        _ configuration: ServerConfiguration, _ reason: ProxyHost.Reason
    ) throws(StartFailure) -> [EndpointURL] {
        switch reason {
        case .asked: try FirstMembers.peers(configuration)
        case .clusterFull(let peers): peers
        // The file has them, or there was no first time.
        case .wasFull: []
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
    fileprivate var discovers: Bool {
        if case .cluster = bootstrap { return false }
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
