internal import KVServer
internal import NIOCore

/// Answers that are made while they are sent: backups and large listings.
extension ConnectionHandler {
    func open(_ start: BodyOpening, _ framing: AnswerFraming, _ number: UInt32) {
        server.writeHeadOfStream(start.answer, framing: framing, into: &outgoing)
        wantFlush()
        server.meter.ended(
            order.start(of: number), start.answer.status,
            now: ClientServer.monotonicNanoseconds())
        guard !framing.isHead else {
            start.letGo()
            return finishBody(isHTTP10: framing.isHTTP10)
        }
        let new = BodyTransfer(start, isChunked: !framing.isHTTP10, eventLoop: server.eventLoop) {
            [weak self] step in
            self?.take(step, isHTTP10: framing.isHTTP10)
        }
        transfer = new
        new.resume()
    }

    func take(_ step: BodyTransfer.Step, isHTTP10: Bool) {
        guard let context, transfer != nil else { return }
        switch step {
        case .piece(let bytes):
            if outgoing.readableBytes > 0 { flush(all: true) }
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            if isWritable { transfer?.resume() }
        case .end:
            transfer = nil
            if !isHTTP10 { outgoing.writeString(ChunkEnd.text) }
            finishBody(isHTTP10: isHTTP10)
            server.flush()
        case .failed: context.close(promise: nil)
        }
    }
}
