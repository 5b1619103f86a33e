package import Cluster
package import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A TCP port that accepts connections; used for the peer port and for the client port.
///
/// The owner logs `listening for peers on URL`, closes its own connections, and closes this first
/// when it stops.
package struct Listener: Sendable {
    /// Sets up one accepted connection, on its event loop.
    package typealias Setup = @Sendable (any Channel) throws -> Void

    /// The URL as it was asked for, with the port that was really bound (port 0 takes a free one).
    package let url: EndpointURL
    let channel: any Channel

    package var localAddress: SocketAddress? { channel.localAddress }

    /// Stops accepting. Connections that were accepted live on.
    package func close() -> EventLoopFuture<Void> {
        guard channel.isActive else { return channel.eventLoop.makeSucceededVoidFuture() }
        return channel.close()
    }

    /// Listens on `url`; its connections are spread over the loops of `group`.
    ///
    /// A host that is a name is looked up, off the loop, and its addresses are tried in order, IPv4
    /// before IPv6; the first that can be bound is listened on. No host means every address of
    /// the machine, IPv6 and IPv4. Fails with a `ListenerError`. May be called from any thread.
    ///
    /// - Parameters:
    ///   - secure: adds what stands before HTTP; must be given for an `https` URL.
    ///   - setup: adds the rest.
    package static func bind(
        _ url: EndpointURL, on group: any EventLoopGroup, secure: Setup? = nil,
        setup: @escaping Setup
    ) -> EventLoopFuture<Listener> {
        let loop = group.next()
        if url.scheme == .https, secure == nil {
            return loop.makeFailedFuture(ListenerError(.noTLS, url: url))
        }
        let securing = url.scheme == .https ? secure : nil
        let bind: Bind = { address in
            ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: backlog)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                // A buffer full, and others have their turn: what fits into four of them may be tens of
                // thousands of small pieces.
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try securing?(channel)
                        try setup(channel)
                    }
                }
                .bind(to: address)
        }
        return addresses(of: url, on: loop).flatMap { addresses in
            bindFirst(of: addresses[...], url, on: loop, bind: bind)
        }
    }

    private typealias Bind = @Sendable (SocketAddress) -> EventLoopFuture<any Channel>

    private static let backlog: Int32 = 1024

    private static func bindFirst(
        of addresses: ArraySlice<SocketAddress>, _ url: EndpointURL, on loop: any EventLoop,
        bind: @escaping Bind
    ) -> EventLoopFuture<Listener> {
        guard let address = addresses.first else {
            preconditionFailure("a resolved host has an address")
        }
        return bind(address).map { channel in
            let port = channel.localAddress?.port.flatMap(UInt16.init(exactly:)) ?? url.port
            let bound = EndpointURL(scheme: url.scheme, host: url.host, port: port)
            return Listener(url: port == url.port ? url : bound, channel: channel)
        }.flatMapError { error in
            guard addresses.count == 1 else {
                return bindFirst(of: addresses.dropFirst(), url, on: loop, bind: bind)
            }
            let number = (error as? IOError)?.errnoCode
            let code = number.map(ListenerError.Code.bind) ?? .other("\(error)")
            return loop.makeFailedFuture(ListenerError(code, url: url, address: address))
        }
    }

    /// The addresses of the URL's host, in the order in which to try them.
    private static func addresses(
        of url: EndpointURL, on loop: any EventLoop
    ) -> EventLoopFuture<[SocketAddress]> {
        let texts = url.host.isEmpty ? ["::", "0.0.0.0"] : [url.host]
        let known = texts.compactMap { try? SocketAddress(ipAddress: $0, port: Int(url.port)) }
        guard known.isEmpty else { return loop.makeSucceededFuture(known) }
        return NIOThreadPool.singleton.runIfActive(eventLoop: loop) { try resolve(url) }
    }

    /// Asks the system's resolver. Blocks.
    private static func resolve(_ url: EndpointURL) throws(ListenerError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(url.host, String(url.port), &hints, &list)
        guard status == 0, let first = list else {
            let isUnknown = status == EAI_NONAME || status == 0
            throw ListenerError(isUnknown ? .noSuchHost : .lookup(status), url: url)
        }
        defer { freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let info = next?.pointee {
            if let address = SocketAddress(resolved: info) { addresses.append(address) }
            next = info.ai_next
        }
        guard !addresses.isEmpty else { throw ListenerError(.noSuchHost, url: url) }
        return addresses.filter { $0.protocol == .inet }
            + addresses.filter { $0.protocol != .inet }
    }
}

extension SocketAddress {
    /// Takes over one of `getaddrinfo`'s results; nil if it is neither IPv4 nor IPv6.
    fileprivate init?(resolved info: addrinfo) {
        guard let address = info.ai_addr else { return nil }
        switch info.ai_family {
        case AF_INET:
            let v4 = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self)
            self.init(v4)
        case AF_INET6:
            let v6 = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self)
            self.init(v6)
        default: return nil
        }
    }
}
