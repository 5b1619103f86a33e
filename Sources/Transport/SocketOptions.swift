internal import NIOCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What the kernel is asked to do for a connection between members.
enum SocketOptions {
    /// No waiting for more bytes before sending; and no waiting for a peer whose machine is gone:
    /// unanswered bytes end the connection after `silenceMax`, an idle one is asked whether it lives.
    static func apply(to channel: any Channel, silenceMax: TimeAmount) throws {
        guard let options = channel.syncOptions else {
            preconditionFailure("a socket's channel has synchronous options")
        }
        try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
        try options.setOption(.socketOption(.so_keepalive), value: 1)
        let seconds = max(1, silenceMax.nanoseconds / 1_000_000_000)
        try options.setOption(.tcpOption(.keepIdle), value: Int(max(1, seconds / 2)))
        try options.setOption(.tcpOption(.keepInterval), value: 1)
        try options.setOption(.tcpOption(.keepCount), value: Int(max(1, seconds / 2)))
        #if os(Linux)
            let milliseconds = Int(silenceMax.nanoseconds / 1_000_000)
            try options.setOption(.tcpOption(.userTimeout), value: milliseconds)
        #endif
    }
}

extension NIOBSDSocket.Option {
    fileprivate static let keepIdle = NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)
    fileprivate static let keepInterval = NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)
    fileprivate static let keepCount = NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)
    #if os(Linux)
        fileprivate static let userTimeout = NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)
    #endif
}
