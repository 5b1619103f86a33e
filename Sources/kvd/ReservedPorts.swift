import Cluster
import Configuration
import NIOCore
import Transport

/// This server's ports, bound while it waits for the other members, and answering nobody.
///
/// So a port that somebody else has is found before anything is registered under it, as in etcd; a
/// token would be spoilt by it.
struct ReservedPorts {
    private let listeners: [Listener]

    init(
        _ configuration: ServerConfiguration, _ loop: any EventLoop
    ) throws(StartFailure) {
        var bound: [Listener] = []
        for url in configuration.listenPeerURLs + configuration.listenClientURLs {
            do {
                let listener = try Listener.bind(url, on: loop) { channel in
                    channel.close(promise: nil)
                }.wait()
                bound.append(listener)
            } catch {
                for listener in bound { listener.close().whenComplete { _ in } }
                throw StartFailure("etcdmain", "\(error)")
            }
        }
        listeners = bound
    }

    /// Returns when others, this server itself above all, can bind them.
    func release() {
        for listener in listeners { try? listener.close().wait() }
    }
}
