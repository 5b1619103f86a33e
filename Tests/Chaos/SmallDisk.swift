import Foundation
import ProcessSupport
import Synchronization

/// A file system of its own that can be filled up: a tmpfs, which takes root to mount.
final class SmallDisk {
    let path: String
    private var isMounted = true

    /// Room for the log's first segments and its reserve, 64 MB each, and some snapshots.
    private static let megabytes = 224

    /// All of this process.
    private static let mounted = Mutex<Set<String>>([])

    private init(_ path: String) {
        self.path = path
        Self.mounted.withLock { _ = $0.insert(path) }
    }

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
        Self.unmount(path)
    }

    /// For an end that comes from outside.
    static func unmountAll() {
        for path in mounted.withLock({ $0 }) { unmount(path) }
    }

    private static func unmount(_ path: String) {
        // Also while a member has files open there.
        _ = run("umount", "-l", path)
        mounted.withLock { _ = $0.remove(path) }
    }

    /// Keeps what is on it, for a look after a failure.
    func copy(to folder: String) {
        empty()
        _ = Self.run("cp", "-a", "--sparse=always", "\(path)/.", folder)
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
