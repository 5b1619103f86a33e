import RaftModel
import Testing

/// One frame of a captured stream, cut out but not decoded.
struct CapturedFrame {
    var offset: Int
    var count: Int
    /// Encoded messages: none or one.
    var messages: [[UInt8]] = []
    /// Encoded entries that stand alone, not inside a message.
    var entries: [[UInt8]] = []

    /// Message stream: u64 length, message. `reference/peer-protocol.md` §5.1.
    static func messageStream(_ bytes: [UInt8]) -> [CapturedFrame] {
        cut(bytes) { cutter, frame in frame.messages = [cutter.sized()] }
    }

    /// msgapp v2 stream: a byte for the kind of frame. §5.2.
    static func appendStream(_ bytes: [UInt8]) -> [CapturedFrame] {
        cut(bytes) { cutter, frame in
            switch cutter.bytes(1)[0] {
            case 0: break
            case 1:
                let count = cutter.bigEndian()
                frame.entries = (0..<count).map { _ in cutter.sized() }
                _ = cutter.bigEndian()
            case 2: frame.messages = [cutter.sized()]
            default: preconditionFailure("no such kind of frame")
            }
        }
    }

    /// 2.0's stream: groups of entries. §5.3.
    static func entryStream(_ bytes: [UInt8]) -> [CapturedFrame] {
        cut(bytes) { cutter, frame in
            let count = cutter.bigEndian()
            frame.entries = (0..<count).map { _ in cutter.sized() }
        }
    }

    private static func cut(
        _ bytes: [UInt8], _ one: (inout Cutter, inout CapturedFrame) -> Void
    ) -> [CapturedFrame] {
        var frames: [CapturedFrame] = []
        var cutter = Cutter(bytes)
        while !cutter.isAtEnd {
            var frame = CapturedFrame(offset: cutter.offset, count: 0)
            one(&cutter, &frame)
            frame.count = cutter.offset - frame.offset
            frames.append(frame)
        }
        return frames
    }
}

/// A capture, how it is framed, and who wrote it.
struct Capture: CustomTestStringConvertible, Sendable {
    enum Framing: Sendable { case whole, messages, appends, entries }

    var name: String
    var framing: Framing
    var dialect: WireDialect = .etcd23

    var testDescription: String { name }

    func frames() throws -> [CapturedFrame] {
        let bytes = try CapturedFiles.peer(name)
        switch framing {
        case .whole: return [CapturedFrame(offset: 0, count: bytes.count, messages: [bytes])]
        case .messages: return CapturedFrame.messageStream(bytes)
        case .appends: return CapturedFrame.appendStream(bytes)
        case .entries: return CapturedFrame.entryStream(bytes)
        }
    }

    static let posts =
        ["appresp-reject", "heartbeatresp", "msgprop", "msgsnap"].map {
            Capture(name: "post-\($0)", framing: .whole)
        } + (1...5).map { Capture(name: "v2.0.13-post-\($0)", framing: .whole, dialect: .etcd20) }

    static let streams = [
        Capture(name: "message-follower-to-leader", framing: .messages),
        Capture(name: "message-leader-to-follower", framing: .messages),
        Capture(name: "msgapp-leader-to-follower", framing: .appends),
        Capture(name: "msgapp-after-snapshot", framing: .appends),
        Capture(name: "msgapp-follower-to-leader", framing: .appends),
        Capture(
            name: "v2.0.13-stream-leader-to-follower", framing: .entries, dialect: .etcd20),
    ]

    static let all = posts + streams
}
