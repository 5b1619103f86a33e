import BenchCore
import Synchronization

/// Takes connections and reads what comes, as fast as it comes, and does nothing with it.
///
/// The victim, the light client and whoever attacks share the processors of one machine. The same attack
/// on this shows what of the light client's wait is the attack's own work, which no server can change.
final class Sink: Sendable {
    let port: Endpoint
    private let shouldStop = Atomic<Bool>(false)
    private let thread = Mutex<WorkerThread?>(nil)

    /// Starts a thread, which `stop` ends; it must be called.
    init() throws(BenchError) {
        let (listener, number) = try Socket.listening(at: try Endpoint(url: "http://127.0.0.1:0"))
        port = try Endpoint(url: "http://127.0.0.1:\(number)")
        let started = try WorkerThread { [self] in
            // Descriptors or memory are short: whoever connects is not served.
            try? serve(listener)
            Socket.close(listener)
        }
        thread.withLock { $0 = started }
    }

    func stop() {
        shouldStop.store(true, ordering: .relaxed)
        thread.withLock { $0.take() }?.join()
    }

    private func serve(_ listener: Int32) throws(BenchError) {
        let poller = try Poller()
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { room.deallocate() }
        var open: Set<Int32> = []
        defer { for descriptor in open { Socket.close(descriptor) } }
        poller.add(listener, token: Int(listener), forWriting: false)
        while !shouldStop.load(ordering: .relaxed) {
            for n in 0..<poller.wait(timeout: 10_000_000) {
                let descriptor = Int32(poller[n].token)
                if descriptor == listener {
                    while let new = Socket.accepted(listener) {
                        open.insert(new)
                        poller.add(new, token: Int(new), forWriting: false)
                    }
                    continue
                }
                switch Socket.receive(descriptor, into: room) {
                case .nothing, .bytes: break
                case .ended, .failed:
                    Socket.close(descriptor)
                    open.remove(descriptor)
                }
            }
        }
    }
}
