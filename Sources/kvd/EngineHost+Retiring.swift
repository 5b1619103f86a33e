import ClientAPI
import KVServer
import Logging
import NIOCore
import RaftModel

/// A clean stop: leadership is handed over and those who wait are answered, so that a restart costs
/// the cluster no election timeout and its clients no failed write.
///
///     handingOver ──another leads──▶ draining ──all answered──▶ lingering ──a heartbeat──▶ retired
///          └── nobody can take over, or it took too long: on to draining ──┘
///
/// While it hands over, this member takes requests, and passes them to the next leader. While it
/// drains it takes none. It lingers so that messages which others sent before they knew the new leader
/// are passed on.
final class Retirement {
    enum Phase {
        case handingOver
        case draining
        case lingering
        case retired
    }

    fileprivate var phase = Phase.handingOver
    fileprivate var hasHandedOver = false
    fileprivate let promise: EventLoopPromise<Void>

    fileprivate init(_ promise: EventLoopPromise<Void>) { self.promise = promise }
}

extension EngineHost {
    /// Ends with success when this member can stop, and after some seconds in any case.
    func retire() -> EventLoopFuture<Void> {
        precondition(retirement == nil, "a member retires once")
        let new = Retirement(eventLoop.makePromise(of: Void.self))
        retirement = new
        // A transfer that fails is given up after an election timeout.
        let configuration = engine.configuration
        let longest = configuration.heartbeatInterval * configuration.electionTicks + .seconds(1)
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(longest)) { [self] in
            guard new.phase != .retired else { return }
            log.warning("stopping although some requests are not answered yet")
            finish(new)
        }
        advance()
        if engine.handOverLeadership() { needsPump() } else { drain(new) }
        return new.promise.futureResult
    }

    /// After each pump.
    func continueRetiring() {
        guard let retirement else { return }
        switch retirement.phase {
        case .handingOver:
            guard !engine.isHandingOver, engine.leader != .none else { return }
            retirement.hasHandedOver = !engine.isLeader
            drain(retirement)
        case .draining:
            // Without a leader nobody is answered.
            guard engine.isIdle || engine.leader == .none else { return }
            if retirement.hasHandedOver { linger(retirement) } else { finish(retirement) }
        case .lingering, .retired: break
        }
    }

    private func drain(_ retirement: Retirement) {
        retirement.phase = .draining
        parts?.clients.stop()
        needsPump()
    }

    private func linger(_ retirement: Retirement) {
        retirement.phase = .lingering
        let wait = TimeAmount(engine.configuration.heartbeatInterval)
        eventLoop.assumeIsolated().scheduleTask(in: wait) { [self] in finish(retirement) }
    }

    private func finish(_ retirement: Retirement) {
        guard retirement.phase != .retired else { return }
        retirement.phase = .retired
        retirement.promise.succeed()
    }
}
