internal import ClientAPI
internal import Cluster
internal import KVServer
internal import NIOCore
internal import Transport

/// The connections to members: as many as there are requests under way, and those that the last ones
/// have left, which the next ones use.
final class BackendPool {
    enum Problem: Error {
        case failed(String)
        /// As many are open as may be.
        case full
    }

    private let eventLoop: any EventLoop
    private let dialer: Dialer
    private let dialTimeout: TimeAmount
    let connectionsMax: Int
    private var idle: [EndpointURL: [BackendConnection]] = [:]
    private var all: [ObjectIdentifier: BackendConnection] = [:]
    private var dialingCount = 0

    /// The kernel gives a connection up on which nothing is answered for so long, so that a watch
    /// ends whose member's machine is gone.
    private static let silenceMax = TimeAmount.seconds(30)
    /// A flag of 0: the kernel's own limit of some minutes comes first.
    private static let dialNever = TimeAmount.hours(24)

    init(_ configuration: ProxyConfiguration, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        dialer = Dialer(
            eventLoop: eventLoop, security: configuration.security,
            silenceMax: Self.silenceMax)
        dialTimeout = configuration.dialTimeout.map { TimeAmount($0) } ?? Self.dialNever
        connectionsMax = configuration.port.connectionsMax
    }

    var count: Int { all.count + dialingCount }
    var idleCount: Int { idle.values.reduce(0) { $0 + $1.count } }

    /// The idle connection that was used last, which is the least likely to be closed meanwhile.
    func takeIdle(_ url: EndpointURL) -> BackendConnection? {
        while let connection = idle[url]?.popLast() {
            if connection.isOpen { return connection }
        }
        return nil
    }

    /// Opens a connection; `then` is called on the loop, in a later turn of it.
    func dial(
        _ url: EndpointURL, then: @escaping (Result<BackendConnection, Problem>) -> Void
    ) {
        if count >= connectionsMax { closeOldestIdle() }
        guard count < connectionsMax else {
            return eventLoop.assumeIsolated().execute { then(.failure(.full)) }
        }
        dialingCount += 1
        dialer.connect(to: url, timeout: dialTimeout).assumeIsolated().whenComplete {
            [self] result in
            dialingCount -= 1
            switch result {
            case .success(let channel): then(adopt(channel, url))
            case .failure(let error): then(.failure(.failed(DialError.text(of: error))))
            }
        }
    }

    private func adopt(
        _ channel: any Channel, _ url: EndpointURL
    ) -> Result<BackendConnection, Problem> {
        let connection = BackendConnection(url, self)
        do {
            try connection.install(on: channel)
        } catch {
            channel.close(promise: nil)
            return .failure(.failed("\(error)"))
        }
        guard channel.isActive else { return .failure(.failed("it ended the connection")) }
        all[ObjectIdentifier(connection)] = connection
        return .success(connection)
    }

    func giveBack(_ connection: BackendConnection) {
        connection.becomeIdle(at: Int64(NIODeadline.now().uptimeNanoseconds))
        idle[connection.url, default: []].append(connection)
    }

    /// Or about to be: its place is free.
    func closed(_ connection: BackendConnection) {
        all[ObjectIdentifier(connection)] = nil
        removeIdle(connection)
    }

    private func removeIdle(_ connection: BackendConnection) {
        guard let position = idle[connection.url]?.lastIndex(where: { $0 === connection }) else {
            return
        }
        idle[connection.url]?.remove(at: position)
    }

    private func closeOldestIdle() {
        // In each list the first is the oldest.
        let firsts = idle.values.compactMap(\.first)
        guard let oldest = firsts.min(by: { $0.idleSince < $1.idleSince }) else { return }
        oldest.close()
    }

    /// Closes what nobody has used for long, and what leads to members that are none any more.
    func closeUnused(endpoints: [EndpointURL]) {
        let latest =
            Int64(NIODeadline.now().uptimeNanoseconds) - ProxyConfiguration.idleMax.inNanoseconds
        for (url, connections) in idle {
            let isKnown = endpoints.contains(url)
            for connection in connections where !isKnown || connection.idleSince < latest {
                connection.close()
            }
            if idle[url]?.isEmpty == true { idle[url] = nil }
        }
    }

    func closeAll() {
        for connection in all.values { connection.close() }
    }
}
