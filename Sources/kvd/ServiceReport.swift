import Cluster
import KVServer
import NIOCore
import RaftModel

/// What `systemctl status` shows of this member, and the proof that its event loop turns.
final class ServiceReport {
    private let manager: ServiceManager
    private let engine: Engine
    private var saidReady = false
    private var said = ""
    private var watchdog: RepeatedTask?

    init(_ manager: ServiceManager, _ engine: Engine, _ eventLoop: any EventLoop) {
        (self.manager, self.engine) = (manager, engine)
        watchdog = manager.prove(eventLoop)
    }

    /// Tells what is new. To be called at each tick.
    func update() {
        let status = status
        if !saidReady, engine.isPublished {
            saidReady = manager.tell("READY=1", "STATUS=\(status)")
            if saidReady { said = status }
        } else if status != said, manager.tell("STATUS=\(status)") {
            said = status
        }
    }

    func stopping() {
        watchdog?.cancel()
        manager.tell("STOPPING=1", "STATUS=Stopping")
    }

    private var status: String {
        let who = "Member \(engine.memberID) of cluster \(engine.clusterID)"
        guard engine.isMember else { return "\(who): waiting for a leader's entries to join it" }
        guard engine.leader != .none else { return "\(who): waiting for a leader" }
        let size = engine.membership.members.count
        let role = engine.isLeader ? "leads" : "follows \(engine.leader)"
        let trouble = engine.isDiskFull ? ", and refuses writes: its disk is full" : ""
        guard engine.isPublished else { return "\(who): \(role), joining" }
        return "\(who): \(role) at term \(engine.term), of \(size) members\(trouble)"
    }
}
