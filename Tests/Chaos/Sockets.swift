import Foundation
import ProcessSupport

/// The few calls on sockets that the proxy needs, on loopback.
enum Sockets {
    static func makeNonBlocking(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK)
        // Members that are started later do not inherit it.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    static func prepare(_ socket: Int32) {
        makeNonBlocking(socket)
        var noDelay: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, 4)
    }

    static func listen() throws -> (socket: Int32, port: Int) {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isBound = LoopbackAddress.with(port: 0) { bind(socket, $0, $1) == 0 }
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isNamed = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(socket, $0, &size) == 0
            }
        }
        guard isBound, isNamed, Foundation.listen(socket, 256) == 0 else {
            throw ChaosFailure("cannot listen: errno \(errno)")
        }
        makeNonBlocking(socket)
        return (socket, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// Begins to connect; nil: refused at once.
    static func connect(to port: Int) -> Int32? {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return nil }
        prepare(socket)
        let result = LoopbackAddress.with(port: port) { Foundation.connect(socket, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else {
            close(socket)
            return nil
        }
        return socket
    }

    static func hasConnected(_ socket: Int32) -> Bool {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code == 0
    }

    static func drain(_ descriptor: Int32) {
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(descriptor, &bytes, bytes.count) > 0 {}
    }
}
