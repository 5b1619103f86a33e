import Cluster
import Configuration
import Logging
import NIOCore
import NIOPosix
import TLS
import Transport

/// TLS of both ports, as far as the flags ask for it.
struct ServerSecurity: Sendable {
    private var client: PortSecurity?
    private var peer: PortSecurity?

    /// Between looks at the files.
    private static let lookInterval = TimeAmount.seconds(3)

    var isUsed: Bool { client != nil || peer != nil }

    /// Reads the certificate files, and makes those that `--auto-tls` asks for; adds what is wrong with
    /// them, and with what they say of this member, to `findings`. Blocks.
    static func load(
        _ configuration: ServerConfiguration, _ machine: Machine, _ findings: inout Findings
    ) -> ServerSecurity {
        var security = ServerSecurity()
        let listening = configuration.listenClientURLs
        if listening.contains(where: { $0.scheme == .https }) {
            security.client = port(
                .client, configuration, configuration.clientTLS, "advertise-client-urls",
                urls: (listening, configuration.advertisedClientURLs), machine, &findings)
        }
        let others = configuration.listenPeerURLs + configuration.initialCluster.urls
        if configuration.peerTLS.isUsed || others.contains(where: { $0.scheme == .https }) {
            security.peer = port(
                .peer, configuration, configuration.peerTLS, "initial-advertise-peer-urls",
                urls: (configuration.listenPeerURLs, configuration.advertisedPeerURLs), machine,
                &findings)
        }
        return security
    }

    private static func port(
        _ port: TLSFiles.Port, _ configuration: ServerConfiguration, _ settings: TLSSettings,
        _ flag: String, urls: (listening: [EndpointURL], advertised: [EndpointURL]),
        _ machine: Machine, _ findings: inout Findings
    ) -> PortSecurity? {
        // What is wrong with the flags was found before.
        guard (settings.certificateFile == nil) == (settings.keyFile == nil) else { return nil }
        var files = TLSFiles(
            port: port, certificate: settings.certificateFile, key: settings.keyFile,
            trustedCAs: settings.trustedCAFiles,
            requiresClientCertificate: settings.requiresClientCertificate)
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
        let call: TransportSecurity.PrepareClient = { channel, url in
            try peer.call(channel, host: url.host)
        }
        let isShown = peer.files.certificate != nil
        return TransportSecurity(prepareServer: isShown ? accept : nil, prepareClient: call)
    }

    // MARK: - New files

    func reload() {
        client?.reload()
        peer?.reload()
    }

    /// Takes up files that change from now on.
    func watchFiles(on loop: any EventLoop) {
        guard isUsed else { return }
        let (client, peer) = (client, peer)
        loop.scheduleRepeatedAsyncTask(
            initialDelay: Self.lookInterval, delay: Self.lookInterval
        ) { _ in
            NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
                client?.reloadIfChanged()
                peer?.reloadIfChanged()
            }
        }
    }
}
