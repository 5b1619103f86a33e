internal import Cluster
internal import NIOCore

/// Asks several servers for the same thing, until one gives it.
///
/// In the order given, so that the first one answers while it is well; but none is waited for long. The
/// next is asked as soon as one has failed, or has been silent for `patience`, while the silent ones may
/// still answer:
///
///     first   ─────────────────────────────────✗ gone: nothing came back until the time limit
///     second        ────────────────────────────
///     third               ───✓ its answer counts, 2 × patience after the beginning
///
/// So what swallows connections costs a moment, and not its time limit. What still comes from others is
/// dropped. Lives on one event loop, until the last question is over.
final class FirstAnswer<Value: Sendable> {
    private var rest: ArraySlice<EndpointURL>
    private let ask: (EndpointURL) -> EventLoopFuture<Value>
    private let promise: EventLoopPromise<Value>
    private let eventLoop: any EventLoop
    private var underWayCount = 0
    private var isOver = false

    private static var patience: TimeAmount { .milliseconds(250) }
    /// Asked at the same time.
    private static var underWayMax: Int { 8 }

    init(
        of urls: [EndpointURL], _ promise: EventLoopPromise<Value>, on eventLoop: any EventLoop,
        ask: @escaping (EndpointURL) -> EventLoopFuture<Value>
    ) {
        (rest, self.promise, self.eventLoop) = (urls[...], promise, eventLoop)
        self.ask = ask
    }

    func start() {
        guard !rest.isEmpty else {
            return promise.fail(PeerClientError(url: nil, problem: "there is nobody to be asked"))
        }
        askNext()
    }

    private func askNext() {
        guard !isOver, underWayCount < Self.underWayMax, let url = rest.popFirst() else { return }
        underWayCount += 1
        let patience = eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { [self] in
            askNext()
        }
        ask(url).assumeIsolated().whenComplete { [self] result in
            patience.cancel()
            underWayCount -= 1
            ended(result)
        }
    }

    private func ended(_ result: Result<Value, any Error>) {
        guard !isOver else { return }
        switch result {
        case .success(let value):
            isOver = true
            promise.succeed(value)
        case .failure(let error):
            askNext()
            guard underWayCount == 0 else { return }
            isOver = true
            promise.fail(error)
        }
    }
}
