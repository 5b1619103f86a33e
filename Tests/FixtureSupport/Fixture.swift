package import Foundation

/// Files of the repository's `Fixtures` directory.
package enum Fixture {
    package static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    package static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// A data dir that a real etcd wrote, unpacked into `directory`.
    package static func unpack(_ name: String, into directory: TemporaryDirectory) throws {
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
