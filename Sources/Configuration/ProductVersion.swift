internal import Cluster

/// The version that kvd has, and the one that it presents to etcd's tools.
package enum ProductVersion {
    /// kvd's own.
    package static let own = "0.1.0"

    /// `--version`: etcd's four lines first, because tools read `etcd Version: `; then ours.
    static var report: String { (lines).map { $0 + "\n" }.joined() }

    /// Also logged at every start.
    static let lines = [
        "etcd Version: \(SemanticVersion.served)",
        "Git SHA: none (this is kvd, compatible with etcd \(SemanticVersion.served.majorMinor))",
        "Go Version: none (written in Swift)",
        "Go OS/Arch: linux/\(architecture)",
        "kvd Version: \(own)",
    ]

    /// In Go's words.
    private static var architecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }
}
