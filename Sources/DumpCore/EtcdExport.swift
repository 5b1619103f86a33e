import KeyStore
import RaftModel
import State
import Storage
package import StorageIO

/// `export`: a member's data dir in the form that etcd 2.3 opens, for going back.
///
///     member/snap/<term>-<index>.snap     the store at the end of the committed log
///     member/wal/0…0-0…0.wal              ids, that snapshot, the entries behind it, term and vote
///
/// Entries that are not known to be committed come along: a majority may have them, and one of them
/// may have been acknowledged. So do term and vote: the member must not vote twice.
package struct EtcdExport {
    package var directory = ""
    package var walDirectory: String?
    package var target = ""

    package init() {}

    package func run(
        _ storage: some FileStorage, _ output: Output, _ progress: Progress
    ) throws(DumpError) -> Bool {
        let files = try MemberFiles.find(directory, wal: walDirectory, storage: storage)
        let source = try StateSource.load(files, until: .end, storage, progress)
        let image = source.state.image()
        guard image.index > 0 else {
            throw DumpError(
                "\(directory): nothing is committed yet, so there is nothing to export.")
        }
        let snapshot = EtcdSnapshot.encode(image, crc32c: { CRC32C.of($0) })
        let name = SnapshotName(term: image.term, index: image.index, format: .etcd)
        try makeDirectories(storage)
        // The log last: etcd takes a dir without one for empty.
        try write(snapshot, to: "\(target)/member/snap", "\(name)", storage)
        try write(
            Self.log(source, image), to: "\(target)/member/wal", "\(EtcdLog.segment)", storage)
        progress.end()
        output.line(
            "\(target): member \(source.metadata.memberID) of cluster "
                + "\(source.metadata.clusterID), snapshot of index \(image.index) (term "
                + "\(image.term)), \(source.tail.count) entries behind it, \(image.nodeCount) nodes"
        )
        return true
    }

    private static func log(_ source: StateSource, _ image: StateImage) -> [UInt8] {
        var log = EtcdLog(
            source.metadata, WALSnapshotRecord(index: image.index, term: image.term))
        for entry in source.tail { log.append(entry) }
        var state = source.hardState
        state.term = max(state.term, image.term)
        state.commit = image.index
        log.append(state)
        return log.bytes
    }

    private func makeDirectories(_ storage: some FileStorage) throws(DumpError) {
        do throws(StorageError) {
            if try storage.kind(of: target) == nil {
                try storage.createDirectory(target)
            } else if try !storage.list(target).isEmpty {
                throw StorageError(.createDirectory, target, code: 39)  // ENOTEMPTY
            }
            for name in ["member", "member/snap", "member/wal"] {
                try storage.createDirectory("\(target)/\(name)")
            }
            try storage.syncDirectory("\(target)/member")
            try storage.syncDirectory(target)
            try storage.syncDirectory(parentPath(of: target))
        } catch {
            throw DumpError("\(error)")
        }
    }

    private func write(
        _ bytes: [UInt8], to directory: String, _ name: String, _ storage: some FileStorage
    ) throws(DumpError) {
        do throws(StorageError) {
            let temporary = "\(directory)/\(name).tmp"
            let file = try storage.open(temporary, for: .replacing)
            try file.write(bytes, at: 0)
            try file.sync()
            try storage.rename(temporary, to: "\(directory)/\(name)")
            try storage.syncDirectory(directory)
        } catch {
            throw DumpError("\(error)")
        }
    }
}
