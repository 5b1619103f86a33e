import Foundation
import NIOCore
import RaftModel
import Testing

@testable import Transport

/// Traffic captured between real etcd members: `Fixtures/peer`, described in its ANNOTATED.md.
enum PeerFixture {
    static let m1 = MemberID(0x2e24_6aaa_25c0_f9d0)
    static let m2 = MemberID(0x5bc9_0d10_9e46_9951)
    static let m3 = MemberID(0x90ca_d651_021c_b5bf)
    static let m4 = MemberID(0x755a_16e0_e5a9_33e5)
    static let cluster = ClusterID(0xd1e6_96e5_d3cb_959e)

    static func bytes(_ name: String) throws -> [UInt8] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try [UInt8](
            Data(contentsOf: folder.appendingPathComponent("Fixtures/peer/\(name)")))
    }

    static func text(_ name: String) throws -> String {
        String(decoding: try bytes(name), as: UTF8.self)
    }
}

/// A captured stream: who dialled whom, and of which kind.
struct CapturedStream: CustomTestStringConvertible, Sendable {
    var name: String
    var kind: StreamKind
    var local: MemberID
    var peer: MemberID

    var testDescription: String { name }

    static let all = [
        CapturedStream(
            name: "msgapp-leader-to-follower", kind: .append, local: PeerFixture.m2,
            peer: PeerFixture.m3),
        CapturedStream(
            name: "msgapp-follower-to-leader", kind: .append, local: PeerFixture.m3,
            peer: PeerFixture.m2),
        CapturedStream(
            name: "msgapp-after-snapshot", kind: .append, local: PeerFixture.m2,
            peer: PeerFixture.m3),
        CapturedStream(
            name: "message-leader-to-follower", kind: .message, local: PeerFixture.m2,
            peer: PeerFixture.m3),
        CapturedStream(
            name: "message-follower-to-leader", kind: .message, local: PeerFixture.m3,
            peer: PeerFixture.m2),
    ]

    func makeDecoder() -> AnyDecoder {
        switch kind {
        case .append:
            .append(
                FrameReader(
                    AppendStreamDecoder(local: local, peer: peer, frameBytesMax: 1 << 20)))
        case .message: .message(FrameReader(MessageStreamDecoder(messageBytesMax: 1 << 20)))
        }
    }
}

/// Either stream's reader, so that one test serves both.
enum AnyDecoder {
    case append(FrameReader<AppendStreamDecoder>)
    case message(FrameReader<MessageStreamDecoder>)

    mutating func read(
        _ bytes: some Sequence<UInt8>, into messages: inout [Message]
    ) throws(StreamFault) {
        var buffer = ByteBuffer(bytes: bytes)
        switch self {
        case .append(var reader):
            try reader.read(&buffer, into: &messages)
            self = .append(reader)
        case .message(var reader):
            try reader.read(&buffer, into: &messages)
            self = .message(reader)
        }
        precondition(buffer.readableBytes == 0, "a reader takes all that it is given")
    }

    var linkHeartbeatCount: Int {
        switch self {
        case .append(let reader): reader.decoder.linkHeartbeatCount
        case .message(let reader): reader.decoder.linkHeartbeatCount
        }
    }
}

/// What a stream carries, frame by frame.
enum Frame: Equatable {
    case linkHeartbeat
    case message(Message)

    /// Decodes byte for byte, so that the end of each frame is seen.
    static func all(in stream: CapturedStream) throws -> [(bytes: Range<Int>, frame: Frame)] {
        let bytes = try PeerFixture.bytes(stream.name + ".bin")
        var decoder = stream.makeDecoder()
        var frames: [(bytes: Range<Int>, frame: Frame)] = []
        var start = 0
        for end in 1...bytes.count {
            var messages: [Message] = []
            let heartbeats = decoder.linkHeartbeatCount
            try decoder.read([bytes[end - 1]], into: &messages)
            if let message = messages.first {
                frames.append((start..<end, .message(message)))
            } else if decoder.linkHeartbeatCount > heartbeats {
                frames.append((start..<end, .linkHeartbeat))
            } else {
                continue
            }
            start = end
        }
        return frames
    }
}
