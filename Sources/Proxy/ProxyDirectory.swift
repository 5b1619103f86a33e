package import Cluster
package import Storage
package import StorageIO

/// What a proxy keeps: the peer URLs of its cluster, in etcd's file.
///
///     DATADIR/proxy/        0700
///       LOCK                flock'ed; holds the process id of who has it
///       cluster             0600  {"PeerURLs":["http://…",…]}
///       cluster.bak         the next one, until it is renamed
///
/// Source: `reference/disk-format.md` §1. LOCK is ours.
package struct ProxyDirectory<IO: FileStorage>: Sendable {
    private let storage: IO
    /// `DATADIR/proxy`
    package let path: String
    private let lock: IO.File

    package var clusterPath: String { "\(path)/cluster" }
    private var nextPath: String { "\(path)/cluster.bak" }

    /// Makes and locks the dir. A member's data dir is refused.
    package static func open(
        _ dataDirectory: String, storage: IO
    ) throws(DataDirectoryError) -> ProxyDirectory {
        switch try DataDirectoryKind.inspect(dataDirectory, storage: storage) {
        case .memberAndProxy: throw DataDirectoryError(.memberAndProxy, path: dataDirectory)
        case .member, .tooOld, .farTooOld:
            throw DataDirectoryError(.isMember, path: dataDirectory)
        case .empty, .proxy: break
        }
        let path = "\(dataDirectory)/proxy"
        do throws(StorageError) {
            try storage.createDirectories(path)
            let lock = try storage.lock("\(path)/LOCK")
            try storage.syncDirectory(path)
            return ProxyDirectory(storage: storage, path: path, lock: lock)
        } catch {
            guard error.isLocked else {
                throw DataDirectoryError(.storage(error), path: dataDirectory)
            }
            throw DataDirectoryError(.inUse(processID: error.lockHolder), path: dataDirectory)
        }
    }

    /// The peer URLs of the last time; nil: there was none.
    package func peers() throws(ProxyDirectoryError) -> [EndpointURL]? {
        do throws(StorageError) {
            guard try storage.kind(of: clusterPath) != nil else { return nil }
        } catch { throw ProxyDirectoryError(path: clusterPath, problem: "\(error)") }
        let bytes: [UInt8]
        do throws(StorageError) {
            bytes = try storage.open(clusterPath, for: .reading).readAll()
        } catch { throw ProxyDirectoryError(path: clusterPath, problem: "\(error)") }
        do {
            return try EndpointURL.list(JSONValue(parsing: bytes).strings("PeerURLs"))
        } catch { throw ProxyDirectoryError(path: clusterPath, problem: "\(error)") }
    }

    /// Replaces the file as a whole, durably.
    package func save(_ peers: [EndpointURL]) throws(StorageError) {
        var json = JSONText()
        json.raw("{\"PeerURLs\":")
        json.strings(peers.map(\.description))
        json.raw("}")
        let file = try storage.open(nextPath, for: .replacing)
        try file.write(json.bytes, at: 0)
        try file.sync()
        try storage.rename(nextPath, to: clusterPath)
        try storage.syncDirectory(path)
    }
}

/// The file with the peer URLs is there and cannot be used.
package struct ProxyDirectoryError: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let problem: String

    package var description: String {
        "\(path) does not say where the cluster is: \(problem). Remove it, and name the members' "
            + "peer URLs with --initial-cluster"
    }
}
