internal import Cluster
internal import Logging
internal import Logs
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import RaftModel

/// Takes in one snapshot that a peer sends: see `SnapshotTransfer`. On the loop; the sink's calls are
/// made on a pool's threads, one after the other.
final class SnapshotReception {
    private enum Stage {
        /// Waits for all of the message.
        case message(ByteBuffer)
        case file(Message, any SnapshotSink)
        case refused(PeerResponse)
        case over
    }

    private let transport: PeerTransport
    private let bodyBytes: Int
    private var stage = Stage.message(ByteBuffer())
    private var waiting: [ByteBuffer] = []
    private var waitingBytes = 0
    private var isWriting = false
    private var problem: String?
    private var completion: ((PeerResponse) -> Void)?
    /// Whether the socket is to be read; called when that changes.
    private let reads: (Bool) -> Void
    private var isReading = true

    /// - Parameter bodyBytes: the request's Content-Length.
    init(_ transport: PeerTransport, bodyBytes: Int, reads: @escaping (Bool) -> Void) {
        (self.transport, self.bodyBytes, self.reads) = (transport, bodyBytes, reads)
        if transport.receptionsCount >= SnapshotTransfer.receptionsMax {
            stage = .refused(.error(.serviceUnavailable, "busy with other snapshots"))
        }
        transport.receptionsCount += 1
    }

    /// Whether the disk has work, so that the silence of the socket means nothing.
    var isWorking: Bool { isWriting }

    func take(_ bytes: ByteBuffer) {
        switch stage {
        case .refused, .over: break
        case .message(var head):
            var bytes = bytes
            head.writeBuffer(&bytes)
            stage = .message(head)
            readMessage(head)
        case .file:
            waiting.append(bytes)
            waitingBytes += bytes.readableBytes
            work()
        }
        setReading(waitingBytes < SnapshotTransfer.waitingBytesMax)
    }

    private func setReading(_ wanted: Bool) {
        guard wanted != isReading else { return }
        isReading = wanted
        reads(wanted)
    }

    private func readMessage(_ head: ByteBuffer) {
        var rest = head
        guard let size = rest.readInteger(as: UInt64.self) else { return }
        guard size <= UInt64(SnapshotTransfer.messageBytesMax) else {
            return refuse(.badRequest, "the message in front of the snapshot is too long")
        }
        guard let bytes = rest.readSlice(length: Int(size)) else { return }
        let decoded = bytes.withUnsafeReadableBytes { try? Message.decode($0) }
        guard let message = decoded, message.kind == .snapshot, message.snapshot?.data == [] else {
            return refuse(.badRequest, "the snapshot does not begin with a message of one")
        }
        let local = transport.configuration.member
        guard MessageVerdict.judge(message, local: local, peer: nil) == .deliver,
            transport.standing(of: message.from) == .member
        else { return refuse(.preconditionFailed, "the message is not from a member to this one") }
        let sizeBytes = bodyBytes - 8 - Int(size)
        switch transport.sink(for: message, sizeBytes: sizeBytes) {
        case .refuse(let reason): refuse(.internalServerError, reason)
        case .accept(let sink):
            stage = .file(message, sink)
            if rest.readableBytes > 0 { take(rest) }
        }
    }

    private func refuse(_ status: HTTPResponseStatus, _ text: String) {
        transport.log.log(.warning, "refused a snapshot: \(text)")
        stage = .refused(.error(status, text))
    }

    /// All of the body has come; calls `completion` with the answer.
    func end(_ completion: @escaping (PeerResponse) -> Void) {
        switch stage {
        case .refused(let response): completion(response)
        case .message, .over:
            completion(.error(.badRequest, "the snapshot ends before its message does"))
        case .file:
            self.completion = completion
            work()
        }
    }

    private func work() {
        guard !isWriting, case .file(let message, let sink) = stage else { return }
        if let problem { return fail(problem, sink) }
        guard !waiting.isEmpty else {
            if completion != nil { finish(message, sink) }
            return
        }
        let pieces = waiting
        waiting = []
        isWriting = true
        run {
            for piece in pieces { try piece.withUnsafeReadableBytes { try sink.append($0) } }
        } then: { [self] result in
            isWriting = false
            waitingBytes -= pieces.reduce(0) { $0 + $1.readableBytes }
            if case .failure(let error) = result { problem = "\(error)" }
            setReading(waitingBytes < SnapshotTransfer.waitingBytesMax)
            work()
        }
    }

    private func finish(_ message: Message, _ sink: any SnapshotSink) {
        isWriting = true
        run {
            try sink.finish()
        } then: { [self] result in
            isWriting = false
            guard case .file = stage else { return }
            stage = .over
            switch result {
            case .success:
                completion?(PeerResponse(.noContent))
                transport.deliver([message], from: message.from)
            case .failure(let error):
                transport.logger.error("the snapshot from \(message.from) is not taken: \(error)")
                completion?(.error(.internalServerError, "\(error)"))
            }
            completion = nil
        }
    }

    private func fail(_ problem: String, _ sink: any SnapshotSink) {
        sink.abandon()
        transport.logger.error("a snapshot that was coming in is given up: \(problem)")
        let response = PeerResponse.error(.internalServerError, problem)
        stage = .refused(response)
        completion?(response)
        completion = nil
    }

    /// The connection is gone.
    func close() {
        transport.receptionsCount -= 1
        completion = nil
        guard case .file(_, let sink) = stage else { return }
        stage = .over
        guard !isWriting else { return }  // what is being written will be seen to be too little
        run {
            sink.abandon()
        } then: { _ in
        }
    }

    private func run(
        _ body: @escaping @Sendable () throws -> Void,
        then: @escaping (Result<Void, any Error>) -> Void
    ) {
        NIOThreadPool.singleton.runIfActive(eventLoop: transport.eventLoop, body)
            .assumeIsolated().whenComplete(then)
    }
}
