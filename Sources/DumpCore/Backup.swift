import Cluster
import KeyStore
import RaftModel
import State
package import StateFiles
import Storage
import StorageIO

/// `kvd-dump backup`: one `.ksnap` of a member's state, from the files of a running or stopped one.
package struct Backup {
    package static func run(
        dataDir: String, to target: String, until limit: StateReplay.Limit = .committed,
        archive: String? = nil, _ output: Output
    ) throws(DumpError) {
        let dirs = try DataDirFinder.dirs(dataDir)
        guard try !DataDirFinder.exists(target) else {
            throw DumpError("\(target) is there already. Choose another name, or remove it.")
        }
        let replay = try DumpError.catching {
            try StateReplay.run(
                snapPath: dirs.snap, walPath: dirs.wal, archive: archive, until: limit)
        }
        let image = replay.state.image()
        guard image.index > 0 else {
            throw DumpError("\(dirs.member) holds nothing that is committed.")
        }
        let size = try write(image, replay.metadata, to: target)
        output.line(
            "\(target): index \(image.index), term \(image.term), \(image.nodeCount) keys, content hash "
                + "\(String(image.contentHash, radix: 16)), \(size) bytes")
    }

    static func header(
        of image: StateImage, _ identity: WALMetadata, createdAt: Int64 = Clock.unixNanoseconds
    ) -> SnapshotHeader {
        SnapshotHeader(
            member: identity.memberID, cluster: identity.clusterID, term: image.term,
            index: image.index, confState: image.confState, storeIndex: image.store.currentIndex,
            contentHash: image.contentHash, nodeCount: UInt64(image.nodeCount),
            eventCount: UInt64(image.eventCount), clusterTime: image.clusterTime,
            createdAt: createdAt)
    }

    /// Under a temporary name until it is durable. Returns the file's size.
    static func write(
        _ image: StateImage, _ identity: WALMetadata, to target: String
    ) throws(DumpError) -> Int {
        let storage = PosixStorage()
        let temporary = "\(target).tmp"
        return try DumpError.catching {
            let file = try storage.open(temporary, for: .replacing)
            var size = 0
            var failure: StorageError?
            func put(_ bytes: UnsafeRawBufferPointer) {
                guard failure == nil else { return }
                do throws(StorageError) { try file.write(bytes, at: size) } catch {
                    failure = error
                }
                size += bytes.count
            }
            let container = SnapshotEncoder(header(of: image, identity))
            var state = StateEncoder(image)
            container.start(put)
            while failure == nil, state.next({ container.append($0, put) }) {}
            container.finish(put)
            if let failure {
                try? storage.remove(temporary)
                throw failure
            }
            try file.sync()
            try storage.rename(temporary, to: target)
            let parent = target.lastIndex(of: "/").map { String(target[..<$0]) } ?? "."
            try storage.syncDirectory(parent.isEmpty ? "/" : parent)
            return size
        }
    }
}
