/// A proxy of a cluster: listens on the client URLs, keeps no data, and hands every request to a
/// member. `--proxy on` and `--proxy readonly`.
///
///     client ─▶ FrontHandler ──Exchange──▶ BackendPool ─▶ BackendConnection ─▶ member
///                   │  ▲                                          │
///      LocalAnswer ─┘  └────── the answer, as it comes ◀──────────┘
///                              (one flush for each read: a watch is told at once)
///
///     members ◀── EndpointRefresh ──▶ Director       client URLs, in the order in which to try them
///                      └────────────▶ ProxyDirectory  the peer URLs, for the next start
///
/// `Exchange` decides what becomes of one request: who is tried next, whether it may be sent again,
/// what is said when nobody is left. `Director` knows the endpoints and which of them rest after a
/// failure. Both are values without a channel or a clock. `ForwardedHead` says what of a request's
/// and an answer's headers goes on.
///
/// TLS is the owner's: on the port by what it puts before HTTP, to the members by
/// `ProxyConfiguration.security`. What is a request and what is none, `ClientAPI`'s `RequestDecoder`
/// says, as on a member's port.
///
/// Everything runs on one event loop, without locks. What is in memory of a request or an answer is
/// bounded: each side is read only as far as the other takes it.
///
/// Sources: `reference/client-api.md` §14, `reference/discovery.md` §5.
package enum Proxy {
    /// Of the lines about endpoints; tools wait for one of them.
    static let logLabel = "proxy"
    /// Of the lines that etcd writes while it starts and keeps its file.
    static let mainLabel = "etcdmain"
}
