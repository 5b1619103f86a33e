/// A version of the form `major.minor.patch`, as etcd puts in headers and in `/0/version`.
///
/// A pre-release or build part (`3.0.0-beta.0+git`) is read and dropped: nothing in the 2.x
/// protocol looks at more than major and minor.
package struct SemanticVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var major: Int
    package var minor: Int
    package var patch: Int

    package init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
        precondition(major >= 0 && minor >= 0 && patch >= 0, "a version has no negative part")
        (self.major, self.minor, self.patch) = (major, minor, patch)
    }

    /// Parses `2.3.8`; nil for anything else, such as `not_decided` or `2.3`.
    package init?(_ text: some StringProtocol) {
        let core = text.prefix { $0 != "-" && $0 != "+" }
        let parts = core.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        var numbers: [Int] = []
        for part in parts {
            // Int's own parser would take a sign.
            guard part.utf8.allSatisfy(\.isASCIIDigit), let number = Int(part) else { return nil }
            numbers.append(number)
        }
        self.init(numbers[0], numbers[1], numbers[2])
    }

    package var description: String { "\(major).\(minor).\(patch)" }

    /// `2.3`, as etcd's log lines say it.
    package var majorMinor: String { "\(major).\(minor)" }

    /// With patch 0: cluster versions are compared and stored so.
    package var withoutPatch: SemanticVersion { SemanticVersion(major, minor) }

    package static func < (a: SemanticVersion, b: SemanticVersion) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }
}

extension SemanticVersion {
    /// The etcd release that kvd presents itself as, to clients and to peers.
    package static let served = SemanticVersion(2, 3, 8)
    /// The oldest cluster version that kvd, like etcd 2.3, can live in.
    package static let minimumCluster = SemanticVersion(2, 2, 0)
    /// What a member that says nothing about its version is: 2.0 knew no such headers.
    package static let unstated = SemanticVersion(2, 0, 0)
}
