import Cluster
import Testing

@testable import Configuration

/// The cases of `Fixtures/cli`: command line and environment in, everything that follows out.
@Suite struct CommandLineTests {
    @Test(arguments: try CommandLineCase.all())
    func golden(_ expected: CommandLineCase) throws {
        let result = Configuration.read(
            arguments: expected.arguments, environment: expected.environment,
            machine: expected.machine)
        switch result {
        case .exit(let report):
            #expect(report.code == expected.exitCode)
            #expect(Self.kind(ofOutput: report.standardOutput) == expected.standardOutput)
            #expect(report.standardErrorLines == expected.standardError)
            #expect(report.notes.map(\.description) == expected.log)
            #expect(expected.fields.isEmpty && expected.start == nil)
        case .run(let configuration):
            try #require(expected.exitCode == nil)
            #expect(configuration.notes.map(\.description) == expected.log)
            let fields = Self.fields(of: configuration)
            for (name, value) in expected.fields {
                #expect(fields[name] == value, "field \(name)")
            }
            if let start = expected.start {
                let findings = configuration.findings(expected.machine)
                #expect(findings.notes.map(\.description) == start)
            }
        }
    }

    @Test func thereAreSixtyCasesAndMore() throws {
        #expect(try CommandLineCase.all().count >= 60)
    }

    private static func kind(ofOutput text: String) -> String {
        switch text {
        case UsageText.usage: "usage"
        case UsageText.help: "help"
        case ProductVersion.report: "version"
        default: text
        }
    }

    /// Every field that a fixture may name, as text.
    private static func fields(of configuration: ServerConfiguration) -> [String: String] {
        let proxy = configuration.proxy
        var fields = [
            "name": configuration.name,
            "isCheckOnly": "\(configuration.isCheckOnly)",
            "dataDirectory": configuration.dataDirectory,
            "isDataDirectoryDefault": "\(configuration.isDataDirectoryDefault)",
            "walDirectory": configuration.walDirectory ?? "none",
            "snapshotEntryCount": "\(configuration.snapshotEntryCount)",
            "heartbeatInterval": "\(configuration.heartbeatInterval)",
            "electionTimeout": "\(configuration.electionTimeout)",
            "electionTicks": "\(configuration.electionTicks)",
            "listenPeerURLs": joined(configuration.listenPeerURLs),
            "listenClientURLs": joined(configuration.listenClientURLs),
            "snapshotFilesMax": "\(configuration.snapshotFilesMax)",
            "walFilesMax": "\(configuration.walFilesMax)",
            "allowedOrigins": configuration.allowedOrigins.origins.sorted().joined(separator: ","),
            "historyEventsCount": "\(configuration.historyEventsCount)",
            "requestBytesMax": "\(configuration.requestBytesMax)",
            "keyBytesMax": "\(configuration.keyBytesMax)",
            "connectionsMax": configuration.connectionsMax.map { "\($0)" } ?? "none",
            "watchersMax": configuration.watchersMax.map { "\($0)" } ?? "none",
            "snapshotLogBytes": "\(configuration.snapshotLogBytes)",
            "verifyEntryCount": "\(configuration.verifyEntryCount)",
            "scrubInterval": configuration.scrubInterval.map { "\($0)" } ?? "never",
            "walArchive": configuration.walArchiveDirectory ?? "none",
            "rejoins": "\(configuration.rejoins)",
            "advertisedPeerURLs": joined(configuration.advertisedPeerURLs),
            "advertisedClientURLs": joined(configuration.advertisedClientURLs),
            "bootstrap": "\(configuration.bootstrap)",
            "initialCluster": configuration.initialCluster.description,
            "initialClusterState": configuration.initialClusterState.rawValue,
            "clusterToken": configuration.clusterToken,
            "discoveryFallback": configuration.discoveryFallback.rawValue,
            "discoveryProxy": configuration.discoveryProxy ?? "none",
        ]
        fields["dnsServer"] = configuration.dnsServer ?? "none"
        fields["service"] = configuration.discoveryService.map { service in
            let time = service.tokenTTL.map { "\($0)" } ?? "for ever"
            return "\(time), \(service.advertisedURL.map { "\($0)" } ?? "as asked")"
        }
        fields["strict"] = "\(configuration.refusesUnsafeReconfiguration)"
        fields["forcesNewCluster"] = "\(configuration.forcesNewCluster)"
        fields["proxy"] = proxy.mode.rawValue
        fields["proxyWaits"] = "\(proxy.failureWait) \(proxy.refreshInterval)"
        fields["proxyDialTimeout"] = proxy.dialTimeout.map { "\($0)" } ?? "none"
        fields["proxyWriteTimeout"] = proxy.writeTimeout.map { "\($0)" } ?? "none"
        fields["proxyReadTimeout"] = proxy.readTimeout.map { "\($0)" } ?? "none"
        fields["clientTLS"] = text(configuration.clientTLS)
        fields["peerTLS"] = text(configuration.peerTLS)
        fields["debug"] = "\(configuration.isDebugLogging)"
        fields["logPackageLevels"] = configuration.logPackageLevels
        fields["unbuilt"] =
            configuration.faultsOfUnbuiltFeatures
            .map { String($0.text.prefix { $0 != " " }) }.joined(separator: " ")
        fields["set"] = configuration.setFlags.sorted().joined(separator: " ")
        return fields
    }

    private static func joined(_ urls: [EndpointURL]) -> String {
        urls.map(\.description).joined(separator: ",")
    }

    private static func text(_ tls: TLSSettings) -> String {
        let trusted = tls.trustedCAFiles.isEmpty ? nil : tls.trustedCAFiles.joined(separator: ",")
        let files = [tls.certificateFile, tls.keyFile, trusted]
        let names = files.map { $0 ?? "none" }.joined(separator: " ")
        return "\(names) \(tls.requiresClientCertificate)\(tls.isAutomatic ? " auto" : "")"
    }
}
