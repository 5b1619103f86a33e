internal import Cluster

/// The origins of `--cors`: web pages of theirs may call this member.
package struct AllowedOrigins: Equatable, Sendable {
    /// As written; `*` is one of them when everybody may.
    package let origins: Set<String>

    package static let none = AllowedOrigins(origins: [])

    /// Whether a request with this `Origin` header gets CORS headers.
    package func allows(_ origin: String) -> Bool {
        origins.contains("*") || origins.contains(origin)
    }

    package var isEmpty: Bool { origins.isEmpty }

    private init(origins: Set<String>) { self.origins = origins }

    init(parsing text: String) throws(ValueError) {
        var origins: Set<String> = []
        for part in text.split(separator: ",") {
            let origin = String(part).trimmingSpaces()
            guard !origin.isEmpty else { continue }
            if origin != "*" {
                let scheme = origin.prefix { $0 != ":" }
                let isBare = !scheme.isEmpty && scheme.utf8.allSatisfy(\.isASCIIAlphanumeric)
                guard isBare, origin.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                    throw ValueError(
                        "Invalid CORS origin: \(origin)",
                        advice: "Write it like http://dashboard.example.com:8080, or *.")
                }
            }
            origins.insert(origin)
        }
        self.origins = origins
    }
}
