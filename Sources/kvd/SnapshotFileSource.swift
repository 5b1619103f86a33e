import RaftModel
import Storage
import StorageIO
import Transport

/// A snapshot file that is being sent: it stays readable although its name may be purged meanwhile.
final class SnapshotFileSource: SnapshotSource {
    let name: SnapshotName
    let metadata: SnapshotMetadata
    let sizeBytes: Int
    let identity: String
    private let file: PosixFile

    init(
        _ name: SnapshotName, in directory: SnapshotDirectory<PosixStorage>
    ) throws(SnapshotError) {
        self.name = name
        let reader = try directory.open(name)
        metadata = reader.header.metadata
        sizeBytes = reader.fileBytes
        identity = reader.identity
        file = reader.file
    }

    func read(into memory: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try file.read(into: memory, at: offset)
    }
}
