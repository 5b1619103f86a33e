package import Foundation

/// Programs of others that tests judge kvd with, where the machine has them.
package enum ExternalPrograms {
    /// A real etcd 3.4, whose `--enable-v2` serves the v2 API; `ETCD_BIN` names another than PATH's.
    package static let etcd = find("etcd", variable: "ETCD_BIN")
    /// Its command line client; `ETCDCTL_BIN` names another than PATH's.
    package static let etcdctl = find("etcdctl", variable: "ETCDCTL_BIN")

    private static func find(_ name: String, variable: String) -> URL? {
        let environment = ProcessInfo.processInfo.environment
        if let path = environment[variable] { return URL(fileURLWithPath: path) }
        return (environment["PATH"] ?? "").split(separator: ":")
            .map { URL(fileURLWithPath: "\($0)/\(name)") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }
}
