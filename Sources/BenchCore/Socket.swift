internal import Glibc

/// The system calls on TCP sockets. Nothing else in this target calls them.
package enum Socket {
    package enum Received: Equatable {
        case bytes(Int)
        case nothing
        case ended
        case failed(Int32)
    }

    private static let stream = Int32(SOCK_STREAM.rawValue)
    private static let flags =
        Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// Begins to connect; the socket turns writable when that is over.
    package static func connecting(to endpoint: Endpoint) throws(BenchError) -> Int32 {
        let descriptor = socket(endpoint.family, stream | flags, 0)
        guard descriptor >= 0 else { throw .system("socket", errno) }
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        let result = endpoint.address.withUnsafeBytes {
            connect(
                descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t($0.count))
        }
        let code = errno
        if result != 0, code != EINPROGRESS {
            close(descriptor)
            throw .noConnection(endpoint, errnoText(code))
        }
        return descriptor
    }

    /// The error of a connect that is over, 0 if it succeeded.
    package static func pendingError(_ descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let result = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        return result == 0 ? code : errno
    }

    /// A listening socket and the port it got.
    package static func listening(at endpoint: Endpoint) throws(BenchError) -> (Int32, port: UInt16)
    {
        let descriptor = socket(endpoint.family, stream | flags, 0)
        guard descriptor >= 0 else { throw .system("socket", errno) }
        set(descriptor, SOL_SOCKET, SO_REUSEADDR)
        let result = endpoint.address.withUnsafeBytes {
            bind(
                descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t($0.count))
        }
        guard result == 0, listen(descriptor, 4096) == 0 else {
            let code = errno
            close(descriptor)
            throw .system("listening at \(endpoint.hostAndPort)", code)
        }
        return (descriptor, localPort(descriptor))
    }

    /// The next connection of a listening socket, nil if none waits.
    package static func accepted(_ listener: Int32) -> Int32? {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else { return nil }
        let old = fcntl(descriptor, F_GETFL, 0)
        _ = fcntl(descriptor, F_SETFL, old | O_NONBLOCK)
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        return descriptor
    }

    package static func receive(_ descriptor: Int32, into room: UnsafeMutableRawBufferPointer)
        -> Received
    {
        let count = recv(descriptor, room.baseAddress, room.count, 0)
        if count > 0 { return .bytes(count) }
        if count == 0 { return .ended }
        switch errno {
        case EAGAIN, EINTR: return .nothing
        default: return .failed(errno)
        }
    }

    /// How many bytes the kernel took, possibly none; nil: the connection is lost.
    package static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return count }
        return errno == EAGAIN || errno == EINTR ? 0 : nil
    }

    package static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    /// Ends a connection with a reset: what is under way is lost, and the port is free at once.
    package static func reset(_ descriptor: Int32) {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
    }

    /// Says that nothing more will be sent.
    package static func endInput(_ descriptor: Int32) { shutdown(descriptor, Int32(SHUT_WR)) }

    /// How much the kernel takes for who does not read.
    package static func setReceiveBuffer(_ descriptor: Int32, bytes: Int32) {
        var bytes = bytes
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Lets the process open as many files as it may. Best effort: a later socket() says no.
    package static func raiseOpenFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
        var one: Int32 = 1
        let result = setsockopt(
            descriptor, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
        assert(result == 0, "switches that every TCP socket has")
    }

    private static func localPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &size)
            }
            // The port is at the same place for IPv4 and IPv6, in network order.
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
    }
}
