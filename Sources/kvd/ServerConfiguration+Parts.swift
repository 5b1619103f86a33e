import ClientAPI
import Cluster
import Configuration
import Discovery
import KVServer
import KeyStore
import Storage

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

    var walOptions: WALOptions {
        var options = WALOptions()
        options.segmentFilesMax = walFilesMax
        options.archiveDirectory = walArchiveDirectory
        return options
    }
}
