import Configuration
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

    var walOptions: WALOptions {
        var options = WALOptions()
        options.segmentFilesMax = walFilesMax
        options.archiveDirectory = walArchiveDirectory
        return options
    }
}
