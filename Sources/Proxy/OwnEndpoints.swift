internal import Cluster
internal import NIOCore

/// Whether a URL is one that this proxy listens on: it must not forward to itself.
struct OwnEndpoints {
    private let listening: [EndpointURL]
    /// The addresses of this machine.
    private let machine: Set<String>

    /// - Parameter listening: with the ports that were really bound.
    init(listening: [EndpointURL], machine: Set<String> = Self.ofThisMachine()) {
        (self.listening, self.machine) = (listening, machine)
    }

    func contains(_ url: EndpointURL) -> Bool {
        listening.contains { own in
            own.port == url.port
                && (own.host == url.host
                    || own.isUnspecifiedHost && isOfThisMachine(url)
                    || url.isUnspecifiedHost && isOfThisMachine(own)
                    // `localhost` and `127.0.0.1` are two names of one place.
                    || own.isLoopbackHost && url.isLoopbackHost
                        && (own.host == "localhost" || url.host == "localhost"))
        }
    }

    private func isOfThisMachine(_ url: EndpointURL) -> Bool {
        url.isLoopbackHost || url.isUnspecifiedHost || machine.contains(url.host)
    }

    static func ofThisMachine() -> Set<String> {
        let devices = (try? System.enumerateDevices()) ?? []
        return Set(devices.compactMap { $0.address?.ipAddress })
    }
}
