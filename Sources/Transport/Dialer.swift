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
    package func connect(to url: EndpointURL, timeout: TimeAmount) -> EventLoopFuture<any Channel> {
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
        // An address needs no resolver, which would cost two changes of threads.
        let connection =
            if let address = try? SocketAddress(ipAddress: url.host, port: Int(url.port)) {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: url.host, port: Int(url.port))
            }
        guard url.scheme == .https, let prepare = security.prepareClient else { return connection }
        return connection.flatMap { channel in
            do { return try prepare(channel, url).map { channel } } catch {
                channel.close(promise: nil)
                return channel.eventLoop.makeFailedFuture(error)
            }
        }
    }
}

/// Why no connection was tried; and, in a few words, why one that was tried failed.
package enum DialError: Error, Equatable, CustomStringConvertible {
    case noTLS(EndpointURL)

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
