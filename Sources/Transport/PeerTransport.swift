package import Logging
package import NIOCore
package import RaftModel
package import Cluster

package final class PeerTransport {
    package init(
        _ configuration: TransportConfiguration, eventLoop: any EventLoop,
        delegate: any PeerTransportDelegate, logger: Logger
    ) { fatalError() }
    package func listen(on url: EndpointURL) -> EventLoopFuture<Listener> { fatalError() }
    package func update(peers: [Peer]) {}
    package func addRemotes(_ peers: [Peer]) {}
    package func send(_ messages: [Message]) {}
    package func stop() -> EventLoopFuture<Void> { fatalError() }
}
