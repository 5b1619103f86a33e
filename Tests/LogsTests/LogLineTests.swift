import Foundation
import Logging
import Testing

@testable import Logs

@Suite struct LogLineTests {
    private func text(
        _ message: String, level: Logger.Level = .info, metadata: Logger.Metadata = [:],
        time: timespec = timespec(tv_sec: 1_795_427_662, tv_nsec: 498_023_999)
    ) -> String {
        let line = LogLine(
            time: time, level: level, package: "etcdserver", message: message, metadata: metadata)
        return String(decoding: line.bytes, as: UTF8.self)
    }

    /// Local time, as Foundation tells it.
    @Test(arguments: [1_795_427_662, 0, 951_782_400, 1_709_164_799, 4_102_444_799])
    func beginsWithLocalTime(_ seconds: Int) {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd HH:mm:ss"
        let time = formatter.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
        let line = text("m", time: timespec(tv_sec: seconds, tv_nsec: 7_000))
        #expect(line == "\(time).000007 I | etcdserver: m\n")
    }

    @Test func hasEtcdsShape() throws {
        let line = text("published {Name:m1 ClientURLs:[http://127.0.0.1:2379]} to cluster 7e27")
        let shape =
            /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.498023 I \| etcdserver: published {Name:m1 .*\n/
        #expect(try shape.wholeMatch(in: line) != nil)
    }

    @Test(arguments: [
        (Logger.Level.critical, "C"), (.error, "E"), (.warning, "W"), (.notice, "N"),
        (.info, "I"), (.debug, "D"), (.trace, "T"),
    ])
    func letters(_ level: Logger.Level, _ letter: String) {
        #expect(text("m", level: level).dropFirst(27).hasPrefix("\(letter) | etcdserver: m"))
    }

    @Test func metadataFollowsSortedAndQuotedWhereNeeded() {
        let line = text(
            "m",
            metadata: [
                "peer": "78b604e6cbc539bd", "b": "two words", "a": "", "q": "say \"hi\"",
            ])
        #expect(
            line.hasSuffix(
                ": m a=\"\" b=\"two words\" peer=78b604e6cbc539bd q=\"say \\\"hi\\\"\"\n"))
    }

    @Test func staysOneLine() {
        let line = text("a\nb\r\tc\u{1b}[31m", metadata: ["k": "x\n2026 I | y"])
        #expect(line.hasSuffix(": a\\nb\\r\\tc\\x1b[31m k=\"x\\n2026 I | y\"\n"))
        #expect(line.utf8.filter { $0 == UInt8(ascii: "\n") }.count == 1)
    }

    @Test func textBeyondASCIIIsKept() {
        #expect(text("Größe ✓").hasSuffix(": Größe ✓\n"))
    }
}
