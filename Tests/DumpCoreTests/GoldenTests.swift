import FixtureSupport
import DumpCore
import StorageIO
import Testing

/// Whole outputs, as they were looked over once: `Fixtures/dump`.
@Suite struct GoldenTests {
    private func compare(
        _ golden: String, _ dir: String, _ member: String = "",
        _ run: (String, Output, Progress) throws(DumpError) -> Bool
    ) throws {
        let directory = try TemporaryDirectory()
        try Fixture.unpack(dir, into: directory)
        let captured = try Captured.run { output, progress throws(DumpError) in
            try run("\(directory.path)/\(dir)\(member)", output, progress)
        }
        let text = captured.text.replacing("\(directory.path)/", with: "")
        #expect(text == (try Fixture.text("dump/\(golden).txt")), "\(golden)")
    }

    @Test func wal() throws {
        try compare("v2.0.13-single.wal", "v2.0.13-single") {
            path, output, progress throws(DumpError) in
            var dump = LogDump()
            dump.directory = path
            return try dump.run(PosixStorage(), output, progress)
        }
    }

    @Test func verify() throws {
        for dir in ["v2.3.8-flipped-byte", "v2.3.8-torn-tail"] {
            try compare("\(dir).verify", dir) { path, output, progress throws(DumpError) in
                try Verification.run(path, PosixStorage(), output, progress)
            }
        }
    }

    @Test func stat() throws {
        try compare("v2.3.8-cluster3-m1.stat", "v2.3.8-cluster3", "/m1") {
            path, output, progress throws(DumpError) in
            try MemberReport.run(path, isJSON: false, PosixStorage(), output, progress)
        }
    }

    @Test func store() throws {
        try compare("v2.3.8-cluster3-m1.store", "v2.3.8-cluster3", "/m1") {
            path, output, progress throws(DumpError) in
            var dump = StoreDump()
            dump.directory = path
            return try dump.run(PosixStorage(), output, progress)
        }
    }

    @Test func snap() throws {
        try compare("v2.3.8-cluster3-m1.snap", "v2.3.8-cluster3", "/m1") {
            path, output, progress throws(DumpError) in
            try SnapshotDump.run(
                path, keys: true, isJSON: true, PosixStorage(), output, progress)
        }
    }
}
