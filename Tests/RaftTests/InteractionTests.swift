import Foundation
import Testing

/// The scenarios of `Fixtures/raft`. Commands: `Interaction+Commands.swift`.
@Suite struct InteractionTests {
    @Test(arguments: try DataDriven.files())
    func golden(_ file: String) throws {
        var interaction = Interaction()
        try DataDriven.run(file) { try interaction.handle($0) }
    }

    /// Long traces get rewritten unread.
    @Test func filesAreShort() throws {
        let files = try DataDriven.files()
        #expect(files.count >= 40)
        for file in files {
            let text = try String(
                contentsOf: DataDriven.folder.appending(path: file), encoding: .utf8)
            #expect(
                text.split(separator: "\n", omittingEmptySubsequences: false).count <= 100,
                "\(file)")
        }
    }
}
