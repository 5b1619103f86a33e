package import NIOCore
internal import NIOPosix

/// Asks DNS servers, one after the other, until one answers.
///
/// Each question goes out from a socket of its own, connected to the server and with a port that
/// the kernel chooses, under a random id: what does not come from there, or does not repeat id and
/// question, is passed over while the time lasts. A truncated answer is asked for again by TCP. Blocks
/// the calling thread; not for an event loop. Source: RFC 1035 §4.2, RFC 5452.
package struct DNSResolver: Sendable {
    private let settings: ResolverSettings
    private let eventLoop: any EventLoop

    package init(_ settings: ResolverSettings, eventLoop: any EventLoop) {
        precondition(!settings.servers.isEmpty, "there is a server to ask")
        (self.settings, self.eventLoop) = (settings, eventLoop)
    }

    /// The records that answer `question`; at least one. As in Go, a name that is there and has none
    /// of the kind is no such host either.
    func ask(_ question: DNSQuestion) throws(DNSFault) -> [DNSMessage.Record.Content] {
        var last = DNSFault(name: question.name, server: settings.servers[0], code: .silent)
        for _ in 0..<settings.attempts {
            for server in settings.servers {
                do throws(DNSFault) { return try ask(question, of: server) } catch {
                    // A name that is not there is an answer, not a failure.
                    guard error.code != .noSuchHost else { throw error }
                    last = error
                }
            }
        }
        throw last
    }

    private func ask(
        _ question: DNSQuestion, of server: SocketAddress
    ) throws(DNSFault) -> [DNSMessage.Record.Content] {
        var answer = try exchange(question, server, byTCP: false)
        if answer.isTruncated { answer = try exchange(question, server, byTCP: true) }
        let fault: DNSFault.Code
        switch answer.responseCode {
        case 0 where answer.isTruncated: fault = .misbehaving("its answer by TCP is truncated")
        case 0 where answer.records.isEmpty: fault = .noSuchHost
        case 0: return answer.records
        case 3: fault = .noSuchHost
        default: fault = .misbehaving("response code \(answer.responseCode)")
        }
        throw DNSFault(name: question.name, server: server, code: fault)
    }

    private func exchange(
        _ question: DNSQuestion, _ server: SocketAddress, byTCP: Bool
    ) throws(DNSFault) -> DNSMessage {
        let promise = eventLoop.makePromise(of: DNSMessage.self)
        let exchange = DNSExchange(question, id: .random(in: .min ... .max))
        let timeout = TimeAmount(settings.timeout)
        let setUp: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                if byTCP {
                    try pipeline.addHandler(DNSStreamHandler(exchange, promise: promise))
                } else {
                    try pipeline.addHandler(DNSDatagramHandler(exchange, promise: promise))
                }
            }
        }
        let connection =
            byTCP
            ? ClientBootstrap(group: eventLoop).connectTimeout(timeout).channelInitializer(setUp)
                .connect(to: server)
            : DatagramBootstrap(group: eventLoop).channelInitializer(setUp).connect(to: server)
        let timer = eventLoop.scheduleTask(in: timeout) { promise.fail(DNSExchange.Silent()) }
        connection.whenFailure { promise.fail($0) }
        let result = Result { try promise.futureResult.wait() }
        timer.cancel()
        connection.whenSuccess { $0.close(promise: nil) }
        switch result {
        case .success(let message): return message
        case .failure(is DNSExchange.Silent):
            throw DNSFault(name: question.name, server: server, code: .silent)
        case .failure(let error):
            throw DNSFault(
                name: question.name, server: server, code: .misbehaving("\(error)"))
        }
    }
}

/// Why a question was not answered, in the words of Go's resolver.
package struct DNSFault: Error, Equatable, CustomStringConvertible {
    enum Code: Equatable {
        case noSuchHost
        case silent
        case misbehaving(String)
    }

    let name: DNSName
    let server: SocketAddress
    let code: Code

    package var description: String {
        let place = "\(server.ipAddress ?? "?"):\(server.port ?? 0)"
        let reason =
            switch code {
            case .noSuchHost: "no such host"
            case .silent: "i/o timeout"
            case .misbehaving(let what): "server misbehaving (\(what))"
            }
        return "lookup \(name) on \(place): \(reason)"
    }
}
