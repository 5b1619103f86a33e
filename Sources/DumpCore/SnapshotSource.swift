import KeyStore
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// A snapshot file, kvd's or etcd's, read into a state. Believes nothing in it unchecked.
struct SnapshotSource {
    var image: StateImage
    /// As kvd's own have it; nil: etcd's.
    var header: SnapshotHeader?
    var fileBytes: Int
    /// Of the state, not compressed.
    var stateBytes: Int

    static func load(
        _ path: String, storage: some FileStorage, _ progress: Progress
    ) throws(DumpError) -> SnapshotSource {
        path.hasSuffix(".snap")
            ? try loadEtcd(path, storage) : try loadOwn(path, storage, progress)
    }

    private static func loadOwn(
        _ path: String, _ storage: some FileStorage, _ progress: Progress
    ) throws(DumpError) -> SnapshotSource {
        let reader = try DumpError.catching { () throws(SnapshotError) in
            try SnapshotReader(path, storage: storage)
        }
        let header = reader.header
        try checkName(path, header)
        progress.begin("reading \(path)", totalBytes: 0)
        let image: StateImage
        do throws(SnapshotContentError) {
            image = try StateImage.read(reader) { progress.add($0) }
        } catch {
            throw failure(error, path)
        }
        try compare(image, with: header, path)
        return SnapshotSource(
            image: image, header: header, fileBytes: reader.fileBytes,
            stateBytes: reader.stateBytes)
    }

    private static func failure(_ error: SnapshotContentError, _ path: String) -> DumpError {
        switch error {
        case .file(let error): DumpError("\(error)")
        case .state(let error): DumpError("\(path): \(error).")
        case .hash(let found, let expected):
            DumpError(
                "\(path): its keys hash to \(ByteText.hex(found, digits: 16)), but when it was "
                    + "written they hashed to \(ByteText.hex(expected, digits: 16)). Use another "
                    + "snapshot or a backup.")
        }
    }

    /// A snapshot that was given another one's name would be taken for that one at a start.
    private static func checkName(_ path: String, _ header: SnapshotHeader) throws(DumpError) {
        let last = path.split(separator: "/").last.map(String.init) ?? path
        guard let name = SnapshotName(last), name != header.name else { return }
        throw DumpError(
            "\(path) holds the snapshot \(header.name): it was renamed. Give it back its name.")
    }

    private static func compare(
        _ image: StateImage, with header: SnapshotHeader, _ path: String
    ) throws(DumpError) {
        guard image.store.currentIndex == header.storeIndex,
            UInt64(image.nodeCount) == header.nodeCount,
            UInt64(image.eventCount) == header.eventCount
        else {
            throw DumpError(
                "\(path): its header tells other counts than its state has. Use another snapshot "
                    + "or a backup.")
        }
    }

    private static func loadEtcd(
        _ path: String, _ storage: some FileStorage
    ) throws(DumpError) -> SnapshotSource {
        let bytes = try DumpError.catching { () throws(StorageError) in
            try storage.open(path, for: .reading).readAll()
        }
        do throws(EtcdSnapshotError) {
            let image = try EtcdSnapshot.decode(bytes)
            return SnapshotSource(
                image: image, header: nil, fileBytes: bytes.count, stateBytes: bytes.count)
        } catch {
            throw DumpError("\(path): \(error). Use another snapshot or a backup.")
        }
    }
}
