import FixtureSupport
import DumpCore
import Foundation
import StorageIO
import Testing

/// `wal` on logs that real etcd binaries wrote, held against what an independent reader saw.
@Suite struct LogDumpTests {
    static let dirs: [(name: String, member: String)] = [
        ("v2.0.13-single", ""), ("v2.3.8-cluster3", "/m1"), ("v2.3.8-cluster3", "/m2"),
        ("v2.3.8-cluster3", "/m3"), ("v2.3.8-flipped-byte", ""), ("v2.3.8-killed", ""),
        ("v2.3.8-segments", ""), ("v2.3.8-torn-tail", ""), ("v3.4.23-v2", ""),
    ]

    /// The words of a listing's record that both have: offset, type, crc, size, index, term.
    static func listing(_ name: String, _ member: String) throws -> [[String]] {
        var isWanted = member.isEmpty
        var records: [[String]] = []
        for line in try Fixture.text("etcd/\(name).wal.txt").split(separator: "\n") {
            if line.hasPrefix("#####") { isWanted = line.hasSuffix(member.dropFirst()) }
            guard isWanted, !line.hasPrefix("#") else { continue }
            let words = line.split(separator: " ").map(String.init)
            func word(_ name: String) -> String {
                words.first { $0.hasPrefix("\(name)=") }.map {
                    String($0.dropFirst(name.count + 1))
                }
                    ?? ""
            }
            var record = [words[0], words[1], word("crc"), word("flen")]
            if words[1] != "crc", words[1] != "metadata" {
                record += [word("index"), word("term")]
            }
            records.append(record)
        }
        return records
    }

    static func dump(_ path: String, _ set: (inout LogDump) -> Void = { _ in }) throws -> Captured {
        var dump = LogDump()
        dump.directory = path
        set(&dump)
        let made = dump
        return try Captured.run { output, progress throws(DumpError) in
            try made.run(PosixStorage(), output, progress)
        }
    }

    /// As JSON, the same words.
    static func records(_ captured: Captured) throws -> [[String]] {
        try objects(captured).dropLast().map { object in
            let type = try #require(object["type"] as? String)
            var record = [
                "\(object["offset"] ?? "")", type, "\(object["crc"] ?? "")",
                "\(object["bytes"] ?? "")",
            ]
            if type != "crc", type != "metadata" {
                record += ["\(object["index"] ?? "")", "\(object["term"] ?? "")"]
            }
            return record
        }
    }

    static func objects(_ captured: Captured) throws -> [[String: Any]] {
        try captured.lines.map { line in
            try #require(
                JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    @Test(arguments: dirs.indices) func agreesWithTheListing(_ i: Int) throws {
        let (name, member) = Self.dirs[i]
        let directory = try TemporaryDirectory()
        try Fixture.unpack(name, into: directory)
        let captured = try Self.dump("\(directory.path)/\(name)\(member)") { $0.isJSON = true }
        let expected = try Self.listing(name, member)
        let found = try Self.records(captured)
        #expect(expected.count > 100)
        // The listing ends at damage, kvd-dump goes on behind it.
        #expect(Array(found.prefix(expected.count)) == expected)
        if name == "v2.3.8-flipped-byte" {
            #expect(!captured.isWell)
            #expect(found.count == 228)
        } else {
            #expect(captured.isWell)
            #expect(found.count == expected.count)
        }
    }

    @Test func findsTheLogFromEachOfItsDirs() throws {
        let member = try MemberFixture()
        try member.fill(3, second: 1)
        let texts = try [member.path, "\(member.path)/", "\(member.path)/member", member.walPath]
            .map { try Self.dump($0).text }
        #expect(Set(texts).count == 1)
        let nowhere = #expect(throws: DumpError.self) { try Self.dump(member.directory.path) }
        #expect(nowhere?.description.contains("is no data dir, member dir or wal dir") == true)
        let missing = #expect(throws: DumpError.self) { try Self.dump("/nowhere") }
        #expect(missing?.description == "/nowhere does not exist. Check the path.")
    }

    @Test func filters() throws {
        let member = try MemberFixture()
        try member.fill(5, second: 1)
        let range = try Self.dump(member.path) {
            ($0.fromIndex, $0.toIndex, $0.isJSON) = (3, 5, true)
        }
        #expect(try Self.records(range).map { $0[4] } == ["3", "4", "5"])
        let changes = try Self.dump(member.path) { ($0.types, $0.isJSON) = ([.confchange], true) }
        let change = try #require(try Self.objects(changes).first)
        #expect(change["change"] as? String == "add")
        #expect(change["peerURLs"] as? [String] == ["http://127.0.0.1:7001"])
        let found = try Self.dump(member.path) { $0.text = "value 2" }
        #expect(found.lines.first?.hasSuffix("PUT /1/key2 \"value 2 of second 1\"") == true)
        #expect(found.lines.filter { $0.contains(" PUT /") }.count == 1)
        #expect(throws: DumpError.usage("--from-index 5 is behind --to-index 3.")) {
            try Self.dump(member.path) { ($0.fromIndex, $0.toIndex) = (5, 3) }
        }
    }

    @Test func valuesAreShortenedAndEscaped() throws {
        let member = try MemberFixture()
        try member.commit([member.put("a", "\u{1b}[31m\n\"ü" + String(repeating: "x", count: 50))])
        func line(_ limit: ByteText.Limit) throws -> String {
            let captured = try Self.dump(member.path) { ($0.text, $0.values) = ("/1/a", limit) }
            return String(try #require(captured.lines.first))
        }
        #expect(try line(.bytes(8)).hasSuffix("\"\\u{1b}[31m\\n\\\"\"… (59 bytes)"))
        #expect(try line(.bytes(9)).hasSuffix("\"\\u{1b}[31m\\n\\\"ü\"… (59 bytes)"))
        #expect(try line(.full).hasSuffix("\\\"ü" + String(repeating: "x", count: 50) + "\""))
        let hex = try Self.dump(member.path) { ($0.text, $0.showsHex) = ("/1/a", true) }
        #expect(hex.text.contains("2f312f61"))
    }

    @Test func damageIsToldAndPassed() throws {
        let member = try MemberFixture()
        try member.fill(20, second: 1)
        let name = try #require(try member.storage.list(member.walPath).first)
        let file = try member.storage.open("\(member.walPath)/\(name)", for: .updating)
        let bytes = try file.readAll()
        let place = try #require(
            Data(bytes).range(of: Data("value 7 of".utf8))?.lowerBound)
        try file.write([bytes[place] ^ 1], at: place)
        let captured = try Self.dump(member.path)
        #expect(!captured.isWell)
        #expect(captured.text.contains(" BAD term=1 index=9 PUT /1/key7"))
        #expect(captured.text.contains("ok  term=1 index=21 PUT /1/key19"))
        #expect(captured.text.contains("damage: \(member.walPath)/\(name) at byte "))
        let verified = try member.verify()
        #expect(!verified.isWell)
        #expect(verified.text.contains("\(name): DAMAGED: at byte "))
    }

    /// A reader that goes away ends it.
    @Test func stopsWhenNobodyReads() throws {
        let directory = try TemporaryDirectory()
        try Fixture.unpack("v2.3.8-killed", into: directory)
        var dump = LogDump()
        dump.directory = "\(directory.path)/v2.3.8-killed"
        var pieces = 0
        let output = Output { _ in
            pieces += 1
            return .nobodyReads
        }
        _ = try dump.run(PosixStorage(), output, Progress(nil))
        output.flush()
        #expect(output.isClosed)
        #expect(pieces == 1)
    }
}
