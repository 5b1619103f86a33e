import ProtoWire
import RaftModel
import Transport

extension FuzzTarget {
    /// Every message of raft's, and commands.
    static let wire = FuzzTarget(
        "wire", "protobuf: messages, entries, snapshots, commands", weight: 8
    ) { input in
        var accepted = false
        accepted = try survives(Entry.self, input) || accepted
        accepted = try survives(HardState.self, input) || accepted
        accepted = try survives(ConfState.self, input) || accepted
        accepted = try survives(SnapshotMetadata.self, input) || accepted
        accepted = try survives(Snapshot.self, input) || accepted
        accepted = try survives(Message.self, input) || accepted
        accepted = try survives(ConfChange.self, input) || accepted
        // Reads through `RequestView.decode`.
        accepted = try survives(Request.self, input) || accepted
        do throws(WireError) {
            var reader = WireReader(input)
            while let field = try reader.nextField() { try reader.skip(field) }
            if !reader.isAtEnd { throw WireError(.truncated, at: -1) }
        } catch {
            try requirePlace(of: error, in: input)
        }
        return accepted
    }

    /// False: refused, with an error that lies in the input.
    private static func survives<T: WireCodable & Equatable>(
        _ type: T.Type, _ input: UnsafeRawBufferPointer
    ) throws(FuzzFinding) -> Bool {
        let value: T
        do throws(WireError) { value = try T.decode(input) } catch {
            try requirePlace(of: error, in: input)
            return false
        }
        let again = try? T.decode(value.encoded())
        try require(again == value, "\(value) became \(String(describing: again))")
        // What an etcd 2.0 is sent: it knows less, but must be readable.
        try require(
            (try? T.decode(value.encoded(.etcd20))) != nil, "unreadable for etcd 2.0: \(value)")
        return true
    }

    private static func requirePlace(
        of error: WireError, in input: UnsafeRawBufferPointer
    ) throws(FuzzFinding) {
        // An offset within the message, or the one just past its end.
        try require(
            error.offset >= 0 && error.offset <= input.count, "\(error) in \(input.count) bytes")
    }

    private static let local = MemberID(0x2fc6_504d_e5f9_33f1)
    private static let peer = MemberID(0xd627_712d_fbce_fc29)
    private static let frameBytesMax = 1 << 20

    static let appendStream = streamTarget(
        "append-stream", "a leader's stream of appends (msgapp v2)"
    ) { input in
        let whole = try read(input) {
            PeerStreamBytes(appendsOf: peer, to: local, frameBytesMax: frameBytesMax)
        }
        let sound = whole.messages.filter { isSound($0) && $0.kind == .append }
        var again = PeerStreamBytes(appendsOf: peer, to: local, frameBytesMax: frameBytesMax)
        PeerStreamBytes.encoded(appends: sound).withUnsafeBytes { again.read($0) }
        let carried = sound.map { $0.asAppendStreamsCarryIt }
        try require(
            again.messages.map { $0.asAppendStreamsCarryIt } == carried,
            "\(carried) became \(again.messages), \(again.fault ?? "without a fault")")
        return whole.fault == nil && !whole.messages.isEmpty
    }

    static let messageStream = streamTarget("message-stream", "a peer's stream of messages") {
        input in
        let whole = try read(input) { PeerStreamBytes(messageBytesMax: frameBytesMax) }
        var again = PeerStreamBytes(messageBytesMax: frameBytesMax)
        PeerStreamBytes.encoded(whole.messages).withUnsafeBytes { again.read($0) }
        try require(
            again.messages == whole.messages && again.fault == nil,
            "\(whole.messages) became \(again.messages)")
        return whole.fault == nil && !whole.messages.isEmpty
    }

    private static func streamTarget(
        _ name: String, _ purpose: String,
        _ check: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Bool
    ) -> FuzzTarget {
        var target = FuzzTarget(name, purpose, check: check)
        // Up to a MB is reserved on a peer's word, and an entry has its own costs.
        (target.memoryPerByte, target.memoryBytesBeside) = (256, 4 << 20)
        return target
    }

    /// In one piece and in many.
    private static func read(
        _ input: UnsafeRawBufferPointer, by make: () -> PeerStreamBytes
    ) throws(FuzzFinding) -> PeerStreamBytes {
        var whole = make()
        whole.read(input)
        var cut = make()
        var cuts = FuzzCuts(of: input)
        cuts.forEach(of: input) { cut.read($0) }
        try require(
            whole.messages == cut.messages && whole.fault == cut.fault,
            "in one piece: \(whole.messages) \(whole.fault ?? ""); cut: \(cut.messages) "
                + (cut.fault ?? ""))
        for message in whole.messages { _ = isSound(message) }
        return whole
    }

    private static func isSound(_ message: Message) -> Bool {
        PeerStreamBytes.judge(message, local: local, peer: peer) == .delivered
    }
}

extension Message {
    /// A stream of appends says nothing of what an append does not have.
    fileprivate var asAppendStreamsCarryIt: Message {
        Message(
            .append, to: to, from: from, term: term, logTerm: logTerm, index: index,
            entries: entries, commit: commit)
    }
}
