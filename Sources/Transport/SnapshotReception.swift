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
        /// Decided; what still comes is dropped.
        case over
    }

    private let transport: PeerTransport
    private let request: PeerServerConnection.SnapshotRequest
    private var stage = Stage.message(ByteBuffer())
    private var waiting: [ByteBuffer] = []
    private var waitingBytes = 0
    private var isWriting = false
    /// Who sends; no other snapshot of its may come in before the sink has been let go.
    private var peer: MemberID?
    private var hasEnded = false
    private var isCutOff = false
    private let answer: (PeerResponse) -> Void
    private let reads: (Bool) -> Void
    private var isReading = true

    /// - Parameters:
    ///   - reads: says whether the socket is to be read; called when that changes.
    ///   - answer: called once, unless the connection is closed first. A refusal does not wait for
    ///     the rest of the file, so that the sender can spare itself sending it.
    init(
        _ transport: PeerTransport, _ request: PeerServerConnection.SnapshotRequest,
        reads: @escaping (Bool) -> Void, answer: @escaping (PeerResponse) -> Void
    ) {
        (self.transport, self.request) = (transport, request)
        (self.reads, self.answer) = (reads, answer)
    }

    /// Whether the disk has work, so that the silence of the socket means nothing.
    var isWorking: Bool { isWriting }

    func take(_ bytes: ByteBuffer) {
        switch stage {
        case .over: break
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
        guard wanted != isReading, !isCutOff else { return }
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
            transport.standing(of: message.from) != .removed,
            transport.takesPosts(from: message.from)
        else {
            transport.refused(message)
            return refuse(.preconditionFailed, "the message is not from a member to this one")
        }
        guard transport.hasRoomForSnapshot(from: message.from) else {
            return refuse(.serviceUnavailable, "busy with other snapshots")
        }
        let part = SnapshotPart(
            identity: request.identity, offset: request.offset,
            sizeBytes: request.offset + request.bodyBytes - 8 - Int(size))
        switch transport.sink(for: message, part) {
        case .refuse(let reason): refuse(.internalServerError, reason)
        case .accept(let sink):
            stage = .file(message, sink)
            transport.receivingFrom.append(message.from)
            peer = message.from
            if rest.readableBytes > 0 { take(rest) }
        }
    }

    private func refuse(_ status: HTTPResponseStatus, _ text: String) {
        transport.logger.warning("refused a snapshot: \(text)")
        stage = .over
        answer(.error(status, text))
    }

    /// All of the body has come.
    func end() {
        hasEnded = true
        switch stage {
        case .over: break
        case .message: refuse(.badRequest, "the snapshot ends before its message does")
        case .file: work()
        }
    }

    private func work() {
        guard !isWriting, case .file(let message, let sink) = stage else { return }
        guard !waiting.isEmpty else {
            if hasEnded { finish(message, sink) } else if isCutOff { suspend(sink) }
            return
        }
        let pieces = waiting
        waiting = []
        run {
            for piece in pieces { try piece.withUnsafeReadableBytes { try sink.append($0) } }
        } then: { [self] result in
            waitingBytes -= pieces.reduce(0) { $0 + $1.readableBytes }
            if case .failure(let error) = result { return give(up: sink, "\(error)") }
            setReading(waitingBytes < SnapshotTransfer.waitingBytesMax)
            work()
        }
    }

    private func finish(_ message: Message, _ sink: any SnapshotSink) {
        run {
            try sink.finish()
        } then: { [self] result in
            switch result {
            case .success:
                letGo()
                stage = .over
                // Also when the connection is gone: the file is there, and raft can use it.
                if !isCutOff { answer(PeerResponse(.noContent)) }
                transport.deliver([message], from: message.from)
            case .failure(let error): give(up: sink, "\(error)")
            }
        }
    }

    private func give(up sink: any SnapshotSink, _ problem: String) {
        transport.logger.error("a snapshot that was coming in is given up: \(problem)")
        stage = .over
        (waiting, waitingBytes) = ([], 0)
        run {
            sink.abandon()
        } then: { [self] _ in
            letGo()
        }
        guard !isCutOff else { return }
        answer(.error(.internalServerError, problem))
        setReading(true)
    }

    /// The connection is gone. What has come is written all the same: the next one goes on there.
    func close() {
        isCutOff = true
        work()
    }

    private func suspend(_ sink: any SnapshotSink) {
        stage = .over
        run {
            sink.suspend()
        } then: { [self] _ in
            letGo()
        }
    }

    private func letGo() { transport.receivingFrom.removeAll { $0 == peer } }

    private func run(
        _ body: @escaping @Sendable () throws -> Void,
        then: @escaping (Result<Void, any Error>) -> Void
    ) {
        isWriting = true
        SnapshotTransfer.threads.runIfActive(eventLoop: transport.eventLoop, body)
            .assumeIsolated().whenComplete { [self] result in
                isWriting = false
                then(result)
            }
    }
}
