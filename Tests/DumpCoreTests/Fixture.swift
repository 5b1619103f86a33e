import Foundation

/// Files of the repository's `Fixtures` directory.
enum Fixture {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// A data dir that a real etcd wrote, unpacked into `directory`.
    static func unpack(_ name: String, into directory: TemporaryDirectory) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/tar")
        process.arguments = [
            "xzf", root.appending(path: "etcd/\(name).tar.gz").path(percentEncoded: false),
            "-C", directory.path,
        ]
        try process.run()
        process.waitUntilExit()
        precondition(process.terminationStatus == 0, "tar failed on \(name)")
    }
}

/// A directory that is there as long as this object.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appending(path: "kvd-dump-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path(percentEncoded: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
