package import ClientAPI
package import Cluster
package import Transport

/// What a `ProxyServer` is told at its start.
package struct ProxyConfiguration: Sendable {
    /// Answers nothing but GET.
    package var isReadOnly = false
    /// Where to ask for the members, in order; never forgotten.
    package var seeds: [EndpointURL]
    /// For which a failed endpoint is left alone.
    package var failureWait = Duration.seconds(5)
    package var refreshInterval = Duration.seconds(30)
    /// Nil: no limit.
    package var dialTimeout: Duration? = .seconds(1)
    /// For how long a member may take nothing of a request. Nil: no limit.
    package var writeTimeout: Duration? = .seconds(5)
    /// For how long nothing may come of an answer that is waited for. Nil: no limit.
    package var readTimeout: Duration?
    /// `--max-request-bytes`: of a body that is kept to be sent again.
    package var requestBytesMax = 10 << 20
    /// Clients' side: numbers and times, as at a member's port. As many connections may be open to
    /// members.
    package var port = ClientServerConfiguration()
    /// TLS to members, both to their client ports and to their peer ports, as in etcd.
    package var security = TransportSecurity()

    package init(seeds: [EndpointURL]) { self.seeds = seeds }

    /// More of a body is not held for any request, however large it may be: there may be as many as
    /// there are connections.
    static let keptBytesMax = 64 << 10
    /// Bytes of one direction of one connection that wait for a socket.
    static let unsentBytesMax = 64 << 10
    /// After which a connection to a member that nobody uses is closed; a kvd may close it after 10 s.
    static let idleMax = Duration.seconds(8)
}
