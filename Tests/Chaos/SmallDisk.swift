import Foundation
import ProcessSupport

/// A file system of its own that can be filled up: a tmpfs, which takes root to mount.
final class SmallDisk {
    let path: String
    private var isMounted = true

    /// Room for the log's first segments and its reserve, 64 MB each, and some snapshots.
    private static let megabytes = 224

    private init(_ path: String) { self.path = path }

    deinit { unmount() }

    /// Nil: not permitted here.
    static func mount(in folder: TemporaryFolder) -> SmallDisk? {
        let path = folder.path("small-disk")
        guard getuid() == 0, mkdir(path, 0o700) == 0,
            run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m,mode=700", "kvd-chaos", path)
        else { return nil }
        return SmallDisk(path)
    }

    func unmount() {
        guard isMounted else { return }
        isMounted = false
        _ = Self.run("umount", "-l", path)
    }

    private var ballast: String { "\(path)/ballast" }

    /// Takes all the space that is left.
    func fill() throws {
        let file = open(ballast, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard file >= 0 else { throw ChaosFailure("cannot open \(ballast): errno \(errno)") }
        defer { close(file) }
        let page = [UInt8](repeating: 1, count: 1 << 16)
        while write(file, page, page.count) > 0 {}
    }

    func empty() { unlink(ballast) }

    private static func run(_ arguments: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
