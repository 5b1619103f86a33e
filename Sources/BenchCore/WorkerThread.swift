internal import Glibc

/// A plain thread. The generator's loops block in epoll for their whole life, which the threads of
/// Swift's concurrency pool must not.
package struct WorkerThread: Sendable {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    package init(_ run: @escaping @Sendable () -> Void) throws(BenchError) {
        var thread = pthread_t()
        let body = Unmanaged.passRetained(Body(run))
        let code = pthread_create(
            &thread, nil,
            { argument in
                // Set right below; pthread_create passes it on as it is.
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard code == 0 else {
            body.release()
            throw .system("pthread_create", code)
        }
        self.thread = thread
    }

    package func join() { pthread_join(thread, nil) }
}
