/// What tests that start real processes share: binaries, free ports, temporary folders, a plain
/// blocking HTTP client, and waiting by condition.
///
/// Everything runs on loopback and in temporary folders; a `KvdProcess` is killed when its owner
/// lets go of it.
package import Foundation

package enum ProcessSupport {
    /// The build folder that this test bundle came out of: the executables lie beside it.
    package static let buildFolder: URL = {
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        let beside = bundle?.bundleURL.deletingLastPathComponent()
        return beside ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    }()

    /// An executable of this package; `KVD_BIN_DIR` points at other builds of them.
    package static func executable(_ name: String) -> URL {
        if let folder = ProcessInfo.processInfo.environment["KVD_BIN_DIR"] {
            return URL(fileURLWithPath: folder).appendingPathComponent(name)
        }
        return buildFolder.appendingPathComponent(name)
    }

    /// The folder of the checkout, found from this file's own place in it.
    package static let packageFolder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}

/// A folder that goes away with its owner.
package final class TemporaryFolder {
    package let url: URL
    /// Set after a failure that wants a look.
    package var isKept = false

    package init() throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("kvd-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { if !isKept { try? FileManager.default.removeItem(at: url) } }

    package func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

/// A condition did not come true in time.
package struct DeadlineExceeded: Error, CustomStringConvertible {
    package let description: String
}

/// Asks `condition` again and again until it holds, for `timeout` times `Patience.factor`.
package func waitUntil(
    _ what: @autoclosure () -> String, within timeout: Duration = .seconds(30),
    _ condition: () throws -> Bool
) throws {
    let timeout = timeout * Patience.factor
    let deadline = ContinuousClock.now + timeout
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            throw DeadlineExceeded(description: "not within \(timeout): \(what())")
        }
        usleep(5_000)
    }
}
