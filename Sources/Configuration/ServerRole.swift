package import Cluster

/// What the process is to be: a word before the flags says so.
package enum ServerRole: Equatable, Sendable {
    case member
    /// `kvd discovery`: a member that serves the discovery API instead of its own.
    case discoveryService

    init(_ arguments: [String]) {
        self = arguments.first == "discovery" ? .discoveryService : .member
    }

    /// The words that stand for it.
    var words: [String] { self == .discoveryService ? ["discovery"] : [] }
}

/// What only `kvd discovery` is told.
package struct DiscoveryServiceSettings: Equatable, Sendable {
    /// Nil: tokens stay.
    package var tokenTTL: Duration?
    /// What stands before a token; nil: as the client called the service.
    package var advertisedURL: ServiceURL?

    init(_ arguments: ServerArguments) {
        let seconds = min(arguments.tokenTtl, Milliseconds.maximum / 1000)
        tokenTTL = seconds == 0 ? nil : .seconds(Int64(seconds))
        advertisedURL = try? ServiceURL(arguments.advertiseUrl)
    }
}
