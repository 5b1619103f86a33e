import CKvd
import Glibc

/// A thread of its own, for work that blocks: writing and syncing files.
package final class WorkerThread: Sendable {
    private let id: pthread_t

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Starts it. `name`, of at most 15 bytes, is what top and gdb show. `join` or `detach` must
    /// be called, once.
    package init(named name: String, _ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(name: name, run: run))
        var id = pthread_t()
        let code = pthread_create(
            &id, nil,
            { raw in
                // Created by passRetained above, taken back exactly once.
                guard let raw else { return nil }
                let body = Unmanaged<Body>.fromOpaque(raw).takeRetainedValue()
                kvd_name_thread(body.name)
                body.run()
                return nil
            }, body.toOpaque())
        // Out of threads or memory at the start: there is no log without this one.
        precondition(code == 0, "cannot start thread \(name): errno \(code)")
        self.id = id
    }

    package enum Priority: Sendable {
        case usual
        /// A small share of the processor and the disk where others want them too.
        case background
        /// The processor only while nobody else wants it: gives way at once to any thread that wakes,
        /// and gets next to nothing where there is always one. For work that another thread can take
        /// over, and that holds no lock which others need.
        case idle
    }

    /// Of the calling thread. It cannot go back from `.idle`, which takes a privilege.
    static func take(_ priority: Priority) {
        switch priority {
        case .usual: break
        case .background: kvd_lower_thread_priority()
        case .idle: kvd_idle_thread_priority()
        }
    }

    package func join() {
        let code = pthread_join(id, nil)
        precondition(code == 0, "thread joined twice, or by itself")
    }

    package func detach() {
        let code = pthread_detach(id)
        precondition(code == 0, "thread detached twice")
    }
}
