internal import Auth
internal import Dispatch
internal import NIOCore

/// Hashes passwords, one at a time, away from the event loop: each takes some 50 ms.
///
/// So of two processors one is always left for everything else, whoever sends whatever passwords.
/// What waits is bounded. Called on the loop; results come back on it, in a later turn.
final class PasswordWorker {
    enum Job: Sendable {
        case check([UInt8], against: [UInt8]?)
        case hash([UInt8])
    }

    enum Result: Sendable {
        case isRight(Bool)
        case hash([UInt8])
    }

    private let queue = DispatchQueue(label: "kvd.passwords", qos: .utility)
    private let eventLoop: any EventLoop
    private let waitingMax: Int
    private var waitingCount = 0

    init(eventLoop: any EventLoop, waitingMax: Int) {
        (self.eventLoop, self.waitingMax) = (eventLoop, waitingMax)
    }

    /// - Returns: false if too many wait; `done` is not called then.
    func submit(_ job: Job, done: @escaping (Result) -> Void) -> Bool {
        guard waitingCount < waitingMax else { return false }
        waitingCount += 1
        let promise = eventLoop.makePromise(of: Result.self)
        promise.futureResult.assumeIsolated().whenSuccess { [self] result in
            waitingCount -= 1
            done(result)
        }
        queue.async { promise.succeed(Self.carryOut(job)) }
        return true
    }

    private static func carryOut(_ job: Job) -> Result {
        switch job {
        case .check(let password, let hash):
            .isRight(PasswordHash.matches(password, hash))
        case .hash(let password): .hash(PasswordHash.make(password))
        }
    }
}
