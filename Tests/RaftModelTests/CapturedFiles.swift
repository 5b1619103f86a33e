import Foundation
import ProtoWire

/// Files under `Fixtures`, taken from real members: see `Fixtures/peer/ANNOTATED.md` there.
enum CapturedFiles {
    static let fixtures = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    static func peer(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: fixtures.appending(path: "peer/\(name).bin")))
    }

    static func listing(_ name: String) throws -> [String] {
        let file = fixtures.appending(path: "peer/\(name).listing.txt")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// The contents of all files ending in `suffix` of the data directory packed as `name`.
    static func unpacked(_ name: String, suffix: String) throws -> [[UInt8]] {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "kvd-\(name)-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let tar = Process()
        tar.executableURL = URL(filePath: "/usr/bin/env")
        let archive = fixtures.appending(path: "etcd/\(name).tar.gz")
        tar.arguments = ["tar", "-xzf", archive.path, "-C", directory.path]
        try tar.run()
        tar.waitUntilExit()
        guard tar.terminationStatus == 0 else { throw CocoaError(.fileReadCorruptFile) }
        let names = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
        return try names.filter { $0.hasSuffix(suffix) }.sorted().map { name in
            [UInt8](try Data(contentsOf: directory.appending(path: name)))
        }
    }
}

/// Cuts captured streams into the messages they are made of. A stream that ends inside a frame
/// traps: these files are known to be whole.
struct Cutter {
    private var rest: ArraySlice<UInt8>
    let count: Int

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
        count = bytes.count
    }

    var offset: Int { count - rest.count }
    var isAtEnd: Bool { rest.isEmpty }

    mutating func bytes(_ count: Int) -> [UInt8] {
        precondition(count <= rest.count, "the capture ends inside a frame")
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func bigEndian() -> Int { bytes(8).reduce(0) { $0 << 8 | Int($1) } }
    mutating func littleEndian() -> Int { bytes(8).reversed().reduce(0) { $0 << 8 | Int($1) } }
    /// Bytes behind their big-endian length.
    mutating func sized() -> [UInt8] { bytes(bigEndian()) }
}
