import Cluster
import Configuration
import Discovery
import Logging
import NIOCore
import NIOPosix
import TLS
import Transport

/// TLS of both ports, as far as the flags ask for it.
struct ServerSecurity: Sendable {
    private var client: PortSecurity?
    private var peer: PortSecurity?
    /// What a proxy calls members with that has no files for the peer port: those of the client port.
    private var lent: PortSecurity?

    /// Between looks at the files.
    private static let lookInterval = TimeAmount.seconds(3)

    private var all: [PortSecurity] {
        let isShared = lent === client
        return [client, peer, isShared ? nil : lent].compactMap { $0 }
    }

    var isUsed: Bool { !all.isEmpty }

    /// Reads the certificate files, and makes those that `--auto-tls` asks for; adds what is wrong with
    /// them, and with what they say of this member, to `findings`. Blocks.
    static func load(
        _ configuration: ServerConfiguration, _ machine: Machine, _ findings: inout Findings
    ) -> ServerSecurity {
        var security = ServerSecurity()
        let listening = configuration.listenClientURLs
        let isLending =
            configuration.mayBeProxy && !configuration.peerTLS.isUsed
            && configuration.clientTLS.hasFiles
        let isSecure = listening.contains { $0.scheme == .https }
        if isSecure {
            security.client = port(
                .client, configuration, configuration.clientTLS, "advertise-client-urls",
                urls: (listening, configuration.advertisedClientURLs), machine, &findings,
                isLending: isLending)
        }
        let isProxy = configuration.proxy.mode != .off
        if isLending {
            security.lent =
                isProxy && !isSecure ? lent(configuration, &findings) : security.client
        }
        guard !isProxy || configuration.peerTLS.isUsed else { return security }
        let others = configuration.listenPeerURLs + configuration.initialCluster.urls
        if configuration.peerTLS.isUsed || others.contains(where: { $0.scheme == .https }) {
            security.peer = port(
                .peer, configuration, configuration.peerTLS, "initial-advertise-peer-urls",
                urls: (configuration.listenPeerURLs, configuration.advertisedPeerURLs), machine,
                &findings)
        }
        return security
    }

    /// Of a port without TLS, which has no use for them itself.
    private static func lent(
        _ configuration: ServerConfiguration, _ findings: inout Findings
    ) -> PortSecurity? {
        let settings = configuration.clientTLS
        guard (settings.certificateFile == nil) == (settings.keyFile == nil) else { return nil }
        do throws(TLSFaults) {
            return try PortSecurity(
                TLSFiles(.client, settings, isLending: true), logger: Logger(label: "etcdhttp"))
        } catch {
            findings.faults += error.list.map(fault)
            return nil
        }
    }

    private static func port(
        _ port: TLSFiles.Port, _ configuration: ServerConfiguration, _ settings: TLSSettings,
        _ flag: String, urls: (listening: [EndpointURL], advertised: [EndpointURL]),
        _ machine: Machine, _ findings: inout Findings, isLending: Bool = false
    ) -> PortSecurity? {
        // What is wrong with the flags was found before.
        guard (settings.certificateFile == nil) == (settings.keyFile == nil) else { return nil }
        var files = TLSFiles(port, settings, isLending: isLending)
        let secure = urls.advertised.filter { $0.scheme == .https }
        do throws(TLSFaults) {
            if settings.isAutomatic, files.certificate == nil {
                // Whoever only asks is not to find files made.
                guard !configuration.isCheckOnly else { return nil }
                files = try selfSigned(port, configuration, urls.advertised + urls.listening)
            }
            let label = port == .peer ? "rafthttp" : "etcdhttp"
            let security = try PortSecurity(files, logger: Logger(label: label))
            let found = security.findings(hosts: secure.map(\.host), urls: "--\(flag)")
            let isFirstStart = !machine.holdsMember(
                configuration.dataDirectory, configuration.walDirectory)
            let isPeerOfOthers =
                port == .peer && isFirstStart && configuration.initialCluster.members.count > 1
            for warning in found.warnings {
                // The other members would refuse it, each of them.
                if isPeerOfOthers, case .notForHosts = warning.code {
                    findings.faults.append(fault(warning))
                } else {
                    findings.warnings.append(
                        ConfigurationNote(.warning, "etcdmain", "\(warning)"))
                }
            }
            findings.faults += found.faults.map(fault)
            return security
        } catch {
            findings.faults += error.list.map(fault)
            return nil
        }
    }

    private static func fault(_ fault: TLSFault) -> ConfigurationFault {
        ConfigurationFault(.start, fault.text, advice: fault.advice)
    }

    private static func selfSigned(
        _ port: TLSFiles.Port, _ configuration: ServerConfiguration, _ urls: [EndpointURL]
    ) throws(TLSFaults) -> TLSFiles {
        var hosts: [String] = []
        for url in urls where url.scheme == .https && !url.isUnspecifiedHost {
            if !hosts.contains(url.host) { hosts.append(url.host) }
        }
        if hosts.isEmpty { hosts = ["localhost", "127.0.0.1"] }
        let own = SelfSigned(port, dataDirectory: configuration.dataDirectory)
        if try own.prepare(hosts: hosts) {
            Logger(label: "etcdmain").notice(
                "made a self-signed certificate for \(hosts.joined(separator: ", ")): \(own.files.certificate ?? "")"
            )
        }
        return own.files
    }

    // MARK: - Connections

    var acceptClient: (@Sendable (any Channel) throws -> Void)? {
        guard let client else { return nil }
        return { channel in try client.accept(channel) }
    }

    var transport: TransportSecurity {
        guard let peer else { return TransportSecurity() }
        let accept: @Sendable (any Channel) throws -> Void = { channel in try peer.accept(channel) }
        let isShown = peer.files.certificate != nil
        return TransportSecurity(
            prepareServer: isShown ? accept : nil, prepareClient: Self.calling(peer))
    }

    private static func calling(_ security: PortSecurity) -> TransportSecurity.PrepareClient {
        { channel, url in try security.call(channel, host: url.host) }
    }

    /// How a proxy calls members, on their peer ports and their client ports alike: as in etcd with the
    /// files of the peer port; where there are none, with those of the client port; without any of
    /// them, as anybody calls.
    func callsOfProxy() throws(StartFailure) -> TransportSecurity {
        if let security = lent ?? peer {
            return TransportSecurity(prepareClient: Self.calling(security))
        }
        do throws(TLSFaults) {
            let anybody = try PortSecurity(
                TLSFiles(port: .peer), logger: Logger(label: "etcdmain"))
            return TransportSecurity(prepareClient: Self.calling(anybody))
        } catch {
            throw StartFailure("etcdmain", "\(error)")
        }
    }

    /// How a server is called that is no member. The certificate authorities of this machine are read at
    /// each call; there are few.
    static let publicCalls = TransportSecurity(prepareClient: { channel, url in
        let security = try PortSecurity(
            TLSFiles(port: .none), logger: Logger(label: Discovery.logLabel))
        return try security.call(channel, host: url.host)
    })

    // MARK: - New files

    func reload() {
        for security in all { security.reload() }
    }

    /// Takes up files that change from now on.
    func watchFiles(on loop: any EventLoop) {
        guard isUsed else { return }
        let all = all
        loop.scheduleRepeatedAsyncTask(
            initialDelay: Self.lookInterval, delay: Self.lookInterval
        ) { _ in
            NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
                for security in all { security.reloadIfChanged() }
            }
        }
    }
}

extension TLSFiles {
    fileprivate init(_ port: Port, _ settings: TLSSettings, isLending: Bool) {
        self.init(
            port: port, certificate: settings.certificateFile, key: settings.keyFile,
            trustedCAs: settings.trustedCAFiles,
            requiresClientCertificate: settings.requiresClientCertificate,
            makesCalls: isLending || port != .client)
    }
}

extension TLSSettings {
    fileprivate var hasFiles: Bool { certificateFile != nil || !trustedCAFiles.isEmpty }
}
