import ClientAPI
import Cluster
import Configuration
import Discovery
import KVServer
import KeyStore
import Logging
import StateFiles
import Storage
import StorageIO

/// What the parts are told of the configuration.
extension ServerConfiguration {
    var storeOptions: Store.Options {
        var options = Store.Options()
        options.historyEventsMax = historyEventsCount
        return options
    }

    /// What `kvd discovery` serves in place of a member's paths.
    func makeSite() -> (any Site)? {
        guard let service = discoveryService else { return nil }
        let settings = DiscoveryService.Settings(
            tokenTTL: service.tokenTTL, advertisedURL: service.advertisedURL,
            scheme: listenClientURLs.first?.scheme ?? .http)
        return DiscoveryService(settings)
    }

    /// Logs what the flags ask for and cannot be had.
    ///
    /// - Parameter descriptorsEach: what a client's connection needs.
    func clientPort(descriptorsEach: Int = 1) -> ClientServerConfiguration {
        var port = ClientServerConfiguration()
        port.allowedOrigins = allowedOrigins.origins
        port.formBytesMax = requestBytesMax
        port.keyBytesMax = keyBytesMax
        port.watchersMax = watchersMax ?? .max
        let room = (DescriptorLimit.raise() - DescriptorLimit.kept) / descriptorsEach
        port.connectionsMax = min(connectionsMax ?? .max, max(1, room))
        if let wanted = connectionsMax, wanted > room {
            Logger(label: "etcdmain").warning(
                "--max-connections=\(wanted) is more than the limit of open files allows; taking \(port.connectionsMax). Raise the limit (ulimit -n, or LimitNOFILE= of the unit) to \(wanted * descriptorsEach + DescriptorLimit.kept)"
            )
        }
        return port
    }

    var walOptions: WALOptions {
        var options = WALOptions()
        options.segmentFilesMax = walFilesMax
        options.archiveDirectory = walArchiveDirectory
        return options
    }

    var recoveryOptions: Recovery<PosixStorage>.Options {
        Recovery.Options(
            store: storeOptions, wal: walOptions, monotonic: MachineClock.monotonicNanoseconds)
    }
}
