import Foundation
import RaftModel
import Testing

/// What real members of 2.0.13 and 2.3.8 said comes back byte for byte.
@Suite struct CapturedBytesTests {
    @Test(arguments: Capture.all)
    func messagesAndEntriesComeBackIdentical(_ capture: Capture) throws {
        for frame in try capture.frames() {
            for bytes in frame.messages {
                let message = try Message.decode(bytes)
                #expect(message.encodedSize(capture.dialect) == bytes.count)
                #expect(message.encoded(capture.dialect) == bytes, "at \(frame.offset)")
                for entry in message.entries { try CommandCheck.check(entry, capture.dialect) }
            }
            for bytes in frame.entries {
                let entry = try Entry.decode(bytes)
                #expect(entry.encoded(capture.dialect) == bytes, "at \(frame.offset)")
                try CommandCheck.check(entry, capture.dialect)
            }
        }
    }

    /// The listing beside each stream was made by another reader than ours.
    @Test(arguments: Capture.streams)
    func framesAreThoseOfTheListing(_ capture: Capture) throws {
        let frames = try capture.frames()
        let listed = try CapturedFiles.listing(capture.name)
        let positions = listed.compactMap { line -> [Int]? in
            // "     106 +199   …"; a line of an entry has no plus sign there.
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count >= 2, words[1].hasPrefix("+"), let offset = Int(words[0]),
                let count = Int(words[1])
            else { return nil }
            return [offset, count]
        }
        #expect(positions == frames.map { [$0.offset, $0.count] })
        #expect(!positions.isEmpty)
    }

    @Test(arguments: Capture.streams)
    func messagesSayWhatTheListingSays(_ capture: Capture) throws {
        let listed = try CapturedFiles.listing(capture.name).compactMap { line -> String? in
            guard let start = line.range(of: "Msg"), line.contains(" from=") else { return nil }
            let text = line[start.lowerBound...]
            return text.split(separator: " (")[0].trimmingCharacters(in: .whitespaces)
        }
        let decoded = try capture.frames().flatMap(\.messages).map { try line(Message.decode($0)) }
        #expect(decoded == listed)
    }

    @Test func entriesSayWhatTheListingSays() throws {
        var checked = 0
        for capture in Capture.streams {
            let listed = try CapturedFiles.listing(capture.name).filter { $0.contains(" len=") }
            let decoded = try capture.frames().flatMap { frame in
                let inside = try frame.messages.map { try Message.decode($0).entries }
                return try inside.joined() + frame.entries.map { try Entry.decode($0) }
            }
            #expect(decoded.count == listed.count)
            for (entry, text) in zip(decoded, listed) {
                let expected =
                    "index=\(entry.index) term=\(entry.term) "
                    + "\(entry.kind == .normal ? "normal" : "confchange") len=\(entry.data.count) "
                #expect(text.contains(expected), "\(capture.name)")
                checked += 1
            }
        }
        #expect(checked > 300)
    }

    @Test func theSnapshotIsThere() throws {
        let message = try Message.decode(CapturedFiles.peer("post-msgsnap"))
        #expect(message.kind == .snapshot)
        let snapshot = try #require(message.snapshot)
        #expect(snapshot.data.starts(with: Array(#"{"Root":{"Path":"/""#.utf8)))
        #expect(snapshot.metadata.confState.members.count == 3)
        #expect(snapshot.metadata.index > 0 && snapshot.metadata.term == 2)
    }

    @Test func emptyMessagesAreAsLongAsTheirsAre() throws {
        let beat = Message(.heartbeat)
        #expect(beat.encodedSize(.etcd23) == 28)
        #expect(beat.encodedSize(.etcd20) == 30)
    }

    private func line(_ message: Message) -> String {
        let names: [Message.Kind: String] = [
            .propose: "MsgProp", .append: "MsgApp", .appendResponse: "MsgAppResp",
            .vote: "MsgVote", .voteResponse: "MsgVoteResp", .heartbeat: "MsgHeartbeat",
            .heartbeatResponse: "MsgHeartbeatResp",
        ]
        return "\(names[message.kind] ?? "other") from=\(message.from) to=\(message.to) "
            + "term=\(message.term) logTerm=\(message.logTerm) index=\(message.index) "
            + "commit=\(message.commit)"
    }
}
