internal import Logging
internal import Logs
internal import NIOCore

/// Stands before TLS and looks at the first byte: who speaks HTTP is told so, in HTTP. TLS itself
/// would answer with an alert, which such a client shows as rubbish.
final class PlainHTTPGuard: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case waiting
        case passing
        case refused
    }

    private let security: PortSecurity
    private var state = State.waiting

    init(_ security: PortSecurity) { self.security = security }

    /// Something came that TLS was given.
    var hasSeenTLS: Bool { state == .passing }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .passing: context.fireChannelRead(data)
        case .refused: break
        case .waiting:
            let bytes = unwrapInboundIn(data)
            guard Self.isHTTP(bytes) else {
                state = .passing
                return context.fireChannelRead(data)
            }
            state = .refused
            refuse(bytes, context)
        }
    }

    /// A method's letters; a TLS record begins with a number below 32.
    private static func isHTTP(_ bytes: ByteBuffer) -> Bool {
        let word = bytes.readableBytesView.prefix { $0 != UInt8(ascii: " ") }
        let letters = UInt8(ascii: "A")...UInt8(ascii: "Z")
        return !word.isEmpty && word.count <= 16 && word.allSatisfy { letters.contains($0) }
    }

    private func refuse(_ request: ByteBuffer, _ context: ChannelHandlerContext) {
        let port = context.localAddress?.port.map { "\($0)" } ?? ""
        security.logger.warning(
            """
            refused plain HTTP from \(context.remoteAddress?.ipAddress ?? "?") on TLS port \(port): it \
            has to use https://
            """)
        let body =
            "client sent plain HTTP to a TLS port; use https://\(Self.host(in: request) ?? Self.host(of: context))\n"
        let answer =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        // It may still be sending: closing at once would reset the connection, and lose the answer.
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(500)) {
            // Not through TLS, which would wait for a farewell.
            context.close(promise: nil)
        }
    }

    private static func host(of context: ChannelHandlerContext) -> String {
        guard let address = context.localAddress, let ip = address.ipAddress else { return "" }
        let host = address.protocol == .inet6 ? "[\(ip)]" : ip
        return "\(host):\(address.port ?? 0)"
    }

    /// The header `Host`, if it has one and looks like one.
    private static func host(in request: ByteBuffer) -> String? {
        let head = String(decoding: request.readableBytesView.prefix(4096), as: UTF8.self)
        for line in head.split(whereSeparator: \.isNewline) where line.count < 300 {
            let line = line.lowercased()
            guard line.hasPrefix("host:") else { continue }
            let host = line.dropFirst(5).drop { $0 == " " }
            let isHost = host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: ".-:[]".utf8.contains(byte)
                }
            }
            return isHost && !host.isEmpty ? String(host) : nil
        }
        return nil
    }
}
