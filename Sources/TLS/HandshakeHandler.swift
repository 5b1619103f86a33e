internal import Logging
internal import Logs
internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// Stands behind TLS: bounds the time of the handshake, says why one failed, and turns the errors
/// of TLS into words for the handlers behind it.
final class HandshakeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let security: PortSecurity
    private let credentials: Credentials
    /// Nil: the connection was accepted.
    private let host: String?
    private let plain: PlainHTTPGuard?
    private let timeout: TimeAmount
    private var promise: EventLoopPromise<Void>?
    private var timer: Scheduled<Void>?
    private var isOver = false

    /// On a connection that was accepted.
    init(
        _ security: PortSecurity, _ credentials: Credentials, guarding plain: PlainHTTPGuard,
        timeout: TimeAmount
    ) {
        (self.security, self.credentials, self.timeout) = (security, credentials, timeout)
        (host, self.plain) = (nil, plain)
    }

    /// On a connection to `host`. The promise is kept when the handshake is over.
    init(
        _ security: PortSecurity, _ credentials: Credentials, calling host: String,
        _ promise: EventLoopPromise<Void>, timeout: TimeAmount
    ) {
        (self.security, self.credentials, self.timeout) = (security, credentials, timeout)
        (self.host, self.promise, plain) = (host, promise, nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            guard let self, !isOver else { return }
            fail(.timedOut, channel)
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { fail(.ended, context.channel) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            end()
            promise?.succeed()
            promise = nil
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.ended, context.channel)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Its messages say themselves where they end: a missing farewell proves nothing.
        if case NIOSSLError.uncleanShutdown = error { return }
        guard error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError else {
            return context.fireErrorCaught(error)
        }
        let peer = (try? context.pipeline.syncOperations.nioSSL_peerCertificate())?
            .flatMap { try? CertificateFacts($0) }
        let fault = HandshakeFault(
            error, peer: peer, host: host, credentials, now: PortSecurity.unixSeconds())
        guard isOver else { return fail(fault, context.channel) }
        // With TLS 1.3 a caller is done before the other side has seen its certificate.
        context.fireErrorCaught(fault)
    }

    private func end() {
        isOver = true
        timer?.cancel()
    }

    private func fail(_ rule: HandshakeFault.Rule, _ channel: any Channel) {
        guard !isOver else { return }
        fail(HandshakeFault(rule, host: host, credentials.files), channel)
    }

    /// A caller is told by its promise, which leads to a line of its own.
    private func fail(_ fault: HandshakeFault, _ channel: any Channel) {
        end()
        promise?.fail(fault)
        promise = nil
        guard let plain, plain.hasSeenTLS || fault.rule == .timedOut else { return }
        // Without the port, which differs each time: the lines are counted.
        security.logger.log(
            level: fault.rule == .ended ? .info : .warning,
            "refused a TLS connection from \(channel.remoteAddress?.ipAddress ?? "?"): \(fault)",
            metadata: channel.remoteAddress?.port.map { ["port": "\($0)"] })
    }
}
