import Foundation

/// Requests in `Fixtures/http`, as they go over the wire.
package enum HTTPFixture {
    private static let put = "PUT /v2/keys/smuggled HTTP/1.1\\r\\nHost: h\\r\\n"
    private static let hidden = "PUT /v2/keys/smuggled?value=2 HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n"

    /// Those of which nothing may be carried out; one that is would write `/smuggled`.
    package static func smuggling() throws -> [String] {
        try Fixture.text("http/smuggling.txt").split(separator: "\n")
            .filter { !$0.hasPrefix("#") }
            .map {
                unescaped(
                    $0.replacingOccurrences(of: "{put}", with: put).replacingOccurrences(
                        of: "{hidden}", with: hidden))
            }
    }

    private static func unescaped(_ line: some StringProtocol) -> String {
        line.replacingOccurrences(of: "\\r", with: "\r").replacingOccurrences(of: "\\n", with: "\n")
            .replacingOccurrences(of: "\\t", with: "\t").replacingOccurrences(of: "\\0", with: "\0")
    }
}
