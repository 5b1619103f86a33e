internal import Cluster

extension ServerConfiguration {
    /// Builds the configuration from what values there are; nil, and a fault more, if there cannot be
    /// one. Only without any fault is it one to start from.
    static func make(
        from values: FlagValues, _ addresses: AddressPlaceholders,
        faults: inout [ConfigurationFault]
    ) -> ServerConfiguration? {
        let arguments = ServerArguments.read(canonical: values.canonicalArguments)
        guard let bootstrap = bootstrapSource(arguments, values, faults: &faults) else {
            return nil
        }
        var configuration = ServerConfiguration(
            arguments, bootstrap: bootstrap, role: values.role, setFlags: values.setNames,
            notes: values.notes)
        configuration.settingVariables = values.variables
        configuration.emptyAddressVariables = AddressPlaceholders.variables.values.sorted()
            .filter(addresses.isEmpty)
        configuration.exampleAddress = addresses.example(for: "COREOS_PRIVATE_IPV4")
        return configuration
    }

    private init(
        _ arguments: ServerArguments, bootstrap: BootstrapSource, role: ServerRole,
        setFlags: Set<String>, notes: [ConfigurationNote]
    ) {
        isCheckOnly = arguments.check
        name = arguments.name
        isDataDirectoryDefault = arguments.dataDir.isEmpty
        dataDirectory = arguments.dataDir.isEmpty ? "\(arguments.name).etcd" : arguments.dataDir
        walDirectory = arguments.walDir.nilIfEmpty
        snapshotEntryCount = arguments.snapshotCount == 0 ? 10000 : arguments.snapshotCount
        heartbeatInterval = arguments.heartbeatInterval.duration
        electionTimeout = arguments.electionTimeout.duration
        // A heartbeat of 0 is a fault that was found before.
        electionTicks = Int(
            arguments.electionTimeout.count / max(1, arguments.heartbeatInterval.count))
        listenPeerURLs = arguments.listenPeerUrls.urls
        listenClientURLs = arguments.listenClientUrls.urls
        snapshotFilesMax = Int(clamping: arguments.maxSnapshots)
        walFilesMax = Int(clamping: arguments.maxWals)
        allowedOrigins = arguments.cors
        historyEventsCount = Int(clamping: arguments.historyEvents)
        requestBytesMax = Int(clamping: arguments.maxRequestBytes)
        keyBytesMax = Int(clamping: arguments.maxKeyBytes)
        connectionsMax = Self.limit(arguments.maxConnections)
        watchersMax = Self.limit(arguments.maxWatchers)
        snapshotLogBytes = Int(clamping: arguments.snapshotBytes)
        verifyEntryCount = arguments.verifyEvery
        // A century at most: `Duration` would overflow in sums.
        let scrubSeconds = min(arguments.scrubInterval, Milliseconds.maximum / 1000)
        scrubInterval = scrubSeconds == 0 ? nil : .seconds(Int64(scrubSeconds))
        walArchiveDirectory = arguments.walArchive.nilIfEmpty
        rejoins = arguments.rejoin

        advertisedPeerURLs = arguments.initialAdvertisePeerUrls.urls
        advertisedClientURLs = arguments.advertiseClientUrls.urls
        self.bootstrap = bootstrap
        initialClusterState = arguments.initialClusterState
        initialClusterToken = arguments.initialClusterToken
        discoveryFallback = arguments.discoveryFallback
        discoveryProxy = arguments.discoveryProxy.nilIfEmpty
        dnsServer = arguments.dnsServer.nilIfEmpty
        refusesUnsafeReconfiguration = arguments.strictReconfigCheck
        forcesNewCluster = arguments.forceNewCluster

        discoveryService =
            role == .discoveryService ? DiscoveryServiceSettings(arguments) : nil
        proxy = arguments.proxySettings
        clientTLS = arguments.clientTLS
        peerTLS = arguments.peerTLS

        isDebugLogging = arguments.debug
        logPackageLevels = arguments.logPackageLevels
        enablesProfiling = arguments.enablePprof
        enablesV3Preview = arguments.experimentalV3Demo
        self.setFlags = setFlags
        self.notes = notes
    }

    /// Of a flag of which 0 means that there is none.
    private static func limit(_ number: UInt64) -> Int? {
        number == 0 ? nil : Int(clamping: number)
    }

    /// Nil, and a fault more, when `--initial-cluster` cannot be read.
    private static func bootstrapSource(
        _ arguments: ServerArguments, _ values: FlagValues, faults: inout [ConfigurationFault]
    ) -> BootstrapSource? {
        if !arguments.discovery.isEmpty { return .discovery(arguments.discovery) }
        if !arguments.discoverySrv.isEmpty { return .dns(arguments.discoverySrv) }
        do throws(EndpointURLError) {
            return .cluster(try InitialCluster(initialClusterText(arguments)))
        } catch {
            faults.append(
                ConfigurationFault(
                    .start, "error setting up initial cluster: \(error)",
                    advice: "Write -initial-cluster as NAME=http://HOST:PORT,NAME=…."))
            return nil
        }
    }

    /// A name of one's own renames the member of the default cluster.
    private static func initialClusterText(_ arguments: ServerArguments) -> String {
        guard arguments.initialCluster == FlagTable.defaultInitialCluster,
            !arguments.name.isEmpty
        else { return arguments.initialCluster }
        let urls = FlagTable.defaultPeerURLs.split(separator: ",")
        return urls.map { "\(arguments.name)=\($0)" }.joined(separator: ",")
    }
}

extension ServerArguments {
    fileprivate var proxySettings: ProxySettings {
        ProxySettings(
            mode: proxy, failureWait: proxyFailureWait.duration,
            refreshInterval: proxyRefreshInterval.duration, dialTimeout: proxyDialTimeout.limit,
            writeTimeout: proxyWriteTimeout.limit, readTimeout: proxyReadTimeout.limit)
    }

    /// The deprecated `ca-file` is a trusted CA that also demands client certificates.
    fileprivate var clientTLS: TLSSettings {
        TLSSettings(
            certificateFile: certFile.nilIfEmpty, keyFile: keyFile.nilIfEmpty,
            trustedCAFiles: [trustedCaFile, caFile].filter { !$0.isEmpty },
            requiresClientCertificate: clientCertAuth || !caFile.isEmpty, isAutomatic: autoTls)
    }

    fileprivate var peerTLS: TLSSettings {
        TLSSettings(
            certificateFile: peerCertFile.nilIfEmpty, keyFile: peerKeyFile.nilIfEmpty,
            trustedCAFiles: [peerTrustedCaFile, peerCaFile].filter { !$0.isEmpty },
            requiresClientCertificate: peerClientCertAuth || !peerCaFile.isEmpty,
            isAutomatic: peerAutoTls)
    }
}

extension String {
    fileprivate var nilIfEmpty: String? { isEmpty ? nil : self }
}
