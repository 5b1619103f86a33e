import Cluster
import NIOCore
import RaftModel
import Testing

@testable import Transport

@Suite struct SmallPartsTests {
    @Test func urlsRotate() throws {
        let urls = try EndpointURL.list("http://a:1,http://b:2,http://c:3")
        var picker = URLPicker(urls)
        #expect(picker.current == urls[0])
        picker.failed(urls[0])
        #expect(picker.current == urls[1])
        // Two streams and a POST find the same URL wanting: one step, not three.
        picker.failed(urls[0])
        #expect(picker.current == urls[1])
        picker.failed(urls[1])
        picker.failed(urls[2])
        #expect(picker.current == urls[0])
    }

    @Test func urlsAreReplaced() throws {
        let urls = try EndpointURL.list("http://a:1,http://b:2")
        var picker = URLPicker(urls)
        picker.failed(urls[0])
        let isMoved = picker.replace(with: urls.reversed())
        #expect(!isMoved)
        #expect(picker.current == urls[1])
        let isMovedNow = picker.replace(with: [urls[0]])
        #expect(isMovedNow)
        #expect(picker.current == urls[0])
    }

    @Test func featuresTravelAsNames() {
        #expect(PeerFeatures(header: PeerFeatures.supported.header) == .supported)
        #expect(PeerFeatures(header: nil) == [])
        #expect(PeerFeatures(header: "future, prevote ,,readindex") == [.preVote, .readIndex])
        #expect(PeerFeatures(rawValue: 1 << 30).header == "")
    }

    @Test(arguments: [
        (1_795_428_322_550_117_175, "2026-11-23T10:05:22.550117175Z"),
        (1_795_428_322_550_000_000, "2026-11-23T10:05:22.55Z"),
        (1_795_428_322_000_000_000, "2026-11-23T10:05:22Z"), (0, "1970-01-01T00:00:00Z"),
        (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
    ])
    func timesAreWrittenAndRead(_ nanoseconds: Int64, _ text: String) {
        #expect(WallClock.rfc3339(nanoseconds) == text)
        #expect(WallClock.nanoseconds(rfc3339: text) == nanoseconds)
    }

    @Test func zonesAreRead() {
        let utc = WallClock.nanoseconds(rfc3339: "2026-11-23T10:05:22Z")
        #expect(WallClock.nanoseconds(rfc3339: "2026-11-23T12:35:22+02:30") == utc)
        #expect(WallClock.nanoseconds(rfc3339: "2026-11-23T02:05:22-08:00") == utc)
        for text in [
            "", "2026", "2026-11-23 10:05:22Z", "2026-11-23T10:05:22", "2026-11-23T10:05:22.Z",
        ] {
            #expect(WallClock.nanoseconds(rfc3339: text) == nil, "\(text)")
        }
        #expect(WallClock.httpDate(1_795_428_322_550_117_175) == "Mon, 23 Nov 2026 10:05:22 GMT")
    }

    @Test func verdicts() {
        let (local, peer) = (MemberID(1), MemberID(2))
        func judge(_ message: Message, from other: MemberID? = MemberID(2)) -> MessageVerdict {
            MessageVerdict.judge(message, local: local, peer: other)
        }
        let good = Message(
            .append, to: local, from: peer, term: 3, logTerm: 2, index: 7,
            entries: [Entry(term: 2, index: 8), Entry(term: 3, index: 9)])
        #expect(judge(good) == .deliver)
        #expect(judge(good, from: nil) == .deliver)
        #expect(judge(good, from: MemberID(3)) == .refuse(.sentBy(peer)))
        var bad = good
        bad.to = MemberID(9)
        #expect(judge(bad) == .refuse(.addressedTo(MemberID(9))))
        bad = good
        bad.entries[1].index = 10
        #expect(judge(bad) == .refuse(.brokenEntries))
        bad = good
        bad.entries[1].term = 4
        #expect(judge(bad) == .refuse(.brokenEntries))
        bad = good
        bad.index = .max
        #expect(judge(bad) == .refuse(.brokenEntries))
        #expect(
            judge(Message(.snapshot, to: local, from: peer)) == .refuse(.missingSnapshot))
        #expect(judge(Message(.vote, to: local)) == .refuse(.sentBy(.none)))
        for kind in Message.Kind.allCases where [0, 1, 10, 11, 12].contains(kind.rawValue) {
            #expect(judge(Message(kind, to: local, from: peer)) == .ignore)
        }
    }

    @Test func healthSmoothesRoundTrips() {
        var health = PeerHealth()
        health.answered(roundTrip: .milliseconds(8), clockDifference: .zero)
        health.answered(roundTrip: .milliseconds(16), clockDifference: .milliseconds(-3))
        #expect(health.smoothedRoundTrip == .milliseconds(9))
        #expect(health.lastRoundTrip == .milliseconds(16))
        health.lost()
        #expect(!health.isHealthy && health.lossCount == 1 && health.probeCount == 3)
    }
}
