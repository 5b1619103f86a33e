package import Cluster
package import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Opens TCP connections to members, all on one event loop.
package struct Dialer: Sendable {
    let eventLoop: any EventLoop
    let security: TransportSecurity
    /// The kernel gives a connection up on which nothing is answered for so long.
    let silenceMax: TimeAmount

    package init(
        eventLoop: any EventLoop, security: TransportSecurity, silenceMax: TimeAmount
    ) {
        (self.eventLoop, self.security, self.silenceMax) = (eventLoop, security, silenceMax)
    }

    /// Connects; TLS, if the URL asks for it, is there when the future succeeds, HTTP is not.
    ///
    /// - Parameter proxy: an HTTP proxy to go through. To an `http` URL the connection is the proxy's.
    package func connect(
        to url: EndpointURL, through proxy: EndpointURL? = nil, timeout: TimeAmount
    ) -> EventLoopFuture<any Channel> {
        if url.scheme == .https, security.prepareClient == nil {
            return eventLoop.makeFailedFuture(DialError.noTLS(url))
        }
        let silenceMax = silenceMax
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try SocketOptions.apply(to: channel, silenceMax: silenceMax)
                }
            }
        let place = proxy ?? url
        // An address needs no resolver, which would cost two changes of threads.
        let connection =
            if let address = try? SocketAddress(ipAddress: place.host, port: Int(place.port)) {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: place.host, port: Int(place.port))
            }
        let reached = proxy.map { naming($0, connection) } ?? connection
        guard url.scheme == .https, let prepare = security.prepareClient else { return reached }
        guard let proxy else {
            return reached.flatMap { Self.then($0) { try prepare($0, url) } }
        }
        let tunnel = reached.flatMap { channel in
            Self.then(channel) { try ConnectTunnel.open(on: $0, to: url, timeout: timeout) }
        }
        return naming(proxy, tunnel).flatMap { Self.then($0) { try prepare($0, url) } }
    }

    /// So that a failure says whose it is.
    private func naming(
        _ proxy: EndpointURL, _ connection: EventLoopFuture<any Channel>
    ) -> EventLoopFuture<any Channel> {
        connection.flatMapErrorThrowing { error in
            if error is DialError { throw error }
            throw DialError.proxy(proxy, problem: DialError.text(of: error))
        }
    }

    /// The channel once `step` is done with it; closed if that cannot even begin.
    private static func then(
        _ channel: any Channel, _ step: (any Channel) throws -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        do { return try step(channel).map { channel } } catch {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(error)
        }
    }
}

/// Why no connection was tried; and, in a few words, why one that was tried failed.
package enum DialError: Error, Equatable, CustomStringConvertible {
    case noTLS(EndpointURL)
    /// It is the proxy that does not work.
    case proxy(EndpointURL, problem: String)

    /// NIO's errors name descriptors and functions; a log line needs the system's words only.
    package static func text(of error: any Error) -> String {
        switch error {
        case let error as IOError: ListenerError.text(of: error.errnoCode)
        case let error as NIOConnectionError: text(of: error)
        case ChannelError.connectTimeout(let time):
            "no connection within \(time.nanoseconds / 1_000_000) ms"
        default: "\(error)"
        }
    }

    private static func text(of error: NIOConnectionError) -> String {
        if let failure = error.connectionErrors.first { return text(of: failure.error) }
        return "no address found for \(error.host)"
    }

    package var description: String {
        switch self {
        case .noTLS(let url):
            "\(url) asks for TLS, which this member is not configured for: "
                + "set --peer-trusted-ca-file, --peer-cert-file and --peer-key-file"
        case .proxy(let url, let problem): "proxy \(url): \(problem)"
        }
    }
}

extension HTTPRequestHead {
    /// A request to a member.
    static func toPeer(
        _ method: HTTPMethod, _ path: String, at url: EndpointURL, headers: HTTPHeaders
    ) -> HTTPRequestHead {
        var all: HTTPHeaders = ["Host": url.hostAndPort, "User-Agent": "kvd"]
        all.add(contentsOf: headers)
        return HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: all)
    }
}
