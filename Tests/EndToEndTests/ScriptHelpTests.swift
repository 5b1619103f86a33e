import Foundation
import ProcessSupport
import Testing

/// Each script says what it does when asked, and does nothing of it.
@Suite struct ScriptHelpTests {
    private static let folder = ProcessSupport.packageFolder.appendingPathComponent("Scripts")

    private static let scripts: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        return (names ?? []).sorted().filter { name in
            var isDirectory: ObjCBool = false
            let path = folder.appendingPathComponent(name).path
            return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
                && !isDirectory.boolValue && FileManager.default.isExecutableFile(atPath: path)
        }
    }()

    @Test func thereAreScripts() { #expect(Self.scripts.contains("test")) }

    @Test(arguments: scripts, [["--help"], ["-h"]])
    func helpBuildsNothing(_ script: String, _ words: [String]) throws {
        let process = Process()
        process.executableURL = Self.folder.appendingPathComponent(script)
        process.arguments = words
        // Where there is no Swift, so that whoever wants to build fails.
        let environment = ProcessInfo.processInfo.environment
        process.environment = environment.merging(["PATH": "/usr/bin:/bin"]) { $1 }
        let (status, text) = try process.runToEnd()
        #expect(status == 0, "\(text)")
        let source = try String(
            contentsOf: Self.folder.appendingPathComponent(script), encoding: .utf8)
        let first = try #require(source.split(separator: "\n").dropFirst().first)
        #expect(text.hasPrefix(first.dropFirst(2)), "\(text)")
    }
}
