import Cluster
import Configuration
import Discovery
import Logging
import NIOCore
import NIOPosix
import Storage
import StorageIO
import Transport

/// Who the members of a new cluster are: as the flags say, or as discovery or DNS does.
///
/// Runs before there is a log, and once more if the start was cut short before the log's first
/// entries were written. Blocks, with discovery until as many members have come as the token is for.
enum FirstMembers {
    enum Found {
        /// The configuration with all members in it.
        case member(ServerConfiguration)
        /// `--discovery-fallback proxy`, and the cluster is full: be a proxy of these.
        case proxy(of: InitialCluster?)
    }

    static func find(
        _ configuration: ServerConfiguration, _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) -> Found {
        // One that joins a running cluster has its members named, and must not discover any.
        guard configuration.discovered == nil, configuration.initialClusterState == .new else {
            return .member(configuration)
        }
        switch configuration.bootstrap {
        case .cluster: return .member(configuration)
        case .discovery: return try discover(configuration, directory)
        case .dns(let domain):
            var found = configuration
            found.discovered = try lookUp(domain, configuration, isProxy: false)
            return .member(found)
        }
    }

    /// Found or not, the loop that was needed for it goes away again.
    private static func withEventLoop<Result>(
        _ body: (any EventLoop) throws(StartFailure) -> Result
    ) throws(StartFailure) -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        return try body(group.next())
    }

    /// The peer URLs of the cluster that a proxy is for; it registers nowhere.
    static func peers(
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> [EndpointURL] {
        switch configuration.bootstrap {
        case .cluster(let cluster): return cluster.urls
        case .dns(let domain): return try lookUp(domain, configuration, isProxy: true).urls
        case .discovery:
            guard let url = configuration.discoveryURL else {
                preconditionFailure("the flag has been checked")
            }
            let outcome = try withEventLoop { loop throws(StartFailure) in
                DiscoveryClient(
                    url, proxy: configuration.discoveryProxyURL, eventLoop: loop,
                    security: ServerSecurity.publicCalls
                ).run(nil)
            }
            switch outcome {
            case .complete(let cluster): return cluster.urls
            case .full(let cluster): return cluster?.urls ?? []
            case .failed(let fault): throw failure(fault, configuration, url)
            }
        }
    }

    // MARK: - DNS

    private static func lookUp(
        _ domain: String, _ configuration: ServerConfiguration, isProxy: Bool
    ) throws(StartFailure) -> InitialCluster {
        try withEventLoop { loop throws(StartFailure) in
            let server = try dnsServer(configuration)
            do throws(SRVFault) {
                return try SRVDiscovery.run(
                    domain: domain, name: isProxy ? nil : configuration.name,
                    advertised: configuration.advertisedPeerURLs, server: server, eventLoop: loop)
            } catch {
                throw StartFailure(notes: [
                    ConfigurationNote(
                        .critical, "etcdmain", "error setting up initial cluster: \(error)"),
                    ConfigurationNote(.info, "etcdmain", error.advice),
                ])
            }
        }
    }

    private static func dnsServer(
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> ResolverSettings? {
        guard let text = configuration.dnsServer else { return nil }
        guard let server = ResolverSettings(server: text, resolve: HostResolver.system) else {
            throw StartFailure(
                "etcdmain",
                "--dns-server \(text) names no DNS server. Write it like 10.0.0.53 or 10.0.0.53:53")
        }
        return server
    }

    /// How hosts are looked up in the checks of a first start: as `--discovery-srv` does.
    static func resolver(
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> HostResolver.Resolve {
        guard let server = try dnsServer(configuration) else { return HostResolver.system }
        return { host in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            defer { try? group.syncShutdownGracefully() }
            return SRVDiscovery.resolve(server, eventLoop: group.next())(host)
        }
    }

    // MARK: - Discovery

    private static func discover(
        _ configuration: ServerConfiguration, _ directory: DataDirectory<PosixStorage>
    ) throws(StartFailure) -> Found {
        guard let url = configuration.discoveryURL else {
            preconditionFailure("the flag has been checked")
        }
        let record = url.description
        let mayResume = try StartFailure.catching { () throws(StorageError) in
            try directory.registrationRecord() == record
        }
        warnOfAddresses(configuration, url)
        let outcome = try withEventLoop { loop throws(StartFailure) in
            let ports = try ReservedPorts(configuration, loop)
            defer { ports.release() }
            if !mayResume {
                // Before the registration: see `RegistrationRecord`.
                try StartFailure.catching { () throws(StorageError) in
                    try directory.leaveRegistrationRecord(record)
                }
            }
            let client = DiscoveryClient(
                url, proxy: configuration.discoveryProxyURL, eventLoop: loop,
                security: ServerSecurity.publicCalls)
            return client.run(
                DiscoveryJoin.Registrant(
                    name: configuration.name, urls: configuration.advertisedPeerURLs, url: url,
                    mayResume: mayResume))
        }
        switch outcome {
        case .complete(let cluster):
            var found = configuration
            found.discovered = cluster
            return .member(found)
        case .full(let cluster) where configuration.discoveryFallback == .proxy:
            return .proxy(of: cluster)
        case .full: throw failure(.full, configuration, url)
        case .failed(let fault): throw failure(fault, configuration, url)
        }
    }

    private static func warnOfAddresses(_ configuration: ServerConfiguration, _ url: ServiceURL) {
        let own = OwnAddresses([
            ("advertise-client-urls", configuration.advertisedClientURLs),
            ("listen-client-urls", configuration.listenClientURLs),
            ("initial-advertise-peer-urls", configuration.advertisedPeerURLs),
            ("listen-peer-urls", configuration.listenPeerURLs),
        ])
        for note in own.warnings(about: url, resolve: HostResolver.system) {
            Logger(label: Discovery.logLabel).warning("\(note.text)")
        }
    }

    private static func failure(
        _ fault: DiscoveryFault, _ configuration: ServerConfiguration, _ url: ServiceURL
    ) -> StartFailure {
        let notes = fault.notes(
            name: configuration.name, url: url, dataDirectory: configuration.dataDirectory)
        return StartFailure(
            notes: notes.map { ConfigurationNote($0.level.noteLevel, "etcdmain", $0.text) })
    }
}

extension DiscoveryNote.Level {
    fileprivate var noteLevel: ConfigurationNote.Level {
        switch self {
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        case .info: .info
        }
    }
}
