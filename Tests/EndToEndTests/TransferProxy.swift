import Foundation
import ProcessSupport
import Synchronization

/// Stands before a member's peer port, and does something to each snapshot that goes through it.
final class TransferProxy: Sendable {
    enum Mishap: Sendable {
        case none
        /// The connection ends after so many bytes.
        case cut(after: Int)
        /// A bit of the byte at that place turns over.
        case flip(at: Int)
        /// Nothing moves behind that place until `release`.
        case stall(at: Int)
    }

    private struct State {
        var mishaps: [Mishap]
        var passedBytes: [Int] = []
        var isReleased = false
        var sockets: [Int32] = []
        var isOver = false
    }

    private let state: Mutex<State>
    let port: Int
    private let target: Int

    /// - Parameter mishaps: of one snapshot after the other; the rest pass.
    init(port: Int, to target: Int, _ mishaps: [Mishap]) throws {
        (self.port, self.target) = (port, target)
        state = Mutex(State(mishaps: mishaps))
        let socket = try Sockets.listen(port)
        state.withLock { $0.sockets.append(socket) }
        Thread.detachNewThread { [weak self] in
            while true {
                let front = accept(socket, nil, nil)
                guard front >= 0 else { break }
                guard let self, let back = Sockets.connect(target), keep([front, back]) else {
                    close(front)
                    continue
                }
                Thread.detachNewThread { [weak self] in self?.forward(front, back) }
                Thread.detachNewThread {
                    Sockets.pass(from: back, to: front)
                    shutdown(front, Int32(SHUT_WR))
                }
            }
            close(socket)
        }
    }

    deinit { stop() }

    /// Of each snapshot that came, request heads and all.
    var passedBytes: [Int] { state.withLock { $0.passedBytes } }

    func release() { state.withLock { $0.isReleased = true } }

    func stop() {
        let sockets = state.withLock { state in
            (state.isOver, state.isReleased) = (true, true)
            defer { state.sockets = [] }
            return state.sockets
        }
        for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    private func keep(_ sockets: [Int32]) -> Bool {
        state.withLock { state in
            guard !state.isOver else { return false }
            state.sockets += sockets
            return true
        }
    }

    /// From the caller to the member. Sockets are left to `stop`: their numbers must not be used anew.
    private func forward(_ front: Int32, _ back: Int32) {
        defer { shutdown(back, Int32(SHUT_RDWR)) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var (passed, number) = (0, -1)
        var mishap = Mishap.none
        while true {
            var count = recv(front, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            if passed == 0, buffer[..<count].starts(with: Array("POST /raft/snapshot/kvd".utf8)) {
                (number, mishap) = state.withLock { state in
                    state.passedBytes.append(0)
                    let next = state.mishaps.isEmpty ? Mishap.none : state.mishaps.removeFirst()
                    return (state.passedBytes.count - 1, next)
                }
            }
            switch mishap {
            case .none: break
            case .cut(let end): count = min(count, end - passed)
            case .flip(let place):
                if (passed..<(passed + count)).contains(place) { buffer[place - passed] ^= 16 }
            case .stall(let place):
                while passed + count > place, !state.withLock({ $0.isReleased }) { usleep(5000) }
            }
            guard Sockets.send(buffer[..<count], to: back) else { return }
            passed += count
            if number >= 0 {
                let total = passed
                state.withLock { $0.passedBytes[number] = total }
            }
            if case .cut(passed) = mishap {
                shutdown(front, Int32(SHUT_RDWR))
                return
            }
        }
    }
}

/// Plain sockets on 127.0.0.1.
enum Sockets {
    static func listen(_ port: Int) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        let isBound = LoopbackAddress.with(port: port) { bind(socket, $0, $1) == 0 }
        guard isBound, Glibc.listen(socket, 64) == 0 else {
            throw LoopbackHTTP.Failed(description: "cannot listen on \(port): errno \(errno)")
        }
        return socket
    }

    static func connect(_ port: Int) -> Int32? {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard LoopbackAddress.with(port: port, { Glibc.connect(socket, $0, $1) == 0 }) else {
            close(socket)
            return nil
        }
        return socket
    }

    static func send(_ bytes: ArraySlice<UInt8>, to socket: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    static func pass(from: Int32, to: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            guard count > 0, send(buffer[..<count], to: to) else { return }
        }
    }
}
